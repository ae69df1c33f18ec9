"""The on-disk layout of NYUD_MT.tgz: written from rendered frames, read with every label checked.

    images/<id>.jpg         RGB, 480x640 in the real archive
    segmentation/<id>.png   uint8, 0 = unlabelled, 1..40
    depth/<id>.npy          metres, 0 = no measurement
    normals/<id>.npy        unit vectors [H, W, 3], x right, y up, z towards the viewer; 0 = none
    edge/<id>.npy           {0, 1}
    gt_sets/{train,val}.txt one id per line

`read_label` gives the coding used everywhere else: seg 0..39 with 255 unlabelled, the rest as stored.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from mtinet import files
from mtinet.data import formats
from mtinet.data.formats import expect, picture_size, read_array, read_picture
from mtinet.data.geometry import checked_metres, checked_vectors
from mtinet.data.layouts import ArchiveCard, Size, source_of
from mtinet.errors import UserError


class Frame(Protocol):
    """What a frame must have to be written, as mtinet.data.scenes renders it."""

    @property
    def image(self) -> NDArray[np.uint8]: ...
    @property
    def segmentation(self) -> NDArray[np.uint8]: ...
    @property
    def depth(self) -> NDArray[np.float32]: ...
    @property
    def normals(self) -> NDArray[np.float32]: ...
    @property
    def edge(self) -> NDArray[np.uint8]: ...


CLASSES = 40
UNLABELLED = 255
FOLDERS = {"seg": "segmentation", "depth": "depth", "normals": "normals", "edge": "edge"}
SUFFIXES = {"seg": ".png", "depth": ".npy", "normals": ".npy", "edge": ".npy"}

RAW_FOLDERS = ("images", "segmentation", "depth", "normals", "edge", "gt_sets")
EXACT: tuple[str, ...] = ()
SCORED: tuple[str, ...] = ()
NEVER_EMPTY = ("seg", "depth", "normals")
ARCHIVE = ArchiveCard(
    "NYUD_MT.tgz",
    size=(480, 640),
    counts={"train": 795, "val": 654},
    classes={"seg": CLASSES},
    required=("seg", "depth"),
    derivable=("normals", "edge"),
    other_versions={
        frozenset({"train", "val"}): "split into folders train/ and val/, as the 288x384 version with 13 classes is",
        frozenset({"image", "label"}): "with folders image/ and label/, as the 288x384 version with 13 classes has",
    },
)
# Image sizes that give another version of the data away.
KNOWN_SIZES = {
    (448, 576): "the 448x576 crops of another version",
    (288, 384): "the 288x384 version with 13 classes",
    (425, 560): "the 425x560 crops of another version",
}

DEEPEST = 100.0  # metres; no indoor sensor sees that far, so larger values are millimetres or raw units


def image_path(root: Path, image_id: str) -> Path:
    """The photograph of a frame."""
    return root / "images" / f"{image_id}.jpg"


def label_path(root: Path, task: str, image_id: str) -> Path:
    """The file with a frame's label for one of seg, depth, normals, edge; UserError for another task."""
    if task not in FOLDERS:
        raise UserError(f"NYUD-v2 has no labels for '{task}', expected one of {', '.join(FOLDERS)}")
    return root / FOLDERS[task] / f"{image_id}{SUFFIXES[task]}"


def split_path(root: Path, split: str) -> Path:
    """The list of a split's ids."""
    return root / "gt_sets" / f"{split}.txt"


# Reading ---------------------------------------------------------------------------------------------------


def split_ids(root: Path, split: str) -> list[str]:
    """The ids of `split` ("train" or "val") in the file's order; UserError for a bad list."""
    return formats.read_ids(split_path(root, split))


def image_size(root: Path, image_id: str) -> Size:
    """Height and width of a photograph, from its header."""
    return picture_size(image_path(root, image_id))


def label_size(root: Path, task: str, image_id: str) -> Size | None:
    """Height and width of a label as stored; None for an array that has none."""
    return formats.stored_size(label_path(root, task, image_id))


def read_image(root: Path, image_id: str) -> NDArray[np.uint8]:
    """A photograph, uint8 [H, W, 3]; UserError when it is missing, broken or not 8-bit RGB."""
    return read_picture(image_path(root, image_id), "RGB")


def read_label(root: Path, task: str, image_id: str, shape: Size, distilled: Path | None = None) -> NDArray[Any]:
    """A frame's label of the image's `shape` (H, W); UserError names the file and what is wrong.

    It is taken from `distilled`, of the same layout, where that has it.

    seg: uint8 [H, W], 0..39, 255 unlabelled. depth: float32 [H, W], metres, 0 invalid. normals: float32
    [H, W, 3], unit length or zero. edge: uint8 [H, W], {0, 1}.
    """
    path = source_of(label_path(Path(), task, image_id), root, distilled)
    stored = read_picture(path, "L") if task == "seg" else read_array(path)
    full = (*shape, 3) if task == "normals" else shape
    expect(stored.shape == full, path, f"shape {stored.shape}", f"{full}, the size of the image")
    return CHECKED[task](stored, path)


