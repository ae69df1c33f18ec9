"""Data cards: what a data set on disk is, so that later stages notice when it is something else.

A card is plain data: {source, dataset, sizes [[H, W], ...], counts {train, val}, classes {task: number},
folders, labels {task: "source" | "derived" | "taught" | "absent"}, digest}. `digest` is a SHA-256 over the sorted
relative names and the contents of every file of the layout.

Each published archive has a fixed card in its layout's module, since nobody publishes checksums and archives of
other versions circulate that load without complaint and give wrong numbers.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

from mtinet import files
from mtinet.data import formats
from mtinet.data.layouts import SPLITS, ArchiveCard, Layout, Size, layout
from mtinet.errors import UserError

Card = dict[str, Any]
SHOWN = 20  # problems listed, and kinds of them in each folder, before the rest is only counted
MISSING = "no "
NUMBERS = re.compile(r"[-+]?\d+(\.\d*)?(e[-+]?\d+)?")
NO_SIZE = (0, 0)  # of an image of which nothing tells the size: none of its labels can be read to where that counts


# The card of what lies on disk ------------------------------------------------------------------------------


def make_card(root: Path, dataset: str, source: str) -> Card:
    """The card of the data set in `root`; UserError when a file that a split asks for is missing."""
    data = layout(dataset)
    ids = {split: data.split_ids(root, split) for split in SPLITS}
    every = [name for names in ids.values() for name in names]
    needed = data.ARCHIVE.shipped if source == "archive" else data.ARCHIVE.required
    present = [task for task in data.FOLDERS if task in needed or has_files(root / data.FOLDERS[task])]
    missed = list(absences(root, every, present, data))
    report([], f"{root}: not a complete data set", data.ARCHIVE.way_on, files_of=missed)
    return {
        "source": source,
        "dataset": dataset,
        "sizes": [list(size) for size in sorted({data.image_size(root, name) for name in every})],
        "counts": {split: len(names) for split, names in ids.items()},
        "classes": dict(data.ARCHIVE.classes),
        "folders": [folder for folder in data.RAW_FOLDERS if has_files(root / folder)],
        "labels": {task: origin(task, present, data.ARCHIVE) for task in data.FOLDERS},
        "digest": digest(root, dataset),
    }


def origin(task: str, present: Iterable[str], archive: ArchiveCard) -> str:
    """Where a task's labels come from: the source, or the stage distill, derived or by a teacher; absent: nowhere."""
    if task in present:
        return "source"
    return "taught" if task in archive.taught else "derived" if task in archive.derivable else "absent"


def check_card(root: Path, card: Card) -> None:
    """Raise UserError, naming each difference, unless `card` describes the data set in `root`."""
    found = make_card(root, card.get("dataset", ""), card.get("source", ""))
    expected = {key: card.get(key) for key in found}
    differing = [key for key in found if found[key] != expected[key]]
    if differing:
        listed = "; ".join(f"{key} is {found[key]}, the card says {expected[key]}" for key in differing)
        raise UserError(f"{root} is not the data that its card describes: {listed}. Run the stage dataset again")


def digest(root: Path, dataset: str = "nyud") -> str:
    """SHA-256 over the sorted relative names and contents of all files in the layout's folders."""
    found = [path for folder in layout(dataset).RAW_FOLDERS for path in (root / folder).rglob("*") if path.is_file()]
    return files.digest_of_files((path for path in found if not path.name.startswith(".")), root)


def has_files(folder: Path) -> bool:
    """Whether the folder is there and holds something."""
    return folder.is_dir() and any(path.is_file() and not path.name.startswith(".") for path in folder.rglob("*"))


# The real archive -------------------------------------------------------------------------------------------


def check_archive(root: Path, dataset: str, workers: int | None = None, found_in: str | None = None) -> None:
    """Raise UserError unless the unpacked tree in `root` is the published archive of `dataset`.

    Checked are folders, counts, the presence and size of every file and every pixel of every label, and
    versions in circulation are named. All problems go into one error, whatever else is missing; of those of one
    kind in one folder one is listed, with the number of the others. `found_in` names the tree in the message where
    `root` is a temporary place.
    """
    data = layout(dataset)
    problems, missed, ids, tasks = presence(root, data)
    with ThreadPoolExecutor(workers or os.cpu_count()) as pool:
        sizes = list(pool.map(lambda name: readable_size(root, name, data), ids))
        problems += data.version_problems(root, ids, sizes, pool)
        odd = contents(root, ids, sizes, tasks, data, pool)
    refuse(below(root, problems), found_in or root, data, files_of=below(root, [*missed, *odd]))


