"""A table written down as Markdown, CSV and LaTeX (booktabs)."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from csv import writer
from itertools import accumulate

from mtinet.reporting.cells import Cell
from mtinet.reporting.layouts import Column
from mtinet.reporting.tables import Row, Table

SHORT = {"measured": "meas.", "printed": "printed", "difference": "diff."}
PER_PAGE = 3  # metrics
# The order matters: a backslash must be replaced before replacements bring in more of them.
LATEX = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#",
    "_": r"\_", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
    "<": r"\textless{}", ">": r"\textgreater{}",
    "↑": r"$\uparrow$", "↓": r"$\downarrow$", "Δm": r"$\Delta_m$", "Δ": r"$\Delta$", "δ": r"$\delta$",
    "≈": r"$\approx$", "±": r"$\pm$", "×": r"$\times$", "–": "--",
}  # fmt: skip


def heading(column: Column) -> str:
    """A column's name with its unit and direction, e.g. "Seg mIoU (%) ↑"."""
    return column.label + (f" ({column.unit})" if column.unit else "") + f" {column.arrow}"


def markdown(table: Table) -> str:
    """The table in Markdown; its first line states the conditions."""
    names = ["Method", "Steps"]
    for column in table.columns:
        names += [heading(column), *column.kinds[1:]]
    lines = ["| " + " | ".join(map(markdown_text, names)) + " |"]
    lines.append("|:--|" + "--:|" * (len(names) - 1))
    for row in table.rows:
        cells = [markdown_text(row.label), *(markdown_cell(cell) for cell in row.cells(table.columns))]
        lines.append("| " + " | ".join(cells) + " |")
    notes = [f"- {note}" for note in table.notes]
    return "\n".join([table.line, "", f"## {table.title}", "", *lines, "", *notes, ""])


def markdown_text(text: str) -> str:
    """Text with what would end a cell escaped."""
    return text.replace("\\", "\\\\").replace("|", "\\|").replace("*", "\\*")


def markdown_cell(cell: Cell) -> str:
    """A number, bold when it is the best, with its interval."""
    return " ".join(part for part in (f"**{cell.full}**" if cell.bold else cell.full, cell.range) if part)


def csv(table: Table) -> str:
    """The table as CSV: a comment line with the conditions, a header, then numbers in the units shown.

    A missing number is NA, a cell with nothing to show is empty. Spreads over seeds and the ends of intervals have
    columns of their own where any row has one, and so has 1 for a number that is not clear of the single-task
    run; printed numbers and differences where the paper has the metric. Columns are therefore found by name: whether
    there are printed ones depends on no result. Notes stand as comment lines at the end.
    """
    extras = [extra_fields(cells) for cells in zip(*(row.measured for row in table.rows), strict=True)]
    names = ["method", "steps"]
    for column, extra in zip(table.columns, extras, strict=True):
        names += [f"{column.path} {kind}" for kind in (*column.kinds, *extra)]
    text = io.StringIO()
    rows = writer(text, lineterminator="\n")
    rows.writerow(names)
    rows.writerows(csv_row(row, table.columns, extras) for row in table.rows)
    return f"# {table.line}\n{text.getvalue()}" + "".join(f"# {note}\n" for note in table.notes)


def extra_fields(cells: Iterable[Cell]) -> list[str]:
    """The fields that a measured column has beside its number."""
    shown = list(cells)
    spread, interval = any(cell.spread for cell in shown), any(cell.interval for cell in shown)
    return [*(["std"] if spread else []), *(["low", "high", "unclear"] if interval else [])]


def csv_row(row: Row, columns: Sequence[Column], extras: list[list[str]]) -> list[str]:
    """One row's fields."""
    fields = [row.label, csv_cell(row.steps)]
    for extra, group in zip(extras, row.groups(columns), strict=True):
        low, high = group[0].interval or ("", "")
        values = {"std": group[0].spread, "low": low, "high": high, "unclear": "1" if group[0].unclear else ""}
        fields += [*(csv_cell(cell) for cell in group), *(values[name] for name in extra)]
    return fields


