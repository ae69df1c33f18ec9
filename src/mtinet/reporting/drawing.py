"""Label maps and predictions as RGB images, as the task registry's `draw` says."""

from __future__ import annotations

import numpy as np
from matplotlib import colormaps
from numpy.typing import NDArray

from mtinet import tasks
from mtinet.reporting.classes import Classes

Limits = tuple[float, float]

# Pixels without a label or a measurement. It is the zero vector among normals, and in neither colour scale.
NEUTRAL = (128, 128, 128)
DEPTH_COLOURS = "viridis"  # even steps in lightness: also read in grey, and by colour-blind eyes


def draw(task: str, array: NDArray, limits: Limits | None = None, classes: Classes | None = None) -> NDArray[np.uint8]:
    """Draw one map of `task` as RGB, uint8 [H, W, 3]; invalid pixels are NEUTRAL.

    `array`: classes as integers [H, W]; depth in metres, floating point [H, W]; normals as unit vectors
    [H, W, 3] (x right, y up, z to the viewer); probabilities in 0..1 [H, W], drawn dark on white.
    `limits`: nearest and farthest depth of the colour scale in metres, by default the map's own. `classes`:
    their colours, needed for a task with classes; other tasks have no use for either. Raises UserError for an
    unknown task, ValueError for a wrong shape or without the classes.
    """
    entry = tasks.task(task)
    expected = 3 if entry.draw == "normals" else 2
    if array.ndim != expected or (expected == 3 and array.shape[2] != 3):
        raise ValueError(f"a map of '{task}' has shape [H, W{', 3' if expected == 3 else ''}], not {array.shape}")
    valid = valid_pixels(array, entry.invalid)
    if entry.draw == "palette":
        if classes is None:
            raise ValueError(f"a map of '{task}' cannot be drawn without the colours of its classes")
        image = classes.palette()[array.astype(np.int64) % len(classes.colours)]
    elif entry.draw == "depth":
        image = coloured(array, limits or range_of(array[valid]))
    elif entry.draw == "normals":
        image = to_bytes((np.nan_to_num(array) + 1) / 2)
    else:
        image = np.repeat(to_bytes(1 - np.nan_to_num(array.astype(np.float64)))[..., None], 3, axis=2)
    image[~valid] = NEUTRAL
    return image


def valid_pixels(array: NDArray, invalid: float) -> NDArray[np.bool_]:
    """Where a map says something, [H, W]: not the invalid value (in all channels), and finite."""
    finite, set_ = np.isfinite(array), array != invalid
    if array.ndim == 3:
        finite, set_ = finite.all(axis=2), set_.any(axis=2)
    return np.asarray(finite & set_)


def coloured(depth: NDArray, limits: Limits) -> NDArray[np.uint8]:
    """Depth on the colour scale that runs from the nearest to the farthest of `limits`."""
    near, far = limits
    position = (np.nan_to_num(depth.astype(np.float64)) - near) / max(far - near, 1e-6)
    return np.asarray(colormaps[DEPTH_COLOURS](np.clip(position, 0, 1), bytes=True)[..., :3])


def range_of(values: NDArray) -> Limits:
    """The range of the values without the outermost 1 % on either side; (0, 1) when there are none."""
    if values.size == 0:
        return 0.0, 1.0
    near, far = np.percentile(values.astype(np.float64), [1, 99])
    return float(near), float(far)


def to_bytes(fraction: NDArray) -> NDArray[np.uint8]:
    """0..1 to 0..255, rounded and clipped."""
    return np.asarray(np.clip(np.rint(fraction * 255), 0, 255), dtype=np.uint8)
