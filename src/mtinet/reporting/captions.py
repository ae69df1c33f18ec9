"""Which figures a dataset has, and what the page says of each."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

GUIDE = "seg"  # the task whose borders say where the patches of Figure 2a are
RULE = "Held-out images at evenly spaced places of the split, chosen without looking at any prediction."

TRAINED = "Beside each backbone: how long its runs were trained."


@dataclass(frozen=True)
class Caption:
    """A figure's title and text, and the kind of its file on the page: .png where photographs are in it."""

    title: str
    text: str
    suffix: Literal["svg", "png"] = "svg"


CAPTIONS = {
    "sheet": Caption(
        "Contact sheet: images and all their labels",
        "Held-out images at evenly spaced places of the split. Grey: no label. Depth has a scale of its own in each"
        " row.",
        "png",
    ),
    "patches": Caption(
        "Figure 2a: local and large patches",
        "The held-out image of most classes among those that panels show, around the class border nearest to its"
        " middle: what is ambiguous in a local patch need not be so in a large one.",
        "png",
    ),
    "affinity": Caption(
        "Figure 2b: matching pixel affinities",
        "Pairs of pixels under a dilated kernel on the held-out labels; dotted: what independent labels would give.",
    ),
    "architecture": Caption("Figure 1: the architecture of MTI-Net", "Read off the network's own modules."),
    "propagation": Caption("Figure 3: the feature propagation module", "Read off the network's own modules."),
    "panel": Caption("Qualitative panel: single-task networks against MTI-Net", RULE, "png"),
    "methods": Caption("Qualitative panel: all methods", RULE, "png"),
    "deltas": Caption("delta_m of every method", f"Against the single-task networks on the same backbone. {TRAINED}"),
    "costs": Caption(
        "Accuracy against FLOPs and parameters",
        f"One multiply-add is one FLOP; one image at the paper's size, all tasks predicted. {TRAINED}",
    ),
    "curves": Caption(
        "Learning curves",
        "Training losses of every run, beside the least that predictions without an image come to on the training"
        " labels at the network's input size: one for all pixels, and one for each position.",
    ),
    "growth": Caption(
        "Costs against the number of tasks and of scales",
        "Counted on the paper's size of input, alike tasks, logarithmic axes; what needs a second task begins at two."
        " With fewer scales, methods other than MTI-Net see the backbone's finest features only. Cross-stitch networks"
        " (Misra et al. 2016) are counted only, never trained: a whole network per task, which section A.1 criticises,"
        " and at every scale a unit of T x T weights per channel.",
    ),
}


def experiments_of(rows: Iterable[Mapping[str, Any]]) -> set[str]:
    """The experiments behind a panel's rows, as pipeline/figures.yaml declares them."""
    return {name for row in rows for name in (row["runs"].values() if "runs" in row else [row["run"]])}


def drawable(panels: Mapping[str, Mapping[str, Any]], names: Iterable[str]) -> list[str]:
    """The panels of which one experiment at least is among `names`: of others there is nothing to show."""
    declared = set(names)
    return [name for name, panel in panels.items() if experiments_of(panel["rows"]) & declared]


def figures_of(
    methods: Iterable[str], panels: Collection[str], tables: bool, related: Collection[str], growing: bool
) -> tuple[str, ...]:
    """The names of a dataset's figures, in the page's order.

    methods: those of its experiments. panels: its drawable panels. tables: whether its runs are compared anywhere.
    related: the tasks whose affinity is measured. growing: whether pipeline/growth.yaml has an entry for it.
    """
    absent = {name for name in ("panel", "methods") if name not in panels}
    if "mti_net" not in methods:
        absent |= {"architecture", "propagation"}
    if not tables:
        absent |= {"deltas", "costs"}
    if not related:
        absent.add("affinity")
    if not growing:
        absent.add("growth")
    if GUIDE not in related:
        absent.add("patches")
    return tuple(name for name in CAPTIONS if name not in absent)
