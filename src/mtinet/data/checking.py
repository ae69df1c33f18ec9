"""All that is wrong with a data set on disk, at once: python -m mtinet.data.checking FOLDER --dataset nyud."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtinet.data import cards, formats
from mtinet.data.layouts import Layout, Size, layout, source_of
from mtinet.errors import UserError
from mtinet.tasks import task as registered


def faults(
    root: Path, dataset: str, distilled: Path | None = None, published: bool = False, workers: int | None = None
) -> list[str]:
    """One line for everything that is wrong with the data set in `root`; every file of both splits is read.

    distilled: a folder of the same layout with the labels that the source lacks. published: it has to be the
    published archive, with its folders, numbers of images, sizes and coding; a data set in folders, which nobody
    publishes, always has to be complete. Tasks without any label file are passed over unless the layout requires
    them. Faults come in the order of the splits, whatever `workers` is.
    """
    data = layout(dataset)
    published = published or data.ARCHIVE.partial
    if not root.is_dir():
        return [f"{root}: no such folder, expected one in the layout of {data.ARCHIVE.name}"]
    found, listed = cards.split_problems(root, data, data.ARCHIVE.counts if published else {})
    # No list that is wrong hides what is wrong with files.
    ids = dict.fromkeys(listed, True) | dict.fromkeys(cards.unlisted(root, listed, data) if found else (), False)
    found = [*(cards.folder_problems(root, data) if published else ()), *found]
    given = (root, distilled) if distilled else (root,)
    tasks = [
        task
        for task in data.FOLDERS
        if task in data.ARCHIVE.required or any(cards.has_files(place / data.FOLDERS[task]) for place in given)
    ]
    with ThreadPoolExecutor(workers or os.cpu_count()) as pool:
        if published:
            sizes = list(pool.map(lambda name: cards.readable_size(root, name, data), ids))
            found += data.version_problems(root, list(ids), sizes, pool)
        for some in pool.map(lambda name: list(of_image(root, name, ids[name], tasks, data, distilled)), ids):
            found += dict.fromkeys(some)  # several labels may come from one file
    return [line.replace(f"{root}/", "") for line in found]


def of_image(
    root: Path, image_id: str, listed: bool, tasks: list[str], data: Layout, distilled: Path | None
) -> Iterator[str]:
    """What is wrong with an image and its labels; files that are not there are missed where a list names the image."""
    places = (root, distilled) if distilled else (root,)
    size = cards.readable_size(root, image_id, data) or cards.size_of_labels(places, image_id, tasks, data)
    readers: list[Callable[[], Iterable[str]]] = [partial(of_photo, root, image_id, data)]
    readers += [partial(of_label, root, image_id, task, size or cards.NO_SIZE, data, distilled) for task in tasks]
    for read in readers:
        try:
            yield from read()
        except formats.Missing as error:
            if listed:
                yield str(error)
        except UserError as error:
            yield str(error)


def of_photo(root: Path, image_id: str, data: Layout) -> Iterable[str]:
    """Nothing; UserError for a photo that is missing or wrong."""
    data.read_image(root, image_id)
    return ()


def of_label(root: Path, image_id: str, task: str, size: Size, data: Layout, distilled: Path | None) -> Iterator[str]:
    """A label without a valid pixel, for a task of which every image, or every file that there is, should have some."""
    label = data.read_label(root, task, image_id, size, distilled)
    expected = data.label_path(root, task, image_id).is_file() if data.ARCHIVE.partial else task in data.NEVER_EMPTY
    if expected and not valid(label, task).any():
        path = source_of(data.label_path(root, task, image_id).relative_to(root), root, distilled)
        way_on = "remove it" if data.ARCHIVE.partial else f"leave '{image_id}' out"
        yield f"{path}: found no valid pixel, expected some; put the right file there or {way_on}"


def valid(label: NDArray[Any], task: str) -> NDArray[np.bool_]:
    """Where a label says something, bool [H, W]."""
    known = np.asarray(label != registered(task).invalid)
    return known if known.ndim == 2 else np.asarray(known.any(axis=-1))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--dataset", required=True)
    parser.add_argument("--distilled", type=Path, help="a folder with the labels that the source lacks")
    parser.add_argument("--published", action="store_true", help="it must be the published archive")
    given = parser.parse_args()
    try:
        found = faults(given.folder, given.dataset, given.distilled, given.published)
    except UserError as error:
        found = [str(error)]
    for line in found:
        print(line)
    print(f"{given.folder}: {len(found) or 'no'} {'fault' if len(found) == 1 else 'faults'}", file=sys.stderr)
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
