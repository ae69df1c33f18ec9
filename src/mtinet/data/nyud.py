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

import contextlib
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any, Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mtinet import files
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
SPLITS = ("train", "val")
FOLDERS = {"seg": "segmentation", "depth": "depth", "normals": "normals", "edge": "edge"}
SUFFIXES = {"seg": ".png", "depth": ".npy", "normals": ".npy", "edge": ".npy"}

DEEPEST = 100.0  # metres; no indoor sensor sees that far, so larger values are millimetres or raw units
UNIT_TOLERANCE = 0.05  # normals stored with 8 bits are off by up to 0.007

# numpy parses the header of a .npy file with Python's own parser, which in CPython 3.11 fails now and
# then when threads share it ("AST constructor recursion depth mismatch"). Content is read outside the lock.
HEADER = threading.Lock()


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
    path = split_path(root, split)
    try:
        ids = path.read_text(encoding="utf-8").split()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: cannot read it ({error}); expected the ids of the split, one per line") from None
    odd = [name for name, times in Counter(ids).items() if times > 1 or Path(name).name != name]
    expect(bool(ids), path, "nothing", "the ids of the split, one per line")
    expect(not odd, path, f"{odd[:3]} twice or not a file name", "the ids of the split, each once")
    return ids


def image_size(root: Path, image_id: str) -> tuple[int, int]:
    """Height and width of a photograph, from its header."""
    return picture_size(image_path(root, image_id))


def read_image(root: Path, image_id: str) -> NDArray[np.uint8]:
    """A photograph, uint8 [H, W, 3]; UserError when it is missing, broken or not 8-bit RGB."""
    return read_picture(image_path(root, image_id), "RGB")


def read_label(root: Path, task: str, image_id: str, shape: tuple[int, int]) -> NDArray[Any]:
    """A frame's label of the image's `shape` (H, W); UserError names the file and what is wrong.

    seg: uint8 [H, W], 0..39, 255 unlabelled. depth: float32 [H, W], metres, 0 invalid. normals: float32
    [H, W, 3], unit length or zero. edge: uint8 [H, W], {0, 1}.
    """
    path = label_path(root, task, image_id)
    stored = read_picture(path, "L") if task == "seg" else read_array(path)
    full = (*shape, 3) if task == "normals" else shape
    expect(stored.shape == full, path, f"shape {stored.shape}", f"{full}, the size of the image")
    return CHECKED[task](stored, path)


def checked_seg(stored: NDArray[np.uint8], path: Path) -> NDArray[np.uint8]:
    """0..40 with 0 unlabelled -> 0..39 with 255 unlabelled."""
    highest = int(stored.max())
    expect(highest <= CLASSES, path, f"label {highest}", f"0 (unlabelled) and 1..{CLASSES}")
    return np.where(stored == 0, UNLABELLED, stored - np.uint8(1)).astype(np.uint8)


def checked_depth(stored: NDArray[Any], path: Path) -> NDArray[np.float32]:
    """Floating point metres, finite and not negative."""
    expect(stored.dtype.kind == "f", path, f"dtype {stored.dtype}", "floating point metres")
    expect(bool(np.isfinite(stored).all()), path, "NaN or infinity", "0 where there is no measurement")
    low, high = float(stored.min()), float(stored.max())
    fine = low >= 0 and high <= DEEPEST
    expect(fine, path, f"depth {low:g} to {high:g}", f"metres in 0..{DEEPEST:g}, 0 = invalid")
    return stored.astype(np.float32, copy=False)


def checked_normals(stored: NDArray[Any], path: Path) -> NDArray[np.float32]:
    """Floating point vectors of unit length or zero."""
    expect(stored.dtype.kind == "f", path, f"dtype {stored.dtype}", "floating point unit vectors")
    length = np.sqrt(np.einsum("ijk,ijk->ij", stored, stored))
    fine = (np.abs(length - 1) <= UNIT_TOLERANCE) | (length == 0)  # false for NaN
    if not fine.all():
        odd = f"{np.count_nonzero(~fine)} vectors of other length, e.g. {float(length[~fine][0]):g}"
        expect(False, path, odd, "unit length, or zero where there is none")
    return stored.astype(np.float32, copy=False)


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
    "normals": checked_normals,
    "edge": checked_edge,
}


