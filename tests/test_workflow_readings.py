"""Readings are run on demand: alone by the command line, all of them by the orchestrators where the study has them."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from workflow import KEPT, Project

pytestmark = pytest.mark.orchestrator
BEST = "hrnet18-mti-ne-best-epoch"
REPORTS = Path("reports/scenes-smoke")


def switch_on(params: Any) -> None:
    """With the one reading whose training reads validation images."""
    params["study"]["readings"] = True
    params["readings"]["nyud"] = {"mti_net": {BEST: params["readings"]["nyud"]["mti_net"][BEST]}}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    return Project.copy(tmp_path_factory.mktemp("readings"))


def stages(project: Project) -> set[str]:
    return {line.split()[0] for line in project.run("dvc", "stage", "list", "--name-only").splitlines()}


def test_no_reading_runs_unless_asked_for(project: Project) -> None:
    declared = yaml.safe_load((project.folder / "params.yaml").read_text())["readings"]["nyud"]
    names = {name for readings in declared.values() for name in readings}
    assert len(names) >= 4
    assert not any(name in stage for name in names for stage in stages(project))
    listed = json.loads(project.run("mtinet", "list", "--json"))
    assert {row["run"] for row in listed} == {f"nyud/{name}/seed0" for name in KEPT}


def test_where_the_study_has_readings_dvc_runs_them_and_the_page_says_what_they_chose_on(project: Project) -> None:
    project.change_params(switch_on)
    project.run("python", "-m", "pipeline.write_dvc")
    assert {f"train_nyud_mti_net_readings@{BEST}-0", f"evaluate_nyud_mti_net_readings@{BEST}-0"} <= stages(project)
    project.run("dvc", "repro")
    assert "up to date" in project.run("dvc", "status")
    manifest = json.loads((project.folder / REPORTS / f"manifests/nyud/{BEST}/seed0.json").read_text())
    assert manifest["config"]["experiment"]["weights"] == "best"
    metrics = json.loads((project.folder / REPORTS / f"metrics/nyud/{BEST}/seed0.json").read_text())
    assert manifest["validation_digest"] == metrics["data_digest"] != manifest["data_digest"]
    rows = [*csv.DictReader((project.folder / REPORTS / f"history/nyud/{BEST}/seed0.csv").open())]
    assert len(rows) == manifest["epochs"]
    assert all(float(row["validation_loss"]) > 0 for row in rows)
    table = (project.folder / REPORTS / "tables/readings_nyud.md").read_text()
    (row,) = [line for line in table.splitlines() if line.startswith("| the same with the epoch that is best")]
    assert f"| {metrics['steps']} |" in row
    assert f"{metrics['tasks']['depth']['rmse']:.3f}" in row
    page = (project.folder / REPORTS / "nyud.html").read_text()
    assert "Weights of the epoch with the least loss on the very images that are scored" in page
    assert f"{BEST} (seed 0: epoch " in page


def test_snakemake_has_the_same_rules(project: Project) -> None:
    rules = {line.strip() for line in project.run("snakemake", "--list-rules").splitlines()}
    assert {"train_nyud_mti_net_readings", "evaluate_nyud_mti_net_readings"} <= rules
