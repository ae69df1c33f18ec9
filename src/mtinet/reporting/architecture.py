"""The architecture of an MTI-Net (Figure 1, right) and its feature propagation module (Figure 3), from its structure.

The structure is the plain data that mtinet/studies/architecture.py reads off the network: nothing here is known
beforehand but the order of the parts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes

from mtinet.errors import UserError
from mtinet.reporting import canvas
from mtinet.reporting.diagrams import LINE, RADIUS, Box, arrow, box, disc, discs, legend, line, sheet

# Inches: left edges of the columns, and what a row takes beside the discs of its tasks.
COLUMNS = {"image": 0.1, "backbone": 0.95, "features": 2.15, "front": 3.55, "initial": 5.25, "distil": 5.75,
           "distilled": 7.45, "head": 8.05, "output": 9.6}  # fmt: skip
WIDTH, ROW, GAP, TOP, BOTTOM = 10.1, 0.95, 0.62, 0.48, 0.42
GREY = "#f2f2f2"
SOFTMAX = {"tasks": "softmax\nover the tasks", "channels": "softmax over\nadjacent channels"}
GATES = {"attention": "spatial attention", "squeeze_excitation": "squeeze-and-excitation"}


def millions(count: int) -> str:
    """A number of parameters in words."""
    return f"{count / 1e6:.2f} M"


def architecture(structure: Mapping[str, Any] | None, path: Path) -> None:
    """Draw backbone, front-ends, distillation, propagation and heads into `path` (.png or .svg).

    Raises UserError when there is no MTI-Net to draw.
    """
    found = required(structure)
    tasks, auxiliary = [*found["tasks"], *found["auxiliary"]], list(found["auxiliary"])
    scales = sorted(found["scales"], key=lambda scale: scale["stride"])
    row = max(ROW, 0.28 * len(tasks))
    height = TOP + BOTTOM + len(scales) * row + (len(scales) - 1) * GAP
    with canvas.style():
        figure, axis = sheet(WIDTH, height)
        rows = [height - TOP - row - index * (row + GAP) for index in range(len(scales))]
        stem = trunk(axis, found, rows[-1], rows[0] + row)
        fronts = []
        ends = []
        for scale, low in zip(scales, rows, strict=True):
            front, end = one_scale(axis, scale, found, stem, Box(0, low, WIDTH, row))
            fronts.append(front)
            ends.append(end)
        for index, scale in enumerate(scales[1:]):
            passed_on(axis, scale, fronts[index + 1], fronts[index], rows[index] - GAP)
        aggregated(axis, found, ends, rows[-1], rows[0] + row)
        headings(axis, height - 0.2)
        legend(axis, (COLUMNS["image"], 0.17), tasks, auxiliary)
        text = f"{found['experiment']}: {millions(found['params'])} parameters in all; M: million parameters"
        axis.text(WIDTH - 0.1, 0.17, text, ha="right", va="center", fontsize=8)
        canvas.save(figure, path)


def required(structure: Mapping[str, Any] | None) -> Mapping[str, Any]:
    """The structure; UserError for None."""
    if structure is None:
        raise UserError("no MTI-Net to draw: none is declared; declare one under experiments.<dataset>.mti_net")
    return structure


def trunk(axis: Axes, found: Mapping[str, Any], low: float, high: float) -> Box:
    """Image and backbone, as tall as all scales; returns the backbone's place."""
    size = found["input"]
    middle = (low + high) / 2
    image = box(axis, Box(COLUMNS["image"], middle - 0.3, 0.65, 0.6), f"image\n{size['height']}x{size['width']}")
    name = found["backbone_name"].replace("/", "/\n").replace("_small", "_\nsmall")
    text = f"backbone\n\n{name}\n\n{millions(found['backbone']['params'])}"
    stem = box(axis, Box(COLUMNS["backbone"], low, 0.85, high - low), text, GREY)
    arrow(axis, [image.right, (stem.x, middle)])
    return stem


def headings(axis: Axes, level: float) -> None:
    """The paper's names of what flows between the blocks (section 2.1)."""
    places = {
        "backbone\nfeatures": COLUMNS["features"] + 0.5,
        "task features,\ninitial predictions": COLUMNS["initial"],
        "distilled\ntask features": COLUMNS["distilled"],
        "final\npredictions": COLUMNS["output"],
    }
    for text, x in places.items():
        axis.text(x, level, text, ha="center", va="center", fontsize=8, fontweight="bold")


