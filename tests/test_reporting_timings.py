"""The page with what differs from one time to the next: every run, its own numbers, and links into MLflow."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from test_reporting_page import read

from mtinet import paths
from mtinet.reporting.timings import address, duration, place, render

RUNS = [("hrnet18-mti", 0), ("hrnet18-mti", 1), ("<b>", 0)]


def note(experiment: str, seed: int, seconds: float) -> None:
    path = paths.timing("scenes-smoke", "nyud", experiment, seed)
    path.parent.mkdir(parents=True)
    content = {"wall_s": seconds, "peak_memory_mb": 812, "host": "<i>here", "commit": "c" * 40, "mlflow_run": None}
    path.write_text(json.dumps(content))


def test_every_run_has_a_row_with_what_is_known_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    note("hrnet18-mti", 0, 64.6)
    note("<b>", 0, 3600.2)
    page = render("scenes-smoke", "nyud", RUNS, {("hrnet18-mti", 1): "http://127.0.0.1:5000/#/experiments/1/runs/abc"})
    reader = read(page)
    ((_, *rows, last),) = reader.tables
    assert rows == [
        ["hrnet18-mti", "0", "1:05", "812", "<i>here", "c" * 12, "–"],
        ["hrnet18-mti", "1", "– trained elsewhere", "curves"],
        ["<b>", "0", "1:00:00", "812", "<i>here", "c" * 12, "–"],
    ]
    assert last[2] == "1:01:05"
    assert [address for address in reader.addresses if "#" in address] == [
        "http://127.0.0.1:5000/#/experiments/1/runs/abc"
    ]
    back = place("scenes-smoke", "nyud").parent / reader.addresses[0]
    assert back.resolve() == paths.page("scenes-smoke", "nyud").resolve()


@pytest.mark.parametrize(("seconds", "text"), [(0, "0:00"), (59.6, "1:00"), (3599.4, "59:59"), (7385, "2:03:05")])
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("store", "pages"),
    [
        ("http://tracking:5000/", "http://tracking:5000"),
        ("https://tracking", "https://tracking"),
        ("sqlite:////srv/mlflow.db", "http://127.0.0.1:5000"),
    ],
)
def test_where_mlflow_shows_a_run(store: str, pages: str) -> None:
    assert address(store, "7", "abc") == f"{pages}/#/experiments/7/runs/abc"
