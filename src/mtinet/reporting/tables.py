"""A table as plain data: measured beside printed numbers, gaps included. `formats.py` writes it down."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from mtinet.errors import UserError
from mtinet.evaluation.uncertainty import MARK
from mtinet.reporting.alike import NOTE, WORDS, label_of
from mtinet.reporting.cells import GAP, UNCLEAR, Cell, difference, measured_cell, number, printed_cell, scaled
from mtinet.reporting.conditions import Conditions
from mtinet.reporting.floor import noise
from mtinet.reporting.layouts import DELTA, EXACT, Column, Layout, RowLayout

# The predictors that see no image stand first in every table, so that nobody mistakes noise for learning.
BLIND = {"constant": "Best constant", "position": "Per-position prior"}

HOW_MEASURED = "set study.latency to true in params.yaml, then make pipeline and make repro"
# What the stage latency measures, as columns of a table that shows resources.
MEASURED = (
    Column("", "latency_ms", "", "latency", "lower", "ms", 1.0, 1, "resources"),
    Column("", "images_per_s", "", "throughput", "higher", "images/s", 1.0, 1, "resources"),
    Column("", "step_ms", "", "training step", "lower", "ms", 1.0, 0, "resources"),
    Column("", "peak_mb", "", "peak memory", "lower", "MiB", 1.0, 0, "resources"),
)


@dataclass(frozen=True)
class Row:
    """One row: the number of training steps; measured, printed and difference of every column."""

    label: str
    kind: Literal["blind", "method", "quoted"]
    steps: Cell
    measured: tuple[Cell, ...]
    printed: tuple[Cell, ...]
    difference: tuple[Cell, ...]

    def groups(self, columns: Sequence[Column]) -> list[tuple[Cell, ...]]:
        """For each of the table's columns its cells from left to right, as many as the column has kinds."""
        triples = zip(self.measured, self.printed, self.difference, strict=True)
        return [triple[: len(column.kinds)] for triple, column in zip(triples, columns, strict=True)]

    def cells(self, columns: Sequence[Column]) -> list[Cell]:
        """All cells from left to right, the label left out."""
        return [self.steps, *(cell for group in self.groups(columns) for cell in group)]


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
    resources: Mapping[str, Any] | None = None,
    floor: Mapping[str, Any] | None = None,
) -> Table:
    """The table of `layout` from the comparison file, the blind predictors' metrics and the paper's numbers.

    resources: the file of the stage resources, for a table that has columns of it. floor: the comparison of the
    dataset's controls, None where they were not run. Scores against distilled labels
    are starred; beside them stand those against exact labels, where the comparison has such. Metrics that are not
    there become gaps, named in the notes. Raises UserError when the comparison is of another dataset or study, when
    its delta_m refers to other single-task runs than the table's, or when published.yaml lacks the table, a row or
    a column.
    """
    check_same(layout, comparison, conditions)
    experiments = comparison["experiments"]
    check_baselines(layout, experiments)
    columns = (*shown_columns(layout, comparison), *(MEASURED if "measured" in (resources or {}) else ()))
    rows = [blind_row(columns, blind, key) for key in BLIND if any(column.task for column in columns)]
    costs = (resources or {}).get("experiments", {})
    for row in layout.rows:
        measured = tuple(measured_cell(row, column, experiments, costs, layout.rows[0]) for column in columns)
        printed = printed_cells(row, layout, columns, published, measured)
        made = method_row(row, columns, experiments, measured, printed)
        rows.append(replace(made, label=label_of(row, layout, conditions.alike)) if row.experiments else made)
    return Table(
        name=layout.name,
        title=layout.title,
        line=conditions.line(),
        columns=columns,
        rows=tuple(embolden(rows, columns)),
        notes=(
            f"Per metric: {beside(columns)}. Bold: the best measured value. Steps: training steps.",
            *notes(layout, rows, comparison, resources),
            *([NOTE] if any(WORDS in row.label for row in rows) else []),
            *noise(layout, floor),
        ),
    )