def contents(
    root: Path, names: Sequence[str], sizes: Sequence[Size | None], tasks: Sequence[str], data: Layout, pool: Executor
) -> list[str]:
    """What is wrong inside the files of some images."""
    found = pool.map(
        lambda name, size: list(file_problems(root, name, tasks, data.ARCHIVE.size or size, data)), names, sizes
    )
    return list(dict.fromkeys(problem for some in found for problem in some))  # several labels may need one file


def by_folder(problems: Iterable[str]) -> list[str]:
    """Problems of files, one line for those of a kind in a folder: they must not hide those of another."""
    groups: dict[str, dict[str, list[str]]] = {}
    for problem in problems:
        place, _, text = problem.removeprefix(MISSING).partition(": ")
        # Numbers and names vary within a kind.
        kind = MISSING if problem.startswith(MISSING) else NUMBERS.sub("", text.replace(place, ""))
        groups.setdefault(place.partition("/")[0], {}).setdefault(kind, []).append(problem)
    return [line for folder, kinds in groups.items() for line in of_kinds(folder, list(kinds.values()))]


def of_kinds(folder: str, kinds: Sequence[Sequence[str]]) -> Iterator[str]:
    """A line for each kind of problems in a folder."""
    for problems in kinds[:SHOWN]:
        yield problems[0] + (f" (and {len(problems) - 1} more such in {folder}/)" if len(problems) > 1 else "")
    if len(kinds) > SHOWN:
        yield f"and {sum(map(len, kinds[SHOWN:]))} others in {folder}/"


def presence(root: Path, data: Layout) -> tuple[list[str], list[str], list[str], list[str]]:
    """What is wrong with folders and lists; the files that are missed; the ids to look at; the tasks with labels.

    Files of a folder that is missing as a whole are not missed one by one. Where the lists are wrong, files that
    none of them names are looked at too.
    """
    problems, listed = split_problems(root, data, data.ARCHIVE.counts)
    others = unlisted(root, listed, data) if problems else []
    wanted = [*data.ARCHIVE.shipped, *data.ARCHIVE.derivable]
    tasks = [task for task in wanted if has_files(root / data.FOLDERS[task])]
    absent = [*absences(root, listed, tasks, data), *gaps(root, others, tasks, data)]
    missed = [line for line in absent if has_files(root / line.removeprefix(MISSING).partition("/")[0])]
    return [*folder_problems(root, data), *problems], missed, [*listed, *others], tasks


def below(root: Path, problems: Iterable[str]) -> list[str]:
    """Problems that name files from `root` on: the headline names it, and it may be a temporary place."""
    return [problem.replace(f"{root}/", "") for problem in problems]


def check_folders(root: Path, dataset: str, found_in: str | None = None) -> None:
    """Raise UserError unless the folders that the published archive must have are in `root` with files.

    `found_in` names the tree in the message where `root` is a temporary place.
    """
    data = layout(dataset)
    refuse(folder_problems(root, data), found_in or root, data)


def folder_problems(root: Path, data: Layout) -> list[str]:
    """Required folders that are missing, with the version whose folders are there instead."""
    no_labels = [folder for folder in data.RAW_FOLDERS if folder not in data.FOLDERS.values()]
    needed = [*no_labels, *(data.FOLDERS[task] for task in data.ARCHIVE.shipped)]
    missing = [folder for folder in needed if not has_files(root / folder)]
    if not missing:
        return []
    there = {path.name for path in root.iterdir() if path.is_dir()} if root.is_dir() else set()
    version = [f"it is {text}" for folders, text in data.ARCHIVE.other_versions.items() if folders <= there]
    listed = f"no folder {', '.join(missing)} with files; expected {', '.join(needed)}"
    return [f"{listed}; found {', '.join(sorted(there)) or 'no folder'}", *version]


def split_problems(root: Path, data: Layout, counts: Mapping[str, int]) -> tuple[list[str], list[str]]:
    """Wrong lists, `counts` and ids in both splits; and the distinct ids of all splits, those of a wrong list too."""
    ids: dict[str, list[str]] = {}
    problems = []
    for split in SPLITS:
        try:
            ids[split] = data.split_ids(root, split)
        except UserError as error:
            problems.append(str(error))
            ids[split] = legible(data.split_path(root, split))
        expected = counts.get(split, len(ids[split]))
        if ids[split] and len(ids[split]) != expected:
            problems.append(f"{lists(data)}/{split}.txt lists {len(ids[split])} images, expected {expected}")
    every = Counter(name for names in ids.values() for name in names)
    shared = [name for name, times in every.items() if times > 1]
    if shared:
        problems.append(f"{lists(data)} lists {len(shared)} images in both splits, e.g. {shared[0]}, expected none")
    return problems, list(every)