def read_scored(root: Path, task: str, image_id: str, shape: Size) -> NDArray[Any]:
    """NYUD-v2's predictions are all compared with the labels that they are trained on."""
    raise UserError(f"NYUD-v2 has no labels of '{task}' apart from its training target")


def checked_seg(stored: NDArray[np.uint8], path: Path) -> NDArray[np.uint8]:
    """0..40 with 0 unlabelled -> 0..39 with 255 unlabelled."""
    highest = int(stored.max())
    expect(highest <= CLASSES, path, f"label {highest}", f"0 (unlabelled) and 1..{CLASSES}")
    return np.where(stored == 0, UNLABELLED, stored - np.uint8(1)).astype(np.uint8)


def checked_depth(stored: NDArray[Any], path: Path) -> NDArray[np.float32]:
    """Floating point metres, finite and not negative."""
    return checked_metres(stored, path, DEEPEST)


def checked_edge(stored: NDArray[Any], path: Path) -> NDArray[np.uint8]:
    """Zeros and ones of whatever numeric type."""
    expect(stored.dtype.kind in "buif", path, f"dtype {stored.dtype}", "numbers 0 and 1")
    edge = stored.astype(np.uint8)
    odd = (edge > 1) | (edge != stored)
    expect(not odd.any(), path, f"{stored[odd][:1]}", "only 0 and 1")
    return edge


CHECKED: dict[str, Callable[[NDArray[Any], Path], NDArray[Any]]] = {
    "seg": checked_seg,
    "depth": checked_depth,
    "normals": checked_vectors,
    "edge": checked_edge,
}


# Other versions --------------------------------------------------------------------------------------------


def version_problems(root: Path, ids: Sequence[str], sizes: Sequence[Size | None], pool: Executor) -> list[str]:
    """Image sizes and label codings that are not the published archive's, with the version they belong to."""
    return [*size_problems(sizes), *coding_problems(root, ids, pool)]


def size_problems(sizes: Sequence[Size | None]) -> list[str]:
    """One problem for each wrong image size, with the version that it gives away."""
    assert ARCHIVE.size is not None
    problems = []
    for size, times in Counter(size for size in sizes if size is not None).items():
        if size != ARCHIVE.size:
            expected = "{}x{}".format(*ARCHIVE.size)
            version = f": {KNOWN_SIZES[size]}" if size in KNOWN_SIZES else ""
            problems.append(f"{times} images are {size[0]}x{size[1]}, expected {expected}{version}")
    return problems


def coding_problems(root: Path, ids: Sequence[str], pool: Executor) -> list[str]:
    """Whether the labels of all images together are coded 0 = unlabelled, 1..40."""
    used = np.zeros(256, np.int64)
    for values in pool.map(lambda name: label_values(root, name), ids):
        used[values] += 1
    highest = int(np.flatnonzero(used)[-1]) if used.any() else 0
    expected = "expected 0 = unlabelled and 1..40"
    if highest == UNLABELLED and not used[CLASSES:UNLABELLED].any():
        return [f"segmentation is coded 0..39 with 255 unlabelled in {used[255]} images, {expected}"]
    if highest > CLASSES:
        times = int(used[CLASSES + 1 :].max())
        return [f"segmentation has labels up to {highest} ({times} images), {expected}: labels of another version"]
    return []


def label_values(root: Path, image_id: str) -> list[int]:
    """The label values in one segmentation file; none when it cannot be read."""
    try:
        pixels = read_picture(label_path(root, "seg", image_id), "L")
    except UserError:
        return []
    return [int(value) for value in np.flatnonzero(np.bincount(pixels.ravel(), minlength=256))]


# Writing ---------------------------------------------------------------------------------------------------


def write_frame(root: Path, image_id: str, frame: Frame) -> None:
    """Write one frame's five files, each whole or not at all, always the same bytes for the same frame.

    `frame` holds image uint8 [H, W, 3], segmentation uint8 [H, W] (0 = unlabelled, 1..40), depth float32
    [H, W] (metres, 0 = missing), normals float32 [H, W, 3] (unit or 0), edge uint8 [H, W] ({0, 1}).
    """
    for task in ("depth", "normals", "edge"):
        write_label(root, task, image_id, getattr(frame, task))
    formats.write_picture(label_path(root, "seg", image_id), frame.segmentation)
    formats.write_jpeg(image_path(root, image_id), frame.image)


def write_label(root: Path, task: str, image_id: str, label: NDArray[Any]) -> None:
    """Write a label of depth, normals or edge as `read_label` gives it."""
    formats.write_array(label_path(root, task, image_id), label)


def write_splits(root: Path, ids: dict[str, list[str]]) -> None:
    """Write gt_sets/<split>.txt for every split."""
    for split, names in ids.items():
        files.write_text(split_path(root, split), "".join(f"{name}\n" for name in names))
