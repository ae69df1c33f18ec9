"""The judged claims as a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mtinet.reporting.cells import GAP
from mtinet.reporting.plain import PlainTable


def claims_table(dataset: str, judged: Sequence[Mapping[str, Any]]) -> PlainTable:
    """One row per claim: what is compared, the effect with its interval, seeds, and the verdict."""
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
        ),
    )
