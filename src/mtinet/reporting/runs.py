"""How figures tell many experiments apart: by backbone in rows, by what is left in colour, marker and dashes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.lines import Line2D

from mtinet.config import Experiment, Params
from mtinet.tasks import registry

# Okabe and Ito's colours, told apart by colour-blind readers too; the marker alone tells runs apart in print.
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#000000", "#e69f00", "#56b4e9")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">", "*", "h", "d", "p", "8", "H")
LINES = ("-", "--", ":", "-.")
METHODS = {
    "single_task": "Single task",
    "single_task_dlv3": "Single task",
    "multi_task": "MTL",
    "pad_net": "PAD-Net",
    "mti_net": "MTI-Net",
    "astmt": "ASTMT",
}


@dataclass(frozen=True)
class Shown:
    """An experiment as figures show it: `label` is what it is called among those on its backbone."""

    name: str
    backbone: str
    label: str
    tasks: tuple[str, ...]


def shown(params: Params, dataset: str) -> list[Shown]:
    """The declared experiments of `dataset`; one label for the single-task runs of a backbone, else one each."""
    declared = [
        (name, method, experiment)
        for method, experiments in params.methods(dataset).items()
        for name, experiment in experiments.items()
    ]
    sets = {tuple(experiment.tasks) for _, _, experiment in declared if len(experiment.tasks) > 1}
    labels = [label(method, experiment, len(sets) > 1) for _, method, experiment in declared]
    taken = [(experiment.backbone, text) for (_, _, experiment), text in zip(declared, labels, strict=True)]
    result = []
    for (name, _, experiment), key in zip(declared, taken, strict=True):
        clear = len(experiment.tasks) == 1 or taken.count(key) == 1
        result.append(Shown(name, experiment.backbone, key[1] if clear else name, tuple(experiment.tasks)))
    return result


def label(method: str, experiment: Experiment, several: bool) -> str:
    """Method, main tasks where there are `several` sets of them, what the paper varies, and auxiliary tasks."""
    words = [METHODS.get(method, method)]
    if several and len(experiment.tasks) > 1:
        words.append("+".join(registry()[task].symbol for task in experiment.tasks))
    if experiment.options.get("propagation") == "none":
        words.append("w/o FPM")
    scales = experiment.options.get("scales")
    if isinstance(scales, list):
        words.append(f"{len(scales)} scales")
    if experiment.auxiliary:
        words.append(f"({'+'.join(registry()[task].symbol for task in experiment.auxiliary)})")
    return " ".join(words)


def look(order: Sequence[str], text: str) -> dict[str, Any]:
    """Colour, marker and dashes of a label, by its place in the legend."""
    place = order.index(text)
    return {
        "color": COLOURS[place % len(COLOURS)],
        "marker": MARKERS[place % len(MARKERS)],
        "linestyle": LINES[place // len(COLOURS) % len(LINES)],
        "linewidth": 1.3,
        "markersize": 4.5,
        "markerfacecolor": "white" if place % 2 else COLOURS[place % len(COLOURS)],
    }


def handles(
    experiments: Iterable[Shown], there: Iterable[str], order: Sequence[str], lines: bool = True
) -> list[Line2D]:
    """The legend's entries, one per label; those of which no experiment is `there` as missing."""
    present = set(there)
    found: dict[str, bool] = {}
    for entry in experiments:
        found[entry.label] = found.get(entry.label, False) or entry.name in present
    return [
        Line2D([], [], label=text, **(look(order, text) | ({} if lines else {"linestyle": "none"})))
        if measured
        else Line2D([], [], linestyle="none", label=f"{text} (missing)")
        for text, measured in found.items()
    ]


def order_of(experiments: Iterable[Shown]) -> list[str]:
    """The labels in the order of the legend."""
    return list(dict.fromkeys(entry.label for entry in experiments))


def backbones(experiments: Iterable[Shown]) -> dict[str, list[Shown]]:
    """The experiments by backbone, in the order of their declaration."""
    found: dict[str, list[Shown]] = {}
    for entry in experiments:
        found.setdefault(entry.backbone, []).append(entry)
    return found


def merged(comparisons: Iterable[Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Every experiment of several comparison files; where one stands in more, an entry with a delta_m."""
    found: dict[str, dict[str, Any]] = {}
    for content in comparisons:
        for name, entry in content["experiments"].items():
            if name not in found or found[name]["delta_m"] is None:
                found[name] = entry
    return found
