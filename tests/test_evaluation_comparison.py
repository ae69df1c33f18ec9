"""The comparison of all experiments: hand-computed means and delta_m, and what is missing is said."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from mtinet.config import Params
from mtinet.errors import UserError
from mtinet.evaluation.comparison import compare

CONTENT = yaml.safe_load((Path(__file__).resolve().parents[1] / "params.yaml").read_text())
for scale in CONTENT["scales"].values():  # the backbones below are made up
    for entry in scale.values():
        entry["epochs_of"] = {}
DECLARED = {"optimizer": "adam", "lr": 1e-4, "weight_decay": 0.0, "options": {}}


def experiment(tasks: list[str], auxiliary: tuple[str, ...] = (), backbone: str = "timm/a") -> dict[str, Any]:
    return {"backbone": backbone, "tasks": tasks, "auxiliary": [*auxiliary], **DECLARED}


EXPERIMENTS = {
    "single_task": {
        "seg-a": experiment(["seg"]),
        "depth-a": experiment(["depth"]),
        "seg-b": experiment(["seg"], backbone="timm/b"),
    },
    "multi_task": {
        "mtl-a": experiment(["seg", "depth"]),
        "mtl-b": experiment(["seg", "depth"], backbone="timm/b"),
    },
    "mti_net": {"mti-a": experiment(["seg", "depth"], ("normals",))},
}
# The paper's figures, by experiment and seed.
FIGURES = {
    ("seg-a", 0): (0.38, None), ("seg-a", 1): (0.42, None),
    ("depth-a", 0): (None, 0.5), ("depth-a", 1): (None, 0.5),
    ("seg-b", 0): (0.5, None), ("seg-b", 1): (0.5, None),
    ("mtl-a", 0): (0.40, 0.55), ("mtl-a", 1): (0.36, 0.55),
    ("mtl-b", 0): (0.40, 0.55), ("mtl-b", 1): (0.40, 0.55),
    ("mti-a", 0): (0.44, 0.4),
}  # fmt: skip


def params(seeds: list[int]) -> Params:
    return Params.model_validate({**CONTENT, "seeds": seeds, "experiments": {"nyud": EXPERIMENTS}})


def metrics_file(name: str, seed: int) -> dict[str, Any] | None:
    if (name, seed) not in FIGURES:
        return None
    seg, depth = FIGURES[name, seed]
    tasks = {"seg": {"mIoU": seg, "pixel_acc": 0.6}, "depth": {"rmse": depth, "rel": 0.2}}
    tasks = {task: found for task, found in tasks.items() if None not in found.values()}
    auxiliary = {"normals": {"mean_angle": 20.0}} if name == "mti-a" else {}
    return {
        "dataset": "nyud", "experiment": name, "seed": seed, "steps": 125, "epochs": 5, "tasks": tasks,
        "auxiliary": auxiliary, "initial": {"seg@4": {"mIoU": 0.1 + seed}} if name == "mti-a" else {},
    }  # fmt: skip


def compared(given: Params, read: Any) -> dict[str, Any]:
    """All declared experiments side by side."""
    return compare(given, "nyud", [name for name, _ in given.runs("nyud")], read)


@pytest.fixture
def result() -> dict[str, Any]:
    return compared(params([0, 1]), metrics_file)


def test_means_and_deviations_over_seeds(result: dict[str, Any]) -> None:
    row = result["experiments"]["mtl-a"]
    assert row["metrics"]["seg"] == pytest.approx({"mIoU": 0.38, "pixel_acc": 0.6})
    assert row["metrics"]["depth"] == pytest.approx({"rmse": 0.55, "rel": 0.2})
    assert row["std"]["seg"]["mIoU"] == pytest.approx(0.04 / 2**0.5)
    assert row["std"]["depth"]["rmse"] == pytest.approx(0, abs=1e-12)
    assert (row["seeds"], row["missing_seeds"], row["steps"], row["epochs"]) == ([0, 1], [], 125, 5)


def test_metrics_against_exact_labels_are_passed_on_and_absent_without_such(result: dict[str, Any]) -> None:
    def read(name: str, seed: int) -> dict[str, Any] | None:
        found = metrics_file(name, seed)
        if name == "mtl-a" and found is not None:
            found["exact"] = {"normals": {"mean_angle": 20.0 + seed}}
        return found

    rows = compared(params([0, 1]), read)["experiments"]
    assert rows["mtl-a"]["exact"] == {"normals": {"mean_angle": 20.5}}
    assert {**rows, "mtl-a": {key: value for key, value in rows["mtl-a"].items() if key != "exact"}} == result[
        "experiments"
    ]


def test_delta_m_against_exact_labels_is_of_both_sides(result: dict[str, Any]) -> None:
    """mIoU of mti-a halves against exact labels, that of its baseline stays: -45 %, where it was +10 %."""

    def read(name: str, seed: int) -> dict[str, Any] | None:
        found = metrics_file(name, seed)
        if found is not None and "seg" in found["tasks"]:
            factor = {"mti-a": 0.5}.get(name, 1.0)
            found["exact"] = {"seg": {"mIoU": factor * found["tasks"]["seg"]["mIoU"]}}
        return found

    rows = compared(params([0, 1]), read)["experiments"]
    assert rows["mti-a"]["delta_m"] == result["experiments"]["mti-a"]["delta_m"] == pytest.approx((10 + 20) / 2)
    assert rows["mti-a"]["exact_gains"]["delta_m"] == pytest.approx((-45 + 20) / 2)
    assert rows["mti-a"]["exact_gains"]["initial_delta_m"] == {}  # seg@4 has none
    assert rows["mtl-a"]["exact_gains"]["delta_m"] == pytest.approx(-7.5)
    assert "exact_gains" not in rows["depth-a"]
    assert "exact_gains" not in result["experiments"]["mti-a"]


def test_delta_m_by_hand(result: dict[str, Any]) -> None:
    rows = result["experiments"]
    # Baselines: mIoU 0.40 (mean of 0.38 and 0.42), rmse 0.5. seg -5 %, depth -10 %.
    assert rows["mtl-a"]["delta_m"] == pytest.approx(-7.5)
    # By seed: seg 0 and -10 %, depth -10 %, so -5 and -10.
    assert rows["mtl-a"]["delta_m_std"] == pytest.approx(5 / 2**0.5)
    assert rows["mti-a"]["delta_m"] == pytest.approx((10 + 20) / 2)
    assert rows["seg-a"]["delta_m"] == pytest.approx(0)


def test_the_baseline_is_the_single_task_run_of_the_same_backbone(result: dict[str, Any]) -> None:
    rows = result["experiments"]
    assert rows["mti-a"]["baseline"] == {"seg": "seg-a", "depth": "depth-a"}
    assert rows["mtl-b"]["baseline"] == {"seg": "seg-b", "depth": None}
    assert rows["mtl-b"]["delta_m"] is None
    assert rows["mtl-b"]["metrics"]["depth"]["rmse"] == pytest.approx(0.55)


def test_missing_seed_is_named_and_deviation_is_not_invented(result: dict[str, Any]) -> None:
    row = result["experiments"]["mti-a"]
    assert (row["seeds"], row["missing_seeds"]) == ([0], [1])
    assert row["std"] is None
    assert row["delta_m_std"] is None
    assert row["auxiliary_metrics"] == {"normals": {"mean_angle": 20.0}}
    assert row["initial"] == {"seg@4": {"mIoU": 0.1}}


def test_experiments_without_any_run_are_null_and_never_dropped() -> None:
    result = compared(params([7]), lambda name, seed: None)
    declared = [name for experiments in EXPERIMENTS.values() for name in experiments]
    assert [*result["experiments"]] == declared
    for row in result["experiments"].values():
        for key in ("metrics", "auxiliary_metrics", "initial", "std", "steps", "epochs", "delta_m"):
            assert row[key] is None
        assert row["missing_seeds"] == [7]


def test_without_the_baselines_runs_delta_m_is_null() -> None:
    single = EXPERIMENTS["single_task"]

    def read(name: str, seed: int) -> dict[str, Any] | None:
        return None if name in single else metrics_file(name, seed)

    result = compared(params([0]), read)
    row = result["experiments"]["mtl-a"]
    assert row["baseline"] == {"seg": "seg-a", "depth": "depth-a"}
    assert row["metrics"]["seg"]["mIoU"] == pytest.approx(0.40)
    assert row["delta_m"] is None


def test_metric_that_is_null_in_one_run_is_null_in_the_mean() -> None:
    def read(name: str, seed: int) -> dict[str, Any] | None:
        content = metrics_file(name, seed)
        if content and name == "mtl-a" and seed == 1:
            content["tasks"]["depth"]["rmse"] = None
        return content

    row = compared(params([0, 1]), read)["experiments"]["mtl-a"]
    assert row["metrics"]["depth"] == {"rmse": None, "rel": pytest.approx(0.2)}
    assert row["delta_m"] is None
    assert row["delta_m_std"] is None


def test_declarations_study_and_json(result: dict[str, Any]) -> None:
    row = result["experiments"]["mti-a"]
    assert (row["method"], row["backbone"]) == ("mti_net", "timm/a")
    assert (row["tasks"], row["auxiliary"]) == (["seg", "depth"], ["normals"])
    assert (result["dataset"], result["seeds"]) == ("nyud", [0, 1])
    assert result["study"] == params([0]).study_name("nyud")
    assert json.loads(json.dumps(result, allow_nan=False)) == result


@pytest.mark.parametrize(("key", "value"), [("experiment", "other"), ("seed", 3), ("dataset", "pascal")])
def test_a_file_of_another_run_is_an_error(key: str, value: Any) -> None:
    def read(name: str, seed: int) -> dict[str, Any] | None:
        content = metrics_file(name, seed)
        return content and {**content, key: value}

    with pytest.raises(UserError, match=rf"'seg-a', 0\].*{value}"):
        compared(params([0]), read)


def test_runs_that_differ_in_steps_are_an_error() -> None:
    def read(name: str, seed: int) -> dict[str, Any] | None:
        content = metrics_file(name, seed)
        return content and {**content, "steps": 100 + seed}

    with pytest.raises(UserError, match=r"experiments\.nyud\.seg-a took \[100, 101\] steps"):
        compared(params([0, 1]), read)
