"""The cells of a table: one number each, as it is printed, with its spread and interval."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from statistics import harmonic_mean
from typing import Any

from mtinet.evaluation.uncertainty import MARK
from mtinet.reporting.layouts import DELTA, Column, RowLayout

GAP = "–"
# What several networks have together, where it is no sum: rates for the same images, and memory at one time.
COMBINED: dict[str, Callable[[Sequence[float]], float]] = {
    "images_per_s": lambda rates: harmonic_mean(rates) / len(rates),
    "peak_mb": max,
}
UNCLEAR = "≈"


@dataclass(frozen=True)
class Cell:
    """One number of a table in the units shown; `text` is how it is printed.

    `spread` is the standard deviation over seeds, empty of a single one; `interval` the ends of the 95 % interval
    as printed, empty where there is none; `unclear`: the interval of its difference from the single-task run (of
    delta_m itself) contains 0. A `missing` number should be there and is not (no run yet, or not legible in the
    paper); a cell with neither value nor `missing` has nothing to show.
    """

    value: float | None = None
    text: str = ""
    spread: str = ""
    missing: bool = False
    bold: bool = False
    interval: tuple[str, ...] = ()
    unclear: bool = False

    @property
    def full(self) -> str:
        """The number with its spread, marked where it is not clear of the single-task run."""
        mark = f" {UNCLEAR}" if self.unclear else ""
        return (f"{self.text} ± {self.spread}" if self.spread else self.text) + mark

    @property
    def range(self) -> str:
        """The interval in brackets, empty where there is none."""
        return f"[{', '.join(self.interval)}]" if self.interval else ""


def scaled(value: float | None, column: Column) -> float | None:
    """A metric in the units that the table shows."""
    return None if value is None else value * column.scale


def printed(value: float, digits: int, sign: str = "") -> str:
    """A number with `digits` digits."""
    shown = round(value, digits) + 0.0  # adding zero turns -0.0, which would print as "-0.00", into 0.0
    return f"{shown:{sign}.{digits}f}"


def number(
    value: float | None,
    digits: int,
    *,
    spread: float | None = None,
    sign: str = "",
    interval: Sequence[float] | None = None,
    unclear: bool = False,
) -> Cell:
    """A cell of one number, `None` being a gap."""
    if value is None:
        return Cell(None, GAP, missing=True)
    text = "" if spread is None else f"{spread:.{digits}f}"
    ends = tuple(printed(end, digits) for end in interval or ())
    return Cell(value, printed(value, digits, sign), text, interval=ends, unclear=unclear)


def measured_cell(
    row: RowLayout, column: Column, experiments: Mapping[str, Any], costs: Mapping[str, Any], first: RowLayout
) -> Cell:
    """One measured number; empty where the method does not do the task, missing where it has no metrics."""
    if not row.experiments:
        return Cell()
    if column.metric == DELTA:
        return delta_cell(row, column, experiments)
    if column.of == "resources":
        return cost_cell(row, column, costs, first)
    name = row.single or row.runs.get(column.task)
    found = experiments.get(name or "") or {}
    if name is None or column.task not in found.get("tasks", [column.task]):
        return Cell()
    if column.of in ("baseline", "baseline exact"):
        baseline = (found.get("baseline") or {}).get(column.task)
        kind = "metrics" if column.of == "baseline" else "exact"
        return metric_cell(experiments.get(baseline or "") or {}, kind, column.task, column)
    key = column.task if row.stride is None else f"{column.task}@{row.stride}"
    if column.of == "exact":
        return metric_cell(found, "exact", key, column)
    if row.stride is not None:
        return metric_cell(found, "initial", key, column)
    return metric_cell(found, "metrics", key, column, against=found.get("differences") or {})


def metric_cell(
    found: Mapping[str, Any],
    kind: str,
    key: str,
    column: Column,
    *,
    against: Mapping[str, Any] | None = None,
) -> Cell:
    """One metric of one kind ("metrics", "initial", "exact") of an experiment, with spread, interval and mark."""
    value = ((found.get(kind) or {}).get(key) or {}).get(column.metric)
    spread = ((found.get("std") or {}).get(key) or {}).get(column.metric) if kind == "metrics" else None
    sampled = f"{key}{MARK}" if kind == "exact" else key
    ends = ((found.get("intervals") or {}).get(sampled) or {}).get(column.metric)
    difference = ((against or {}).get(key) or {}).get(column.metric)
    return number(
        scaled(value, column),
        column.digits,
        spread=several(found, scaled(spread, column)),
        interval=ends and [end * column.scale for end in ends],
        unclear=contains_zero(difference),
    )


def delta_cell(row: RowLayout, column: Column, experiments: Mapping[str, Any]) -> Cell:
    """delta_m (equation 2); of the single-task runs themselves it is 0, once all of them are there."""
    if row.single is None:
        there = all((experiments.get(name) or {}).get("metrics") for name in row.experiments)
        return number(0.0 if there else None, column.digits)
    found = experiments.get(row.single) or {}
    if column.of == "exact":
        found = {"seeds": found.get("seeds"), **(found.get("exact_gains") or {})}
    value, ends, spread = found.get(DELTA), found.get("delta_m_interval"), found.get("delta_m_std")
    other = None
    if row.stride is not None:
        other = (found.get("initial_delta_m") or {}).get(str(row.stride)) or {}
    elif column.against:
        other = (found.get("against") or {}).get(column.against) or {}
    if other is not None:
        value, ends, spread = other.get("delta_m"), other.get("interval"), None
    return number(value, column.digits, spread=several(found, spread), interval=ends, unclear=contains_zero(ends))


def cost_cell(row: RowLayout, column: Column, costs: Mapping[str, Any], first: RowLayout) -> Cell:
    """What the row's networks cost together: the first row's absolute, the others' relative to it in %."""
    total, base = (together(item, column, costs) for item in (row, first))
    if row is first or total is None or base is None:
        return number(total, column.digits)
    share = 100 * (total / base - 1)
    return Cell(share, f"{printed(share, column.digits, '+')}%")


