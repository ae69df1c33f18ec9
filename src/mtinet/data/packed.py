"""A packed split opened for reading: a few files that processes map into memory and share.

A packed split is a folder: one flat .npy per kind ("image" and every task), images after one another, and
index.json with ids, shapes, and a SHA-256 of it all. Images may differ in size. `packing.pack` writes it.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtinet import files
from mtinet.errors import UserError

FORMAT = 1


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
        flat: NDArray[Any] = np.load(
            self.folder / f"{kind}.npy", mmap_mode=None if in_memory else "r", allow_pickle=False
        )
        if len(flat) != self.starts[-1]:
            raise ValueError(f"{kind}.npy holds {len(flat)} pixels, expected {self.starts[-1]}")
        flat.flags.writeable = False
        return flat

    @property
    def labels(self) -> tuple[str, ...]:
        """The names that `label` takes: tasks, and for some of them also `<task>_exact`."""
        return tuple(self.tasks)

    def __len__(self) -> int:
        return len(self.ids)

    def image(self, index: int) -> NDArray[np.uint8]:
        """Image `index`, uint8 [H, W, 3]."""
        return self._frame("image", index)

    def label(self, task: str, index: int) -> NDArray[Any]:
        """Its label, as `read_label` of the layout gives it; UserError for a task that was not packed.

        NYUD: seg uint8 [H, W] (0..39, 255 unlabelled), depth float32 [H, W] (metres, 0 invalid), normals
        float32 [H, W, 3] (unit or 0), edge uint8 [H, W] ({0, 1}). PASCAL: seg uint8 [H, W] (0..20, 255 ignored),
        parts uint8 [H, W] (0..6, all 255 without a person), sal uint8 [H, W] ({0, 1}), normals and edge alike.
        On rendered scenes' val split also normals_exact (where normals are) and sal_exact.
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
