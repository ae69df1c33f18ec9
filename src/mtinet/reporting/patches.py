"""Figure 2a: the labels of one image, whole, in a large patch and in a local one around the same point."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from mtinet.errors import UserError
from mtinet.reporting import canvas
from mtinet.reporting.captions import GUIDE
from mtinet.reporting.classes import Classes
from mtinet.reporting.drawing import draw, range_of, valid_pixels
from mtinet.tasks import registry

Point = tuple[int, int]

SHARES = {"large patch": 1 / 2, "local patch": 1 / 8}  # of the image's shorter side


def patches(
    examples: Mapping[str, Mapping[str, Any]], tasks: Sequence[str], path: Path, classes: Mapping[str, Classes]
) -> None:
    """Draw image and labels of `tasks` into `path` (.png or .svg): whole, and in patches of two sizes.

    `examples`: per experiment, as `panel` takes them; labels may come from different ones, which all show the same
    images. The image is the one with most classes of those with labels of most tasks, the point the border pixel
    nearest to its middle: no prediction has a say. Raises UserError when no evaluated run has labels of segmentation.
    """
    found = labels(examples, tasks)
    if GUIDE not in found:
        raise UserError(f"no labels of '{GUIDE}' to draw: no run on them has been evaluated; run the stage evaluate")
    whole = most_labelled(found)
    index = whole[richest([found[GUIDE][index] for index in whole])]
    image = np.asarray(next(iter(examples.values()))["images"][index])
    centre = border_point(np.asarray(found[GUIDE][index]))
    columns = {"Image": image}
    for task in tasks:
        if task in found:
            columns[registry()[task].label] = drawn(task, np.asarray(found[task][index]), classes.get(task))
    height, width = image.shape[:2]
    cell = min(9.6 / len(columns), 2.6)
    with canvas.style():
        tall = cell * height / width + 2 * cell
        figure = Figure(figsize=(cell * len(columns) + 0.35, tall + 0.5), layout="constrained")
        grid = figure.subplots(3, len(columns), squeeze=False, height_ratios=[height / width, 1, 1])
        for axes, (name, picture) in zip(grid.T, columns.items(), strict=True):
            axes[0].set_title(name)
            one_column(axes, picture, centre)
        for axis, name in zip(grid[:, 0], ["whole image", *SHARES], strict=True):
            axis.set_ylabel(name)
        canvas.save(figure, path)


def labels(examples: Mapping[str, Mapping[str, Any]], tasks: Sequence[str]) -> dict[str, Any]:
    """Task -> its labels of every image, from the first run that has them."""
    return {
        task: run[f"label_{task}"] for task in tasks for run in reversed([*examples.values()]) if f"label_{task}" in run
    }


def most_labelled(maps: Mapping[str, Sequence[NDArray]]) -> list[int]:
    """The places of the images that most tasks label at all."""
    there = [[valid_pixels(np.asarray(label), registry()[task].invalid).any() for label in maps[task]] for task in maps]
    counts = np.sum(there, axis=0)
    return [int(index) for index in np.flatnonzero(counts == counts.max())]


def richest(maps: Sequence[NDArray]) -> int:
    """The place of the label map with most classes, the first of equals."""
    counts = [len(np.unique(label[valid_pixels(np.asarray(label), registry()[GUIDE].invalid)])) for label in maps]
    return int(np.argmax(counts))


def border_point(label: NDArray) -> Point:
    """The pixel (row, column) nearest to the middle whose right or lower neighbour has another valid label."""
    height, width = label.shape
    valid = valid_pixels(label, registry()[GUIDE].invalid)
    border = np.zeros(label.shape, bool)
    border[:, :-1] |= (label[:, :-1] != label[:, 1:]) & valid[:, :-1] & valid[:, 1:]
    border[:-1] |= (label[:-1] != label[1:]) & valid[:-1] & valid[1:]
    rows, columns = np.nonzero(border)
    if rows.size == 0:
        return height // 2, width // 2
    nearest = int(np.argmin((rows - height / 2) ** 2 + (columns - width / 2) ** 2))
    return int(rows[nearest]), int(columns[nearest])


def window(size: Point, centre: Point, share: float) -> tuple[slice, slice]:
    """A square around `centre`, moved where it would leave the image of `size`; its side a share of the shorter."""
    side = max(2, round(share * min(size)))
    starts = [min(max(at - side // 2, 0), length - side) for at, length in zip(centre, size, strict=True)]
    return slice(starts[0], starts[0] + side), slice(starts[1], starts[1] + side)


def drawn(task: str, label: NDArray, classes: Classes | None) -> NDArray[np.uint8]:
    """The label as an RGB image, depth on the range of the whole image."""
    entry = registry()[task]
    limits = range_of(label[valid_pixels(label, entry.invalid)]) if entry.draw == "depth" else None
    return draw(task, label, limits, classes)


def one_column(axes: Sequence[Axes], picture: NDArray[np.uint8], centre: Point) -> None:
    """The whole picture with the patches' outlines, and below it the patches."""
    size = (picture.shape[0], picture.shape[1])
    axes[0].imshow(picture, interpolation="none")
    for axis, share in zip(axes[1:], SHARES.values(), strict=True):
        rows, columns = window(size, centre, share)
        axis.imshow(picture[rows, columns], interpolation="none")
        corner, side = (columns.start - 0.5, rows.start - 0.5), rows.stop - rows.start
        for colour, thick in (("white", 2.6), ("black", 1.1)):
            axes[0].add_patch(Rectangle(corner, side, side, fill=False, edgecolor=colour, linewidth=thick))
    for axis in axes:
        axis.set_xticks([])
        axis.set_yticks([])
        axis.grid(False)
        for spine in axis.spines.values():
            spine.set_visible(True)
