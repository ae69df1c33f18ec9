"""Markdown, CSV and LaTeX, parsed back and compared with the table cell by cell."""

from __future__ import annotations

import io
import re
import shutil
import subprocess

import pandas as pd
import pytest
import reporting_inputs as made

from mtinet.reporting.formats import csv, escape, latex, markdown


def content_with_gaps() -> dict:
    content = made.comparison()
    content["experiments"]["hrnet18-mti-n"] = made.missing()
    content["experiments"]["hrnet18-mtl"] |= {"seeds": [0, 1], "std": {"seg": {"mIoU": 0.01}}}
    return content


TABLE = made.table2a(content_with_gaps())


def texts() -> list[list[str]]:
    """All cells as plain text, the label first."""
    return [[row.label, *(cell.full for cell in row.cells(TABLE.columns))] for row in TABLE.rows]


def test_every_rendering_begins_with_the_conditions():
    for rendered, mark in ((markdown(TABLE), ""), (csv(TABLE), "# "), (latex(TABLE), "% ")):
        assert rendered.splitlines()[0] == mark + TABLE.line
        assert rendered.endswith("\n")
    caption = re.search(r"\\caption\{(.*)\}\n", latex(TABLE)).group(1)
    assert escape(TABLE.line) in caption


def test_markdown_says_the_same():
    lines = [line for line in markdown(TABLE).splitlines() if line.startswith("| ")]
    found = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    assert found[0][2:5] == ["Seg mIoU (%) ↑", "printed", "difference"]
    assert found[0][5] == "Dep rmse (m) ↓"
    assert [[cell.replace("**", "") for cell in row] for row in found[1:]] == texts()
    bold = [[cell.startswith("**") for cell in row[1:]] for row in found[1:]]
    assert bold == [[cell.bold for cell in row.cells(TABLE.columns)] for row in TABLE.rows]
    assert sum(map(sum, bold)) >= 3


def test_csv_says_the_same():
    frame = pd.read_csv(io.StringIO(csv(TABLE)), comment="#", dtype=str, keep_default_na=False)
    assert list(frame.columns[:6]) == [
        "method", "steps", "seg.mIoU measured", "seg.mIoU printed", "seg.mIoU difference", "seg.mIoU std",
    ]  # fmt: skip
    for row, (_, line) in zip(TABLE.rows, frame.iterrows(), strict=True):
        fields = line.drop("seg.mIoU std").to_list()
        assert fields == [row.label, *("NA" if cell.missing else cell.text for cell in row.cells(TABLE.columns))]
        assert line["seg.mIoU std"] == row.measured[0].spread
    numbers = pd.read_csv(io.StringIO(csv(TABLE)), comment="#").set_index("method")
    sums = numbers["depth.rmse printed"] + numbers["depth.rmse difference"]
    known = numbers["depth.rmse difference"].notna()
    assert known.sum() == 10
    pd.testing.assert_series_equal(sums[known], numbers["depth.rmse measured"][known], check_names=False)


def plain(field: str) -> str:
    """The text of one LaTeX cell."""
    return field.strip().strip("$").replace(r"\mathbf{", "").rstrip("}").replace(r"\pm", "±").replace("--", "–")


def test_latex_says_the_same():
    body = latex(TABLE).split(r"\midrule", 1)[1].split(r"\bottomrule")[0]
    lines = [line.removesuffix(r" \\") for line in body.splitlines() if line.endswith(r"\\")]
    assert [[plain(field) for field in line.split(" & ")] for line in lines] == texts()
    bold = [[r"\mathbf" in field for field in line.split(" & ")[1:]] for line in lines]
    assert bold == [[cell.bold for cell in row.cells(TABLE.columns)] for row in TABLE.rows]


def test_latex_escapes_every_special_character():
    assert escape(r"50% of a_b & {c} #1 $2 ~^\ <x>") == (
        r"50\% of a\_b \& \{c\} \#1 \$2 \textasciitilde{}\textasciicircum{}\textbackslash{}"
        r" \textless{}x\textgreater{}"
    )
    assert escape("Δm ↑ – ±") == r"$\Delta_m$ $\uparrow$ -- $\pm$"
    assert latex(TABLE).split("\n", 1)[1].isascii()


def test_labels_that_would_break_a_cell_do_not():
    from dataclasses import replace

    row = replace(TABLE.rows[0], label='a|b, "c" & *d*')
    table = replace(TABLE, rows=(row,))
    (line,) = [line for line in markdown(table).splitlines() if "a\\|b" in line]
    assert len(re.split(r"(?<!\\)\|", line)) == len(row.cells(TABLE.columns)) + 3
    frame = pd.read_csv(io.StringIO(csv(table)), comment="#")
    assert frame["method"].to_list() == [row.label]
    assert r'a|b, "c" \& *d*' in latex(table)


def test_latex_compiles(tmp_path):
    if shutil.which("pdflatex") is None:
        pytest.skip("pdflatex is not installed")
    document = "\\documentclass{article}\n\\usepackage{booktabs}\n\\begin{document}\n%s\\end{document}\n"
    (tmp_path / "table.tex").write_text(document % latex(TABLE))
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "table.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:]
