"""From a stored sample to the network's input by one warp: PASCAL's augmentation, as in ASTMT (section A.2).

The image is flipped, rotated about its centre and enlarged, then brought to the input's size. All of it is one
affine map, through which the image is resampled once and labels are taken from the pixel under each centre. A
rotation in the image plane is one of the camera about its axis, so that the (x, y) of normals rotate too; a flip
mirrors the scene. How a label changes with the view is in the task registry (`geometry`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from mtinet.data.transforms import Sample, Size, arranged, kept_when_shrunk, normalise
from mtinet.tasks import Task
from mtinet.tasks import task as registered

Borders = Literal["ignored", "zero"]


@dataclass(frozen=True)
class View:
    """How a sample is seen: flipped, then turned by `angle` degrees counter-clockwise, then enlarged `scale` times."""

    flip: bool = False
    angle: float = 0.0
    scale: float = 1.0

    def to_source(self, stored: Size, size: Size) -> NDArray[np.float64]:
        """The map [2, 3] from (x, y, 1) in the output to (x, y) in the stored image, in pixels from the upper left."""
        (height, width), (h, w) = stored, size
        cos, sin = math.cos(math.radians(self.angle)), math.sin(math.radians(self.angle))
        # y points down, so this turns clockwise: back from the output to the source.
        turn = np.array([[cos, -sin], [sin, cos]]) / self.scale
        if self.flip:
            turn[0] *= -1
        linear = turn @ np.diag([width / w, height / h])
        centre = np.array([width, height]) / 2 - linear @ [w / 2, h / 2]
        return np.column_stack([linear, centre])


def draw(generator: np.random.Generator, rotation: float, scale: Sequence[float], flip: bool) -> View:
    """One sample's view: angle in U(-rotation, rotation), scale in U(*scale), flipped half of the time if `flip`."""
    angle, factor = float(generator.uniform(-rotation, rotation)), float(generator.uniform(scale[0], scale[1]))
    mirrored = bool(generator.random() < 0.5)
    return View(flip and mirrored, angle, factor)


def warp(sample: Sample, size: Size, view: View, borders: Borders = "ignored") -> dict[str, NDArray[Any]]:
    """The sample in `view`, at `size` (h, w): new arrays as mtinet.data.transforms.augment returns them.

    Beyond the stored image's border the image is black, and labels have the registry's `invalid` value
    (`borders` "ignored"), or 0 ("zero", as the released code has it; but a label that says nothing at all, as that
    of parts in an image without people, goes on saying nothing).
    """
    stored: Size = sample["image"].shape[:2]
    to_source = view.to_source(stored, size)
    across, down = steps(to_source)
    pixels, inside = nearest(to_source, stored, size)
    output = {"image": normalise(warped_image(sample["image"], size, to_source, inside))}
    for name, label in sample.items():
        if name != "image":
            task = registered(name)
            kept = kept_when_shrunk(label, task, down, across)
            seen = in_new_view(kept.reshape(-1, *label.shape[2:])[pixels], task, view)
            silent = borders == "ignored" or bool(np.all(label == task.invalid))
            seen[~inside] = task.invalid if silent else 0
            output[name] = arranged(seen, task)
    return output


def nearest(to_source: NDArray[np.float64], stored: Size, size: Size) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
    """For each output pixel [h, w]: the stored pixel under its centre, as index into rows after one another, and
    whether there is one."""
    x, y = np.arange(size[1]) + 0.5, np.arange(size[0])[:, None] + 0.5
    columns, rows = (np.floor(a * x + b * y + c).astype(np.intp) for a, b, c in to_source)
    inside = (columns >= 0) & (columns < stored[1]) & (rows >= 0) & (rows < stored[0])
    return np.where(inside, rows * stored[1] + columns, 0), inside


def warped_image(
    image: NDArray[np.uint8], size: Size, to_source: NDArray[np.float64], inside: NDArray[np.bool_]
) -> NDArray[np.uint8]:
    """The image resampled bilinearly, uint8 [h, w, 3]; black outside."""
    linear = to_source[:, :2]
    # OpenCV counts from the centre of the upper left pixel.
    shifted = np.column_stack([linear, to_source[:, 2] + linear @ [0.5, 0.5] - 0.5])
    view = cv2.warpAffine(
        antialiased(image, linear), shifted, (size[1], size[0]),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP, borderMode=cv2.BORDER_REPLICATE,
    )  # fmt: skip
    view[~inside] = 0
    return np.asarray(view)


def antialiased(image: NDArray[np.uint8], linear: NDArray[np.float64]) -> NDArray[np.uint8]:
    """The image smoothed by as many pixels, across and down, as lie between two of the output's.

    Two box filters make the triangle that Pillow's bilinear resizing has, which the images of evaluation go through.
    """
    across, down = steps(linear)
    box = (odd(across), odd(down))
    if box == (1, 1):
        return image
    smooth = cv2.blur(cv2.blur(image, box, borderType=cv2.BORDER_REPLICATE), box, borderType=cv2.BORDER_REPLICATE)
    return np.asarray(smooth)


def odd(step: float) -> int:
    """The odd number nearest to `step`, at least 1."""
    return 2 * max(0, round((step - 1) / 2)) + 1


def steps(to_source: NDArray[np.float64]) -> tuple[float, float]:
    """How far apart, across and down in the stored image, two neighbours in the output are, in pixels."""
    across, down = np.linalg.norm(to_source[:, :2], axis=1)
    return float(across), float(down)


def in_new_view(label: NDArray[Any], task: Task, view: View) -> NDArray[Any]:
    """Label values in the new view, by the task's geometry; `label` may be changed."""
    if task.geometry == "depth":
        return np.where(label == task.invalid, label, label / np.asarray(view.scale, label.dtype))
    if task.geometry == "normals":
        cos, sin = math.cos(math.radians(view.angle)), math.sin(math.radians(view.angle))
        x, y = -label[..., 0] if view.flip else label[..., 0], label[..., 1]
        # + 0 turns -0 into 0: bytes of invalid vectors do not depend on the view.
        label[..., 0], label[..., 1] = cos * x - sin * y + 0.0, sin * x + cos * y + 0.0
    return label