def one_scale(axis: Axes, scale: Mapping[str, Any], found: Mapping[str, Any], stem: Box, row: Box) -> tuple[Box, Box]:
    """One row, from backbone features to distilled features; returns the front-end's place and the row's end."""
    auxiliary = list(found["auxiliary"])
    tasks, middle = [*found["tasks"], *auxiliary], row.y + row.height / 2
    stride, front, distil = scale["stride"], scale["front_end"], scale["distillation"]
    size = f"{scale['height']}x{scale['width']}"
    shared = box(
        axis, Box(COLUMNS["features"], middle - 0.3, 1.0, 0.6),
        f"1/{stride}: {size}\n{found['backbone']['channels'][str(stride)]} channels",
    )  # fmt: skip
    end = box(
        axis, Box(COLUMNS["front"], row.y, 1.3, row.height),
        f"front-end\nper task {front['blocks']} blocks\n{front['inputs']} to {front['channels']} channels\n"
        f"{millions(front['params'])}",
        GREY,
    )  # fmt: skip
    initial = discs(axis, (COLUMNS["initial"], middle), tasks, auxiliary)
    taken = box(
        axis, Box(COLUMNS["distil"], row.y, 1.35, row.height),
        f"distillation\n{GATES[distil['gate']]}\n{received(distil['receives'])}\n{millions(distil['params'])}", GREY,
    )  # fmt: skip
    distilled = discs(axis, (COLUMNS["distilled"], middle), list(distil["receives"]))
    arrow(axis, [(stem.x + stem.width, middle), shared.left])
    for one, other in ((shared, end), (end, initial), (initial, taken), (taken, distilled)):
        arrow(axis, [one.right, other.left])
    return end, distilled


def received(receives: Mapping[str, Sequence[str]]) -> str:
    """Who takes from how many others, in words."""
    counts = {len(givers) for givers in receives.values()}
    number = f"{min(counts)}" if len(counts) == 1 else f"{min(counts)} to {max(counts)}"
    return f"{len(receives)} tasks, each from {number}" if len(receives) > 1 else f"1 task from {number}"


def passed_on(axis: Axes, scale: Mapping[str, Any], coarse: Box, fine: Box, low: float) -> None:
    """What the front-end of the finer scale receives from the coarser one's task features."""
    if not scale["passes_on"]:
        return
    module = scale["propagation"]
    side = COLUMNS["initial"]
    text = "upsampled" if module is None else f"FPM, {millions(module['params'])}"
    place = box(axis, Box(fine.x + 0.1, low + 0.15, fine.width - 0.2, GAP - 0.3), text)
    level = place.centre[1]
    # From the task features, beside the discs of their initial predictions.
    start = (side - 0.24, coarse.centre[1])
    arrow(axis, [start, (side - 0.24, level), (place.x + place.width, level)])
    arrow(axis, [place.top, (fine.centre[0], fine.y)])


def aggregated(axis: Axes, found: Mapping[str, Any], ends: Sequence[Box], low: float, high: float) -> None:
    """A head per main task over all scales, and its prediction."""
    heads = found["heads"]
    gap = 0.12
    tall = (high - low - gap * (len(heads) - 1)) / len(heads)
    trunk_x = COLUMNS["head"] - 0.18
    top = max(end.centre[1] for end in ends)
    bottom = min(end.centre[1] for end in ends)
    for end in ends:
        line(axis, [end.right, (trunk_x, end.right[1])])
    places = [Box(COLUMNS["head"], high - tall - index * (tall + gap), 1.25, tall) for index in range(len(heads))]
    levels = [place.centre[1] for place in places]
    line(axis, [(trunk_x, min(bottom, *levels)), (trunk_x, max(top, *levels))])
    for (task, head), place in zip(heads.items(), places, strict=True):
        kind = head["kind"].removesuffix("Head").lower()
        text = f"aggregation\n{kind}\n{head['channels']} to {head['outputs']}\n{millions(head['params'])}"
        box(axis, place, text, GREY)
        arrow(axis, [(trunk_x, place.centre[1]), place.left])
        arrow(axis, [place.right, (COLUMNS["output"] - 0.02, place.centre[1])])
        disc(axis, (COLUMNS["output"] + 0.1, place.centre[1]), task)


