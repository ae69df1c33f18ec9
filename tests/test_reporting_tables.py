"""Tables: every cell against an independent recomputation, gaps, bold cells, and one line per mistake."""

from __future__ import annotations

import subprocess
import sys
from decimal import ROUND_HALF_EVEN, Decimal
from pathlib import Path

import pytest
import reporting_inputs as made
import yaml

from mtinet.errors import UserError
from mtinet.reporting import layouts
from mtinet.reporting.tables import build

PRINTED = yaml.safe_load((made.ROOT / "pipeline/published.yaml").read_text())["table2a_nyud_hrnet18"]


def rounded(value: float | str, digits: int) -> Decimal:
    """Rounded in decimal arithmetic."""
    return Decimal(value).quantize(Decimal(1).scaleb(-digits), ROUND_HALF_EVEN)


def expected(content: dict) -> dict[str, list[tuple[Decimal, Decimal]]]:
    """(measured, printed) of every row of Table 2a and its three columns."""
    found = content["experiments"]
    rows = {}
    for label in ["Single task", *made.ROWS]:
        seg, depth = (found[made.ROWS.get(label, made.SINGLE[task])]["metrics"] for task in ("seg", "depth"))
        gain = found[made.ROWS[label]]["delta_m"] if label in made.ROWS else 0.0
        measured = (
            rounded(100 * seg["seg"]["mIoU"], 2), rounded(depth["depth"]["rmse"], 3), rounded(gain, 2)
        )  # fmt: skip
        printed = (rounded(value, digits) for value, digits in zip(PRINTED[label], (2, 3, 2), strict=True))
        rows[label] = list(zip(measured, printed, strict=True))
    return rows


@pytest.mark.parametrize("seed", range(5))
def test_every_cell(seed):
    content = made.comparison(seed)
    table, reference = made.table2a(content), expected(content)
    assert [row.label for row in table.rows] == ["Best constant", "Per-position prior", *reference]
    for row in table.rows[2:]:
        for index, (measured, printed) in enumerate(reference[row.label]):
            assert Decimal(row.measured[index].text) == measured
            assert Decimal(row.printed[index].text) == printed
            assert Decimal(row.difference[index].text) == measured - printed
            assert row.difference[index].text[0] in "+-"
        assert row.steps.text == "125"


def test_published_numbers_are_all_of_the_papers_rows_in_order():
    layout = layouts.load_layouts(made.ROOT / layouts.TABLES)["table2a"]
    assert [row.label for row in layout.rows] == [key for key in PRINTED if key != "columns"]


def test_published_numbers_are_the_shared_ones():
    shared = made.ROOT.parent / "shared/paper/published.yaml"
    if not shared.exists():
        pytest.skip("the paper's numbers are not beside this checkout")
    assert shared.read_bytes() == (made.ROOT / "pipeline/published.yaml").read_bytes()


def test_experiments_of_every_table_are_declared():
    params = yaml.safe_load((made.ROOT / "params.yaml").read_text())
    for layout in layouts.load_layouts(made.ROOT / layouts.TABLES).values():
        declared = {name for group in params["experiments"][layout.dataset].values() for name in group}
        assert set(layout.experiments) <= declared


def test_blind_rows_come_first_with_no_steps_and_are_never_bold():
    blind = made.blind()
    blind["position"]["seg"]["mIoU"] = 0.99
    table = made.table2a(blind=blind)
    rows = table.rows
    assert [[cell.text for cell in row.measured] for row in rows[:2]] == [
        ["1.23", "1.234", ""], ["99.00", "1.111", ""],
    ]  # fmt: skip
    assert [row.steps.text for row in rows[:2]] == ["0", "0"]
    assert not any(cell.bold for row in rows[:2] for cell in row.cells(table.columns))


def test_bold_is_the_best_measured_value_in_the_metrics_direction():
    content = made.comparison()
    found = content["experiments"]
    best = [
        max(found[name]["metrics"]["seg"]["mIoU"] for name in [made.SINGLE["seg"], *made.ROWS.values()]),
        min(found[name]["metrics"]["depth"]["rmse"] for name in [made.SINGLE["depth"], *made.ROWS.values()]),
        max(0.0, *(found[name]["delta_m"] for name in made.ROWS.values())),
    ]
    rows = made.table2a(content).rows
    for index, (value, scale) in enumerate(zip(best, (100, 1, 1), strict=True)):
        bold = [row.measured[index] for row in rows if row.measured[index].bold]
        assert [cell.value for cell in bold] == [pytest.approx(value * scale)]
        assert not any(row.printed[index].bold or row.difference[index].bold for row in rows)