def picture_size(path: Path) -> tuple[int, int]:
    """Height and width of a picture file, from its header."""
    try:
        with Image.open(path) as picture:
            return picture.height, picture.width
    except FileNotFoundError:
        raise missing(path) from None
    except (OSError, SyntaxError, Image.DecompressionBombError) as error:
        raise UserError(f"{path}: not a readable picture ({error}); put the right file there") from None


def read_picture(path: Path, mode: str) -> NDArray[np.uint8]:
    """Pixels of a picture file: mode RGB -> [H, W, 3]; mode L -> [H, W], also of a palette's indices."""
    picture_size(path)
    try:
        with Image.open(path) as picture:
            found = picture.mode
            pixels = np.array(picture)
    except (OSError, SyntaxError) as error:
        raise UserError(f"{path}: broken picture ({error}); put the right file there") from None
    fine = found == mode or (mode, found) == ("L", "P")
    expect(fine, path, f"mode {found}", f"an 8-bit picture of mode {mode}")
    return pixels


def read_array(path: Path) -> NDArray[Any]:
    """A .npy file's array, without a trailing dimension of one; pickled objects are refused."""
    try:
        with HEADER:
            mapped = np.load(path, mmap_mode="r", allow_pickle=False)
    except FileNotFoundError:
        raise missing(path) from None
    except (OSError, ValueError, EOFError) as error:
        raise UserError(f"{path}: not a readable .npy file ({error}); put the right file there") from None
    stored: NDArray[Any] = np.array(mapped)
    return stored[..., 0] if stored.ndim == 3 and stored.shape[2] == 1 else stored


def expect(fine: bool, path: Path, found: str, expected: str) -> None:
    """Raise the UserError of a file with wrong content."""
    if not fine:
        raise UserError(f"{path}: found {found}, expected {expected}; put the right file there")


def missing(path: Path) -> UserError:
    """The error of a file that is not there."""
    return UserError(f"{path}: no such file, though gt_sets lists '{path.stem}'; put it there")


# Writing ---------------------------------------------------------------------------------------------------


def write_frame(root: Path, image_id: str, frame: Frame) -> None:
    """Write one frame's five files, each whole or not at all, always the same bytes for the same frame.

    `frame` holds image uint8 [H, W, 3], segmentation uint8 [H, W] (0 = unlabelled, 1..40), depth float32
    [H, W] (metres, 0 = missing), normals float32 [H, W, 3] (unit or 0), edge uint8 [H, W] ({0, 1}).
    """
    arrays: dict[str, NDArray[Any]] = {"depth": frame.depth, "normals": frame.normals, "edge": frame.edge}
    for task, array in arrays.items():
        with writing(label_path(root, task, image_id)) as stream:
            np.save(stream, array)
    with writing(label_path(root, "seg", image_id)) as stream:
        Image.fromarray(frame.segmentation).save(stream, "PNG")
    with writing(image_path(root, image_id)) as stream:
        Image.fromarray(frame.image).save(stream, "JPEG", quality=95, subsampling=0)


@contextlib.contextmanager
def writing(path: Path) -> Iterator[IO[bytes]]:
    """A stream whose content takes the place of `path` when it is complete."""
    with files.replacing(path) as temporary, temporary.open("wb") as stream:
        yield stream


def write_splits(root: Path, ids: dict[str, list[str]]) -> None:
    """Write gt_sets/<split>.txt for every split."""
    for split, names in ids.items():
        files.write_text(split_path(root, split), "".join(f"{name}\n" for name in names))