def shown_columns(layout: Layout, comparison: Mapping[str, Any]) -> tuple[Column, ...]:
    """The layout's columns, starred where labels are a teacher's, with those against exact labels beside them."""
    exact = {task for found in comparison["experiments"].values() for task in found.get("exact") or {}}
    columns = []
    for column in layout.columns:
        starred = column.task in comparison.get("distilled", {})
        columns.append(replace(column, label=f"{column.label}*") if starred else column)
        if column.of in EXACT and (column.task in exact or (column.metric == DELTA and exact)):
            columns.append(replace(column, label=f"{column.label} vs exact", of=EXACT[column.of], published=""))
    return tuple(columns)


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


def blind_row(columns: tuple[Column, ...], blind: Mapping[str, Any], key: str) -> Row:
    """The row of a predictor that sees no image; it takes no steps, and the paper prints nothing about it."""
    scores = {"run": blind.get(key) or {}, "exact": blind.get(f"{key}{MARK}") or {}}
    values = [(scores.get(column.of, {}).get(column.task) or {}).get(column.metric) for column in columns]
    measured = tuple(
        number(scaled(value, column), column.digits) if column.task and column.of in scores else Cell()
        for value, column in zip(values, columns, strict=True)
    )
    empty = (Cell(),) * len(measured)
    return Row(BLIND[key], "blind", Cell(0.0, "0"), measured, empty, empty)


def method_row(
    row: RowLayout,
    columns: tuple[Column, ...],
    experiments: Mapping[str, Any],
    measured: tuple[Cell, ...],
    printed: tuple[Cell, ...],
) -> Row:
    """The row of one method: its measured cells beside the printed ones."""
    differences = tuple(difference(*pair) for pair in zip(measured, printed, columns, strict=True))
    if not row.experiments:
        return Row(f"{row.label} (quoted)", "quoted", Cell(), measured, printed, (Cell(),) * len(measured))
    return Row(row.label, "method", steps_cell(row, experiments), measured, printed, differences)


def steps_cell(row: RowLayout, experiments: Mapping[str, Any]) -> Cell:
    """Training steps; of runs that differ in it, all numbers in the order of the runs."""
    if not row.experiments:
        return Cell()
    steps = [(experiments.get(name) or {}).get("steps") for name in row.experiments]
    distinct = list(dict.fromkeys(GAP if count is None else str(count) for count in steps))
    value = float(steps[0]) if len(distinct) == 1 and steps[0] is not None else None
    return Cell(value, " / ".join(distinct), missing=None in steps)


def printed_cells(
    row: RowLayout,
    layout: Layout,
    columns: tuple[Column, ...],
    published: Mapping[str, Any],
    measured: tuple[Cell, ...],
) -> tuple[Cell, ...]:
    """The paper's numbers for one row; it prints nothing against exact labels, nor of other readings."""
    if layout.published is None:
        return (Cell(),) * len(columns)
    table = entry(published, layout.published, "table")
    values = entry(table, row.label, f"row of {layout.published}")
    cells = []
    for column, cell in zip(columns, measured, strict=True):
        if not column.published:
            cells.append(Cell())
            continue
        if column.published not in table["columns"]:
            raise UserError(
                f"published.yaml: {layout.published} has no column '{column.published}' but"
                f" {table['columns']}; correct the columns of '{layout.name}' in pipeline/tables.yaml"
            )
        cells.append(printed_cell(values[table["columns"].index(column.published)], cell, column.digits, row))
    return tuple(cells)


def entry(content: Mapping[str, Any], key: str, what: str) -> Any:
    """content[key], or a UserError that names what is lacking."""
    if key not in content:
        raise UserError(f"published.yaml has no {what} called '{key}', expected one of: {', '.join(content)}")
    return content[key]


