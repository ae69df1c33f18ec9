"""A photo and all that a network predicts for it, side by side, with what the colours mean below."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from mtinet.reporting import canvas
from mtinet.reporting.classes import Classes
from mtinet.reporting.drawing import draw, range_of, valid_pixels
from mtinet.reporting.panels import GAP, LEGEND_COLUMNS, LINE, MARGIN, WIDTH, Strip, key, paint, place
from mtinet.tasks import registry

ABREAST = 3
# In full: who looks at photos of his own may not have the paper's tables at hand.
NAMES = {
    "seg": "Segmentation", "depth": "Depth", "normals": "Normals", "parts": "Human parts", "sal": "Saliency",
    "edge": "Edges",
}  # fmt: skip
SHOWN = 720  # pixels: longest side of what is drawn, about twice a cell's at the panel's resolution


def side_by_side(
    title: str,
    photo: NDArray[np.uint8],
    predictions: Mapping[str, NDArray],
    path: Path,
    classes: Mapping[str, Classes],
    auxiliary: tuple[str, ...] = (),
) -> None:
    """Draw a photo, uint8 [H, W, 3], and its predictions by task into `path` (.png or .svg).

    predictions: at the photo's size, as drawing.draw takes them. classes: of the tasks that have such. auxiliary:
    tasks of which it is the front-end's prediction.
    """
    step = max(1, -(-max(photo.shape[:2]) // SHOWN))
    maps = {task: array[::step, ::step] for task, array in predictions.items()}
    limits = {task: depth_range(task, array) for task, array in maps.items() if registry()[task].draw == "depth"}
    cells = [("Photo", photo[::step, ::step])]
    cells += [
        (heading(task, auxiliary), draw(task, array, limits.get(task), classes.get(task)))
        for task, array in maps.items()
    ]
    keys = [named(task, key(task, [array], limits.get(task), classes.get(task))) for task, array in maps.items()]
    width = (WIDTH - 2 * GAP) / min(ABREAST, max(2, len(cells))) - GAP
    tall = min(width * photo.shape[0] / photo.shape[1], 1.6 * width)
    rows = -(-len(cells) // ABREAST)
    height = 1.5 * LINE + rows * (tall + LINE + GAP) + sum(strip.height + GAP for strip in keys) + LINE
    with canvas.style():
        figure = Figure(figsize=(WIDTH, height))
        words = place(figure, 2 * GAP, 0, WIDTH - 4 * GAP, 1.5 * LINE)
        words.text(0, 0.5, title, va="center", fontsize=10, fontweight="bold", parse_math=False)  # a file's name
        for index, (name, image) in enumerate(cells):
            left = GAP + index % ABREAST * (width + GAP)
            one_cell(figure, name, image, left, 1.5 * LINE + index // ABREAST * (tall + LINE + GAP), (width, tall))
        all_keys(figure, keys, 2 * LINE + rows * (tall + LINE + GAP))
        canvas.save(figure, path)


def all_keys(figure: Figure, keys: Sequence[Strip], top: float) -> None:
    """What the colours of every task mean, one below the other, each name beside its first line."""
    for strip in keys:
        label = place(figure, 0, top, MARGIN - 2 * GAP, (1.4 if strip.words else 1.0) * LINE)
        label.text(1, 0.5, strip.name, ha="right", va="center", fontsize=9)
        paint(figure, replace(strip, name=""), top)
        top += strip.height + GAP


def one_cell(
    figure: Figure, name: str, image: NDArray[np.uint8], left: float, top: float, size: tuple[float, float]
) -> None:
    """An image below its name; places in inches from the figure's upper left corner."""
    width, tall = size
    words = place(figure, left, top, width, LINE)
    words.text(0.5, 0.4, name, ha="center", va="center", fontsize=9)
    axis = place(figure, left, top + LINE, width, tall)
    axis.imshow(image, interpolation="none")
    height, columns = image.shape[:2]
    axis.add_patch(
        Rectangle((-0.5, -0.5), columns, height, fill=False, edgecolor="#999999", linewidth=0.5, clip_on=False)
    )


def heading(task: str, auxiliary: tuple[str, ...] = ()) -> str:
    """What a task is called; auxiliary ones are said to be that."""
    name = NAMES.get(task, registry()[task].label)
    return f"{name} (auxiliary)" if task in auxiliary else name


def named(task: str, strip: Strip) -> Strip:
    """A task's key with its name to the left; predictions have a value everywhere, so that nothing is grey."""
    words = strip.words.removesuffix("; lines widened to be seen").removesuffix("; grey: no label")
    found = tuple(pair for pair in strip.classes if pair[0] != "no label")
    height = 0.75 * LINE * (1 + -(-len(found) // LEGEND_COLUMNS)) if found else strip.height
    return Strip(heading(task), height, words=words, classes=found, limits=strip.limits)


def depth_range(task: str, array: NDArray) -> tuple[float, float]:
    """Nearest and farthest depth in metres that the colours show."""
    return range_of(array[valid_pixels(array, registry()[task].invalid)])