def propagation(structure: Mapping[str, Any] | None, path: Path) -> None:
    """Draw the FPM of the coarsest scale that has one into `path`; UserError where no scale has."""
    found = required(structure)
    scale = next((entry for entry in found["scales"] if entry["propagation"] is not None), None)
    if scale is None:
        raise UserError(f"{found['experiment']} has no feature propagation module to draw, expected propagation: fpm")
    module, auxiliary = scale["propagation"], list(found["auxiliary"])
    tasks = module["tasks"]
    height = max(2.3, 0.62 * len(tasks) + 0.75)
    with canvas.style():
        figure, axis = sheet(9.4, height)
        middle = (height - 0.35) / 2 + 0.25
        levels = [middle + 0.62 * ((len(tasks) - 1) / 2 - index) for index in range(len(tasks))]
        harmonised(axis, module, levels, auxiliary, middle)
        for task, level in zip(tasks, levels, strict=True):
            refined(axis, task, level, module, task in auxiliary)
        line(axis, [(BUS, min(levels)), (BUS, max(levels))])
        axis.text(8.95, levels[0] + 0.27, "refined", ha="center", va="center", fontsize=7)
        legend(axis, (0.1, 0.17), tasks, auxiliary)
        size = f"1/{scale['stride']}: {scale['height']}x{scale['width']}"
        text = f"{found['experiment']}, {size}, {millions(module['params'])} parameters; numbers are channels"
        axis.text(9.3, 0.17, text, ha="right", va="center", fontsize=8)
        canvas.save(figure, path)


BUS = 6.3


def harmonised(
    axis: Axes, module: Mapping[str, Any], levels: Sequence[float], auxiliary: Sequence[str], middle: float
) -> None:
    """Feature harmonisation: N tasks' features to one shared representation."""
    tasks, stacked, reduced = module["tasks"], module["stacked"], module["reduced"]
    each = stacked // len(tasks)
    for task, level in zip(tasks, levels, strict=True):
        disc(axis, (0.35, level), task, task in auxiliary)
        axis.text(0.35, level - 0.2, str(each), ha="center", va="center", fontsize=6.5)
    joined = box(axis, Box(0.95, min(levels) - 0.15, 0.42, max(levels) - min(levels) + 0.3), f"{stacked}", "white")
    axis.text(joined.centre[0], joined.y + joined.height + 0.09, "concatenated", ha="center", va="center", fontsize=7)
    for level in levels:
        arrow(axis, [(0.47, level), (joined.x, level)])
    words = f"f: {module['blocks']} blocks,\n1x1 convolution\n{stacked} to {reduced}\nto {stacked}"
    f = box(axis, Box(1.75, middle - 0.38, 1.05, 0.76), words, GREY)
    mask = box(axis, Box(3.05, middle - 0.27, 0.95, 0.54), SOFTMAX[module["softmax"]], GREY)
    times = operator(axis, (4.35, middle), "×")
    shared = box(axis, Box(4.7, middle - 0.38, 0.75, 0.76), f"block\n{stacked} to\n{module['shared']}", GREY)
    out = box(axis, Box(5.68, middle - 0.27, 0.42, 0.54), f"{module['shared']}")
    axis.text(out.centre[0], out.y + out.height + 0.09, "shared", ha="center", va="center", fontsize=7)
    arrow(axis, [joined.right, f.left])
    arrow(axis, [f.right, mask.left])
    arrow(axis, [mask.right, times.left])
    over = middle + 0.6
    arrow(axis, [(1.56, middle), (1.56, over), (times.centre[0], over), times.top])
    arrow(axis, [times.right, shared.left])
    arrow(axis, [shared.right, out.left])
    line(axis, [out.right, (BUS, middle)])


def refined(axis: Axes, task: str, level: float, module: Mapping[str, Any], dashed: bool) -> None:
    """One task's gate on the shared representation, added to its own features."""
    gate = box(axis, Box(6.5, level - 0.15, 1.0, 0.3), f"SE, {module['gate_units']} units", GREY, size=7)
    plus = operator(axis, (7.85, level), "+")
    own = disc(axis, (8.3, level + 0.27), task, dashed)
    end = disc(axis, (8.95, level), task, dashed)
    arrow(axis, [(BUS, level), gate.left])
    arrow(axis, [gate.right, plus.left])
    arrow(axis, [(own[0] - RADIUS, own[1]), (plus.centre[0], own[1]), plus.top])
    arrow(axis, [plus.right, (end[0] - RADIUS, level)])


def operator(axis: Axes, centre: tuple[float, float], sign: str) -> Box:
    """A small circle with a sign; returns its place."""
    x, y = centre
    place = Box(x - 0.1, y - 0.1, 0.2, 0.2)
    ring = {"boxstyle": "circle,pad=0.15", "facecolor": "white", "edgecolor": LINE, "linewidth": 0.9}
    axis.text(x, y, sign, ha="center", va="center", fontsize=9, zorder=3, bbox=ring)
    return place
