"""Figure 2b: how far two tasks' pixel affinities match, against the kernel's dilation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import cycle
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import NullLocator

from mtinet.reporting import canvas
from mtinet.reporting.runs import COLOURS, MARKERS
from mtinet.tasks import registry

PANELS = {
    "matched": "all pairs: both similar or both dissimilar",
    "similar": "similar pairs: in both of those in either",
    "dissimilar": "dissimilar pairs: in both of those in either",
}
EDGE_RULES = {"equal": "both or neither is an edge", "between": "no edge on the line between them"}
RECORDED = "real NYUD-v2 label maps"


def affinity(measured: Mapping[str, Any], path: Path, recorded: Mapping[str, Any] | None = None) -> None:
    """Draw rates of matching pairs in % into `path` (.png or .svg): solid the study's, dashed the recorded ones.

    `measured`: what the stage affinity writes. `recorded`: the same of real label maps, with "pairs" per edge rule,
    drawn where the kernel is the same; their dilations are scaled to the study's height of images.
    """
    lines = [(pair, measured["dilations"], False) for pair in measured["pairs"]]
    if recorded is not None and recorded["kernel"] == measured["kernel"]:
        ratio = measured["mean_height"] / recorded["mean_height"]
        dilations = [dilation * ratio for dilation in recorded["dilations"]]
        lines += [(pair, dilations, True) for pair in recorded["pairs"][measured["edge_rule"]]]
    names = list(dict.fromkeys(tuple(pair["tasks"]) for pair, _, _ in lines))
    columns = min(len(names) + 2, 4)
    with canvas.style():
        figure = Figure(figsize=(10.2, 3.3 + 0.2 * -(-(len(names) + 2) // columns)), layout="constrained")
        for axis, (rate, title) in zip(figure.subplots(1, 3), PANELS.items(), strict=True):
            for pair, dilations, real in lines:
                one_line(axis, pair, dilations, rate, look(names, tuple(pair["tasks"]), real))
            axis.set_title(title, loc="left", fontsize=8.5)
            scaled(axis, measured["dilations"])
        figure.axes[0].set_ylabel("pairs matched in %")
        figure.suptitle(words(measured), fontsize=8.5, x=0.01, ha="left")
        figure.legend(handles=legend(names, lines, recorded), loc="outside lower center", ncols=columns, handlelength=3)
        canvas.save(figure, path)


def one_line(
    axis: Axes, pair: Mapping[str, Any], dilations: Sequence[float], rate: str, style: Mapping[str, Any]
) -> None:
    """A rate against dilation; for all pairs with what independent labels would give, dotted and thin."""
    shares = [float("nan") if share is None else 100 * share for share in pair["rates"][rate]]
    axis.plot(dilations, shares, **style)
    if rate == "matched" and style["linestyle"] == "-":
        chance = [float("nan") if share is None else 100 * share for share in pair["rates"]["chance"]]
        axis.plot(dilations, chance, color=style["color"], linestyle=":", linewidth=1.1)


def look(names: Sequence[tuple[str, ...]], pair: tuple[str, ...], real: bool) -> dict[str, Any]:
    """Colour and marker by the pair of tasks, dashes by where the labels are from."""
    place = names.index(pair)
    colours, markers = cycle(COLOURS), cycle(MARKERS)
    colour, marker = [(next(colours), next(markers)) for _ in range(place + 1)][-1]
    return {
        "color": colour,
        "marker": marker,
        "linestyle": "--" if real else "-",
        "linewidth": 1.3,
        "markersize": 4.5,
        "markerfacecolor": "white" if real else colour,
    }


def scaled(axis: Axes, dilations: Sequence[int]) -> None:
    """Dilations on a logarithmic axis, each named."""
    axis.set_xscale("log", base=2)
    axis.set_xticks(list(dilations), [f"{dilation}" for dilation in dilations])
    axis.xaxis.set_minor_locator(NullLocator())
    axis.set_xlabel("kernel dilation in pixels")


def words(measured: Mapping[str, Any]) -> str:
    """How it was measured, in one line."""
    side = measured["kernel"]
    parts = [f"{measured['images']} images", f"kernel {side}x{side}"]
    tasks = {task for pair in measured["pairs"] for task in pair["tasks"]}
    if "depth" in tasks:
        parts.append(f"depth: relative difference below {measured['depth_threshold']:g}")
    if "normals" in tasks:
        parts.append(f"normals: angle below {measured['normals_threshold']:g} degrees")
    if "edge" in tasks:
        parts.append(f"edge: {EDGE_RULES[measured['edge_rule']]}")
    return f"{', '.join(parts[:2])}. A pair is similar by {'; '.join([*parts[2:], 'otherwise: same label'])}."


def legend(
    names: Sequence[tuple[str, ...]], lines: Sequence[tuple[Any, Any, bool]], recorded: Mapping[str, Any] | None
) -> list[Line2D]:
    """The pairs of tasks, chance, and what dashes mean."""
    entries = [
        Line2D([], [], label=" and ".join(registry()[task].label for task in pair), **look(names, pair, False))
        for pair in names
    ]
    entries.append(Line2D([], [], color="#555555", linestyle=":", linewidth=1.1, label="if independent"))
    if recorded is not None and any(real for _, _, real in lines):
        text = f"{recorded['images']} {RECORDED},\ndilation scaled to this height"
        entries.append(Line2D([], [], color="#555555", linestyle="--", label=text))
    return entries