def together(row: RowLayout, column: Column, costs: Mapping[str, Any]) -> float | None:
    """What the row's networks cost one after the other; None where one was not counted."""
    values = [(costs.get(name) or {}).get(column.metric) for name in row.experiments]
    known = [value for value in values if value is not None]
    combine = COMBINED.get(column.metric, sum)
    return combine(known) * column.scale if known and len(known) == len(values) else None


def printed_cell(value: Any, measured: Cell, digits: int, row: RowLayout) -> Cell:
    """One of the paper's numbers: nothing where neither it nor the run has one, a gap where only it lacks."""
    if isinstance(value, str):
        return Cell(float(value.rstrip("%")), value)
    if value is None and row.experiments and measured.value is None and not measured.missing:
        return Cell()
    return number(value, digits)


def difference(measured: Cell, published: Cell, column: Column) -> Cell:
    """Measured minus printed, of the numbers as shown, so that every row adds up; nothing where none is printed."""
    if measured.value is None or published.value is None:
        missing = bool(column.published) and (measured.missing or published.missing)
        return Cell(None, GAP if missing else "", missing=missing)
    share = measured.text.endswith("%")
    found = number(
        float(Decimal(measured.text.rstrip("%")) - Decimal(published.text.rstrip("%"))), column.digits, sign="+"
    )
    return Cell(found.value, f"{found.text}%") if share else found


def several(found: Mapping[str, Any], spread: float | None) -> float | None:
    """The standard deviation over seeds, where there is more than one."""
    return spread if len(found.get("seeds") or []) > 1 else None


def contains_zero(interval: Sequence[float] | None) -> bool:
    """Whether an interval leaves open which side of zero the truth is on."""
    return interval is not None and interval[0] <= 0 <= interval[1]
