"""The judged claims as a table."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from mtinet.reporting.cells import GAP
from mtinet.reporting.conditions import Conditions
from mtinet.reporting.plain import PlainTable

HEADER = ("Claim", "In", "Compared", "Effect on Δm", "95 % interval", "Seeds", "Verdict")
EXACT_HEADER = ("Effect on Δm vs exact", "95 % interval vs exact", "Verdict vs exact")
VS_EXACT = (
    "vs exact: distilled tasks are scored against the exact geometry of the rendered scenes, by all runs compared."
)


def compared(judged: Iterable[Mapping[str, Any]], declared: Collection[str]) -> list[str]:
    """The experiments that the claims compare, of those that are `declared`; each once."""
    sides = [item[side].partition("@")[0] for item in judged for side in ("better", "worse")]
    return [name for name in dict.fromkeys(sides) if name in declared]


def claims_table(dataset: str, judged: Sequence[Mapping[str, Any]], conditions: Conditions) -> PlainTable:
    """One row per claim: what is compared, the effect with its interval, seeds, and the verdict.

    conditions: of the runs of the experiments that are compared.
    """
    exact = any("exact" in item for item in judged)
    rows = [
        (
            item["claim"], item["where"], f"{item['better']} - {item['worse']}", *numbers(item), str(item["seeds"]),
            item["verdict"], *((*numbers(item["exact"]), item["exact"]["verdict"]) if exact else ()),
        )
        for item in judged
    ]  # fmt: skip
    return PlainTable(
        name=f"{dataset}-claims",
        title="Claims: what the paper says, in this study",
        header=(*HEADER, *(EXACT_HEADER if exact else ())),
        rows=tuple(rows),
        notes=(
            "Effect: the difference of two Δm in points, in favour of the claim; its interval by paired bootstrap over"
            " the test images. It says how far other images would move the effect, not other trainings: of one seed"
            " it knows nothing of training noise.",
            *([VS_EXACT] if exact else []),
            *([f"Training steps: {conditions.steps}."] if conditions.steps else []),
        ),
        line=conditions.line(),
    )


def numbers(item: Mapping[str, Any]) -> tuple[str, str]:
    """Effect and interval as printed."""
    effect, interval = item["effect"], item["interval"]
    return (
        GAP if effect is None else f"{effect:+.2f}",
        GAP if interval is None else "[{:+.2f}, {:+.2f}]".format(*interval),
    )
