"""Table 1 and the audit: the paper's delta_m by hand, and what is known of its tables; text tables read back."""

from __future__ import annotations

import csv as csv_module
import itertools
import re
import shutil
import subprocess

import numpy as np
import pytest
import reporting_inputs as made
import yaml

from mtinet import config
from mtinet.evaluation.comparison import distilled
from mtinet.reporting import layouts, plain
from mtinet.reporting.audit import Finding, audit, audit_table
from mtinet.reporting.labels import labels_table

PARAMS = config.load(made.ROOT / "params.yaml")
PUBLISHED = yaml.safe_load((made.ROOT / "pipeline/published.yaml").read_text())
LAYOUTS = layouts.load_layouts(made.ROOT / layouts.TABLES)
FINDINGS = audit(LAYOUTS.values(), PUBLISHED, PARAMS)


def of(table: str) -> dict[str, Finding]:
    return {item.row: item for item in FINDINGS if item.table == table}


def with_archive(teachers: dict | None) -> config.Params:
    """The study with PASCAL's archive; `teachers`: what is changed of their declarations, None: there are none."""
    content = yaml.safe_load((made.ROOT / "params.yaml").read_text())
    content["study"]["source"]["pascal"] = "archive"
    if teachers is None:
        del content["teachers"]
    for task, changes in (teachers or {}).items():
        content["teachers"]["pascal"][task] |= changes
    return config.Params.model_validate(content)


@pytest.mark.parametrize("teachers", [{}, {"sal": {"kind": "archive"}}, None])
def test_what_the_archive_ships_as_predictions_is_starred_and_named(teachers):
    params = with_archive(teachers)
    table = labels_table(params, "pascal", PUBLISHED)
    assert dict(zip(table.header, table.rows[0], strict=True)) == {
        "Dataset": "PASCAL, this study", "Seg": "yes", "Dep": "", "Norm": "yes*", "Parts": "yes", "Sal": "yes*",
        "Edge": "yes",
    }  # fmt: skip
    for label in ("Norm", "Sal"):
        named = "labels are predictions; teacher: the archive's own labels, distilled by its makers."
        assert f"* {label}: {named}" in table.notes
    assert distilled(params, "pascal") == {"normals": "archive", "sal": "archive"}


def test_a_teacher_that_labels_the_archive_anew_is_named():
    params = with_archive({"normals": {"kind": "trained"}})
    notes = labels_table(params, "pascal", PUBLISHED).notes
    assert "* Norm: labels are predictions; teacher: a fpn/resnet18 network trained here on nyud." in notes
    assert any(note.startswith("* Sal: ") and "the archive's own labels" in note for note in notes)


@pytest.mark.parametrize("table", ["Table 2a", "Table 3", "Table 5", "Table 5, Δm w.r.t. ST R50-FPN", "Table S3a"])
def test_tables_that_agree_are_reproduced_within_the_rounding(table):
    verdicts = {item.verdict.partition(":")[0] for item in of(table).values()}
    assert verdicts <= {"agrees", "not checkable"}
    assert "agrees" in verdicts


def test_rows_that_do_not_follow_from_their_metrics_are_flagged():
    outside = {(item.table, item.row) for item in FINDINGS if item.verdict == "OUTSIDE"}
    tables_2b = {row for row in PUBLISHED["table2b_pascal_hrnet18"] if row not in ("columns", "Single task", "MTL (a)")}
    assert outside == {
        *(("Table 2b", row) for row in tables_2b),
        *(("Table S1", row) for row in ("MTL (a)", "Ours (s)(E)", "Ours (s)(N)", "Ours (s)(E+N)", "Ours (a)")),
        ("Table 4", "Front-end @ 1/16 scale"),
    }
    assert of("Table 2b")["MTL (s)"].value == pytest.approx(-4.52, abs=0.005)
    assert of("Table 4")["Front-end @ 1/16 scale"].value == pytest.approx(0.28, abs=0.005)
    assert of("Table S1")["Ours (s)(E)"].value == pytest.approx(3.73, abs=0.005)


