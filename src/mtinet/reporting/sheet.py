"""The contact sheet: held-out images, a row each, with every label of theirs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import NDArray
from PIL import Image

from mtinet.reporting import canvas
from mtinet.reporting.classes import Classes
from mtinet.reporting.drawing import draw, range_of
from mtinet.reporting.panels import place, widened
from mtinet.tasks import registry

ROWS = 10
WIDTH, GAP, HEAD = 9.2, 0.04, 0.3  # inches
PIXELS = 130  # to which wider images are shrunk: about what a cell shows, and the file stays small
LINE = 2  # of an edge, in pixels of the shrunk image: one of a single pixel is hardly seen
VERSIONS = {"": "", "exact": "\nexact", "scored": "\nas scored"}


class Split(Protocol):
    """What is drawn of a packed split."""

    @property
    def labels(self) -> tuple[str, ...]: ...

    def __len__(self) -> int: ...

    def image(self, index: int) -> NDArray[np.uint8]: ...

    def label(self, task: str, index: int) -> NDArray: ...


def sheet(split: Split, path: Path, classes: Mapping[str, Classes]) -> None:
    """Draw images at evenly spaced places of `split` and all their labels into `path` (.png or .svg).

    `classes`: per task with classes their names and colours.
    """
    names = sorted(split.labels, key=place_of)
    chosen = np.unique(np.linspace(0, len(split) - 1, ROWS).round().astype(int)).tolist()
    cell = WIDTH / (1 + len(names)) - GAP
    shapes = [split.image(index).shape for index in chosen]
    heights = [cell * height / width for height, width, _ in shapes]
    with canvas.style():
        figure = Figure(figsize=(WIDTH, HEAD + sum(heights) + GAP * len(heights)))
        titles = ["Image", *map(title, names)]
        for column, words in enumerate(titles):
            axis = place(figure, column * (cell + GAP), 0, cell, HEAD)
            axis.text(0, 0.1, words, fontsize=7.5, va="bottom")
        top = HEAD
        for index, height in zip(chosen, heights, strict=True):
            drawn = [shrunk(split.image(index)), *(picture(split.label(name, index), name, classes) for name in names)]
            for column, image in enumerate(drawn):
                axis = place(figure, column * (cell + GAP), top, cell, height)
                axis.imshow(image, interpolation="none", aspect="auto")
                rows, columns = image.shape[:2]
                axis.add_patch(Rectangle((-0.5, -0.5), columns, rows, fill=False, edgecolor="#999999", linewidth=0.4))
            top += height + GAP
        canvas.save(figure, path)


def place_of(name: str) -> tuple[int, str]:
    """Labels in the registry's order of their tasks, other versions of one behind it."""
    task, _, version = name.partition("_")
    return list(registry()).index(task), version


def title(name: str) -> str:
    """The task's label, and which version of it is drawn."""
    task, _, version = name.partition("_")
    return registry()[task].label + VERSIONS.get(version, f"\n{version}")


def picture(label: NDArray, name: str, classes: Mapping[str, Classes]) -> NDArray[np.uint8]:
    """A label in colours, at the sheet's size; lines stay lines when shrunk."""
    task = name.partition("_")[0]
    entry, step = registry()[task], step_of(label)
    limits = range_of(label[label != entry.invalid]) if entry.draw == "depth" else None
    drawn = draw(task, label, limits, classes.get(task))
    if entry.statistics == "edge_detection":
        drawn = widened(drawn, LINE * step)
    return np.asarray(drawn[step // 2 :: step, step // 2 :: step])


def shrunk(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """An image [H, W, 3] averaged to the sheet's size."""
    step = step_of(image)
    return np.asarray(Image.fromarray(np.asarray(image)).reduce(step))


def step_of(array: NDArray[Any]) -> int:
    """By how much an array [H, W, ...] is shrunk."""
    return max(1, round(int(array.shape[1]) / PIXELS))
