"""Write a split as a few memory-mappable files (see `packed`), instead of folders of small ones."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtinet import files
from mtinet.data import formats, layouts
from mtinet.data.layouts import Layout, exact_path
from mtinet.data.packed import FORMAT, starts

EXACT_SUFFIX = "_exact"
SCORED_SUFFIX = "_scored"


def pack(
    root: Path,
    distilled: Path | None,
    ids: Sequence[str],
    tasks: Sequence[str],
    folder: Path,
    workers: int | None = None,
    layout: Layout | None = None,
    exact: Path | None = None,
    scored: Sequence[str] = (),
) -> None:
    """Write the frames `ids` of the data set in `root` to `folder`, whole or not at all; same in, same out.

    A label is taken from `distilled` (same layout) where that has it, else from `root`; UserError names the
    file that is missing or wrong. `layout` None means NYUD's. Labels in the folder `exact`, if any, are packed
    too, that of task t under the name t_exact; and for the tasks `scored`, under t_scored, what the layout says
    that predictions are compared with.
    """
    frames = Frames(root, distilled, ids, layout or layouts.layout("nyud"), exact)
    known = [task for task in tasks if exact is not None and (exact / task).is_dir()]
    labels = [*tasks, *(f"{task}{EXACT_SUFFIX}" for task in known), *(f"{task}{SCORED_SUFFIX}" for task in scored)]
    index: dict[str, Any] = {
        "format": FORMAT,
        "ids": list(ids),
        "tasks": labels,
        "shapes": frames.shapes,
    }
    with files.replacing(folder) as work:
        work.mkdir()
        index["files"] = {kind: frames.write(kind, work, workers) for kind in ("image", *labels)}
        files.write_json(work / "index.json", {**index, "digest": files.digest_of(index)})


class Frames:
    """The frames to be packed, and where each begins in a flat file."""

    def __init__(
        self, root: Path, distilled: Path | None, ids: Sequence[str], layout: Layout, exact: Path | None
    ) -> None:
        self.root, self.distilled, self.ids, self.layout, self.exact = root, distilled, ids, layout, exact
        self.shapes = [layout.image_size(root, name) for name in ids]
        self.starts = starts(self.shapes)

    def read(self, kind: str, index: int) -> NDArray[Any]:
        """Frame `index`'s image or label."""
        name = self.ids[index]
        if kind == "image":
            return self.layout.read_image(self.root, name)
        if self.exact is not None and kind.endswith(EXACT_SUFFIX):
            return self.read_exact(kind.removesuffix(EXACT_SUFFIX), index)
        if kind.endswith(SCORED_SUFFIX):
            return self.layout.read_scored(self.root, kind.removesuffix(SCORED_SUFFIX), name, self.shapes[index])
        return self.layout.read_label(self.root, kind, name, self.shapes[index], self.distilled)

    def read_exact(self, task: str, index: int) -> NDArray[Any]:
        """Frame `index`'s exactly known label, stored as it is packed; at no pixel that the teacher's leaves out."""
        path = exact_path(self.exact or self.root, task, self.ids[index])
        stored = formats.read_array(path)
        size = self.shapes[index]
        formats.expect(stored.shape[:2] == size, path, f"shape {stored.shape}", f"{size}, the size of the image")
        if stored.ndim == 3:
            stored[~self.read(task, index).any(axis=-1)] = 0  # both scores are of the same pixels
        return stored

    def write(self, kind: str, folder: Path, workers: int | None) -> str:
        """Write <kind>.npy with all frames into `folder`; returns its SHA-256."""
        path = folder / f"{kind}.npy"
        first = self.read(kind, 0)
        channels = first.shape[2:]
        flat = np.lib.format.open_memmap(path, "w+", first.dtype, (int(self.starts[-1]), *channels))
        reserve(path)

        def place(index: int) -> None:
            start, end = self.starts[index : index + 2]
            flat[start:end] = self.read(kind, index).reshape(-1, *channels)

        with ThreadPoolExecutor(workers or os.cpu_count()) as pool:
            # A list, so that the first error of a reader is raised here.
            list(pool.map(place, range(len(self.ids))))
        flat.flush()
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()


def reserve(path: Path) -> None:
    """Have the disk set aside all of a sparse file: the kernel kills who writes to a mapped page that finds no room."""
    with path.open("r+b") as stream:
        os.posix_fallocate(stream.fileno(), 0, path.stat().st_size)
