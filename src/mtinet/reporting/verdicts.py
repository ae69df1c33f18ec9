"""The judged claims as a table."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from mtinet.reporting.cells import GAP
from mtinet.reporting.conditions import Conditions
from mtinet.reporting.plain import PlainTable


def compared(judged: Iterable[Mapping[str, Any]], declared: Collection[str]) -> list[str]:
    """The experiments that the claims compare, of those that are `declared`; each once."""
    sides = [item[side].partition("@")[0] for item in judged for side in ("better", "worse")]
    return [name for name in dict.fromkeys(sides) if name in declared]


def claims_table(dataset: str, judged: Sequence[Mapping[str, Any]], conditions: Conditions) -> PlainTable:
    """One row per claim: what is compared, the effect with its interval, seeds, and the verdict.

    conditions: of the runs of the experiments that are compared.
    """
    rows = [
        (
            item["claim"], item["where"], f"{item['better']} - {item['worse']}",
            GAP if item["effect"] is None else f"{item['effect']:+.2f}",
            GAP if item["interval"] is None else "[{:+.2f}, {:+.2f}]".format(*item["interval"]),
            str(item["seeds"]), item["verdict"],
        )
        for item in judged
    ]  # fmt: skip
    return PlainTable(
        name=f"{dataset}-claims",
        title="Claims: what the paper says, in this study",
        header=("Claim", "In", "Compared", "Effect on Δm", "95 % interval", "Seeds", "Verdict"),
        rows=tuple(rows),
        notes=(
            "Effect: the difference of two Δm in points, in favour of the claim; its interval by paired bootstrap over"
            " the test images. It says how far other images would move the effect, not other trainings: of one seed"
            " it knows nothing of training noise.",
            *([f"Training steps: {conditions.steps}."] if conditions.steps else []),
        ),
        line=conditions.line(),
    )
