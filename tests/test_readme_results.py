"""What README.md shows of the committed reports is what they say; else: python -m benchmarks.readme."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image
from small_project import ROOT

from benchmarks import readme
from mtinet.data import nyud

TEXT = (ROOT / "README.md").read_text(encoding="utf-8")
REPORTS = ROOT / "reports" / readme.STUDY
AGAIN = "README.md is behind the reports: write it anew with `python -m benchmarks.readme`"


def block(marks: tuple[str, str]) -> str:
    """What stands between two marks of the README."""
    begin, end = marks
    assert TEXT.count(begin) == TEXT.count(end) == 1
    return TEXT.split(begin)[1].split(end)[0].strip()


def table() -> list[list[str]]:
    """The README's table, without the line below its head."""
    rows = [line for line in block(readme.RESULTS).splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in (rows[0], *rows[2:])]


def test_what_is_written_anew_is_what_stands_there() -> None:
    assert block(readme.RESULTS) == readme.results().strip(), AGAIN
    assert block(readme.CHANGE) == readme.change().strip(), AGAIN


def test_every_number_is_the_comparisons() -> None:
    """Straight from the metrics that the table is made of, by rounding them here."""
    experiments = json.loads((REPORTS / "comparison/table2a.json").read_text())["experiments"]
    layout = yaml.safe_load((ROOT / "pipeline/tables.yaml").read_text())["table2a"]
    head, *rows = table()
    assert head == ["Method", "Seg mIoU (%) ↑", "Dep rmse (m) ↓", "Δm (%) ↑"]
    labels = {row["label"]: row for row in layout["rows"]}
    compared = 0
    for label, seg, depth, gain in rows:
        if label not in labels:
            assert label in ("Best constant", "Per-position prior")
            continue
        runs = labels[label].get("runs") or dict.fromkeys(("seg", "depth"), labels[label]["run"])
        found = experiments[runs["seg"]], experiments[runs["depth"]]
        expected = [
            (seg, 100 * found[0]["metrics"]["seg"]["mIoU"], 2), (depth, found[1]["metrics"]["depth"]["rmse"], 3),
            (gain, found[0]["delta_m"], 2),
        ]  # fmt: skip
        for cell, number, digits in expected:
            shown = re.findall(r"-?\d+\.\d+", cell)
            assert shown[0] == f"{number:.{digits}f}", AGAIN
            compared += 1
    assert compared == 3 * 11


def test_the_blind_rows_are_the_blind_predictors() -> None:
    blind = json.loads((REPORTS / "blind/nyud.json").read_text())
    numbers = {f"{100 * value:.2f}" for value in leaves(blind, "mIoU")} | {f"{x:.3f}" for x in leaves(blind, "rmse")}
    rows = [row for row in table() if row[0] in ("Best constant", "Per-position prior")]
    assert len(rows) == 2
    for _, seg, depth, gain in rows:
        assert {seg, depth} <= numbers, AGAIN
        assert gain == ""


def leaves(content: object, name: str) -> list[float]:
    """All numbers under a key, however deep."""
    if not isinstance(content, dict):
        return []
    own = [content[name]] if isinstance(content.get(name), int | float) else []
    return own + [value for part in content.values() for value in leaves(part, name)]


def test_the_figure_is_drawn_from_the_committed_affinities(tmp_path: Path) -> None:
    assert f"({readme.FIGURE.relative_to(ROOT)})" in TEXT
    readme.draw(tmp_path / "again.png")
    with Image.open(readme.FIGURE) as committed, Image.open(tmp_path / "again.png") as again:
        assert np.array_equal(np.asarray(committed), np.asarray(again)), AGAIN


def test_numbers_in_sentences() -> None:
    """Of runs, as they are declared; of pictures, as the archive has them."""
    declared = yaml.safe_load((ROOT / "params.yaml").read_text())["experiments"]
    counts = {dataset: sum(map(len, methods.values())) for dataset, methods in declared.items()}
    text = " ".join(TEXT.split())
    assert f"The {sum(counts.values())} runs behind the paper's tables are declared" in text
    assert f"trains {sum(counts.values())} runs" in text
    assert f"all {counts['nyud']} runs on NYUD-v2" in text
    assert f"({nyud.ARCHIVE.counts['train']} training and {nyud.ARCHIVE.counts['val']} test images)" in text
    scale = yaml.safe_load((ROOT / "params.yaml").read_text())["scales"]["paper"]["nyud"]
    assert f"trains {scale['epochs']} epochs at {scale['input']['height']}x{scale['input']['width']} from" in text
    assert scale["pretrained"] == "hub"


@pytest.mark.parametrize("path", sorted(REPORTS.glob("tables/table*.md")), ids=lambda path: path.stem)
def test_tables_begin_with_their_conditions(path: Path) -> None:
    first, _, title, *rest = path.read_text(encoding="utf-8").splitlines()
    assert first.startswith("Source: ")
    assert "comparable with the paper's numbers" in first
    assert title.startswith("## Table ")
    labels = [line.split("|")[1].strip() for line in rest if line.startswith("| ")]
    if not path.stem.startswith("table7"):  # what networks cost; all others are of scores
        assert labels[1:3] == ["Best constant", "Per-position prior"]


def test_the_licence_is_one() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    (holder,) = [author["name"] for author in project["authors"]]
    licence = (ROOT / "LICENSE").read_text()
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert project["license"] == citation["license"] == "MIT"
    assert licence.startswith("MIT License\n")
    assert holder in licence
    assert [author["name"] for author in citation["authors"]] == [holder]
    assert citation["version"] == project["version"]
    assert "The licence is MIT ([LICENSE](LICENSE))" in TEXT


def test_the_paper_is_cited_alike() -> None:
    """In the README's BibTeX and in CITATION.cff."""
    paper = yaml.safe_load((ROOT / "CITATION.cff").read_text())["preferred-citation"]
    names = " and ".join(f"{author['family-names']}, {author['given-names']}" for author in paper["authors"])
    for field, value in {
        "title": paper["title"], "author": names, "booktitle": paper["collection-title"], "year": paper["year"],
    }.items():  # fmt: skip
        assert re.search(rf"^  {field} += {re.escape('{' + str(value) + '}')},?$", TEXT, re.M), field
