"""Measured time and memory: the stage on a small project, the table and the figure that show what it wrote."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import reporting_inputs as made
import torch
import yaml
from matplotlib.figure import Figure
from small_project import STUDY, copy_code, write_project
from torch import nn

from mtinet import config, files, paths
from mtinet.reporting import canvas, figures, layouts, sources
from mtinet.reporting.tables import MEASURED, Table, build
from mtinet.studies import growth, latency

ROOT = Path(__file__).resolve().parents[1]
SINGLES, NETS = ["hrnet18-single-seg", "hrnet18-single-depth"], ["hrnet18-mtl", "hrnet18-mti"]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("latency")
    copy_code(folder)

    def few(content: Any) -> None:
        content["study"]["latency"] = True
        methods = content["experiments"]["nyud"]
        content["experiments"] = {
            "nyud": {
                method: {name: one for name, one in found.items() if name in SINGLES + NETS}
                for method, found in methods.items()
            }
        }
        for section in ("readings", "controls"):
            content[section] = {}
        for scale in content["scales"].values():
            scale["nyud"]["epochs_of"] = {}

    write_project(folder, change=few)
    declared = folder / "pipeline/growth.yaml"
    content = yaml.safe_load(declared.read_text())
    content["nyud"] |= {"tasks": [1, 2], "scales": [1], "tasks_of_scales": 2}
    content["nyud"]["methods"] = {name: {} for name in ("single_task", "cross_stitch", "mti_net")}
    declared.write_text(yaml.safe_dump(content))
    environment = os.environ | {"PYTHONPATH": str(folder / "src")}
    words = [sys.executable, "stages/latency.py", "--dataset", "nyud"]
    done = subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="module")
def found(project: Path) -> dict[str, Any]:
    return json.loads((project / paths.latency(STUDY, "nyud")).read_text())


def test_every_network_of_the_table_has_its_costs_and_the_file_its_conditions(found):
    assert set(found["experiments"]) == set(SINGLES + NETS)
    for costs in found["experiments"].values():
        assert set(costs) == {"latency_ms", "images_per_s", "step_ms", "peak_mb"}
        assert all(value > 0 for value in costs.values())
        assert costs["peak_mb"] > 100  # libraries included
    conditions = found["conditions"]
    assert conditions["device"].startswith("cpu (")
    assert (conditions["threads"], conditions["batch"], conditions["layout"]) == (1, 4, "channels_last")
    assert (conditions["height"], conditions["width"]) == (32, 32)
    assert {"precision", "training_precision", "statistic", "torch"} <= set(conditions)


def test_growth_has_a_time_per_network_that_is_built(found):
    points = {(one["axis"], one["method"], one["tasks"], one["scales"]) for one in found["growth"]}
    assert points == {
        ("tasks", "single_task", 1, 4), ("tasks", "single_task", 2, 4), ("scales", "single_task", 2, 1),
        ("tasks", "mti_net", 2, 4), ("scales", "mti_net", 2, 1),
    }  # fmt: skip
    assert all(one["time_ms"] > 0 for one in found["growth"])
    assert growth.CROSS_STITCH not in {one["method"] for one in found["growth"]}


def test_the_median_is_of_the_calls_after_the_first_ones(monkeypatch):
    ticks = iter([100.0 if call < latency.WARM_UP else float(call) for call in range(50)])
    clock = [0.0]
    monkeypatch.setattr(latency.time, "perf_counter", lambda: clock[0])

    def call() -> None:
        clock[0] += next(ticks) / 1000

    expected = [float(call) for call in range(latency.WARM_UP, latency.WARM_UP + latency.REPETITIONS)]
    assert latency.median_ms(call, torch.device("cpu")) == pytest.approx(expected[len(expected) // 2])


def test_prediction_is_in_evaluation_mode_and_needs_no_gradient():
    seen = []

    class Net(nn.Module):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            seen.append((self.training, torch.is_grad_enabled(), len(images)))
            return images

    latency.forward_ms(Net(), torch.zeros(3, 3, 4, 4), torch.device("cpu"))
    assert set(seen) == {(False, False, 3)}
    assert len(seen) == latency.WARM_UP + latency.REPETITIONS


# Table and figure --------------------------------------------------------------------------------------------


def costs(latency_ms: float, images: float, step: float, peak: float) -> dict[str, float]:
    return {
        "params_m": 1.0, "flops_g": 1.0, "latency_ms": latency_ms, "images_per_s": images, "step_ms": step,
        "peak_mb": peak,
    }  # fmt: skip


def table7a(resources: dict[str, Any]) -> Table:
    layout = layouts.load_layouts(ROOT / layouts.TABLES)["table7a"]
    published = layouts.load_published(ROOT / layouts.PUBLISHED)
    return build(layout, made.comparison(), made.blind(), published, made.conditions(), resources)


def test_table_7_shows_what_was_measured():
    experiments = dict(zip(SINGLES, (costs(10, 60, 30, 300), costs(20, 30, 50, 500)), strict=True))
    experiments |= {"hrnet18-mtl": costs(15, 40, 40, 400)}
    table = table7a({"convention": "counted", "experiments": experiments, "measured": "with a watch"})
    assert table.columns[-4:] == MEASURED
    assert [cell.text for cell in table.rows[0].measured[-4:]] != [""] * 4
    rows = {row.label: [cell.text for cell in row.measured[-4:]] for row in table.rows}
    # One after the other: times add up, of rates the reciprocals do, memory is that of the larger one.
    assert rows["Single Task"] == ["30.0", "20.0", "80", "500"]
    assert rows["Multi-Task"] == ["-50.0%", "+100.0%", "-50%", "-20%"]
    assert rows["MTI-Net (Ours)"] == ["–"] * 4
    assert "with a watch" in table.notes


def test_table_7_says_how_to_measure_where_nothing_was():
    experiments = {name: {"params_m": 1.0, "flops_g": 1.0} for name in SINGLES}
    table = table7a({"convention": "counted", "experiments": experiments})
    assert not set(MEASURED) & set(table.columns)
    assert [note for note in table.notes if "study.latency" in note]


def test_what_the_stage_wrote_reaches_the_table(project, found, monkeypatch):
    monkeypatch.chdir(project)
    params = config.load()
    counted = {"convention": "counted", "experiments": {name: {"params_m": 1.0, "flops_g": 2.0} for name in NETS}}
    files.write_json(paths.resources(STUDY, "table7a"), counted)
    merged = sources.resources(params, "nyud", layouts.of_name("table7a"))
    assert (
        merged["experiments"]["hrnet18-mti"] == {"params_m": 1.0, "flops_g": 2.0} | found["experiments"]["hrnet18-mti"]
    )
    assert "input 32x32" in merged["measured"]
    assert sources.resources(params, "nyud", layouts.of_name("table2a")) is None


def test_growth_has_a_row_of_times_where_they_were_measured(found, tmp_path, monkeypatch):
    drawn: list[Figure] = []
    monkeypatch.setattr(canvas, "save", lambda figure, path: drawn.append(figure))
    point = {"axis": "tasks", "method": "mti_net", "tasks": 2, "scales": 4, "params": 5, "flops": 6}
    content = {"backbone": "mine", "tasks_of_scales": 2, "conditions": {"height": 64, "width": 96}, "points": [point]}
    figures.growth(content, tmp_path / "growth.png", found)
    figures.growth(content, tmp_path / "growth.png")
    assert [len(figure.axes) for figure in drawn] == [6, 4]
    lines = {line.get_label(): line for line in drawn[0].axes[4].get_lines()}
    (time,) = [one["time_ms"] for one in found["growth"] if one["method"] == "mti_net" and one["axis"] == "tasks"]
    assert [*lines["MTI-Net"].get_ydata()] == [time]
