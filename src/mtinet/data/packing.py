"""Write a split as a few memory-mappable files (see `packed`), instead of folders of small ones."""

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
from mtinet.data import nyud
from mtinet.data.packed import FORMAT, starts


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
    frames = Frames(root, distilled, ids, layout or nyud)
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
