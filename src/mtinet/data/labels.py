"""Labels that a source lacks: normals derived from depth, edges from segmentation, and what teachers predict."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from mtinet.data.layouts import SPLITS, Layout, layout
from mtinet.errors import UserError

UNLABELLED = 255

# The neighbours that a plane is fitted to: 7 x 7, three pixels apart in an image 640 wide. On two real frames
# the median angle to published normals is 1.4 and 2.5 degrees so, 4 to 8 with windows a third off.
STEPS, SPACING, WIDTH = 3, 3.0, 640
# Neighbours whose inverse depth differs by more than this share lie on another surface.
SAME_SURFACE = 0.05
FEWEST = 6  # neighbours of a fit, the pixel included
BRIDGED = 5.0  # pixels: unlabelled seams between objects up to twice as wide still give an edge


@dataclass(frozen=True)
class Intrinsics:
    """A pinhole camera in pixels of an image of `height` x `width`."""

    fx: float
    fy: float
    cx: float
    cy: float
    height: int
    width: int

    def rays(self, height: int, width: int) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
        """x/z [width] and y/z [height] (y downwards) of the pixels of this view stored at another size."""
        columns = (np.arange(width) + 0.5) * (self.width / width) - 0.5
        rows = (np.arange(height) + 0.5) * (self.height / height) - 0.5
        return (columns - self.cx) / self.fx, (rows - self.cy) / self.fy


NYUD_CAMERA = Intrinsics(518.86, 519.47, 325.58, 253.74, 480, 640)


def normals_from_depth(depth: NDArray[np.float32], camera: Intrinsics = NYUD_CAMERA) -> NDArray[np.float32]:
    """Unit normals float32 [H, W, 3] (x right, y up, z towards the viewer) from depth [H, W] in metres.

    A plane n.P = -k, k > 0, has inverse depth 1/z = (-n_x x + n_y y + n_z) / k, linear in the ray (x, y) with
    y downwards. So each pixel gets the least-squares fit to its neighbours' inverse depths, without those on
    other surfaces. Zero where depth is missing (0) or too few neighbours remain.
    """
    inverse = np.divide(1, depth, out=np.zeros(depth.shape), where=depth > 0)
    x, y = camera.rays(*depth.shape)
    step_x, step_y = (x[-1] - x[0]) / max(len(x) - 1, 1), (y[-1] - y[0]) / max(len(y) - 1, 1)
    count, moments = neighbourhood(inverse, step_x, step_y)
    mx, my, mz, xx, yy, xy, xz, yz = moments / np.maximum(count, 1)
    xx, yy, xy, xz, yz = xx - mx * mx, yy - my * my, xy - mx * my, xz - mx * mz, yz - my * mz
    spread = xx * yy - xy * xy
    fitted = (depth > 0) & (count >= FEWEST) & (spread > 1e-3 * (xx + yy) ** 2)  # neighbours not on one line
    spread = np.where(fitted, spread, 1)
    slope_x, slope_y = (yy * xz - xy * yz) / spread, (xx * yz - xy * xz) / spread
    # `neighbourhood` measures from each pixel; the plane's value on the optical axis is n_z / k.
    on_axis = inverse + mz - slope_x * (mx + x) - slope_y * (my + y[:, None])
    normals = np.stack([-slope_x, slope_y, on_axis], axis=-1)
    length = np.linalg.norm(normals, axis=-1, keepdims=True)
    return np.where(fitted[..., None], normals / np.maximum(length, 1e-12), 0).astype(np.float32)


def neighbourhood(
    inverse: NDArray[np.float64], step_x: float, step_y: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Neighbours of each pixel on its surface: number [H, W]; sums of x, y, z, xx, yy, xy, xz, yz [8, H, W].

    x, y: ray of the neighbour less that of the pixel (step per column, row); z: the same of inverse depth.
    """
    height, width = inverse.shape
    offsets = np.unique(np.round(np.arange(-STEPS, STEPS + 1) * SPACING * width / WIDTH).astype(int))
    margin = int(offsets[-1])
    padded = np.pad(inverse, margin)
    count, sums = np.zeros(inverse.shape), np.zeros((8, *inverse.shape))
    for down in offsets:
        for right in offsets:
            other = padded[margin + down :, margin + right :][:height, :width]
            z = other - inverse
            same = (other > 0) & (np.abs(z) <= SAME_SURFACE * inverse)
            x, y = right * step_x, down * step_y
            z = np.where(same, z, 0)
            count += same
            for index, factor in enumerate((x, y, None, x * x, y * y, x * y)):
                sums[index] += z if factor is None else factor * same
            sums[6] += x * z
            sums[7] += y * z
    return count, sums


