"""A data set of one's own in folders: images of any sizes, and labels of any tasks for any of them.

    images/<id>.jpg          or .png and the other kinds of photos; upright as their EXIF orientation says
    splits/{train,val}.txt   one id per line
    <task>/<id>.png          per task that params.yaml declares, of the size of the upright image:
        with classes         8 bits, the classes' numbers from 0, 255 ignored
        depth                16 bits, millimetres; or <id>.npy, metres; 0 = no measurement
        normals              8 bits, (n + 1) * 255 / 2 of unit vectors n; or <id>.npy, the vectors [H, W, 3]: x right,
                             y up, z towards the viewer; zero or grey = none
        others (edge, sal)   8 bits, 255 = yes, 0 = no, 128 = no label

An image without a file in a task's folder has no label of that task: all its pixels have the registry's `invalid`
value, which no loss and no metric counts. The kind of a task follows from its entry in the registry.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtinet import config
from mtinet.config import FOLDERS
from mtinet.config.sections import Dataset
from mtinet.data import formats, photos
from mtinet.data.formats import expect
from mtinet.data.geometry import checked_metres, checked_vectors, vectors_of
from mtinet.data.layouts import SPLITS, ArchiveCard, Size, datasets
from mtinet.data.nyud_classes import COLOURS
from mtinet.errors import UserError
from mtinet.paths import PARAMS
from mtinet.tasks import Task, task

IMAGES, LISTS = "images", "splits"
IGNORED = 255  # among classes
YES, UNKNOWN = 255, 128  # in masks, where 0 is no
FARTHEST = 1000.0  # metres; larger values are millimetres


def declared(dataset: str) -> Folders:
    """The layout of a data set that params.yaml declares to be in folders; UserError for another."""
    found = section(dataset)
    tasks = {name: entry.classes for name, entry in found.tasks.items()}
    return Folders(tasks, ArchiveCard(
        "a data set in folders as docs/extending.md has them", size=None, counts={},
        classes={name: count for name, count in tasks.items() if count is not None},
        required=tuple(tasks), partial=True,
    ))  # fmt: skip


def classes(dataset: str) -> dict[str, tuple[tuple[str, ...], tuple[str, ...]]]:
    """Task -> names and colours of its classes; those that have no names are called by their numbers."""
    found = section(dataset)
    counts = {name: entry.classes for name, entry in found.tasks.items() if entry.classes is not None}
    return {
        name: (
            tuple(found.names.get(name, [f"class {number}" for number in range(count)])),
            tuple(islice(cycle(COLOURS), count)),
        )
        for name, count in counts.items()
    }


def section(dataset: str) -> Dataset:
    """The entry of a data set in folders."""
    found = config.load().datasets.get(dataset) if PARAMS.exists() else None
    if found is None or found.layout != FOLDERS:
        raise UserError(
            f"no data layout for dataset '{dataset}', expected one of {', '.join(datasets())}, or one that {PARAMS}"
            f" declares with layout: {FOLDERS}"
        )
    return found


@dataclass(frozen=True)
class Folders:
    """The layout with the tasks of one data set; `tasks`: the number of classes of each, None where it has none."""

    tasks: Mapping[str, int | None]
    ARCHIVE: ArchiveCard
    EXACT: tuple[str, ...] = ()
    SCORED: tuple[str, ...] = ()
    NEVER_EMPTY: tuple[str, ...] = ()

    @property
    def FOLDERS(self) -> dict[str, str]:
        """Task -> its folder."""
        return {name: name for name in self.tasks}

    @property
    def RAW_FOLDERS(self) -> tuple[str, ...]:
        """All folders."""
        return (IMAGES, LISTS, *self.tasks)

    def split_path(self, root: Path, split: str) -> Path:
        """The list of a split's ids."""
        return root / LISTS / f"{split}.txt"

    def split_ids(self, root: Path, split: str) -> list[str]:
        """The ids of `split` ("train" or "val") in the file's order; UserError for a bad list."""
        return formats.read_ids(self.split_path(root, split))

    def image_path(self, root: Path, image_id: str) -> Path:
        """The photo of an id, of whatever kind."""
        suffixes = (".jpg", *(variant for suffix in photos.SUFFIXES for variant in (suffix, suffix.upper())))
        return first_of(root / IMAGES, image_id, suffixes)

    def image_size(self, root: Path, image_id: str) -> Size:
        """Height and width of an upright photo, from its header."""
        return photos.photo_size(present(self.image_path(root, image_id)))

    def read_image(self, root: Path, image_id: str) -> NDArray[np.uint8]:
        """A photo, upright, uint8 [H, W, 3]; UserError when it is missing or broken."""
        return photos.read_photo(present(self.image_path(root, image_id)))

    def label_path(self, root: Path, task_name: str, image_id: str) -> Path:
        """The file of an image's label, which need not be there; UserError for a task that the data set lacks."""
        if task_name not in self.tasks:
            raise UserError(f"the data set has no labels for '{task_name}', expected one of {', '.join(self.tasks)}")
        return first_of(root / task_name, image_id, suffixes_of(task(task_name)))

    def label_size(self, root: Path, task_name: str, image_id: str) -> Size | None:
        """Height and width of a label as stored; None for an array that has none."""
        return formats.stored_size(self.label_path(root, task_name, image_id))

    def read_label(
        self, root: Path, task_name: str, image_id: str, shape: Size, distilled: Path | None = None
    ) -> NDArray[Any]:
        """An image's label of its `shape` (H, W), all of it invalid where there is no file; UserError for a wrong one.

        With classes: uint8 [H, W], 255 ignored. depth: float32 [H, W], metres, 0 invalid. normals: float32
        [H, W, 3], unit length or zero. Others: uint8 [H, W], {0, 1}, 255 ignored.
        """
        path, entry = self.label_path(root, task_name, image_id), task(task_name)
        full = (*shape, 3) if entry.geometry == "normals" else shape
        if not path.is_file():
            kind = np.float32 if entry.geometry in FLOATS else np.uint8
            return np.full(full, entry.invalid, kind)
        label = FLOATS[entry.geometry](path) if entry.geometry in FLOATS else self.read_numbers(path, task_name)
        expect(label.shape == full, path, f"shape {label.shape}", f"{full}, the size of the upright image")
        return label

    def read_numbers(self, path: Path, task_name: str) -> NDArray[np.uint8]:
        """Classes, or a mask."""
        stored, count = formats.read_picture(path, "L"), self.tasks[task_name]
        if count is None:
            return mask_of(stored, path)
        odd = stored[(stored >= count) & (stored != IGNORED)]
        expected = f"0..{count - 1}, the {count} classes of '{task_name}' in {PARAMS}, 255 for ignored"
        expect(not odd.size, path, f"class {odd.max(initial=0)}", expected)
        return stored

    def read_scored(self, root: Path, task_name: str, image_id: str, shape: Size) -> NDArray[Any]:
        """Predictions are all compared with the labels that they are trained on."""
        raise UserError(f"the data set has no labels of '{task_name}' apart from its training target")

    def write_label(self, root: Path, task_name: str, image_id: str, label: NDArray[Any]) -> None:
        """Labels of one's own are neither derived nor a teacher's."""
        raise UserError(f"the data set has the labels of '{task_name}' that are in its folder, and no others")

    def version_problems(
        self, root: Path, ids: Sequence[str], sizes: Sequence[Size | None], pool: Executor
    ) -> list[str]:
        """What would silently be left out: labels of no image, and tasks that no training image is labelled with."""
        return [*self.strays(root), *self.unlearnt(root)]

    def strays(self, root: Path) -> Iterator[str]:
        """Several images of one id, and label files that no image asks for."""
        images = Counter(path.stem for path in visible(root / IMAGES))
        for name in (name for name, times in images.items() if times > 1):
            yield f"{IMAGES}: found {images[name]} called '{name}', expected one"
        for name in self.tasks:
            asked = {self.label_path(root, name, image_id) for image_id in images}
            found = sorted(path.name for path in visible(root / name) if path not in asked)
            if found:
                expected = " or ".join(suffixes_of(task(name)))
                yield f"{name}: found {found[0]} of no image ({len(found)} such), expected one <id>{expected} of each"

    def unlearnt(self, root: Path) -> Iterator[str]:
        """Tasks that no training image has a label of."""
        try:
            ids = self.split_ids(root, SPLITS[0])
        except UserError:
            return  # which is reported elsewhere
        for name in self.tasks:
            if not any(self.label_path(root, name, image_id).is_file() for image_id in ids):
                yield f"{name}: found a label of no image in {self.split_path(Path(), SPLITS[0])}, expected some"


