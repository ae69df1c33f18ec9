"""The real NYUD-v2 material that statistics are taken from: all test label maps, three frames with depth."""

from __future__ import annotations

import hashlib
import tarfile
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

REAL = Path(__file__).resolve().parents[2] / "shared/fixtures/real/nyud"
LABELS = "nyuv2_test_class40.tgz"
FILLED = ("0061", "0295")
HOLES = "000464"
FILES = (
    LABELS,
    *(f"filled/{folder}/{name}" for one in FILLED for folder, name in
      (("img", f"{one}.png"), ("seg", f"{one}.png"), ("depth", f"{one}.npy"))),
    f"holes/{HOLES}.png", f"holes/segm_gt_{HOLES}.png", f"holes/depth_gt_{HOLES}.png",
)  # fmt: skip


@dataclass(frozen=True)
class Material:
    """Real label maps [N, H, W]; frames [3, H, W, 3], their labels and depths (metres); depth with holes."""

    labels: NDArray[np.uint8]
    frames: NDArray[np.uint8]
    frame_labels: NDArray[np.uint8]
    depths: NDArray[np.float32]
    raw: NDArray[np.float32]


def digests() -> dict[str, str]:
    """SHA-256 of every file used."""
    return {name: hashlib.sha256((REAL / name).read_bytes()).hexdigest() for name in FILES}


def material(size: tuple[int, int]) -> Material:
    """Everything at the given size (height, width), a divisor of 480x640: means of colours, one label in each cell."""
    step = 480 // size[0]
    names = [REAL / "filled" / "{}" / f"{one}.png" for one in FILLED]
    photographs = [*(str(name).format("img") for name in names), REAL / "holes" / f"{HOLES}.png"]
    maps = [*(str(name).format("seg") for name in names), REAL / "holes" / f"segm_gt_{HOLES}.png"]
    raw = (pixels(REAL / "holes" / f"depth_gt_{HOLES}.png") / 5000).astype(np.float32)
    depths = [*(np.load(REAL / "filled" / "depth" / f"{one}.npy", allow_pickle=False) for one in FILLED), raw]
    frames = [cv2.resize(pixels(name), size[::-1], interpolation=cv2.INTER_AREA) for name in photographs]
    coded = [pixels(name) for name in maps]
    cells = (slice(step // 2, None, step), slice(step // 2, None, step))
    return Material(
        labels=np.stack([one[cells] for one in test_labels()]),
        frames=np.stack(frames),
        frame_labels=np.stack([np.where(one == 255, 0, one + 1)[cells] for one in coded]).astype(np.uint8),
        depths=np.stack([one[cells] for one in depths]).astype(np.float32),
        raw=raw[cells][None],
    )


def test_labels() -> list[NDArray[np.uint8]]:
    """The 654 test label maps, uint8 [480, 640], 0 unlabelled, 1..40."""
    with tarfile.open(REAL / LABELS) as archive:
        members = [member for member in archive if member.name.endswith(".png")]
        return [np.asarray(Image.open(archive.extractfile(member))) for member in members]  # type: ignore[arg-type]


def pixels(path: Path | str) -> NDArray:
    """A picture's pixels."""
    return np.asarray(Image.open(path))
