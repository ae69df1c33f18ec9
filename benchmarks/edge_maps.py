"""Edge maps as networks make them, around the boundaries of real or rendered label maps."""

from __future__ import annotations

import tarfile
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from mtinet.data import scenes
from mtinet.metrics.edges import boundaries_from_labels

REAL = Path(__file__).resolve().parents[2] / "shared/fixtures/real/nyud/nyuv2_test_class40.tgz"


def label_maps(count: int, size: tuple[int, int]) -> tuple[str, list[NDArray[np.uint8]]]:
    """Where they come from, and label maps uint8 of the size (height, width): NYUD-v2's test frames, else rendered."""
    if REAL.exists():
        with tarfile.open(REAL) as archive:
            members = islice((member for member in archive if member.name.endswith(".png")), count)
            maps = [np.asarray(Image.open(archive.extractfile(member))) for member in members]  # type: ignore[arg-type]
        return "NYUD-v2 test labels", [resized(labels, size) for labels in maps]
    return "rendered scenes", [resized(scenes.render(0, 5001 + i, 240, 320).segmentation, size) for i in range(count)]


def resized(labels: NDArray, size: tuple[int, int]) -> NDArray:
    """Nearest neighbour."""
    return np.asarray(Image.fromarray(labels).resize(size[::-1], Image.Resampling.NEAREST))


def soft_map(labels: NDArray, seed: int, blur: float = 2.0) -> NDArray[np.uint8]:
    """A thick prediction, uint8 [H, W]: displaced boundaries of varying strength, and texture beside them.

    blur: of the boundaries, in pixels of an image 500 wide.
    """
    random = np.random.default_rng(seed)
    unit = labels.shape[1] / 500
    noise = [smooth(random, labels.shape, width * unit) for width in (12, 12, 20, 2)]
    places = np.indices(labels.shape) + 1.5 * unit * np.stack(noise[:2])
    displaced = ndimage.map_coordinates(boundaries_from_labels(labels).astype(float), places, order=1)
    edge = ndimage.gaussian_filter(displaced * np.clip(0.5 + 0.35 * noise[2], 0.05, 1), blur * unit)
    edge = np.clip(1.3 * edge / max(edge.max(), 1e-9), 0, 1)
    texture = np.clip(np.abs(noise[3]) / 4, 0, 1) ** 1.5
    return np.asarray(255 * (1 - (1 - edge) * (1 - 0.35 * texture)), np.uint8)


def smooth(random: np.random.Generator, shape: tuple[int, ...], width: float) -> NDArray[np.float64]:
    """Smooth noise of unit variance."""
    noise = ndimage.gaussian_filter(random.normal(size=shape), width)
    return np.asarray(noise / max(noise.std(), 1e-9), np.float64)