def present(path: Path) -> Path:
    """The path of a file that is there; UserError where it is not."""
    if not path.exists():
        raise formats.missing(path)
    return path


def first_of(folder: Path, image_id: str, suffixes: Sequence[str]) -> Path:
    """The first of these files that is there; the first of all where none is."""
    found = [folder / f"{image_id}{suffix}" for suffix in suffixes]
    return next((path for path in found if path.is_file()), found[0])


def visible(folder: Path) -> list[Path]:
    """What lies in a folder, hidden files left out."""
    return [path for path in folder.iterdir() if not path.name.startswith(".")] if folder.is_dir() else []


def suffixes_of(entry: Task) -> tuple[str, ...]:
    """The kinds of files that hold a task's labels."""
    return (".png", ".npy") if entry.geometry in FLOATS else (".png",)


def read_metres(path: Path) -> NDArray[np.float32]:
    """Depth in metres, float32 [H, W], 0 invalid."""
    if path.suffix == ".npy":
        return checked_metres(formats.read_array(path), path, FARTHEST)
    metres: NDArray[np.float32] = np.divide(formats.read_grey_16(path), 1000, dtype=np.float32)
    return metres


def read_vectors(path: Path) -> NDArray[np.float32]:
    """Unit vectors, float32 [H, W, 3], or zero."""
    if path.suffix != ".npy":
        return vectors_of(formats.read_picture(path, "RGB"))
    stored = formats.read_array(path)
    expect(stored.ndim == 3 and stored.shape[2] == 3, path, f"shape {stored.shape}", "[H, W, 3]")
    return checked_vectors(stored, path)


FLOATS: dict[str, Callable[[Path], NDArray[np.float32]]] = {"depth": read_metres, "normals": read_vectors}


def mask_of(stored: NDArray[np.uint8], path: Path) -> NDArray[np.uint8]:
    """Ones and zeros from yes and no, 255 where it is neither."""
    odd = stored[~np.isin(stored, (0, UNKNOWN, YES))]
    expect(not odd.size, path, f"the value {odd[:1].max(initial=0)}", "255 (yes), 0 (no) or 128 (no label)")
    codes = np.zeros(256, np.uint8)
    codes[YES], codes[UNKNOWN] = 1, IGNORED
    return codes[stored]
