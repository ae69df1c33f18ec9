"""A split as a few files that processes map into memory and share, instead of folders of small ones.

A packed split is a folder: one flat .npy per kind ("image" and every task), images after one another, and
index.json with ids, shapes, and a SHA-256 of it all. Images may differ in size.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from mtinet import files
from mtinet.errors import UserError

FORMAT = 1


class Layout(Protocol):
    """A dataset's on-disk layout: the module mtinet.data.nyud is one."""

    def image_size(self, root: Path, image_id: str) -> tuple[int, int]: ...

    def read_image(self, root: Path, image_id: str) -> NDArray[np.uint8]: ...

    def label_path(self, root: Path, task: str, image_id: str) -> Path: ...

    def read_label(self, root: Path, task: str, image_id: str, shape: tuple[int, int]) -> NDArray[Any]: ...


def pack(
    root: Path,
    distilled: Path | None,
    ids: Sequence[str],
    tasks: Sequence[str],
    folder: Path,
    workers: int | None = None,
    layout: Layout | None = None,
) -> None:
    """Write the frames `ids` of the data set in `root` to `folder`, whole or not at all; same in, same out.

    A label is taken from `distilled` (same layout) where that has it, else from `root`; UserError names the
    file that is missing or wrong. `layout` None means NYUD's.
    """
    frames = Frames(root, distilled, ids, layout or nyud_layout())
    index: dict[str, Any] = {
        "format": FORMAT,
        "ids": list(ids),
        "tasks": list(tasks),
        "shapes": frames.shapes,
    }
    with files.replacing(folder) as work:
        work.mkdir()
        index["files"] = {kind: frames.write(kind, work, workers) for kind in ("image", *tasks)}
        files.write_json(work / "index.json", {**index, "digest": files.digest_of(index)})


def nyud_layout() -> Layout:
    """NYUD's layout; imported here, so that training does not depend on it."""
    from mtinet.data import nyud

    return nyud


class Frames:
    """The frames to be packed, and where each begins in a flat file."""

    def __init__(self, root: Path, distilled: Path | None, ids: Sequence[str], layout: Layout) -> None:
        self.root, self.distilled, self.ids, self.layout = root, distilled, ids, layout
        self.shapes = [layout.image_size(root, name) for name in ids]
        self.starts = starts(self.shapes)

    def read(self, kind: str, index: int) -> NDArray[Any]:
        """Frame `index`'s image or label, from the distilled labels where they have it."""
        name = self.ids[index]
        if kind == "image":
            return self.layout.read_image(self.root, name)
        distilled = self.distilled and self.layout.label_path(self.distilled, kind, name).exists()
        root = self.distilled if self.distilled and distilled else self.root
        return self.layout.read_label(root, kind, name, self.shapes[index])

    def write(self, kind: str, folder: Path, workers: int | None) -> str:
        """Write <kind>.npy with all frames into `folder`; returns its SHA-256."""
        path = folder / f"{kind}.npy"
        first = self.read(kind, 0)
        channels = first.shape[2:]
        flat = np.lib.format.open_memmap(path, "w+", first.dtype, (int(self.starts[-1]), *channels))

        def place(index: int) -> None:
            start, end = self.starts[index : index + 2]
            flat[start:end] = self.read(kind, index).reshape(-1, *channels)

        with ThreadPoolExecutor(workers or os.cpu_count()) as pool:
            # A list, so that the first error of a reader is raised here.
            list(pool.map(place, range(len(self.ids))))
        flat.flush()
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()


class PackedSplit:
    """A packed split opened for reading; arrays are read-only views of the files.

    >>> split = PackedSplit(folder)                                        # doctest: +SKIP
    >>> split.image(0).shape, split.label("depth", 0).shape                # doctest: +SKIP
    ((480, 640, 3), (480, 640))
    """

    def __init__(self, folder: Path, in_memory: bool = False) -> None:
        """Open `folder`; `in_memory` reads all of it. UserError when it is no packed split or cut off."""
        self.folder = folder
        try:
            index = files.read_json(folder / "index.json")
            if index["format"] != FORMAT:
                raise ValueError(f"format {index['format']}, expected {FORMAT}")
            self.ids: list[str] = index["ids"]
            self.tasks: list[str] = index["tasks"]
            self.digest: str = index["digest"]
            self.shapes: list[tuple[int, int]] = [(height, width) for height, width in index["shapes"]]
            self.starts = starts(self.shapes)
            self.flat = {kind: self._open(kind, in_memory) for kind in ("image", *self.tasks)}
        except (OSError, ValueError, KeyError, EOFError) as error:
            raise UserError(f"{folder}: not a packed split ({error}); run the stage prepare again") from None

    def _open(self, kind: str, in_memory: bool) -> NDArray[Any]:
        flat: NDArray[Any] = np.load(self.folder / f"{kind}.npy", mmap_mode=None if in_memory else "r")
        if len(flat) != self.starts[-1]:
            raise ValueError(f"{kind}.npy holds {len(flat)} pixels, expected {self.starts[-1]}")
        flat.flags.writeable = False
        return flat

    def __len__(self) -> int:
        return len(self.ids)

    def image(self, index: int) -> NDArray[np.uint8]:
        """Image `index`, uint8 [H, W, 3]."""
        return self._frame("image", index)

    def label(self, task: str, index: int) -> NDArray[Any]:
        """Its label, as `read_label` of the layout gives it; UserError for a task that was not packed.

        NYUD: seg uint8 [H, W] (0..39, 255 unlabelled), depth float32 [H, W] (metres, 0 invalid), normals
        float32 [H, W, 3] (unit or 0), edge uint8 [H, W] ({0, 1}).
        """
        if task not in self.tasks:
            raise UserError(f"{self.folder}: no labels for '{task}', only for {', '.join(self.tasks)}")
        return self._frame(task, index)

    def _frame(self, kind: str, index: int) -> NDArray[Any]:
        index = range(len(self))[index]
        flat = self.flat[kind]
        pixels = flat[self.starts[index] : self.starts[index + 1]]
        return np.asarray(pixels).reshape(*self.shapes[index], *flat.shape[1:])


def starts(shapes: Sequence[tuple[int, int]]) -> NDArray[np.int64]:
    """Where each image's pixels begin in a flat file, and at the end their number, int64 [images + 1]."""
    areas = [height * width for height, width in shapes]
    return np.concatenate([[0], np.cumsum(areas, dtype=np.int64)])
