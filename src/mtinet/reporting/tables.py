"""A table as plain data: measured beside printed numbers, gaps included. `formats.py` writes it down."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any, Literal

from mtinet.errors import UserError
from mtinet.reporting.conditions import Conditions
from mtinet.reporting.layouts import DELTA, Column, Layout, RowLayout

# The predictors that see no image stand first in every table, so that nobody mistakes noise for learning.
BLIND = {"constant": "Best constant", "position": "Per-position prior"}
GAP = "–"


@dataclass(frozen=True)
class Cell:
    """One number of a table in the units shown; `text` is how it is printed.

    `spread` is the standard deviation over seeds, empty of a single one. A `missing` number should be there
    and is not (no run yet, or not legible in the paper); a cell with neither value nor `missing` has nothing
    to show.
    """

    value: float | None = None
    text: str = ""
    spread: str = ""
    missing: bool = False
    bold: bool = False

    @property
    def full(self) -> str:
        """The number with its spread."""
        return f"{self.text} ± {self.spread}" if self.spread else self.text


@dataclass(frozen=True)
class Row:
    """One row: the number of training steps, then measured, printed and difference of every column."""

    label: str
    kind: Literal["blind", "method"]
    steps: Cell
    measured: tuple[Cell, ...]
    printed: tuple[Cell, ...]
    difference: tuple[Cell, ...]

    @property
    def cells(self) -> list[Cell]:
        """All cells from left to right, the label left out."""
        triples = zip(self.measured, self.printed, self.difference, strict=True)
        return [self.steps, *(cell for triple in triples for cell in triple)]


@dataclass(frozen=True)
class Table:
    """A table that any format can be written from; `line` states the conditions and comes first."""

    name: str
    title: str
    line: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    notes: tuple[str, ...]


def build(
    layout: Layout,
    comparison: Mapping[str, Any],
    blind: Mapping[str, Any],
    published: Mapping[str, Any],
    conditions: Conditions,
) -> Table:
    """The table of `layout` from the comparison file, the blind predictors' metrics and the paper's numbers.

    Metrics that are not there become gaps, named in the notes. Raises UserError when the comparison is of
    another dataset or study, when its delta_m refers to other single-task runs than the table's, or when
    published.yaml lacks the table, a row or a column.
    """
    check_same(layout, comparison, conditions)
    experiments = comparison["experiments"]
    check_baselines(layout, experiments)
    rows = [blind_row(layout, blind, key) for key in BLIND]
    for row in layout.rows:
        rows.append(method_row(row, layout, experiments, printed_cells(row, layout, published)))
    return Table(
        name=layout.name,
        title=layout.title,
        line=conditions.line(),
        columns=layout.columns,
        rows=tuple(embolden(rows, layout.columns)),
        notes=tuple(notes(layout, rows, experiments)),
    )


def check_same(layout: Layout, comparison: Mapping[str, Any], conditions: Conditions) -> None:
    """A comparison of another dataset or study would fill the table with numbers that are not its own."""
    found = (comparison["dataset"], comparison["study"])
    if found != (layout.dataset, conditions.study):
        raise UserError(
            f"table '{layout.name}' is about {layout.dataset} in study {conditions.study}, the comparison"
            f" file about {found[0]} in study {found[1]}; run the stage compare again"
        )


def check_baselines(layout: Layout, experiments: Mapping[str, Any]) -> None:
    """Equation 2 is relative to single-task runs: they must be those that the table shows in its own row."""
    shown = {task: name for row in layout.rows for task, name in row.runs.items()}
    for row in layout.rows:
        baseline = (experiments.get(row.single or "") or {}).get("baseline") or {}
        for task, name in baseline.items():
            if name is not None and task in shown and name != shown[task]:
                raise UserError(
                    f"table '{layout.name}': '{row.single}' has its delta_m relative to '{name}' for {task},"
                    f" but the table shows '{shown[task]}'; correct the row's runs in pipeline/tables.yaml"
                )


def blind_row(layout: Layout, blind: Mapping[str, Any], key: str) -> Row:
    """The row of a predictor that sees no image; it takes no steps, and the paper prints nothing about it."""
    tasks = blind.get(key) or {}
    values = [(tasks.get(column.task) or {}).get(column.metric) for column in layout.columns]
    measured = tuple(
        number(scaled(value, column), column.digits) if column.task else Cell()
        for value, column in zip(values, layout.columns, strict=True)
    )
    empty = (Cell(),) * len(measured)
    return Row(BLIND[key], "blind", Cell(0.0, "0"), measured, empty, empty)


def method_row(row: RowLayout, layout: Layout, experiments: Mapping[str, Any], printed: tuple[Cell, ...]) -> Row:
    """The row of one method: its measured cells beside the printed ones."""
    measured = tuple(measured_cell(row, column, experiments) for column in layout.columns)
    pairs = zip(measured, printed, layout.columns, strict=True)
    differences = tuple(difference(*pair) for pair in pairs)
    return Row(row.label, "method", steps_cell(row, experiments), measured, printed, differences)


def measured_cell(row: RowLayout, column: Column, experiments: Mapping[str, Any]) -> Cell:
    """One measured number; empty where the method does not do the task, missing where it has no metrics."""
    if not row.experiments:
        return Cell()
    if column.metric == DELTA:
        return delta_cell(row, column, experiments)
    name = row.single or row.runs.get(column.task)
    if name is None:
        return Cell()
    found = experiments.get(name) or {}
    if column.task not in found.get("tasks", [column.task]):
        return Cell()
    value = ((found.get("metrics") or {}).get(column.task) or {}).get(column.metric)
    spread = ((found.get("std") or {}).get(column.task) or {}).get(column.metric)
    return number(scaled(value, column), column.digits, spread=several(found, scaled(spread, column)))


def delta_cell(row: RowLayout, column: Column, experiments: Mapping[str, Any]) -> Cell:
    """delta_m (equation 2); of the single-task runs themselves it is 0, once all of them are there."""
    if row.single is None:
        there = all((experiments.get(name) or {}).get("metrics") for name in row.experiments)
        return number(0.0 if there else None, column.digits)
    found = experiments.get(row.single) or {}
    spread = several(found, scaled(found.get("delta_m_std"), column))
    return number(scaled(found.get(DELTA), column), column.digits, spread=spread)


def several(found: Mapping[str, Any], spread: float | None) -> float | None:
    """The standard deviation over seeds, where there is more than one."""
    return spread if len(found.get("seeds") or []) > 1 else None


def steps_cell(row: RowLayout, experiments: Mapping[str, Any]) -> Cell:
    """Training steps; of runs that differ in it, all numbers in the order of the runs."""
    if not row.experiments:
        return Cell()
    steps = [(experiments.get(name) or {}).get("steps") for name in row.experiments]
    distinct = list(dict.fromkeys(GAP if count is None else str(count) for count in steps))
    value = float(steps[0]) if len(distinct) == 1 and steps[0] is not None else None
    return Cell(value, " / ".join(distinct), missing=None in steps)


def printed_cells(row: RowLayout, layout: Layout, published: Mapping[str, Any]) -> tuple[Cell, ...]:
    """The paper's numbers for one row."""
    table = entry(published, layout.published, "table")
    values = entry(table, row.label, f"row of {layout.published}")
    cells = []
    for column in layout.columns:
        if column.published not in table["columns"]:
            raise UserError(
                f"published.yaml: {layout.published} has no column '{column.published}' but"
                f" {table['columns']}; correct the columns of '{layout.name}' in pipeline/tables.yaml"
            )
        cells.append(number(values[table["columns"].index(column.published)], column.digits))
    return tuple(cells)


