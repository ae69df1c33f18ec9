"""Evaluation as the released protocols have it, written straight down: what ours is measured against.

Predictions are resized to the stored size, written as 8-bit PNGs (depth as .mat), and read back; then every metric is
counted image by image: segmentation class by class with masks, edges threshold by threshold with scikit-image's
thinning and one maximum flow each.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from PIL import Image
from scipy import io as matlab
from skimage.morphology import thin
from torch import Tensor, nn

from benchmarks.edges import flow
from mtinet.data.transforms import prepare_image

CLASSES = 40
MAX_DIST = 0.011  # of the diagonal, as params.yaml has it for NYUD-v2
THRESHOLDS = np.arange(1, 100) / 100


def seg(prediction: NDArray, target: NDArray) -> NDArray:
    """True positives, false positives, false negatives, [3, classes]."""
    valid = target != 255
    counts = np.zeros((3, CLASSES))
    for number in range(CLASSES):
        said, true = prediction == number, target == number
        counts[0, number] = np.sum(said & true & valid)
        counts[1, number] = np.sum(said & ~true & valid)
        counts[2, number] = np.sum(~said & true & valid)
    return counts


def depth(prediction: NDArray, target: NDArray) -> NDArray:
    """Valid pixels, squared and relative errors, and how many are within 1.25, 1.25^2, 1.25^3."""
    valid = target > 0
    guess, true = prediction[valid].astype(np.float64), target[valid].astype(np.float64)
    ratio = np.maximum(guess / true, true / guess)
    within = [np.sum(ratio < 1.25**power) for power in (1, 2, 3)]
    return np.array([valid.sum(), np.sum((guess - true) ** 2), np.sum(np.abs(guess - true) / true), *within])


def normals(prediction: NDArray, target: NDArray) -> NDArray:
    """Valid pixels, sum of angles in degrees, pixels within 11.25, 22.5 and 30 degrees."""
    valid = np.any(target != 0, axis=2)
    guess = prediction / np.maximum(np.linalg.norm(prediction, axis=2, keepdims=True), 1e-12)
    true = target / np.maximum(np.linalg.norm(target, axis=2, keepdims=True), 1e-12)
    angles = np.degrees(np.arccos(np.clip(np.sum(guess * true, axis=2), -1, 1)))[valid]
    return np.array([valid.sum(), angles.sum(), *(np.sum(angles < limit) for limit in (11.25, 22.5, 30))])


def edge(prediction: NDArray, target: NDArray) -> NDArray:
    """Matched pixels at each of 99 thresholds, of a probability."""
    truth = np.asarray(thin(target == 1))
    radius = MAX_DIST * np.hypot(*truth.shape)
    cut = np.floor(prediction * 255) / 255  # to the 8 bits of a PNG
    return np.array([flow(np.asarray(thin(cut >= step)), truth, radius) for step in THRESHOLDS])


METRICS: dict[str, Callable[[NDArray, NDArray], NDArray]] = {
    "seg": seg, "depth": depth, "normals": normals, "edge": edge,
}  # fmt: skip


def scored(
    net: nn.Module, split: Any, tasks: list[str], auxiliary: list[str], size: tuple[int, int], batch: int, folder: Path
) -> Iterator[dict[str, NDArray]]:
    """Statistics by task of every image: all predictions are written to `folder` first, then read and compared."""
    net.eval()
    for start in range(0, len(split), batch):
        indices = range(start, min(start + batch, len(split)))
        images = torch.stack([torch.from_numpy(prepare_image(split.image(index), size)) for index in indices])
        with torch.no_grad():
            outputs = net(images)
        found = dict(outputs.final) | {name: outputs.initial[min(outputs.initial)][name] for name in auxiliary}
        for name, output in found.items():
            for row, index in enumerate(indices):
                save(folder / f"{index:04d}-{name}", name, output[row : row + 1], split.image(index).shape[:2])
    for index in range(len(split)):
        yield {
            name: METRICS[name](load(folder / f"{index:04d}-{name}", name), split.label(name, index))
            for name in [*tasks, *auxiliary]
        }


def save(path: Path, name: str, output: Tensor, size: tuple[int, int]) -> None:
    """One prediction at `size`, as the released protocols store it."""
    if name == "seg":
        classes = output.argmax(1, keepdim=True).float()
        pixels = F.interpolate(classes, size=size, mode="nearest")[0, 0].numpy().astype(np.uint8)
    else:
        full = F.interpolate(output, size=size, mode="bilinear", align_corners=False)
        if name == "depth":
            matlab.savemat(path.with_suffix(".mat"), {"depth": full[0, 0].numpy()})
            return
        if name == "normals":
            pixels = ((F.normalize(full, dim=1)[0].permute(1, 2, 0).numpy() + 1) * 255 / 2).astype(np.uint8)
        else:
            pixels = (full.sigmoid()[0, 0].numpy() * 255).astype(np.uint8)
    Image.fromarray(pixels).save(path.with_suffix(".png"))


def load(path: Path, name: str) -> NDArray:
    """What `save` wrote, as the metrics take it."""
    if name == "depth":
        return np.asarray(matlab.loadmat(path.with_suffix(".mat"))["depth"])
    pixels = np.asarray(Image.open(path.with_suffix(".png")))
    if name == "normals":
        return 2.0 * pixels / 255 - 1
    return pixels if name == "seg" else pixels / 255
