"""Data cards: what a data set on disk is, so that later stages notice when it is something else.

A card is plain data: {source, dataset, sizes [[H, W], ...], counts {train, val}, classes {task: number},
folders, labels {task: "source" | "derived"}, digest}. `digest` is a SHA-256 over the sorted relative names
and the contents of every file of the layout.

The published archives have a fixed card here, since nobody publishes checksums and archives of other versions
circulate that load without complaint and give wrong numbers.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from mtinet import files, paths
from mtinet.data import nyud
from mtinet.errors import UserError

Card = dict[str, Any]
SHOWN = 10  # problems listed before the rest is only counted


@dataclass(frozen=True)
class ArchiveCard:
    """What a published archive holds; the stage distill derives `derivable` tasks that are absent."""

    name: str
    size: tuple[int, int]
    counts: dict[str, int]
    required: tuple[str, ...]
    derivable: tuple[str, ...]


ARCHIVES = {
    "nyud": ArchiveCard("NYUD_MT.tgz", (480, 640), {"train": 795, "val": 654}, ("seg", "depth"), ("normals", "edge"))
}

# Image sizes that give another version of the data away.
KNOWN_SIZES = {
    (448, 576): "the 448x576 crops of another version",
    (288, 384): "the 288x384 version with 13 classes",
    (425, 560): "the 425x560 crops of another version",
}
# Folders at the root that do.
KNOWN_FOLDERS = {
    frozenset({"train", "val"}): "split into folders train/ and val/, as the 288x384 version with 13 classes is",
    frozenset({"image", "label"}): "with folders image/ and label/, as the 288x384 version with 13 classes has",
}


# The card of what lies on disk ------------------------------------------------------------------------------


def make_card(root: Path, dataset: str, source: str) -> Card:
    """The card of the data set in `root`; UserError when a file that gt_sets asks for is missing."""
    archive = archive_card(dataset)
    ids = {split: nyud.split_ids(root, split) for split in nyud.SPLITS}
    every = [name for names in ids.values() for name in names]
    present = [task for task in (*archive.required, *archive.derivable) if has_files(root / nyud.FOLDERS[task])]
    report(list(absences(root, every, [*archive.required, *present])), f"{root}: not a complete data set")
    return {
        "source": source,
        "dataset": dataset,
        "sizes": [list(size) for size in sorted({nyud.image_size(root, name) for name in every})],
        "counts": {split: len(names) for split, names in ids.items()},
        "classes": {"seg": nyud.CLASSES},
        "folders": [folder for folder in paths.RAW_FOLDERS if has_files(root / folder)],
        "labels": {task: "source" if task in present else "derived" for task in nyud.FOLDERS},
        "digest": digest(root),
    }


def check_card(root: Path, card: Card) -> None:
    """Raise UserError, naming each difference, unless `card` describes the data set in `root`."""
    found = make_card(root, card.get("dataset", ""), card.get("source", ""))
    expected = {key: card.get(key) for key in found}
    differing = [key for key in found if found[key] != expected[key]]
    if differing:
        listed = "; ".join(f"{key} is {found[key]}, the card says {expected[key]}" for key in differing)
        raise UserError(f"{root} is not the data that its card describes: {listed}. Run the stage dataset again")


def digest(root: Path) -> str:
    """SHA-256 over the sorted relative names and contents of all files in the layout's folders."""
    found = [path for folder in paths.RAW_FOLDERS for path in (root / folder).rglob("*") if path.is_file()]
    return files.digest_of_files((path for path in found if not path.name.startswith(".")), root)


def has_files(folder: Path) -> bool:
    """Whether the folder is there and holds something."""
    return folder.is_dir() and any(not path.name.startswith(".") for path in folder.iterdir())


def archive_card(dataset: str) -> ArchiveCard:
    """The fixed card of the dataset's published archive."""
    if dataset not in ARCHIVES:
        raise UserError(f"no data card for dataset '{dataset}', expected one of {', '.join(ARCHIVES)}")
    return ARCHIVES[dataset]


# The real archive -------------------------------------------------------------------------------------------


def check_archive(root: Path, dataset: str, workers: int | None = None) -> None:
    """Raise UserError unless the unpacked tree in `root` is the published archive of `dataset`.

    Checked are folders, counts, the presence and size of every file and every pixel of every label, and
    versions in circulation are named. All problems go into one error: ten are listed, the rest is counted.
    """
    archive = archive_card(dataset)
    headline = f"{root} is not {archive.name} as published"
    check_folders(root, dataset)
    problems, ids = split_problems(root, archive)
    present = [task for task in archive.derivable if has_files(root / nyud.FOLDERS[task])]
    tasks = [*archive.required, *present]
    absent = list(absences(root, ids, tasks))
    report([*problems, *absent], headline)
    with ThreadPoolExecutor(workers or os.cpu_count()) as pool:
        sizes = list(pool.map(lambda name: readable_size(root, name), ids))
        report([*size_problems(sizes, archive), *coding_problems(root, ids, pool)], headline)
        found = pool.map(lambda name: list(file_problems(root, name, tasks, archive.size)), ids)
        report([problem for some in found for problem in some], headline)