def entry(content: Mapping[str, Any], key: str, what: str) -> Any:
    """content[key], or a UserError that names what is lacking."""
    if key not in content:
        raise UserError(f"published.yaml has no {what} called '{key}', expected one of: {', '.join(content)}")
    return content[key]


def scaled(value: float | None, column: Column) -> float | None:
    """A metric in the units that the table shows."""
    return None if value is None else value * column.scale


def number(value: float | None, digits: int, *, spread: float | None = None, sign: str = "") -> Cell:
    """A cell of one number, `None` being a gap."""
    if value is None:
        return Cell(None, GAP, missing=True)
    shown = round(value, digits) + 0.0  # adding zero turns -0.0, which would print as "-0.00", into 0.0
    return Cell(value, f"{shown:{sign}.{digits}f}", "" if spread is None else f"{spread:.{digits}f}")


def difference(measured: Cell, printed: Cell, column: Column) -> Cell:
    """Measured minus printed, of the numbers as shown, so that every row adds up for its reader."""
    if measured.value is None or printed.value is None:
        missing = measured.missing or printed.missing
        return Cell(None, GAP if missing else "", missing=missing)
    return number(float(Decimal(measured.text) - Decimal(printed.text)), column.digits, sign="+")


def embolden(rows: list[Row], columns: tuple[Column, ...]) -> list[Row]:
    """Mark the best measured value of each column among the methods, ties as shown included."""
    best: list[str | None] = []
    for index, column in enumerate(columns):
        choose = max if column.better == "higher" else min
        cells = [row.measured[index] for row in rows if row.kind == "method"]
        best.append(choose((cell.text for cell in cells if cell.value is not None), key=float, default=None))
    return [row if row.kind == "blind" else replace(row, measured=marked(row.measured, best)) for row in rows]


def marked(cells: tuple[Cell, ...], best: list[str | None]) -> tuple[Cell, ...]:
    """The cells, bold where they show the best value of their column."""
    pairs = zip(cells, best, strict=True)
    return tuple(replace(cell, bold=cell.value is not None and cell.text == top) for cell, top in pairs)


def notes(layout: Layout, rows: list[Row], experiments: Mapping[str, Any]) -> list[str]:
    """What a reader of the table must know: its conventions, and the reason of every gap."""
    lines = [
        "Per metric: measured here, printed in the paper, and the difference measured - printed."
        " Bold: the best measured value. Steps: training steps.",
        f"{' and '.join(BLIND.values())} see no image: they are fitted to the training labels alone.",
    ]
    absent = [name for name in layout.experiments if not (experiments.get(name) or {}).get("metrics")]
    if absent:
        lines.append(f"{GAP} missing, no metrics of: {', '.join(absent)}.")
    for name in layout.experiments:
        lacking = (experiments.get(name) or {}).get("missing_seeds")
        if lacking and name not in absent:
            lines.append(f"{name}: seeds {', '.join(map(str, lacking))} are missing from its mean.")
    if any(cell.missing for row in rows if row.kind == "blind" for cell in row.measured):
        lines.append(f"{GAP} missing, metrics of a predictor that sees no image.")
    if any(cell.missing for row in rows for cell in row.printed):
        lines.append(f"{GAP} among the printed numbers: not legible in the paper's text.")
    if any(cell.spread for row in rows for cell in row.measured):
        lines.append("± the standard deviation over seeds.")
    return lines
