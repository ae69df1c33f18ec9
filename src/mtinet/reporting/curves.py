"""Learning curves: one small panel per task's training loss, one line per run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from mtinet.reporting import canvas
from mtinet.tasks import registry

# Okabe and Ito's colours, told apart by colour-blind readers too; the marker alone tells runs apart in print.
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#000000", "#e69f00", "#56b4e9")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">", "*", "h", "d")
LINES = ("-", "--", ":", "-.")
BESIDE_LOSSES = ("epoch", "steps", "lr", "loss")
POINTS = 12  # markers on a line; more would hide it


def learning_curves(
    histories: Mapping[tuple[str, int], pd.DataFrame], path: Path, labels: Mapping[str, str] | None = None
) -> None:
    """Draw training losses against epochs into `path` (.png or .svg).

    `histories`: per (experiment, seed) a frame with the columns epoch, steps, lr, loss, and one per part of
    the loss: "seg" for a final prediction, "seg@4" for the initial one at 1/4 (section 2.2). A task has one
    panel, of its final predictions, or of its finest initial ones where it is auxiliary everywhere.
    `labels`: names of the experiments in the order of the legend; those without a history are marked missing.
    """
    names = dict(labels or {}) or {experiment: experiment for experiment, _ in histories}
    parts = panels(histories)
    with canvas.style():
        columns = min(max(len(parts), 1), 2)
        lines = -(-max(len(parts), 1) // columns)
        legend = -(-len(names) // 3)
        figure = Figure(figsize=(4.6 * columns, 2.9 * lines + 0.22 * legend + 0.2), layout="constrained")
        axes = figure.subplots(lines, columns, squeeze=False).flatten()
        for axis, part in zip(axes, parts, strict=False):
            one_panel(axis, part, histories, list(names))
        for axis in axes[len(parts) :]:
            axis.set_axis_off()
        figure.legend(handles=handles(names, histories), loc="outside lower center", ncols=3, handlelength=3)
        canvas.save(figure, path)


def panels(histories: Mapping[tuple[str, int], pd.DataFrame]) -> list[str]:
    """The parts of the loss that are drawn, in the registry's order of their tasks."""
    present = {str(name) for history in histories.values() for name in history.columns} - set(BESIDE_LOSSES)
    chosen = []
    for task in registry():
        finer = sorted((name for name in present if name.startswith(f"{task}@")), key=scale_of)
        chosen += [task] if task in present else finer[:1]
    return chosen


def scale_of(part: str) -> int:
    """The denominator of the scale of an initial prediction, 4 for "seg@4"."""
    return int(part.partition("@")[2])


def one_panel(axis: Axes, part: str, histories: Mapping[tuple[str, int], pd.DataFrame], order: list[str]) -> None:
    """The lines of every run that has this part of the loss."""
    for (experiment, _), history in histories.items():
        if part not in history or experiment not in order:
            continue
        axis.plot(
            history["epoch"],
            history[part],
            markevery=max(1, len(history) // POINTS),
            **look(order, experiment),
        )
    task, _, scale = part.partition("@")
    where = f", initial prediction at 1/{scale}" if scale else ""
    axis.set_title(f"{registry()[task].label}: {registry()[task].loss}{where}", loc="left")
    axis.set_xlabel(epochs_in_words(histories))
    axis.set_ylabel("training loss")
    axis.xaxis.set_major_locator(MaxNLocator(integer=True))


def epochs_in_words(histories: Mapping[tuple[str, int], pd.DataFrame]) -> str:
    """The axis' name, with the steps of an epoch where all runs agree on them."""
    lengths = {float(history["steps"].iloc[-1] / history["epoch"].iloc[-1]) for history in histories.values()}
    return f"epoch ({lengths.pop():g} training steps each)" if len(lengths) == 1 else "epoch"


def look(order: list[str], experiment: str) -> dict[str, Any]:
    """Colour, marker and dashes of an experiment, by its place in the legend."""
    place = order.index(experiment)
    return {
        "color": COLOURS[place % len(COLOURS)],
        "marker": MARKERS[place % len(MARKERS)],
        "linestyle": LINES[place // len(COLOURS) % len(LINES)],
        "linewidth": 1.3,
        "markersize": 4.5,
        "markerfacecolor": "white" if place % 2 else COLOURS[place % len(COLOURS)],
    }


def handles(names: Mapping[str, str], histories: Mapping[tuple[str, int], pd.DataFrame]) -> list[Line2D]:
    """The legend's entries: every experiment, those without a history as missing."""
    there = {experiment for experiment, _ in histories}
    order = list(names)
    return [
        Line2D([], [], label=label, **look(order, name)) if name in there
        else Line2D([], [], linestyle="none", label=f"{label} (missing)")
        for name, label in names.items()
    ]  # fmt: skip