def embolden(rows: list[Row], columns: tuple[Column, ...]) -> list[Row]:
    """Mark the best measured value of each column among the methods, ties as shown included."""
    best: list[str | None] = []
    for index, column in enumerate(columns):
        choose = max if column.better == "higher" else min
        cells = [row.measured[index] for row in rows if row.kind == "method" and column.of != "resources"]
        best.append(choose((cell.text for cell in cells if cell.value is not None), key=float, default=None))
    return [row if row.kind == "blind" else replace(row, measured=marked(row.measured, best)) for row in rows]


def marked(cells: tuple[Cell, ...], best: list[str | None]) -> tuple[Cell, ...]:
    """The cells, bold where they show the best value of their column."""
    pairs = zip(cells, best, strict=True)
    return tuple(replace(cell, bold=cell.value is not None and cell.text == top) for cell, top in pairs)


def notes(
    layout: Layout, rows: list[Row], comparison: Mapping[str, Any], resources: Mapping[str, Any] | None
) -> list[str]:
    """What a reader of the table must know: its conventions, and the reason of every gap."""
    experiments = comparison["experiments"]
    lines = []
    if any(row.kind == "blind" for row in rows):
        lines.append(f"{' and '.join(BLIND.values())} see no image: they are fitted to the training labels alone.")
    lines += conventions(layout, rows, comparison, resources)
    absent = [name for name in layout.experiments if not (experiments.get(name) or {}).get("metrics")]
    if absent:
        lines.append(f"{GAP} missing, no metrics of: {', '.join(absent)}.")
    there = [
        row
        for entry, row in zip(layout.rows, rows[-len(layout.rows) :], strict=True)
        if not {*entry.experiments} & {*absent}
    ]
    if any(lacks_exact(row, layout, comparison) for row in there):
        lines.append(f"{GAP} vs exact: not among the metrics; run the stages evaluate and compare again.")
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


def beside(columns: Sequence[Column]) -> str:
    """What stands beside the measured values."""
    printed = {bool(column.published) for column in columns}
    if True not in printed:
        return "measured here alone"
    alone = "; what the paper does not print is measured alone" if False in printed else ""
    return f"measured here, printed in the paper, and the difference measured - printed{alone}"


def lacks_exact(row: Row, layout: Layout, comparison: Mapping[str, Any]) -> bool:
    """Whether a row has a gap against exact labels."""
    pairs = zip(row.measured, shown_columns(layout, comparison), strict=False)  # measured resources come behind
    return any(cell.missing and column.of in EXACT.values() for cell, column in pairs)


def conventions(
    layout: Layout, rows: list[Row], comparison: Mapping[str, Any], resources: Mapping[str, Any] | None
) -> list[str]:
    """What the marks of this table mean; only those that it has."""
    lines = []
    cells = [cell for row in rows for cell in row.measured]
    if any(cell.interval for cell in cells):
        lines.append("In brackets: the 95 % interval by paired bootstrap over the test images, 1,000 resamples.")
    if any(cell.unclear for cell in cells):
        lines.append(f"{UNCLEAR} the interval of the difference from the single-task run (of Δm itself) contains 0.")
    tasks = {column.task for column in layout.columns}
    for task, kind in comparison.get("distilled", {}).items():
        if task in tasks:
            whose = "shipped by the archive" if kind == "archive" else f"of a teacher ({kind})"
            lines.append(f"* labels of {task} are predictions {whose}, in training and in scoring.")
    exact = [column for column in shown_columns(layout, comparison) if column.of in EXACT.values()]
    if exact:
        sides = " Δm vs exact: of distilled tasks both its sides are scored so."
        lines.append(
            "vs exact: scored against the exact geometry of the rendered scenes, at pixels that have a distilled label"
            f" too; the paper has no such number.{sides if any(column.metric == DELTA for column in exact) else ''}"
        )
    if any(row.kind == "quoted" for row in rows):
        lines.append("(quoted): a row of another paper, as the paper prints it; nothing was measured here.")
    if any(column.of == "resources" for column in layout.columns):
        lines.append((resources or {}).get("convention", f"{GAP} missing, the networks were not counted."))
        lines.append((resources or {}).get("measured", f"Latency, throughput, memory: not measured; {HOW_MEASURED}."))
    return lines
