"""The few real NYUD-v2 frames of the fixtures, written in the archive's layout."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from mtinet.data import labels, nyud

FIXTURES = Path(__file__).resolve().parents[2] / "shared" / "fixtures"
REAL = FIXTURES / "real" / "nyud"
FILLED = ("0061", "0295")
HOLES = "000464"

needs_real_frames = pytest.mark.skipif(not REAL.is_dir(), reason=f"no real frames in {REAL}")


@dataclass
class RealFrame:
    """Has what nyud.write_frame takes."""

    image: NDArray[np.uint8]
    segmentation: NDArray[np.uint8]
    depth: NDArray[np.float32]
    normals: NDArray[np.float32]
    edge: NDArray[np.uint8]


def write_real_frames(root: Path) -> list[str]:
    """Write the three real frames, 480x640, into `root` with split lists; returns their ids.

    Ids 0061 and 0295 (dense depth, published normals) are the training split, 0464 (depth with holes, normals
    derived) is the validation split. Edges are derived from the labels in all of them.
    """
    for name in FILLED:
        nyud.write_frame(root, name, filled_frame(name))
    nyud.write_frame(root, HOLES[2:], frame_with_holes())
    nyud.write_splits(root, {"train": list(FILLED), "val": [HOLES[2:]]})
    return [*FILLED, HOLES[2:]]


def filled_frame(name: str) -> RealFrame:
    """A frame with dense depth and published normals."""
    folder = REAL / "filled"
    depth = np.load(folder / "depth" / f"{name}.npy")
    return frame(folder / "img" / f"{name}.png", folder / "seg" / f"{name}.png", depth, published_normals(name))


def frame_with_holes() -> RealFrame:
    """A frame whose depth lacks about a third of the pixels, stored as 5000 per metre."""
    folder = REAL / "holes"
    depth = (pixels(folder / f"depth_gt_{HOLES}.png") / 5000).astype(np.float32)
    segmentation = folder / f"segm_gt_{HOLES}.png"
    return frame(folder / f"{HOLES}.png", segmentation, depth, labels.normals_from_depth(depth))


def frame(image: Path, segmentation: Path, depth: NDArray[np.float32], normals: NDArray[np.float32]) -> RealFrame:
    """Labels 0..39 with 255 unlabelled -> the archive's 1..40 with 0."""
    seg = pixels(segmentation)
    stored = np.where(seg == 255, 0, seg + np.uint8(1)).astype(np.uint8)
    return RealFrame(pixels(image), stored, depth, normals, labels.edges_from_labels(seg))


def published_normals(name: str) -> NDArray[np.float32]:
    """Stored as 127.5 (n + 1) with axes (x right, z forward, y up): here (x right, y up, z to the viewer).

    Vectors that are not of unit length (white and grey pixels) are invalid and become zero.
    """
    stored = pixels(REAL / "filled" / "normal_mask" / f"{name}.png") / 127.5 - 1
    turned = np.stack([stored[..., 0], stored[..., 2], -stored[..., 1]], axis=-1)
    length = np.linalg.norm(turned, axis=-1, keepdims=True)
    valid = np.abs(length - 1) < 0.05
    return np.where(valid, turned / np.maximum(length, 1e-6), 0).astype(np.float32)


def pixels(path: Path) -> NDArray:
    """A picture's pixels."""
    return np.asarray(Image.open(path))
