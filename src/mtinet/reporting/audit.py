"""The audit: delta_m recomputed by equation 2 from the metrics that the paper prints beside it.

Printed numbers are rounded, so that each stands for an interval of half a unit of its last digit to either side;
what delta_m can be is the interval that these leave. A printed delta_m outside it does not follow from its row.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from mtinet.config import Params
from mtinet.reporting.layouts import DELTA, Column, Layout, RowLayout
from mtinet.reporting.plain import PlainTable
from mtinet.tasks import task

Printed = Mapping[str, Any]  # task -> value, None where it is not legible


@dataclass(frozen=True)
class Finding:
    """One printed delta_m: the value recomputed, the ends of what rounding leaves, or what a gap implies."""

    table: str
    row: str
    printed: float
    value: float | None
    low: float | None
    high: float | None
    verdict: str


def audit(layouts: Iterable[Layout], published: Mapping[str, Any], params: Params) -> list[Finding]:
    """Every row of every table that prints delta_m beside the metrics that it is made of."""
    return [
        finding
        for layout in layouts
        for column in layout.columns
        if layout.published and column.metric == DELTA and any(other.task for other in layout.columns)
        for row in layout.rows
        if row.single
        for finding in found(layout, row, column, published[layout.published], params)
    ]


def found(layout: Layout, row: RowLayout, column: Column, table: Mapping[str, Any], params: Params) -> list[Finding]:
    """The finding on one row, none where the paper prints no delta_m or a study lacks what the row stands on."""
    printed, declared = at(table, row.label, column.published), params.names(layout.dataset)
    needed = {row.single, *layout.references.get(column.against, {}).values()}
    if printed is None or row.single is None or not needed.issubset(declared):
        return []
    tasks = params.experiment(layout.dataset, row.single)[1].tasks
    own = {name: at(table, row.label, metric_column(layout, name, "run").published) for name in tasks}
    base = baseline(layout, row, column, table, params, tasks)
    digits = {name: metric_column(layout, name, "run").digits for name in tasks}
    name = f"{layout.title.partition(':')[0]}{f', {column.label}' if column.against else ''}"
    return [finding(name, row.label, printed, own, base, digits, column.digits)]


def baseline(
    layout: Layout, row: RowLayout, column: Column, table: Mapping[str, Any], params: Params, tasks: list[str]
) -> Printed:
    """The printed single-task metrics: the table's own row of them, or the row's columns of them (Table 5)."""
    single = next((other for other in layout.rows if other.runs), None)
    if single is not None:
        return {name: at(table, single.label, metric_column(layout, name, "run").published) for name in tasks}
    label = row.label
    if column.against:
        runs = layout.references[column.against].values()
        backbone = params.experiment(layout.dataset, next(iter(runs)))[1].backbone
        label = next(
            other.label
            for other in layout.rows
            if other.single in params.names(layout.dataset)
            and params.experiment(layout.dataset, str(other.single))[1].backbone == backbone
        )
    return {name: at(table, label, metric_column(layout, name, "baseline").published) for name in tasks}


def metric_column(layout: Layout, name: str, of: str) -> Column:
    """The table's column of the metric that a task counts with in delta_m."""
    wanted = (name, task(name).metric, of)
    return next(column for column in layout.columns if (column.task, column.metric, column.of) == wanted)


def at(table: Mapping[str, Any], row: str, column: str) -> Any:
    """One printed number."""
    return table[row][table["columns"].index(column)]


def finding(
    table: str, row: str, printed: float, own: Printed, base: Printed, digits: Mapping[str, int], places: int
) -> Finding:
    """Equation 2 on the printed numbers, and on the ends of what they stand for."""
    missing = [name for name in own if own[name] is None or base[name] is None]
    if missing:
        return Finding(table, row, printed, None, None, None, implied(printed, own, base, missing, digits))
    value, low, high = (
        sum(term(name, own[name], base[name], side * 0.5 * 10.0 ** -digits[name]) for name in own) * 100 / len(own)
        for side in (0, -1, 1)
    )
    half = 0.5 * 10.0**-places
    agrees = low <= printed + half and printed - half <= high
    return Finding(table, row, printed, value, low, high, "agrees" if agrees else "OUTSIDE")


def term(name: str, own: float, base: float, half: float) -> float:
    """One task's relative gain at the worst (half < 0) or best (half > 0) end of both numbers' intervals."""
    sign = -1 if task(name).better == "lower" else 1
    return sign * ((own + sign * half) / (base - sign * half) - 1)


def implied(printed: float, own: Printed, base: Printed, missing: list[str], digits: Mapping[str, int]) -> str:
    """Why a row cannot be checked, with the metric that its delta_m implies where only one is not legible."""
    name = missing[0]
    if len(missing) > 1 or base[name] is None:
        return f"not checkable: {', '.join(missing)} not legible"
    sign = -1 if task(name).better == "lower" else 1
    rest = sum(term(other, own[other], base[other], 0.0) for other in own if other != name)
    value = base[name] * (1 + sign * (printed / 100 * len(own) - rest))
    return f"not checkable: {name} not legible, implied {value:.{digits[name]}f}"


def audit_table(dataset: str, findings: Iterable[Finding]) -> PlainTable:
    """The findings as a table."""
    rows = [
        (
            item.table, item.row, f"{item.printed:.2f}",
            "–" if item.value is None else f"{item.value:.2f}",
            "–" if item.low is None or item.high is None else f"[{item.low:.2f}, {item.high:.2f}]",
            item.verdict,
        )
        for item in findings
    ]  # fmt: skip
    return PlainTable(
        name=f"{dataset}-audit",
        title="Audit: Δm recomputed from the paper's own printed metrics",
        header=("Table", "Row", "Δm printed", "recomputed", "left by rounding", "verdict"),
        rows=tuple(rows),
        notes=(
            "Equation 2 on the numbers printed in the same table; in brackets what the rounding of their digits leaves"
            " open. OUTSIDE: the printed Δm does not follow from its row.",
        ),
    )
