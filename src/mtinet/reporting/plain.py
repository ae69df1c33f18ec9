"""A table of text without measured and printed triples, as Markdown, CSV and LaTeX (booktabs)."""

from __future__ import annotations

import io
from csv import writer
from dataclasses import dataclass

from mtinet.reporting.formats import escape, markdown_text


@dataclass(frozen=True)
class PlainTable:
    """A table of strings; every row is as long as the header. `line` states the conditions of what rests on runs."""

    name: str
    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...]
    line: str = ""


def markdown(table: PlainTable) -> str:
    """The table in Markdown."""
    lines = ["| " + " | ".join(map(markdown_text, row)) + " |" for row in (table.header, *table.rows)]
    lines.insert(1, "|" + ":--|" * len(table.header))
    above = [table.line, ""] if table.line else []
    return "\n".join([*above, f"## {table.title}", "", *lines, "", *(f"- {note}" for note in table.notes), ""])


def csv(table: PlainTable) -> str:
    """The table as CSV: a header and text; notes stand as comment lines at the end."""
    text = io.StringIO()
    writer(text, lineterminator="\n").writerows([table.header, *table.rows])
    above = f"# {table.line}\n" if table.line else ""
    return above + text.getvalue() + "".join(f"# {note}\n" for note in table.notes)


def latex(table: PlainTable) -> str:
    """The table for `\\usepackage{booktabs}`."""
    lines = [" & ".join(map(escape, row)) + r" \\" for row in (table.header, *table.rows)]
    above = [f"% {table.line}"] if table.line else []
    caption = escape(table.title) + (f". {escape(table.line)}" if table.line else "")
    return "\n".join([
        *above, r"\begin{table}", r"\centering", r"\scriptsize", r"\setlength{\tabcolsep}{3pt}",
        rf"\caption{{{caption}}}", rf"\label{{tab:{table.name}}}",
        r"\makebox[\linewidth][c]{\begin{tabular}{" + "l" * len(table.header) + "}",
        r"\toprule", lines[0], r"\midrule", *lines[1:], r"\bottomrule", r"\end{tabular}}",
        *(rf"\par\smallskip {escape(note)}" for note in table.notes),
        r"\end{table}", "",
    ])  # fmt: skip


WRITERS = {"md": markdown, "csv": csv, "tex": latex}