def test_ends_are_those_of_all_corners_of_the_rounding():
    row, base = PUBLISHED["tableS3a_nyud_r18_fpn"]["Ours (N+E)"], PUBLISHED["tableS3a_nyud_r18_fpn"]["Single task"]
    half = np.array([0.005, 0.0005])
    values = []
    for signs in itertools.product((-1, 1), repeat=4):
        own, single = np.array(row[:2]) + half * signs[:2], np.array(base[:2]) + half * signs[2:]
        values.append(100 * np.mean([1, -1] * (own - single) / single))
    found = of("Table S3a")["Ours (N+E)"]
    assert (found.low, found.high) == pytest.approx((min(values), max(values)), rel=1e-12)


def test_a_value_that_is_not_legible_is_the_one_that_its_delta_m_implies():
    found = of("Table 2b")["MTL (a)"]
    assert found.value is None
    parts = float(re.fullmatch(r"not checkable: parts not legible, implied ([\d.]+)", found.verdict)[1])
    table = PUBLISHED["table2b_pascal_hrnet18"]
    own, single = np.array(table["MTL (a)"][:5], float), np.array(table["Single task"][:5])
    own[1] = parts
    assert 100 * np.mean([1, 1, 1, 1, -1] * (own - single) / single) == pytest.approx(found.printed, abs=0.01)
    assert of("Table 3")["1/4, 1/8, 1/16"].verdict == "not checkable: seg, depth not legible"


def test_every_printed_delta_m_of_a_method_is_audited_once():
    expected = 0
    for layout in LAYOUTS.values():
        if layout.published is None:
            continue
        table = PUBLISHED[layout.published]
        indices = [index for index, name in enumerate(table["columns"]) if name.startswith("delta_m")]
        if any(column.task for column in layout.columns):
            labels = [row.label for row in layout.rows if row.single]
            expected += sum(table[label][index] is not None for label in labels for index in indices)
    assert len(FINDINGS) == expected > 50


def test_table_1_is_the_papers_and_names_every_teacher():
    nyud, pascal = (labels_table(PARAMS, dataset, PUBLISHED) for dataset in ("nyud", "pascal"))
    here, printed = (dict(zip(pascal.header[1:], row[1:], strict=True)) for row in pascal.rows)
    assert here == printed == {"Seg": "yes", "Dep": "", "Norm": "yes*", "Parts": "yes", "Sal": "yes*", "Edge": "yes"}
    assert nyud.rows[0][1:] == ("yes", "yes", "(yes)", "", "", "(yes)")
    assert sum("fpn/resnet18 network trained here" in note for note in pascal.notes) == 2
    assert not any("teacher" in note for note in nyud.notes)


TABLES = [audit_table("pascal", FINDINGS), labels_table(PARAMS, "pascal", PUBLISHED)]


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_text_tables_say_the_same_in_every_format(table):
    rows = [list(row) for row in (table.header, *table.rows)]
    lines = [line for line in plain.csv(table).splitlines() if not line.startswith("#")]
    assert list(csv_module.reader(lines)) == rows
    cells = [line.strip("|").split("|") for line in plain.markdown(table).splitlines() if line.startswith("| ")]
    assert [[cell.strip().replace("\\*", "*") for cell in row] for row in cells] == rows
    body = plain.latex(table).split(r"\toprule")[1].split(r"\bottomrule")[0]
    found = [line.removesuffix(r" \\").split(" & ") for line in body.splitlines() if line.endswith(r"\\")]
    assert [[unescaped(cell) for cell in row] for row in found] == rows


def unescaped(text: str) -> str:
    return text.replace(r"$\Delta_m$", "Δm").replace("--", "–")


def test_latex_of_text_tables_compiles(tmp_path):
    if shutil.which("pdflatex") is None:
        pytest.skip("pdflatex is not installed")
    document = "\\documentclass{article}\n\\usepackage{booktabs}\n\\begin{document}\n%s\\end{document}\n"
    (tmp_path / "tables.tex").write_text(document % "".join(map(plain.latex, TABLES)))
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "tables.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:]