def test_equal_as_shown_are_both_bold():
    content = made.comparison()
    for name, value in (("hrnet18-mti", 0.90001), ("hrnet18-mti-n", 0.90002)):
        content["experiments"][name]["metrics"]["seg"]["mIoU"] = value
    bold = [row.label for row in made.table2a(content).rows if row.measured[0].bold]
    assert bold == ["Ours (w/ FPM)", "Ours (w/ FPM) (N)"]


@pytest.mark.parametrize("absent", ["undeclared", "no run"])
def test_a_missing_run_is_a_gap_with_a_note(absent):
    content = made.comparison()
    if absent == "undeclared":
        del content["experiments"]["hrnet18-mti-n"]
    else:
        content["experiments"]["hrnet18-mti-n"] = made.missing()
    table = made.table2a(content)
    row = next(row for row in table.rows if row.label == "Ours (w/ FPM) (N)")
    assert [cell.text for cell in row.measured] == ["–"] * 3
    assert [cell.text for cell in row.difference] == ["–"] * 3
    assert [cell.text for cell in row.printed] == ["36.22", "0.600", "9.57"]
    assert row.steps.missing
    assert "– missing, no metrics of: hrnet18-mti-n." in table.notes
    assert len(table.rows) == 13


def test_a_missing_single_task_run_leaves_the_other_task_and_takes_delta_m():
    content = made.comparison()
    content["experiments"][made.SINGLE["depth"]] = made.missing()
    row = made.table2a(content).rows[2]
    assert [cell.missing for cell in row.measured] == [False, True, True]
    assert row.steps.text == "125 / –"


def test_missing_blind_metrics_are_gaps():
    table = made.table2a(blind={"constant": made.blind()["constant"]})
    assert [cell.text for cell in table.rows[1].measured] == ["–", "–", ""]
    assert any("sees no image" in note and "missing" in note for note in table.notes)


def test_several_seeds_show_their_spread_and_the_seeds_that_lack():
    content = made.comparison()
    found = content["experiments"]["hrnet18-mtl"]
    found |= {"seeds": [0, 1], "missing_seeds": [2], "delta_m_std": 1.239}
    found["std"] = {"seg": {"mIoU": 0.0123}, "depth": {"rmse": 0.0456}}
    table = made.table2a(content)
    row = next(row for row in table.rows if row.label == "MTL")
    assert [cell.spread for cell in row.measured] == ["1.23", "0.046", "1.24"]
    assert row.measured[0].full == f"{row.measured[0].text} ± 1.23"
    assert "hrnet18-mtl: seeds 2 are missing from its mean." in table.notes


def test_negative_zero_has_no_sign():
    content = made.comparison()
    content["experiments"]["hrnet18-mtl"]["delta_m"] = -0.0001
    row = next(row for row in made.table2a(content).rows if row.label == "MTL")
    assert row.measured[2].text == "0.00"


def test_another_study_or_dataset_is_refused():
    for key, value in (("study", "archive-paper"), ("dataset", "pascal")):
        with pytest.raises(UserError, match=value):
            made.table2a(made.comparison() | {key: value})


def test_delta_m_against_other_single_task_runs_is_refused():
    content = made.comparison()
    content["experiments"]["hrnet18-mti"]["baseline"] = {
        "seg": "r18-single-seg",
        "depth": made.SINGLE["depth"],
    }
    with pytest.raises(UserError, match="'hrnet18-mti' has its delta_m relative to 'r18-single-seg' for seg"):
        made.table2a(content)


S2A = """
tableS2a:
  title: Depth in more metrics
  dataset: nyud
  published: tableS2a_nyud_hrnet18_depth
  columns:
    - depth.rmse
    - {metric: depth.rel, label: rel, better: lower, unit: "", scale: 1.0, digits: 3}
    - {metric: depth.delta_1, label: δ1, better: higher, unit: "", scale: 1.0, digits: 3}
  rows:
    - {label: Single task, runs: {depth: hrnet18-single-depth}}
    - {label: MTL, run: hrnet18-mtl}
"""
S6B = """
table6b:
  title: Segmentation beside other work
  dataset: nyud
  published: table6b_sota_nyud_seg
  columns: [{metric: seg, published: iou}]
  rows:
    - {label: FCN}
    - {label: Ours - HRNet48-V2, run: hrnet18-mti}
"""


