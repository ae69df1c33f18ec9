"""delta_m of every method with its interval, and against what its network costs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mtinet.reporting import canvas
from mtinet.reporting.runs import Shown, backbones, handles, look, order_of

Entries = Mapping[str, Mapping[str, Any]]

FILL, EDGE = "#a9c9e8", "#333333"
COSTS = {"flops": (1e9, "GFLOPs of one image, {height}x{width}"), "params": (1e6, "parameters in millions")}
LEGEND_COLUMNS = 4


def several_tasks(experiments: Sequence[Shown]) -> list[Shown]:
    """Those that predict more than one task: single-task runs are what delta_m is relative to."""
    return [entry for entry in experiments if len(entry.tasks) > 1]


def delta_bars(experiments: Sequence[Shown], compared: Entries, path: Path) -> None:
    """Draw delta_m in % as bars with their 95 % intervals into `path` (.png or .svg), a panel per backbone.

    `compared`: the entries of comparison files by experiment; "delta_m", and "delta_m_interval" (low, high) where
    the comparison has it. What has not been measured is said to be missing.
    """
    groups = backbones(several_tasks(experiments))
    counts = [len(group) for group in groups.values()] or [1]
    with canvas.style():
        figure = Figure(figsize=(7.4, 0.235 * sum(counts) + 0.56 * len(counts) + 0.55), layout="constrained")
        # An axis per backbone: one whose single-task networks learnt next to nothing has gains of hundreds of percent.
        axes = figure.subplots(len(counts), 1, squeeze=False, height_ratios=[n + 0.8 for n in counts])
        for axis, (backbone, group) in zip(axes[:, 0], groups.items(), strict=False):
            axis.set_title(heading(backbone, group, compared), loc="left", fontsize=8.5)
            bars(axis, group, compared)
        axes[-1, 0].set_xlabel("delta_m in % against the single-task networks; line: 95 % interval, where there is one")
        canvas.save(figure, path)


def heading(backbone: str, group: Sequence[Shown], compared: Entries) -> str:
    """A backbone with the training steps and epochs of the `group`, all numbers where its runs differ in them."""
    words = [backbone]
    for unit in ("steps", "epochs"):
        counts = sorted(
            {found[unit] for entry in group if (found := compared.get(entry.name, {})).get(unit) is not None}
        )
        if counts:
            words.append(f"{' or '.join(map(str, counts))} {unit if counts != [1] else unit.removesuffix('s')}")
    return ", ".join(words)


def bars(axis: Axes, group: Sequence[Shown], compared: Entries) -> None:
    """One bar per experiment, the first on top."""
    axis.axvline(0, color=EDGE, linewidth=0.9, zorder=3)
    for place, entry in enumerate(group):
        found = compared.get(entry.name, {})
        value, interval = found.get("delta_m"), found.get("delta_m_interval")
        if value is None:
            axis.annotate("missing", (0, place), (4, 0), textcoords="offset points", va="center", fontsize=7.5)
            continue
        axis.barh(place, value, height=0.66, color=FILL, edgecolor=EDGE, linewidth=0.7, zorder=2)
        ends = interval or (value, value)
        if interval:
            axis.plot(ends, [place, place], color="black", linewidth=1.4, marker="|", markersize=6, zorder=4)
        outer, side = (max(*ends, 0), 1) if value >= 0 else (min(*ends, 0), -1)
        axis.annotate(
            f"{value:+.2f}", (outer, place), (4 * side, 0), textcoords="offset points",
            ha="left" if side > 0 else "right", va="center", fontsize=7.5,
        )  # fmt: skip
    axis.set_yticks(range(len(group)), [entry.label for entry in group], fontsize=8)
    axis.set_ylim(len(group) - 0.4, -0.6)
    axis.grid(axis="y", visible=False)
    axis.margins(x=0.12)


def against_costs(experiments: Sequence[Shown], compared: Entries, costs: Mapping[str, Any], path: Path) -> None:
    """Draw delta_m against GFLOPs and parameters into `path`, a row per backbone.

    `costs`: what the stage architecture writes: "conditions", and "experiments" with params and flops of each. The
    single-task networks of the most tasks stand at 0 with the sum of their costs.
    """
    chosen = several_tasks(experiments)
    groups = backbones(chosen)
    order = order_of(experiments)
    legend = -(-(len(order_of(chosen)) + 1) // LEGEND_COLUMNS)
    with canvas.style():
        figure = Figure(figsize=(8.8, 2.0 * max(len(groups), 1) + 0.2 * legend + 0.3), layout="constrained")
        grid = figure.subplots(max(len(groups), 1), len(COSTS), squeeze=False, sharey="row")
        for axes, (backbone, group) in zip(grid, groups.items(), strict=False):
            measured = [entry for entry in group if compared.get(entry.name, {}).get("delta_m") is not None]
            for axis, cost in zip(axes, COSTS, strict=True):
                points(axis, measured, compared, costs, cost, order)
            axes[0].set_title(heading(backbone, group, compared), loc="left", fontsize=8.5)
            axes[0].set_ylabel("delta_m in %")
        for axis, (_, words) in zip(grid[-1], COSTS.values(), strict=True):
            axis.set_xlabel(words.format(**costs["conditions"]))
        there = [entry.name for entry in chosen if compared.get(entry.name, {}).get("delta_m") is not None]
        entries = [*handles(chosen, there, order, lines=False), reference_handle(grid[0, 0])]
        figure.legend(handles=entries, loc="outside lower center", ncols=LEGEND_COLUMNS)
        canvas.save(figure, path)


def points(
    axis: Axes, group: Sequence[Shown], compared: Entries, costs: Mapping[str, Any], cost: str, order: Sequence[str]
) -> None:
    """A point per experiment of the `group`, all measured, with its interval; and the single-task networks."""
    if not group:
        axis.text(0.5, 0.5, "no run", ha="center", va="center", transform=axis.transAxes, color="#777777")
        axis.set(xticks=[], yticks=[])
        return
    unit = COSTS[cost][0]
    axis.axhline(0, color="#999999", linewidth=0.8, zorder=1)
    for entry in group:
        found = compared[entry.name]
        style = look(order, entry.label) | {"linestyle": "none", "markersize": 6.5}
        x = costs["experiments"][entry.name][cost] / unit
        if found.get("delta_m_interval"):
            axis.plot([x, x], found["delta_m_interval"], color=style["color"], linewidth=0.9, zorder=2)
        axis.plot([x], [found["delta_m"]], zorder=3, **style)
    total = baseline_cost(group, compared, costs, cost)
    if total is not None:
        axis.plot([total / unit], [0], color="black", marker="+", markersize=10, markeredgewidth=1.8, zorder=3)
    axis.margins(y=0.14)
    axis.set_xlim(0, 1.08 * axis.dataLim.x1)


def baseline_cost(group: Sequence[Shown], compared: Entries, costs: Mapping[str, Any], cost: str) -> float | None:
    """What the single-task networks of the experiment with most main tasks cost together; None without all."""
    sets = [compared[entry.name]["baseline"].values() for entry in group]
    most = max(sets, key=len, default=None)
    if most is None or not all(name in costs["experiments"] for name in most):
        return None
    return float(sum(costs["experiments"][name][cost] for name in most))


def reference_handle(axis: Axes) -> Any:
    """The legend's entry of the single-task networks."""
    (line,) = axis.plot([], [], color="black", marker="+", markersize=10, markeredgewidth=1.8, linestyle="none")
    line.set_label("Single-task networks together")
    return line