def legible(path: Path) -> list[str]:
    """The distinct ids in a list that is wrong otherwise; none where it cannot be read."""
    with contextlib.suppress(UserError):
        return [name for name in dict.fromkeys(formats.ids_in(path)) if formats.names_a_file(name)]
    return []


def unlisted(root: Path, listed: Iterable[str], data: Layout) -> list[str]:
    """The ids, sorted, that images or labels are called by and no list names."""
    folders = [data.image_path(root, "id").parent, *(root / folder for folder in data.FOLDERS.values())]
    found = (path for folder in folders for path in folder.rglob("*") if path.is_file())
    return sorted({path.stem for path in found if not path.name.startswith(".")} - {*listed})


def gaps(root: Path, ids: Iterable[str], tasks: Sequence[str], data: Layout) -> Iterator[str]:
    """One problem for each file that is not there of an image in no list, of which there is some label."""
    for name in () if data.ARCHIVE.partial else ids:
        labels = [data.label_path(root, task, name) for task in tasks]
        there = [path for path in labels if path.is_file()]
        for path in [data.image_path(root, name), *labels] if there else ():
            if not path.is_file():
                yield f"{MISSING}{path.relative_to(root)}, though {there[0].relative_to(root)} is there"


def absences(root: Path, ids: Iterable[str], tasks: Iterable[str], data: Layout) -> Iterator[str]:
    """One problem for each image or label file that a split asks for and that is not there."""
    wanted = [] if data.ARCHIVE.partial else list(tasks)
    for name in ids:
        for path in [data.image_path(root, name), *(data.label_path(root, task, name) for task in wanted)]:
            if not path.is_file():
                yield f"{MISSING}{path.relative_to(root)}, though {lists(data)} lists '{name}'"


def lists(data: Layout) -> str:
    """The folder of the splits' lists."""
    return data.split_path(Path(), SPLITS[0]).parent.as_posix()


def readable_size(root: Path, image_id: str, data: Layout) -> Size | None:
    """An image's height and width; None when its header cannot be read (`file_problems` says why)."""
    try:
        return data.image_size(root, image_id)
    except UserError:
        return None


def size_of_labels(places: Iterable[Path], image_id: str, tasks: Sequence[str], data: Layout) -> Size | None:
    """The height and width of the first label that tells them: what those of an unreadable image should be."""
    for root, task in ((root, task) for root in places for task in tasks):
        with contextlib.suppress(UserError):
            if size := data.label_size(root, task, image_id):
                return size
    return None


def file_problems(root: Path, image_id: str, tasks: Iterable[str], size: Size | None, data: Layout) -> Iterator[str]:
    """What is wrong with the contents of one image's files; labels have to be of the image's size.

    Those that are not there are left to `absences`.
    """
    there = [task for task in tasks if data.label_path(root, task, image_id).is_file()]
    size = size or size_of_labels([root], image_id, there, data) or NO_SIZE
    readers: list[Callable[[], object]] = [partial(data.read_image, root, image_id)]
    readers += [partial(data.read_label, root, task, image_id, size) for task in there]
    for read in readers:
        try:
            read()
        except formats.Missing:
            continue
        except UserError as error:
            yield str(error)


def refuse(problems: list[str], place: Path | str, data: Layout, files_of: Sequence[str] = ()) -> None:
    """Raise the UserError of what is not the archive, or the data set of one's own, that it should be."""
    report(problems, f"{place} is not {data.ARCHIVE.expected}", data.ARCHIVE.way_on, files_of)


def report(problems: list[str], headline: str, way_on: str, files_of: Sequence[str] = ()) -> None:
    """Raise one UserError with the first problems and the number of others, if there are any; `files_of`: such of
    single files, which may be thousands.
    """
    number = len(problems) + len(files_of)
    if not number:
        return
    more = [f"and {len(problems) - SHOWN} more"] if len(problems) > SHOWN else []
    count = "1 problem" if number == 1 else f"{number} problems"
    listed = "".join(f"\n  - {line}" for line in [*problems[:SHOWN], *more, *by_folder(files_of)])
    raise UserError(f"{headline} ({count}); {way_on}:{listed}")
