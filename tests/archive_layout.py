"""Small data sets in NYUD's on-disk layout."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from synthetic import frame

from mtinet.config import Archive
from mtinet.data import nyud


def synthetic_frame(index: int, height: int = 48, width: int = 64) -> SimpleNamespace:
    """A synthetic frame in the archive's coding (labels 1..40, 0 = unlabelled)."""
    given = frame(np.random.default_rng([7, index]), height, width)
    stored = np.where(given["seg"] == 255, 0, given["seg"] + np.uint8(1)).astype(np.uint8)
    return SimpleNamespace(
        image=given["image"], segmentation=stored, depth=given["depth"], normals=given["normals"],
        edge=given["edge"],
    )  # fmt: skip


def write_layout(root: Path, train: int = 3, val: int = 2, height: int = 48, width: int = 64) -> list[str]:
    """Write `train` + `val` synthetic frames into `root`; returns all ids."""
    ids = [f"{number:04d}" for number in range(1, train + val + 1)]
    for number, name in enumerate(ids):
        nyud.write_frame(root, name, synthetic_frame(number, height, width))
    nyud.write_splits(root, {"train": ids[:train], "val": ids[train:]})
    return ids


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A small archive, unpacked."""
    write_layout(tmp_path / "tree")
    return tmp_path / "tree"


def source(path: Path, **fields: object) -> Archive:
    """The declaration of an archive that lies at `path`, with these fields besides."""
    return Archive(**{"path": str(path), "url": None, "google_drive": None, "sha256": None, **fields})
