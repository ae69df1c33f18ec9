"""Equation 2 by hand and on the rows of the paper's tables; the metrics' own promises."""

from __future__ import annotations

import doctest
import subprocess
import sys
from importlib import import_module
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import yaml

from mtinet import metrics
from mtinet.errors import UserError
from mtinet.metrics.delta_m import delta_m
from mtinet.tasks import registry

PUBLISHED = Path(__file__).resolve().parents[1].parent / "shared" / "paper" / "published.yaml"
DIGITS = {"seg": 0.01, "depth": 0.001}  # the last printed digit of a metric
MODULES = ("segmentation", "depth", "normals", "edge_loss", "edge_detection", "edges.aggregation", "edges.counting",
           "delta_m")  # fmt: skip
SETTINGS = {"edges": {"max_dist": 0.0075, "protocol": "released", "flavour": "seism"}}


def test_by_hand() -> None:
    # seg: (44 - 40) / 40 = +10 %; depth: -(0.55 - 0.5) / 0.5 = -10 %; normals: -(12 - 16) / 16 = +25 %.
    baseline = {"seg": 40.0, "depth": 0.5, "normals": 16.0}
    assert delta_m({"seg": 44.0}, baseline) == pytest.approx(10)
    assert delta_m({"depth": 0.55}, baseline) == pytest.approx(-10)
    assert delta_m({"seg": 44.0, "depth": 0.55}, baseline) == pytest.approx(0, abs=1e-12)
    assert delta_m({"seg": 44.0, "depth": 0.55, "normals": 12.0}, baseline) == pytest.approx(25 / 3)
    assert delta_m(baseline, baseline) == 0


def test_unit_of_the_metric_makes_no_difference() -> None:
    percent = delta_m({"seg": 35.12, "depth": 0.62}, {"seg": 33.18, "depth": 0.667})
    fraction = delta_m({"seg": 0.3512, "depth": 620.0}, {"seg": 0.3318, "depth": 667.0})
    assert fraction == pytest.approx(percent, rel=1e-12)


@pytest.mark.parametrize(
    ("values", "baseline"),
    [
        ({"seg": None}, {"seg": 0.3}),
        ({"seg": 0.3}, {"seg": None}),
        ({"seg": 0.3, "depth": 0.5}, {"seg": 0.3}),
        ({"seg": float("nan")}, {"seg": 0.3}),
        ({"seg": 0.3}, {"seg": float("nan")}),
        ({"seg": 0.3}, {"seg": 0.0}),
        ({}, {"seg": 0.3}),
    ],
)
def test_missing_value_gives_none(values: dict[str, float | None], baseline: dict[str, float | None]) -> None:
    assert delta_m(values, baseline) is None


def test_unknown_task_is_an_error() -> None:
    with pytest.raises(UserError, match="unknown task 'dept'"):
        delta_m({"dept": 1.0}, {"dept": 1.0})


def corners(row: list[float], single: list[float]) -> tuple[float, float]:
    """Least and greatest delta_m that metrics rounding to the printed ones can have.

    Equation 2 is monotone in every metric and baseline, so the extremes lie at corners of the box."""
    halves = [step / 2 for step in DIGITS.values()] * 2
    values = [
        delta_m(
            dict(zip(DIGITS, point[:2], strict=True)),
            dict(zip(DIGITS, point[2:], strict=True)),
        )
        for point in product(*((x - half, x + half) for x, half in zip([*row, *single], halves, strict=True)))
    ]
    return min(values), max(values)


def consistent(row: list[float], single: list[float], printed: float) -> bool:
    """Whether some metrics and a delta_m, each rounding to its printed value, fulfil equation 2."""
    low, high = corners(row, single)
    return low - 0.005 <= printed <= high + 0.005


def published(table: str) -> dict[str, list[float]]:
    if not PUBLISHED.exists():
        pytest.skip(f"the paper's numbers are not beside the repository ({PUBLISHED.parent.name} absent)")
    rows = yaml.safe_load(PUBLISHED.read_text())[table]
    return {name: row for name, row in rows.items() if name != "columns" and None not in row}


@pytest.mark.parametrize(
    ("table", "single"),
    [
        ("table2a_nyud_hrnet18", "Single task"),
        ("table3_scales_nyud_hrnet18", "ST"),
        ("tableS3a_nyud_r18_fpn", "Single task"),
    ],
)
def test_published_rows_lie_within_the_rounding_of_their_digits(table: str, single: str) -> None:
    rows = published(table)
    assert len(rows) >= 4
    for name, (*row, printed) in rows.items():
        assert consistent(row, rows[single][:2], printed), name


def test_a_row_whose_printed_delta_m_does_not_follow_is_found() -> None:
    rows = published("table4_information_flow_nyud_hrnet18")
    base = published("table2a_nyud_hrnet18")["Single task"][:2]
    fits = {name: consistent(row, base, printed) for name, (*row, printed) in rows.items()}
    assert [name for name, fit in fits.items() if not fit] == ["Front-end @ 1/16 scale"]


@pytest.mark.parametrize("name", MODULES)
def test_examples_in_the_docstrings(name: str) -> None:
    result = doctest.testmod(import_module(f"mtinet.metrics.{name}"))
    assert result.attempted > 0
    assert result.failed == 0


def test_metrics_import_no_torch() -> None:
    modules = ", ".join(f"mtinet.metrics.{name}" for name in MODULES)
    code = f"import sys, {modules}, mtinet.evaluation.comparison; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_every_task_of_the_registry_has_its_metric() -> None:
    labels = {"seg": np.zeros((2, 2), np.uint8), "normals": np.ones((2, 2, 3))}
    for name, task in registry().items():
        label = labels.get(name, np.ones((2, 2)))
        statistics = metrics.per_image(name, label, label, classes=3, settings=SETTINGS)
        assert statistics.dtype == np.float64
        assert task.metric in metrics.summarize(name, statistics[None], SETTINGS)
