"""Exact labels beside distilled ones: where a split has both, every score stands against both.

The paper learns and scores normals and saliency on labels distilled from other networks (Table 1). Rendered
scenes know the geometry, so that a packed split of them may hold "normals_exact" beside "normals". What is
scored against the exact labels is marked "!exact" and never takes the place of the paper's figure.
"""

from __future__ import annotations

from collections.abc import Sequence

from mtinet.data.packed import PackedSplit

MARK = "!exact"


def scored_label(split: PackedSplit, name: str) -> str:
    """The labels that the metric of task `name` compares with: "edge_scored" where the split has such, else "edge".

    PASCAL's edges are learnt from the thinned Laplacian of the label map, but scored against its boundaries.
    """
    return f"{name}_scored" if f"{name}_scored" in getattr(split, "labels", ()) else name


def exact_labels(split: PackedSplit, tasks: Sequence[str]) -> dict[str, str]:
    """Task -> the name of its exact labels, for those of `tasks` that have such in `split`."""
    present: Sequence[str] = getattr(split, "labels", ())
    return {name: f"{name}_exact" for name in tasks if f"{name}_exact" in present}
