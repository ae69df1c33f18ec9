"""What changed between two revisions, as plain data and as Markdown for a pull request."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mtinet.reporting.cell_changes import STEPS, Moved, Place
from mtinet.reporting.cells import GAP, UNCLEAR, contains_zero, printed
from mtinet.reporting.changes import ABSENT, Change
from mtinet.reporting.layouts import Column
from mtinet.studies.intervals import Interval

NOTES = (
    "Interval: of the change, 95 %, by paired bootstrap over the same test images, 1,000 resamples; training again with"
    " another seed is not in it.",
    f"{UNCLEAR} it contains 0: the change may be noise. better, worse: it does not.",
)


@dataclass(frozen=True)
class ChangedCell:
    """A cell that differs, with the paired interval of the change, or why there is none."""

    moved: Moved
    interval: Interval | None
    why: str = ""

    @property
    def verdict(self) -> str:
        """better, worse or UNCLEAR by the interval; empty without one."""
        if self.interval is None:
            return ""
        if contains_zero(self.interval):
            return UNCLEAR
        return "better" if (self.interval[0] > 0) == (self.moved.place.column.better == "higher") else "worse"


@dataclass(frozen=True)
class ChangedTable:
    """A table's cells that differ as printed, and how many others differ beyond the printed digits."""

    study: str
    title: str
    cells: tuple[ChangedCell, ...]
    beyond: int = 0


def markdown(before: str, after: str, parameters: Sequence[Change], tables: Sequence[ChangedTable]) -> str:
    """The whole report."""
    lines = [f"## What changed: {before} → {after}", ""]
    lines += parameter_lines(parameters)
    if not any(table.cells or table.beyond for table in tables):
        lines += ["### Tables", "", "No cell differs.", ""]
    for table in tables:
        lines += table_lines(table)
    if any(cell.interval for table in tables for cell in table.cells):
        lines += [*(f"- {note}" for note in NOTES), ""]
    return "\n".join(lines).rstrip() + "\n"


def parameter_lines(parameters: Sequence[Change]) -> list[str]:
    """The changed parameters as a table."""
    if not parameters:
        return ["### Parameters", "", "No parameter differs.", ""]
    rows = [f"| `{change.key}` | {code(change.before)} | {code(change.after)} |" for change in parameters]
    return ["### Parameters", "", "| Parameter | before | after |", "|:--|:--|:--|", *rows, ""]


def code(value: str) -> str:
    """A value in a Markdown cell."""
    return value if value == ABSENT else f"`{value.replace('|', chr(92) + '|')}`"


def table_lines(table: ChangedTable) -> list[str]:
    """One table's changed cells."""
    if not table.cells and not table.beyond:
        return []
    lines = [f"### {table.title} ({table.study})", ""]
    if table.cells:
        lines += ["| Row | Column | before | after | change | interval | |", "|:--|:--|--:|--:|--:|:--|:--|"]
        lines += [cell_line(cell) for cell in table.cells]
        lines.append("")
    if table.beyond:
        many = "1 more cell differs" if table.beyond == 1 else f"{table.beyond} more cells differ"
        lines += [f"{many} beyond the printed digits.", ""]
    reasons = list(dict.fromkeys(cell.why for cell in table.cells if cell.why))
    if reasons:
        lines += [f"{GAP} no paired interval: {', '.join(reasons)}.", ""]
    return lines


def cell_line(cell: ChangedCell) -> str:
    """One changed cell as a row."""
    place, change = cell.moved.place, cell.moved.change
    column = place.column
    unit = f" ({column.unit})" if column.unit else ""
    words = (
        place.row.label,
        column.label if column is STEPS else f"{column.label}{unit} {column.arrow}",
        side(cell.moved.before),
        side(cell.moved.after),
        GAP if change is None else printed(change, column.digits, "+"),
        between(cell.interval, column) or (GAP if cell.why else ""),
        cell.verdict,
    )
    return f"| {' | '.join(words)} |"


def side(place: Place | None) -> str:
    """A cell with its own interval, as the table shows it."""
    if place is None:
        return ABSENT
    return " ".join(part for part in (place.cell.full, place.cell.range) if part)


def between(interval: Interval | None, column: Column) -> str:
    return "" if interval is None else f"[{', '.join(printed(end, column.digits, '+') for end in interval)}]"


def plain(table: ChangedTable) -> dict[str, Any]:
    """A table's changed cells as plain data; numbers in the units shown."""
    return {
        "study": table.study,
        "table": table.title,
        "beyond_printed_digits": table.beyond,
        "cells": [
            {
                "row": cell.moved.place.row.label,
                "column": cell.moved.place.column.path,
                "unit": cell.moved.place.column.unit,
                "before": cell.moved.before and cell.moved.before.cell.value,
                "after": cell.moved.after and cell.moved.after.cell.value,
                "change": cell.moved.change,
                "interval": cell.interval and [*cell.interval],
                "verdict": {UNCLEAR: "unclear"}.get(cell.verdict, cell.verdict) or None,
                "no_interval": cell.why or None,
            }
            for cell in table.cells
        ],
    }
