"""Non-maximum suppression of edge maps in the style of structured edges, as ASTMT's protocol has it. Experimental.

Ties decide tens of pixels per image, and independent implementations break them differently.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

SMOOTHING = 4  # radius of the triangle filter that orientations are measured on
BORDER = 5  # pixels within which edges are faded out
FACTOR = np.float32(1.01)  # how much a pixel may fall short of its neighbours
Map = NDArray[np.float32]


def suppress(prediction: NDArray) -> Map:
    """`prediction` [H, W] (uint8, divided by 255, or float in 0..1) with pixels beside a ridge set to 0; float32.

    A pixel stays where 1.01 times its value reaches the values one pixel to either side, across the edge. Within
    5 pixels of the border values are scaled by distance / 5 (0 on the border itself).
    """
    edge = np.asarray(prediction, np.float32) / np.float32(255 if np.asarray(prediction).dtype == np.uint8 else 1)
    if min(edge.shape) < 2:
        return np.zeros_like(edge)  # all of it is border
    angle = orientation(edge)
    down, right = np.mgrid[: edge.shape[0], : edge.shape[1]].astype(np.float32)
    kept = edge.copy()
    for side in (-1, 1):
        beside = interpolated(edge, down + side * np.sin(angle), right + side * np.cos(angle))
        kept[edge * FACTOR < beside] = 0
    return kept * fade(edge.shape[0])[:, None] * fade(edge.shape[1])


def orientation(edge: Map) -> Map:
    """Direction across the edge at each pixel, radians in [0, pi)."""
    ramp = np.arange(1, SMOOTHING + 2, dtype=np.float32)
    triangle = np.concatenate([ramp, ramp[-2::-1]]) / np.float32((SMOOTHING + 1) ** 2)
    smooth = edge
    for axis in (0, 1):
        smooth = ndimage.convolve1d(smooth, triangle, axis=axis, mode="reflect")
    along_y, along_x = np.gradient(smooth)
    second_xx = np.gradient(along_x, axis=1)
    second_yy, second_xy = np.gradient(along_y, axis=0), np.gradient(along_y, axis=1)
    slope = second_yy * np.sign(-second_xy) / (second_xx + np.float32(1e-5))
    angle: Map = np.mod(np.arctan(slope), np.float32(np.pi))
    return angle


def interpolated(edge: Map, down: Map, right: Map) -> Map:
    """Bilinear values at positions that are first moved inside the map."""
    height, width = edge.shape
    down, right = np.clip(down, 0, np.float32(height - 1.001)), np.clip(right, 0, np.float32(width - 1.001))
    top, left = down.astype(np.intp), right.astype(np.intp)
    below, beside = down - top, right - left
    upper = edge[top, left] * (1 - beside) + edge[top, left + 1] * beside
    lower = edge[top + 1, left] * (1 - beside) + edge[top + 1, left + 1] * beside
    values: Map = upper * (1 - below) + lower * below
    return values


def fade(length: int) -> Map:
    """Distance to the nearer end divided by 5, at most 1."""
    place = np.arange(length, dtype=np.float32)
    factor: Map = np.minimum(np.minimum(place, place[::-1]) / np.float32(BORDER), np.float32(1))
    return factor
