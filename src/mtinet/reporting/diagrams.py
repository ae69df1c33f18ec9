"""Boxes, arrows and letters of a block diagram; lengths are inches from its lower left corner."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Circle, FancyArrowPatch, FancyBboxPatch

from mtinet.tasks import registry

# Light enough for black letters, and as even in grey as to leave telling tasks apart to the letters.
FILLS = {
    "seg": "#9ecae1",
    "depth": "#fdcc8a",
    "normals": "#c7e9c0",
    "parts": "#dadaeb",
    "sal": "#fcbba1",
    "edge": "#d9d9d9",
}
LINE = "#333333"
RADIUS = 0.115  # of a task's disc
Point = tuple[float, float]


@dataclass(frozen=True)
class Box:
    """A box by its left and lower edge and its size."""

    x: float
    y: float
    width: float
    height: float

    @property
    def left(self) -> Point:
        return self.x, self.y + self.height / 2

    @property
    def right(self) -> Point:
        return self.x + self.width, self.y + self.height / 2

    @property
    def top(self) -> Point:
        return self.x + self.width / 2, self.y + self.height

    @property
    def bottom(self) -> Point:
        return self.x + self.width / 2, self.y

    @property
    def centre(self) -> Point:
        return self.x + self.width / 2, self.y + self.height / 2


def sheet(width: float, height: float) -> tuple[Figure, Axes]:
    """A figure with one area whose coordinates are inches."""
    figure = Figure(figsize=(width, height))
    axis = figure.add_axes((0, 0, 1, 1))
    axis.set_xlim(0, width)
    axis.set_ylim(0, height)
    axis.set_axis_off()
    return figure, axis


def box(axis: Axes, place: Box, text: str, fill: str = "white", size: float = 7.5) -> Box:
    """A box with text in its middle; returns its place."""
    patch = FancyBboxPatch(
        (place.x, place.y), place.width, place.height, boxstyle="round,pad=0,rounding_size=0.05",
        facecolor=fill, edgecolor=LINE, linewidth=0.9, zorder=2,
    )  # fmt: skip
    axis.add_patch(patch)
    axis.text(*place.centre, text, ha="center", va="center", fontsize=size, linespacing=1.25, zorder=3)
    return place


def line(axis: Axes, points: Sequence[Point]) -> None:
    """A line through `points`."""
    axis.plot([x for x, _ in points], [y for _, y in points], color=LINE, linewidth=0.9, zorder=1)


def arrow(axis: Axes, points: Sequence[Point]) -> None:
    """A line through `points` with a head at the last."""
    line(axis, points[:-1])
    head = FancyArrowPatch(
        points[-2], points[-1], arrowstyle="-|>", mutation_scale=7, shrinkA=0, shrinkB=0,
        color=LINE, linewidth=0.9, zorder=1,
    )  # fmt: skip
    axis.add_patch(head)


def disc(axis: Axes, centre: Point, task: str, auxiliary: bool = False) -> Point:
    """A task's disc with its letter; dashed for an auxiliary task. Returns its centre."""
    style = {"edgecolor": LINE, "linewidth": 0.9, "linestyle": "--" if auxiliary else "-", "zorder": 3}
    axis.add_patch(Circle(centre, RADIUS, facecolor=FILLS.get(task, "white"), **style))
    axis.text(*centre, registry()[task].symbol, ha="center", va="center_baseline", fontsize=7.5, zorder=4)
    return centre


def discs(axis: Axes, centre: Point, tasks: Sequence[str], auxiliary: Iterable[str] = ()) -> Box:
    """The discs of several tasks below one another around `centre`; returns the place that they take."""
    step, dashed = 2 * RADIUS + 0.03, set(auxiliary)
    x, y = centre
    top = y + step * (len(tasks) - 1) / 2
    for index, task in enumerate(tasks):
        disc(axis, (x, top - index * step), task, task in dashed)
    tall = step * len(tasks)
    return Box(x - RADIUS, y - tall / 2, 2 * RADIUS, tall)


def legend(axis: Axes, corner: Point, tasks: Sequence[str], auxiliary: Iterable[str] = ()) -> None:
    """What the letters mean, on one line from `corner` on."""
    x, y = corner
    dashed = set(auxiliary)
    for task in tasks:
        disc(axis, (x + RADIUS, y), task, task in dashed)
        label = registry()[task].label + (" (auxiliary)" if task in dashed else "")
        axis.text(x + 2 * RADIUS + 0.06, y, label, va="center", fontsize=8)
        x += 2 * RADIUS + 0.24 + 0.066 * len(label)
