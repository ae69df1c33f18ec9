"""Learning curves: a row of small panels per backbone, a column per task's training loss, one line per run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from mtinet.reporting import canvas
from mtinet.reporting.runs import Shown, backbones, handles, look, order_of
from mtinet.tasks import registry

if TYPE_CHECKING:
    import pandas as pd

Histories = Mapping[tuple[str, int], "pd.DataFrame"]
Levels = Mapping[str, Mapping[str, float]]

BESIDE_LOSSES = ("epoch", "steps", "lr", "loss")
POINTS = 12  # markers on a line; more would hide it
LEGEND_COLUMNS = 4
BLIND: dict[str, tuple[str, dict[str, Any]]] = {  # what sees no image: its name and how its level is drawn
    "constant": ("Best constant", {"color": "#777777", "linestyle": (0, (6, 3)), "linewidth": 1.0}),
    "position": ("Best output per position", {"color": "#777777", "linestyle": (0, (1, 1.5)), "linewidth": 1.4}),
}


def learning_curves(
    histories: Histories, path: Path, experiments: Sequence[Shown], levels: Levels | None = None
) -> None:
    """Draw training losses against epochs into `path` (.png or .svg).

    `histories`: per (experiment, seed) a frame with the columns epoch, steps, lr, loss, and one per part of
    the loss: "seg" for a final prediction, "seg@4" for the initial one at 1/4 (section 2.2). A task has one
    column, of its final predictions, or of its finest initial ones where it is auxiliary everywhere.
    `experiments`: all that are declared; labels without a history are marked missing. `levels`: task -> predictor
    that sees no image (BLIND) -> the loss that it comes to, drawn across the task's panels.
    """
    parts = panels(histories) or [""]
    rows = backbones(experiments)
    order = order_of(experiments)
    legend = -(-(len(order) + len(BLIND if levels else ())) // LEGEND_COLUMNS)
    size = (max(2.35 * len(parts), 4.6) + 0.2, 1.85 * max(len(rows), 1) + 0.2 * legend + 0.5)
    with canvas.style():
        figure = Figure(figsize=size, layout="constrained")
        grid = figure.subplots(max(len(rows), 1), len(parts), squeeze=False)
        for axes, (backbone, group) in zip(grid, rows.items(), strict=False):
            for axis, part in zip(axes, parts, strict=True):
                draw_levels(axis, (levels or {}).get(part.partition("@")[0], {}))
            one_row(list(axes), backbone, parts, {entry.name: entry.label for entry in group}, histories, order)
        for axis, part in zip(grid[0], parts, strict=True):
            axis.set_title(heading(part), loc="left", fontsize=8.5)
        entries = handles(experiments, {name for name, _ in histories}, order)
        entries += [Line2D([], [], label=name, **looks) for name, looks in BLIND.values()] if levels else []
        figure.legend(handles=entries, loc="outside lower center", ncols=LEGEND_COLUMNS, handlelength=3)
        canvas.save(figure, path)


def draw_levels(axis: Axes, found: Mapping[str, float]) -> None:
    """Lines across a panel, behind the runs."""
    for name, value in found.items():
        axis.axhline(value, zorder=1, **BLIND[name][1])


def panels(histories: Histories) -> list[str]:
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


def heading(part: str) -> str:
    """A column's title: the task and its loss, and which predictions they are of."""
    if not part:
        return "no run has been trained"
    task, _, scale = part.partition("@")
    where = f"\ninitial prediction at 1/{scale}" if scale else "\nfinal prediction"
    return f"{registry()[task].label}: {registry()[task].loss}{where}"


def one_row(
    axes: Sequence[Axes],
    backbone: str,
    parts: Sequence[str],
    labels: Mapping[str, str],
    histories: Histories,
    order: Sequence[str],
) -> None:
    """The panels of one backbone; one without a line says so."""
    found = {run: history for run, history in histories.items() if run[0] in labels}
    for axis, part in zip(axes, parts, strict=True):
        drawn = {run: history for run, history in found.items() if part in history}
        for (name, _), history in drawn.items():
            every = max(1, len(history) // POINTS)
            axis.plot(history["epoch"], history[part], markevery=every, **look(order, labels[name]))
        if not drawn:
            axis.text(0.5, 0.5, "no run", ha="center", va="center", transform=axis.transAxes, color="#777777")
            axis.set(xticks=[], yticks=[], ylim=(0, 1))
            continue
        if all(len(history) == 1 for history in drawn.values()):
            axis.set_xlim(0.5, 1.5)  # one epoch is no axis: it would be labelled 0.96, 0.98, ...
        axis.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=6, min_n_ticks=1))
        axis.tick_params(labelsize=8)
        axis.set_xlabel(epochs_in_words(found), fontsize=8)
    axes[0].set_ylabel(f"{backbone}\ntraining loss", fontsize=7.5)


def epochs_in_words(histories: Histories) -> str:
    """The axis' name, with the steps of an epoch where all runs agree on them."""
    lengths = {float(history["steps"].iloc[-1] / history["epoch"].iloc[-1]) for history in histories.values()}
    # An only row may be of a part of an epoch: see Scale.epochs_for.
    words = "all that is trained" if all(len(history) == 1 for history in histories.values()) else "epoch"
    return f"{words} ({lengths.pop():g} steps)" if len(lengths) == 1 else words
