"""The qualitative panel: images, labels and the predictions of several methods, one below the other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Patch, Rectangle
from numpy.typing import NDArray

from mtinet.errors import UserError
from mtinet.reporting import canvas
from mtinet.reporting.classes import Classes
from mtinet.reporting.drawing import DEPTH_COLOURS, NEUTRAL, Limits, draw, range_of, valid_pixels
from mtinet.tasks import registry

Examples = Mapping[str, Any]
Rows = Mapping[str, str | Mapping[str, str]]

# Inches: the panel's width, the margin that holds the row names, gaps, and the height of a line of text.
WIDTH, MARGIN, GAP, LINE = 9.2, 1.15, 0.04, 0.24
LEGEND_COLUMNS = 6
KEYS = {
    "normals": "red: to the right, green: up, blue: to the viewer; grey: no label",
    "grey": "dark: likely; grey: no label",
}
DOTS = 110  # per inch: about what a screen shows, where a line one pixel wide would get lost between the dots


@dataclass(frozen=True)
class Strip:
    """One horizontal strip of the panel: images with a name to their left, or words, or a key to colours.

    `classes`: names and colours (#rrggbb). `limits`: nearest and farthest depth of a colour scale in metres.
    """

    name: str
    height: float
    images: tuple[NDArray[np.uint8], ...] = ()
    words: str = ""
    classes: tuple[tuple[str, str], ...] = ()
    heading: bool = False
    limits: Limits | None = None


def panel(
    examples: Mapping[str, Examples],
    rows: Rows,
    tasks: Sequence[str],
    path: Path,
    classes: Mapping[str, Classes] | None = None,
) -> None:
    """Draw images, labels and predictions into `path` (.png or .svg), a block of rows for each task.

    `examples`: what the evaluation stored, per experiment, as sequences over K images that may differ in
    size: "ids", "images" uint8 [H, W, 3], and per task "label_<task>" and "prediction_<task>", [H, W] or
    [H, W, 3]. `rows`: a row's name to its experiment, or to one per task. `classes`: per task with
    classes their names and colours. What is not there is said to be missing. The file is whole or absent.
    Raises UserError when there is no example at all.
    """
    if not examples:
        raise UserError("no examples to draw: no run has been evaluated yet; run the stage evaluate first")
    content = [strip for task in tasks for strip in block(task, examples, rows, (classes or {}).get(task))]
    height = sum(strip.height + GAP for strip in content)
    with canvas.style():
        figure = Figure(figsize=(WIDTH, height))
        top = 0.0
        for strip in content:
            paint(figure, strip, top)
            top += strip.height + GAP
        canvas.save(figure, path)


def block(task: str, examples: Mapping[str, Examples], rows: Rows, classes: Classes | None = None) -> list[Strip]:
    """The strips of one task: heading, image, label, one prediction per row, and the key to the colours."""
    sources = {name: run if isinstance(run, str) else run.get(task) for name, run in rows.items()}
    holders = [run for run in examples.values() if f"label_{task}" in run]
    entry = registry()[task]
    if not holders:
        return [Strip(entry.label, 2 * LINE, words="missing: no evaluated run has labels of it")]
    first = holders[0]
    labels = list(first[f"label_{task}"])
    limits = range_of(measured(labels, entry.invalid)) if entry.draw == "depth" else None
    tall = cell_height(first)
    wide = line_width(task, first)
    strips = [
        Strip("", 1.6 * LINE, words=f"{entry.label}: {', '.join(map(str, first['ids']))}", heading=True),
        Strip("Image", tall, tuple(np.asarray(image) for image in first["images"])),
        Strip("Ground truth", tall, tuple(widened(draw(task, label, limits, classes), wide) for label in labels)),
    ]
    maps = list(labels)
    for name, experiment in sources.items():
        found, why = prediction(examples, experiment, task)
        if found is None:
            strips.append(Strip(name, 1.2 * LINE, words=why))
        else:
            maps += found
            strips.append(Strip(name, tall, tuple(widened(draw(task, one, limits, classes), wide) for one in found)))
    return [*strips, key(task, maps, limits, classes)]


def line_width(task: str, examples: Examples) -> int:
    """The width in pixels at which edges are still seen in a cell; 1 for other tasks, which are left as they are."""
    if registry()[task].statistics != "edge_detection":
        return 1
    columns: int = max(np.shape(image)[1] for image in examples["images"])
    return max(1, round(columns / (DOTS * cell_width(len(examples["images"])))))


def widened(image: NDArray[np.uint8], width: int) -> NDArray[np.uint8]:
    """An RGB image [H, W, 3] whose dark lines are `width` times as wide."""
    from scipy import ndimage  # late: takes a quarter of a second, and no figure but the panels needs it

    return np.asarray(ndimage.minimum_filter(image, size=(width, width, 1))) if width > 1 else image


def prediction(examples: Mapping[str, Examples], experiment: str | None, task: str) -> tuple[list[NDArray] | None, str]:
    """A row's predictions, one per image, or None and the reason in words."""
    if experiment is None:
        return None, "does not predict it"
    if experiment not in examples:
        return None, f"missing: {experiment} has not been evaluated"
    if f"prediction_{task}" not in examples[experiment]:
        return None, f"{experiment} does not predict it"
    return list(examples[experiment][f"prediction_{task}"]), ""


def measured(maps: Sequence[NDArray], invalid: float) -> NDArray:
    """All valid values of several maps in one row."""
    return np.concatenate([np.asarray(one)[valid_pixels(np.asarray(one), invalid)] for one in maps])


def cell_height(examples: Examples) -> float:
    """The height in inches at which the tallest image fills its cell's width."""
    images = [np.shape(image) for image in examples["images"]]
    return float(cell_width(len(images)) * max(height / width for height, width, _ in images))


def cell_width(count: int) -> float:
    """The width of one of `count` images in inches; few images do not grow beyond a third of the panel."""
    return (WIDTH - MARGIN) / max(count, 3) - GAP


def key(task: str, maps: Sequence[NDArray], limits: Limits | None, classes: Classes | None) -> Strip:
    """What the colours of a task mean: its classes that occur, metres, or directions."""
    entry = registry()[task]
    if entry.draw == "depth":
        return Strip("", 2 * LINE, limits=limits)
    if classes is None:
        lines = "; lines widened to be seen" if entry.statistics == "edge_detection" else ""
        return Strip("", 1.4 * LINE, words=KEYS[entry.draw] + lines)
    present = np.unique(measured(maps, entry.invalid)).astype(int).tolist()
    found = [(classes.name(label), classes.colour(label)) for label in present]
    found.append(("no label", f"#{bytes(NEUTRAL).hex()}"))
    return Strip("", 0.75 * LINE * (1 + -(-len(found) // LEGEND_COLUMNS)), classes=tuple(found))


def paint(figure: Figure, strip: Strip, top: float) -> None:
    """Draw one strip whose upper edge lies `top` inches below the figure's."""
    if strip.name:
        axis = place(figure, 0, top, MARGIN - 2 * GAP, strip.height)
        axis.text(1, 0.5, strip.name, ha="right", va="center", fontsize=9)
    width = cell_width(len(strip.images)) if strip.images else WIDTH - MARGIN
    for index, image in enumerate(strip.images):
        axis = place(figure, MARGIN + index * (width + GAP), top, width, strip.height)
        axis.imshow(image, interpolation="none")
        # Where a white map ends; images of one strip may differ in size.
        height, columns = image.shape[:2]
        frame = Rectangle((-0.5, -0.5), columns, height, fill=False, edgecolor="#999999", linewidth=0.5, clip_on=False)
        axis.add_patch(frame)
    if strip.words:
        axis = place(figure, MARGIN, top, width, strip.height)
        weight = "bold" if strip.heading else "normal"
        axis.text(0, 0.5, strip.words, va="center", fontsize=9 if strip.heading else 8, fontweight=weight)
    if strip.classes:
        axis = place(figure, MARGIN, top, width, strip.height)
        patches = [Patch(facecolor=colour, label=name) for name, colour in strip.classes]
        axis.legend(handles=patches, loc="upper left", ncols=LEGEND_COLUMNS, fontsize=8, borderaxespad=0)
    if strip.limits:
        scale(figure, strip.limits, top)


def scale(figure: Figure, limits: Limits, top: float) -> None:
    """The colour scale of depth, in metres."""
    axis = place(figure, MARGIN, top + 0.25 * LINE, 3.0, 0.5 * LINE)
    axis.set_axis_on()
    mappable = ScalarMappable(Normalize(*limits), DEPTH_COLOURS)
    bar = figure.colorbar(mappable, cax=axis, orientation="horizontal")
    bar.ax.tick_params(labelsize=8, length=2)
    beside = place(figure, MARGIN + 3.1, top, 3.0, LINE)
    beside.text(0, 0.5, "metres; grey: no measurement", va="center", fontsize=8)


def place(figure: Figure, left: float, top: float, width: float, height: float) -> Axes:
    """An empty area at inches from the figure's upper left corner."""
    across, down = figure.get_size_inches()
    axis = figure.add_axes((left / across, 1 - (top + height) / down, width / across, height / down))
    axis.set_axis_off()
    return axis