def check_folders(root: Path, dataset: str, found_in: str | None = None) -> None:
    """Raise UserError unless the folders that the published archive must have are in `root` with files.

    `found_in` names the tree in the message where `root` is a temporary place.
    """
    archive = archive_card(dataset)
    report(folder_problems(root, archive), f"{found_in or root} is not {archive.name} as published")


def folder_problems(root: Path, archive: ArchiveCard) -> list[str]:
    """Required folders that are missing, with the version whose folders are there instead."""
    needed = ["images", "gt_sets", *(nyud.FOLDERS[task] for task in archive.required)]
    missing = [folder for folder in needed if not has_files(root / folder)]
    if not missing:
        return []
    there = {path.name for path in root.iterdir() if path.is_dir()} if root.is_dir() else set()
    version = [f"it is {text}" for folders, text in KNOWN_FOLDERS.items() if folders <= there]
    listed = f"no folder {', '.join(missing)} with files; expected {', '.join(needed)}"
    return [f"{listed}; found {', '.join(sorted(there)) or 'no folder'}", *version]


def split_problems(root: Path, archive: ArchiveCard) -> tuple[list[str], list[str]]:
    """Wrong counts and ids in both splits; and the distinct ids of all splits."""
    ids: dict[str, list[str]] = {}
    problems = []
    for split, expected in archive.counts.items():
        try:
            ids[split] = nyud.split_ids(root, split)
        except UserError as error:
            problems.append(str(error))
            continue
        if len(ids[split]) != expected:
            problems.append(f"gt_sets/{split}.txt lists {len(ids[split])} images, expected {expected}")
    every = Counter(name for names in ids.values() for name in names)
    shared = [name for name, times in every.items() if times > 1]
    if shared:
        problems.append(f"gt_sets lists {len(shared)} images in both splits, e.g. {shared[0]}, expected none")
    return problems, list(every)


def absences(root: Path, ids: Iterable[str], tasks: Iterable[str]) -> Iterator[str]:
    """One problem for each image or label file that gt_sets asks for and that is not there."""
    wanted = list(tasks)
    for name in ids:
        for path in [nyud.image_path(root, name), *(nyud.label_path(root, task, name) for task in wanted)]:
            if not path.is_file():
                yield f"no {path.relative_to(root)}, though gt_sets lists '{name}'"


def readable_size(root: Path, image_id: str) -> tuple[int, int] | None:
    """An image's height and width; None when its header cannot be read (`file_problems` says why)."""
    try:
        return nyud.image_size(root, image_id)
    except UserError:
        return None


def size_problems(sizes: list[tuple[int, int] | None], archive: ArchiveCard) -> list[str]:
    """One problem for each wrong image size, with the version that it gives away."""
    problems = []
    for size, times in Counter(size for size in sizes if size is not None).items():
        if size != archive.size:
            expected = "{}x{}".format(*archive.size)
            version = f": {KNOWN_SIZES[size]}" if size in KNOWN_SIZES else ""
            problems.append(f"{times} images are {size[0]}x{size[1]}, expected {expected}{version}")
    return problems


def coding_problems(root: Path, ids: list[str], pool: ThreadPoolExecutor) -> list[str]:
    """Whether the labels of all images together are coded 0 = unlabelled, 1..40."""
    used = np.zeros(256, np.int64)
    for values in pool.map(lambda name: label_values(root, name), ids):
        used[values] += 1
    highest, expected = (
        int(np.flatnonzero(used)[-1]) if used.any() else 0,
        "expected 0 = unlabelled and 1..40",
    )
    if highest == nyud.UNLABELLED and not used[nyud.CLASSES : nyud.UNLABELLED].any():
        return [f"segmentation is coded 0..39 with 255 unlabelled in {used[255]} images, {expected}"]
    if highest > nyud.CLASSES:
        times = int(used[nyud.CLASSES + 1 :].max())
        return [f"segmentation has labels up to {highest} ({times} images), {expected}: labels of another version"]
    return []


def label_values(root: Path, image_id: str) -> list[int]:
    """The label values in one segmentation file; none when it cannot be read (`file_problems` says why)."""
    try:
        pixels = nyud.read_picture(nyud.label_path(root, "seg", image_id), "L")
    except UserError:
        return []
    return [int(value) for value in np.flatnonzero(np.bincount(pixels.ravel(), minlength=256))]


def file_problems(root: Path, image_id: str, tasks: Iterable[str], size: tuple[int, int]) -> Iterator[str]:
    """What is wrong with the contents of one image's files."""
    readers: list[Callable[[], object]] = [partial(nyud.read_image, root, image_id)]
    readers += [partial(nyud.read_label, root, task, image_id, size) for task in tasks]
    for read in readers:
        try:
            read()
        except UserError as error:
            yield str(error)


def report(problems: list[str], headline: str) -> None:
    """Raise one UserError with the first problems and the number of others, if there are any."""
    if not problems:
        return
    more = [f"and {len(problems) - SHOWN} more"] if len(problems) > SHOWN else []
    count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
    listed = "".join(f"\n  - {line}" for line in [*problems[:SHOWN], *more])
    raise UserError(f"{headline} ({count}); get it again or name another archive in params.yaml:{listed}")