def csv_cell(cell: Cell) -> str:
    """A number without its spread, NA where it is missing."""
    return "NA" if cell.missing else cell.text


def latex(table: Table) -> str:
    """The table for `\\usepackage{booktabs}`; conditions in the first line, a comment, and in the caption.

    A page's text is three metrics wide: further ones stand in tables that continue the first.
    """
    starts = range(0, len(table.columns), PER_PAGE)
    return f"% {table.line}\n" + "\n".join(latex_part(table, start) for start in starts)


def latex_part(table: Table, start: int) -> str:
    """The table environment of the metrics from `start` on; caption with the first, notes with the last."""
    chosen = slice(start, start + PER_PAGE)
    columns, last = table.columns[chosen], start + PER_PAGE >= len(table.columns)
    widths = [len(column.kinds) for column in columns]
    groups = [
        rf"\multicolumn{{{width}}}{{c}}{{{escape(heading(column))}}}"
        for column, width in zip(columns, widths, strict=True)
    ]
    ends = [2 + end for end in accumulate(widths)]
    rules = [rf"\cmidrule(lr){{{end - width + 1}-{end}}}" for end, width in zip(ends, widths, strict=True)]
    kinds = [SHORT[kind] for column in columns for kind in column.kinds]
    title = f"Reproduction of {escape(table.title)}"
    caption = f"{title} (continued)." if start else f"{title}. {escape(table.line)}"
    return "\n".join([
        r"\begin{table}", r"\centering", r"\scriptsize", r"\setlength{\tabcolsep}{2pt}",
        rf"\caption{{{caption}}}",
        *([] if start else [rf"\label{{tab:{table.name}}}"]),
        # Spreads over seeds make it wider than a narrow page's text: then it stands out on both sides.
        r"\smallskip", r"\makebox[\linewidth][c]{\begin{tabular}{lr" + "r" * sum(widths) + "}",
        r"\toprule",
        " & ".join(["", "", *groups]) + r" \\",
        " ".join(rules),
        " & ".join(["Method", "Steps", *kinds]) + r" \\",
        r"\midrule", *latex_rows(table, chosen), r"\bottomrule", r"\end{tabular}}",
        *(rf"\par\smallskip {escape(note)}" for note in table.notes if last),
        r"\end{table}", "",
    ])  # fmt: skip


def latex_rows(table: Table, chosen: slice) -> list[str]:
    """The lines of the body; intervals stand in a line of their own below their row."""
    lines = []
    for index, row in enumerate(table.rows):
        cells = [row.steps, *(cell for group in row.groups(table.columns)[chosen] for cell in group)]
        if index and row.kind != table.rows[index - 1].kind:
            lines.append(r"\midrule")
        lines.append(" & ".join([escape(row.label), *map(latex_cell, cells)]) + r" \\")
        if any(cell.interval for cell in cells):
            ranges = (rf"{{\tiny {cell.range}}}" if cell.range else "" for cell in cells)
            lines.append(" & ".join(["", *ranges]) + r" \\")
    return lines


def latex_cell(cell: Cell) -> str:
    """A number in mathematics (for its minus sign), text otherwise."""
    if cell.value is None:
        return escape(cell.text)
    text = cell.full.replace("±", r"\pm").replace("≈", r"\approx").replace("%", r"\%")
    return rf"$\mathbf{{{text}}}$" if cell.bold else f"${text}$"


def escape(text: str) -> str:
    """Text in which no character means anything to LaTeX."""
    pieces, rest = [], text
    while rest:
        found = next((mark for mark in LATEX if rest.startswith(mark)), None)
        pieces.append(LATEX[found] if found else rest[0])
        rest = rest[len(found) if found else 1 :]
    return "".join(pieces)
