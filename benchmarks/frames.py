"""The frames that benchmarks work on, rendered where there are none yet: a fresh clone has no data.

They lie below .cache/benchmarks, as the archive would store them and packed; larger sets repeat them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.harness import ROOT
from mtinet import files, stage
from mtinet.config import SceneSet
from mtinet.data import nyud, packing, scene_set
from mtinet.data.packed import PackedSplit

CACHE = ROOT / ".cache" / "benchmarks"
TASKS = ("seg", "depth", "normals", "edge")
LAPTOP = SceneSet(train=24, val=12, height=240, width=320, seed=0)
PAPER = SceneSet(train=8, val=4, height=480, width=640, seed=0)


def made(wanted: SceneSet) -> Path:
    """The folder with `raw`, the archive's layout, and `packed`, one folder per split; rendered once."""
    folder = CACHE / f"nyud-{wanted.height}x{wanted.width}-{wanted.train}-{wanted.val}-{wanted.seed}"
    if not (folder / "packed" / "val").exists():
        print(f"rendering {wanted.train + wanted.val} frames of {wanted.height}x{wanted.width}", flush=True)
        scene_set.write_scenes(folder / "raw", wanted, workers=stage.cores())
        for split in ("train", "val"):
            ids = nyud.split_ids(folder / "raw", split)
            packing.pack(folder / "raw", None, ids, TASKS, folder / "packed" / split)
        files.flush(folder)
    return folder


class Repeated:
    """A packed split with its frames over and over, `length` in all; has what training and scoring use of one."""

    def __init__(self, split: PackedSplit, length: int) -> None:
        self.split, self.length = split, length
        self.labels, self.digest = split.labels, split.digest
        self.ids = [f"{split.ids[index % len(split)]}-{index // len(split)}" for index in range(length)]

    def __len__(self) -> int:
        return self.length

    def image(self, index: int) -> NDArray[np.uint8]:
        return self.split.image(index % len(self.split))

    def label(self, task: str, index: int) -> NDArray[Any]:
        return self.split.label(task, index % len(self.split))


def packed(wanted: SceneSet, split: str, length: int | None = None) -> Any:
    """A split, packed; with `length` that many frames."""
    found = PackedSplit(made(wanted) / "packed" / split)
    return Repeated(found, length) if length else found