def edges_from_labels(seg: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Edges {0, 1}, uint8 [H, W], where a label differs from its right or lower neighbour.

    seg: uint8 [H, W], 255 unlabelled. Annotators leave seams of unlabelled pixels between objects, which
    would give two edges each: unlabelled pixels first take the nearest label, and edges farther than BRIDGED
    pixels from any labelled one are dropped again.
    """
    unlabelled = seg == UNLABELLED
    if unlabelled.all():
        return np.zeros(seg.shape, np.uint8)
    distance: NDArray[np.float64]
    distance, (rows, columns) = ndimage.distance_transform_edt(unlabelled, return_indices=True)
    filled = seg[rows, columns]
    edge = np.zeros(seg.shape, bool)
    edge[:, :-1] |= filled[:, :-1] != filled[:, 1:]
    edge[:-1] |= filled[:-1] != filled[1:]
    edge[distance > BRIDGED] = False
    return edge.astype(np.uint8)


Predict = Callable[[str, str], NDArray[Any]]

# task -> the label that it is derived from, and how
DERIVED: dict[str, tuple[str, Callable[[NDArray[Any]], NDArray[Any]]]] = {
    "normals": ("depth", normals_from_depth),
    "edge": ("seg", edges_from_labels),
}


def derive_missing(root: Path, card: Mapping[str, Any], folder: Path, workers: int | None = None) -> None:
    """Write into `folder`, in the archive's layout, every label that `card` calls derived, for all images.

    Nothing is derived of a task that has no labels itself.
    """
    data = layout(card["dataset"])
    for task in tasks_of(card, "derived"):
        if task not in DERIVED:
            raise UserError(
                f"{root}: no labels for '{task}', and they cannot be derived; expected {', '.join(DERIVED)}"
            )
        if DERIVED[task][0] not in tasks_of(card, "source"):
            continue
        with ThreadPoolExecutor(workers or os.cpu_count()) as pool:
            list(pool.map(lambda name, task=task: derive(root, task, name, folder, data), all_ids(root, data)))


def derive(root: Path, task: str, image_id: str, folder: Path, data: Layout) -> None:
    """Write one derived label of one image."""
    given, function = DERIVED[task]
    label = function(data.read_label(root, given, image_id, data.image_size(root, image_id)))
    data.write_label(folder, task, image_id, label)


# From teachers ----------------------------------------------------------------------------------------------


def write_taught(root: Path, card: Mapping[str, Any], folder: Path, predict: Predict) -> None:
    """Write into `folder`, in the archive's layout, what teachers predict for every label that `card` calls taught.

    `predict(task, image_id)` gives an image's label as the layout's `write_label` takes it.
    """
    data = layout(card["dataset"])
    for task in tasks_of(card, "taught"):
        for name in all_ids(root, data):
            data.write_label(folder, task, name, predict(task, name))


def tasks_of(card: Mapping[str, Any], origin: str) -> list[str]:
    """The tasks whose labels have the `origin` "source", "derived", "taught" or "absent"."""
    return [task for task, found in card["labels"].items() if found == origin]


def all_ids(root: Path, data: Layout) -> list[str]:
    """The ids of all splits."""
    return [name for split in SPLITS for name in data.split_ids(root, split)]
