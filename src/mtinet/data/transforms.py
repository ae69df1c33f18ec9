"""From a stored sample to the network's input: zoom, flip, resize, normalise.

A sample maps "image" to uint8 [H, W, 3] and task names to labels [H, W] or [H, W, C]. How a label changes
with the view is in the task registry (`geometry`), so a new task needs no code here.

Augmentation is PAD-Net's (section A.2): zoom into the centre by a factor with depth divided by it, and
horizontal flip. A fronto-parallel surface then looks exactly as it would from 1/zoom of its distance; normals
are kept, as they are under a change of focal length. A flip mirrors the scene, so the x of normals changes
its sign.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mtinet.tasks import Task
from mtinet.tasks import task as registered

# Threads of its own would only get in the way of training's: a view takes a millisecond.
cv2.setNumThreads(1)

Size = tuple[int, int]
Sample = Mapping[str, NDArray[Any]]

# What the ImageNet weights of every backbone were trained with (FACTS: RGB / 255, this mean and deviation).
MEAN = np.array([0.485, 0.456, 0.406], np.float32)
DEVIATION = np.array([0.229, 0.224, 0.225], np.float32)


def draw(generator: np.random.Generator, zooms: Sequence[float], flip: bool) -> tuple[float, bool]:
    """One sample's zoom, uniform over `zooms`, and flip, true half of the time unless `flip` is false."""
    zoom, mirrored = zooms[int(generator.integers(len(zooms)))], bool(generator.random() < 0.5)
    return zoom, flip and mirrored


def augment(sample: Sample, size: Size, zoom: float, flip: bool) -> dict[str, NDArray[Any]]:
    """The sample zoomed by `zoom` >= 1 about its centre, resized to `size` (h, w), flipped if `flip`.

    Returns new arrays: "image" float32 [3, h, w], normalised; class labels int64 [h, w]; every other label
    float32 [C, h, w] (C = 1 for depth in metres, edges; 3 for normals). Invalid pixels keep the registry's
    `invalid` value.
    """
    if zoom < 1:
        raise ValueError(f"zoom {zoom} would show what lies outside the image")
    stored = sample["image"].shape[:2]
    output = {"image": normalise(view_of_image(sample["image"], size, zoom, flip))}
    rows, columns = nearest(stored[0], size[0], zoom), nearest(stored[1], size[1], zoom)
    if flip:
        columns = columns[::-1]
    for name, label in sample.items():
        if name != "image":
            task = registered(name)
            kept = kept_when_shrunk(label, task, stored[0] / zoom / size[0], stored[1] / zoom / size[1])
            output[name] = arranged(in_new_view(kept[rows[:, None], columns], task, zoom, flip), task)
    return output


def prepare_image(image: NDArray[np.uint8], size: Size) -> NDArray[np.float32]:
    """An image uint8 [H, W, 3] as the network takes it, float32 [3, h, w]."""
    return normalise(view_of_image(image, size, zoom=1.0, flip=False))


def normalise(image: NDArray[np.uint8]) -> NDArray[np.float32]:
    """uint8 [h, w, 3] -> float32 [3, h, w] with ImageNet's mean and standard deviation."""
    scaled = (image.astype(np.float32) / 255 - MEAN) / DEVIATION
    return np.ascontiguousarray(scaled.transpose(2, 0, 1))


def view_of_image(image: NDArray[np.uint8], size: Size, zoom: float, flip: bool) -> NDArray[np.uint8]:
    """The centre 1/zoom of the image at `size` (h, w), uint8 [h, w, 3]: bilinear and antialiased."""
    height, width = image.shape[:2]
    left, top = (width - width / zoom) / 2, (height - height / zoom) / 2
    box = (left, top, width - left, height - top)
    # Pillow's filter takes the crop in fractions of pixels, so that image and labels keep the same geometry.
    seen = Image.fromarray(np.asarray(image)).resize((size[1], size[0]), Image.Resampling.BILINEAR, box=box)
    view = np.asarray(seen)
    return view[:, ::-1] if flip else view


def nearest(stored: int, wanted: int, zoom: float) -> NDArray[np.intp]:
    """Along one axis: the stored pixel under the centre of each wanted pixel, int [wanted]."""
    seen = stored / zoom
    centres = (stored - seen) / 2 + (np.arange(wanted) + 0.5) * (seen / wanted)
    return np.minimum(centres.astype(np.intp), stored - 1)


def kept_when_shrunk(label: NDArray[Any], task: Task, down: float, across: float) -> NDArray[Any]:
    """Lines as wide as the step, in pixels, from one sample of the label to the next; other labels as they are.

    Taking the pixel under each centre would leave of a line that is a pixel wide one pixel in as many as the step.
    Below a step of two, where most of it stays, nothing is done: the paper's sizes are there.
    """
    box = (covering(across), covering(down))
    if task.geometry != "lines" or box == (1, 1):
        return label
    near: NDArray[Any] = cv2.dilate((label == 1).astype(np.uint8), np.ones(box[::-1], np.uint8)) == 1
    return np.where(near & (label != task.invalid), np.asarray(1, label.dtype), label)


def covering(step: float) -> int:
    """The smallest odd number of pixels that leaves no gap at a step of 2 or more; 1 below."""
    return 2 * math.ceil((step - 1) / 2) + 1 if step >= 2 else 1


def in_new_view(label: NDArray[Any], task: Task, zoom: float, flip: bool) -> NDArray[Any]:
    """Label values after zoom and flip, by the task's geometry; `label` may be changed."""
    if task.geometry == "depth":
        return np.where(label == task.invalid, label, label / np.asarray(zoom, label.dtype))
    if task.geometry == "normals" and flip:
        # 0 - x and not -x: an invalid vector stays +0, and bytes do not depend on the sign of zero.
        label[..., 0] = 0 - label[..., 0]
    return label


def arranged(label: NDArray[Any], task: Task) -> NDArray[Any]:
    """Type and layout of a target: class indices int64 [h, w], values float32 [C, h, w]."""
    if task.interpolation == "nearest":
        return label.astype(np.int64)
    planes = label[None] if label.ndim == 2 else label.transpose(2, 0, 1)
    return np.ascontiguousarray(planes, dtype=np.float32)
