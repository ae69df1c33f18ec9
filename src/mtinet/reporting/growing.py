"""How costs grow with the number of tasks and of scales: a row per cost, a column per axis, a line per method."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from mtinet.reporting import canvas
from mtinet.reporting.runs import METHODS, look

LABELS = METHODS | {"single_task": "Single-task networks together", "cross_stitch": "Cross-stitch (counted only)"}
COSTS = {"params": "parameters in millions", "flops": "GFLOPs of one {height}x{width} image"}
TIME = "ms per {height}x{width} image\n{device}, {precision}"
UNITS = {"params": 1e6, "flops": 1e9, "time_ms": 1.0}
AXES = {"tasks": "number of tasks, with 4 scales", "scales": "number of scales, with {tasks} tasks"}
LEGEND_COLUMNS = 3
# Cross-stitch networks cost hardly more than single-task ones: both must be seen.
BEHIND = {"color": "#b9b9b9", "linewidth": 6.0, "marker": "none", "zorder": 1}


def growth(content: Mapping[str, Any], path: Path, measured: Mapping[str, Any] | None = None) -> None:
    """Draw what the stage growth wrote into `path` (.png or .svg), on logarithmic axes of costs.

    content: "backbone", "tasks_of_scales", "conditions", and "points", each with axis, method, tasks, scales, params
    and flops. measured: what the stage latency wrote, "growth" with the points' time_ms, and its "conditions".
    """
    counted, times = content["points"], (measured or {}).get("growth", [])
    points = [*counted, *times]
    rows = {words.format(**content["conditions"]): cost for cost, words in COSTS.items()}
    if measured is not None and times:
        rows[TIME.format(**measured["conditions"])] = "time_ms"
    order = list(dict.fromkeys(LABELS.get(point["method"], point["method"]) for point in points))
    with canvas.style():
        figure = Figure(figsize=(7.6, 2.35 * len(rows) + 0.75), layout="constrained")
        figure.suptitle(content["backbone"], x=0.01, ha="left", fontsize=9)
        grid = figure.subplots(len(rows), len(AXES), squeeze=False, sharey="row", sharex="col")
        for axes, (words, cost) in zip(grid, rows.items(), strict=True):
            for axis, along in zip(axes, AXES, strict=True):
                curves(axis, [point for point in points if point["axis"] == along], along, cost, order)
            axes[0].set_ylabel(words)
        for axis, words in zip(grid[-1], AXES.values(), strict=True):
            axis.set_xlabel(words.format(tasks=content["tasks_of_scales"]))
        figure.legend(handles=grid[0, 0].get_lines(), loc="outside lower center", ncols=LEGEND_COLUMNS, handlelength=3)
        canvas.save(figure, path)


def curves(axis: Axes, points: list[Mapping[str, Any]], along: str, cost: str, order: list[str]) -> None:
    """A line per method, of the points that have this cost."""
    axis.set_yscale("log")
    for method in dict.fromkeys(point["method"] for point in points):
        own = [point for point in points if point["method"] == method and point.get(cost) is not None]
        label = LABELS.get(method, method)
        style = look(order, label) | (BEHIND if method == "single_task" else {})
        axis.plot([point[along] for point in own], [point[cost] / UNITS[cost] for point in own], label=label, **style)
    axis.set_xticks(sorted({point[along] for point in points}))
    axis.yaxis.set_major_locator(LogLocator(base=10, subs=(1, 2, 5)))
    axis.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.yaxis.set_minor_formatter(NullFormatter())
