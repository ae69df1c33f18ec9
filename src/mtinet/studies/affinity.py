"""Pixel affinity between tasks in local patches of their labels, against the kernel's dilation (section 2.2, Fig. 2b).

A pair is a pixel and another one under a kernel centred on it. In each task the pair is similar or dissimilar, and
two tasks match where they agree on that. Every unordered pair within the image is counted once. Pairs without a
label at either end, in either task, do not count.

>>> seg, depth = np.array([[0, 0, 1]]), np.array([[1.0, 1.0, 2.0]])
>>> found = matches({"seg": seg, "depth": depth}, dilation=1, kernel=3, rules=Rules(0.1, 15.0, "equal"))
>>> found["seg", "depth"].tolist()             # one pair similar in both tasks, one dissimilar in both
[1, 0, 0, 1]
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from mtinet.tasks import Task, task

Offset = tuple[int, int]
Flags = NDArray[np.bool_]
Pair = tuple[str, str]
EdgeRule = Literal["equal", "between"]

COUNTS = ("both_similar", "first_only", "second_only", "both_dissimilar")


@dataclass(frozen=True)
class Rules:
    """When a pair is similar, where that is not simply the same label. The paper gives none of the numbers.

    depth_threshold: the relative difference |a - b| / max(a, b) lies below it.
    normals_threshold: the angle between the two lies below it, in degrees.
    edge_rule: equal, both pixels are edges or neither is, the label space itself; between, no edge lies on the
        straight line from one to the other, its ends included, so that an edge parts what it separates.
    """

    depth_threshold: float
    normals_threshold: float
    edge_rule: EdgeRule


def matches(labels: Mapping[str, NDArray], dilation: int, kernel: int, rules: Rules) -> dict[Pair, NDArray[np.int64]]:
    """Numbers of pairs of one image, int64 [4] as COUNTS names them, for every two of its tasks.

    labels: task -> [H, W], or [H, W, 3] of normals, as a packed split gives them. kernel: its odd side in pixels;
    its taps lie `dilation` pixels apart.
    """
    totals = {pair: np.zeros(len(COUNTS), np.int64) for pair in combinations(labels, 2)}
    valid = {name: labelled(label, task(name)) for name, label in labels.items()}
    for down, across in half_kernel(kernel):
        offset = (down * dilation, across * dilation)
        split = {name: parted(task(name), labels[name], valid[name], offset, rules) for name in labels}
        for first, second in totals:
            totals[first, second] += [np.count_nonzero(one & other) for one in split[first] for other in split[second]]
    return totals


def half_kernel(kernel: int) -> list[Offset]:
    """The taps of a kernel that come after its centre, row by row: one of every two opposite ones."""
    radius = kernel // 2
    steps = range(-radius, radius + 1)
    return [(down, across) for down in range(radius + 1) for across in steps if (down, across) > (0, 0)]


def ends(array: NDArray, offset: Offset) -> tuple[NDArray, NDArray]:
    """All pairs of pixels that lie `offset` (rows >= 0, columns) apart within the image, as two views."""
    down, across = offset
    height, width = array.shape[:2]
    rows, columns = max(height - down, 0), max(width - abs(across), 0)
    one, other = max(-across, 0), max(across, 0)
    return array[:rows, one : one + columns], array[down : down + rows, other : other + columns]


def parted(entry: Task, label: NDArray, valid: Flags, offset: Offset, rules: Rules) -> tuple[Flags, Flags]:
    """The pairs at `offset` that are similar and those that are dissimilar; neither where a label is missing."""
    both = np.logical_and(*ends(valid, offset))
    similar = similarity(entry, label, offset, rules) & both
    return similar, both & ~similar


def similarity(entry: Task, label: NDArray, offset: Offset, rules: Rules) -> Flags:
    """Whether the pairs at `offset` are similar, whatever a missing label says."""
    one, other = ends(label, offset)
    if entry.geometry == "depth":
        return np.asarray(np.abs(one - other) < np.float32(rules.depth_threshold) * np.maximum(one, other))
    if entry.geometry == "normals":
        cosine = np.einsum("ijk,ijk->ij", one, other)
        return np.asarray(cosine > np.float32(np.cos(np.deg2rad(rules.normals_threshold))))
    if entry.statistics == "edge_detection" and rules.edge_rule == "between":
        return ~crossed(label == 1, offset)
    return np.asarray(one == other)


def crossed(edge: Flags, offset: Offset) -> Flags:
    """Whether an edge lies on the line between the pairs at `offset`, ends included.

    The line has as many steps as its longer side has pixels, rounded to the nearest pixel (half to even).
    """
    down, across = offset
    height, width = edge.shape
    rows, left = max(height - down, 0), max(-across, 0)
    columns = max(width - abs(across), 0)
    found = np.zeros((rows, columns), bool)
    steps = max(down, abs(across))
    for step in range(steps + 1):
        y, x = round(down * step / steps), left + round(across * step / steps)
        found |= edge[y : y + rows, x : x + columns]
    return found


def labelled(label: NDArray, entry: Task) -> Flags:
    """Where there is a label, [H, W]."""
    there = np.asarray(label != entry.invalid)
    return np.asarray(there.any(axis=2)) if there.ndim == 3 else there


def summed(
    images: Iterable[Mapping[str, NDArray]], dilations: Sequence[int], kernel: int, rules: Rules
) -> dict[Pair, NDArray[np.int64]]:
    """`matches` at every dilation, summed over images with the same tasks: int64 [dilations, 4] per two tasks."""
    totals: dict[Pair, NDArray[np.int64]] = {}
    for labels in images:
        for row, dilation in enumerate(dilations):
            for pair, counts in matches(labels, dilation, kernel, rules).items():
                totals.setdefault(pair, np.zeros((len(dilations), len(COUNTS)), np.int64))[row] += counts
    return totals


def rates(counts: Sequence[int]) -> dict[str, float | None]:
    """Shares in 0..1 of what COUNTS names, None where there is no such pair.

    matched: on how many pairs the tasks agree. chance: on how many they would, were they independent with the
    same shares of similar pairs. similar, dissimilar: of the pairs that are so in either task, those in both.
    """
    both, first, second, neither = (int(count) for count in counts)
    total = both + first + second + neither
    one, other = both + first, both + second
    expected = one * other + (total - one) * (total - other)
    return {
        "matched": share(both + neither, total),
        "chance": share(expected, total * total),
        "similar": share(both, both + first + second),
        "dissimilar": share(neither, neither + first + second),
    }


def share(part: int, whole: int) -> float | None:
    """part / whole, None of nothing."""
    return part / whole if whole else None


def described(totals: Mapping[Pair, NDArray[np.int64]]) -> list[dict[str, Any]]:
    """Counts and rates of every two tasks as plain data, each a list over the dilations."""
    found = []
    for pair, rows in totals.items():
        counts = [dict(zip(COUNTS, row, strict=True)) for row in rows.tolist()]
        shares = [rates(row) for row in rows.tolist()]
        found.append(
            {
                "tasks": list(pair),
                "counts": {name: [row[name] for row in counts] for name in COUNTS},
                "rates": {name: [row[name] for row in shares] for name in rates((0, 0, 0, 0))},
            }
        )
    return found