def build_from(text: str, folder: Path, content: dict | None = None):
    path = folder / "tables.yaml"
    path.write_text(text)
    (layout,) = layouts.load_layouts(path).values()
    published = layouts.load_published(made.ROOT / layouts.PUBLISHED)
    return build(layout, content or made.comparison(), made.blind(), published, made.conditions())


def test_another_table_is_one_entry(tmp_path):
    content = made.comparison()
    table = build_from(S2A, tmp_path, content)
    metrics = content["experiments"]["hrnet18-mtl"]["metrics"]["depth"]
    row = table.rows[3]
    assert [cell.text for cell in row.printed] == ["0.668", "0.193", "0.717"]
    names = ("rmse", "rel", "delta_1")
    assert [cell.text for cell in row.measured] == [str(rounded(metrics[name], 3)) for name in names]
    assert [column.arrow for column in table.columns] == ["↓", "↓", "↑"]


def test_quoted_rows_have_no_measured_cell(tmp_path):
    table = build_from(S6B, tmp_path)
    assert [cell.text for cell in table.rows[2].cells(table.columns)] == ["", "", "29.20", ""]
    assert not table.rows[2].measured[0].missing
    assert table.rows[3].measured[0].bold


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("- depth.rmse", "- dpeth.rmse", "unknown task 'dpeth'"),
        ("- depth.rmse", "- depth.a1", "'depth.a1' is no task's main metric"),
        ("label: MTL", "label: MTL2", "no row of tableS2a_nyud_hrnet18_depth called 'MTL2'"),
        ("published: tableS2a_nyud_hrnet18_depth", "published: tableS9", "no table called 'tableS9'"),
        ("- depth.rmse", "- depth", "no column 'depth'"),
        ("rows:", "lines: []\n  rows:", "tableS2a.lines"),
        ("run: hrnet18-mtl", "run: a, runs: {seg: b}", "both 'run' and 'runs'"),
    ],
)
def test_mistakes_in_a_layout_are_one_line(old, new, message, tmp_path):
    with pytest.raises(UserError, match=message) as caught:
        build_from(S2A.replace(old, new), tmp_path)
    assert "\n" not in str(caught.value)


def test_printed_values_that_are_not_legible_are_gaps(tmp_path):
    text = S6B.replace("table6b_sota_nyud_seg", "table3_scales_nyud_hrnet18").replace(
        "published: iou", "published: seg"
    )
    text = text.replace("label: FCN", 'label: "1/4, 1/8, 1/16"').replace("Ours - HRNet48-V2", "ST")
    table = build_from(text, tmp_path)
    assert table.rows[2].printed[0].missing
    assert any("not legible" in note for note in table.notes)


@pytest.mark.parametrize(
    ("changes", "comparable"),
    [
        ({"source": "archive", "scale": "paper", "pretrained": ("hub",)}, True),
        ({"source": "archive", "scale": "paper", "pretrained": ("hub", "/somewhere/hrnet.pth#sha256=0")}, True),
        ({"source": "scenes", "scale": "paper", "pretrained": ("hub",)}, False),
        ({"source": "archive", "scale": "laptop", "pretrained": ("hub",)}, False),
        ({"source": "archive", "scale": "paper", "pretrained": ("none",)}, False),
    ],
)
def test_comparable_only_under_the_papers_conditions(changes, comparable):
    found = made.conditions(**changes)
    assert found.comparable is comparable
    assert ("NOT comparable" in found.line()) is not comparable
    assert "/somewhere" not in found.line()
    assert "\n" not in found.line()


def test_conditions_are_read_off_parameters_and_manifests():
    from mtinet import config
    from mtinet.reporting.conditions import Conditions

    params = config.load(made.ROOT / "params.yaml")
    one, other = made.manifest("a", threads=2), made.manifest("b", threads=4, device="cuda")
    line = Conditions.of(params, "nyud", ["hrnet18-mtl"], [one, other]).line()
    for part in (f"scale: {params.study.scale} ", "device: cpu and cuda (2 and 4 threads, AVX2, float32)"):
        assert part in line
    assert "as asked for" in Conditions.of(params, "nyud", ["hrnet18-mtl"], []).line()


def test_reporting_imports_no_torch():
    names = ("tables", "formats", "figures", "page", "layouts", "conditions")
    code = "import sys; " + "".join(f"import mtinet.reporting.{name}; " for name in names)
    code += "sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
