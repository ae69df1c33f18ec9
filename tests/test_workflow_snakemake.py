"""`snakemake`, for real: the same bytes as an interrupted `dvc repro`, and then both have nothing to do."""

from __future__ import annotations

import os
import re
from typing import Any

import pytest
from workflow import Project, Resumed, interrupted, stages_run

pytestmark = pytest.mark.orchestrator


@pytest.fixture(scope="module")
def after_snakemake(tmp_path_factory: pytest.TempPathFactory) -> Project:
    project = Project.copy(tmp_path_factory.mktemp("snakemake"))
    project.run("snakemake", "--cores", "2", "--quiet", "all")
    return project


@pytest.fixture(scope="module")
def resumed(tmp_path_factory: pytest.TempPathFactory) -> Resumed:
    """A project in which `dvc repro` was killed (SIGKILL, all processes) during a training and then repeated."""
    project = Project.copy(tmp_path_factory.mktemp("resumed"))
    first = interrupted(project, "train_nyud_multi_task", seconds=4)
    return Resumed(project, first, stages_run(project.run("dvc", "repro")))


def test_a_killed_repro_goes_on_where_it_was(resumed: Resumed) -> None:
    assert len(resumed.first) > 5
    assert "train_nyud_multi_task@hrnet18-mtl-0" in resumed.second
    assert not resumed.first & resumed.second


def replaced(project: Project, path: str, old: str, new: str) -> str:
    """Change a file's text; returns the text as it was."""
    before = (project.folder / path).read_text()
    assert old in before
    (project.folder / path).write_text(before.replace(old, new, 1))
    return before


@pytest.mark.parametrize(
    ("path", "old", "new", "complaint"),
    [
        ("params.yaml", "lr: 0.0001", "lr: 0.0003", "hrnet18-single-seg/seed0.json: config_hash is"),
        ("src/mtinet/models/multi_task.py", "import", "# an edit\nimport", "hrnet18-mtl/seed0.json: code_hash is"),
        ("src/mtinet/metrics/depth.py", "import", "# an edit\nimport", "snakemake has not finished"),
        ("reports/scenes-smoke/metrics/nyud/hrnet18-mtl/seed0.json", '"key": "', '"key": "0', "another training"),
    ],
)
def test_stale_results_are_not_committed(
    after_snakemake: Project, path: str, old: str, new: str, complaint: str
) -> None:
    file = after_snakemake.folder / path
    times = file.stat().st_atime_ns, file.stat().st_mtime_ns
    before = replaced(after_snakemake, path, old, new)
    assert complaint in after_snakemake.run("python", "-m", "pipeline.commit", fails=True)
    file.write_text(before)
    os.utime(file, ns=times)


def test_same_bytes_and_then_both_have_nothing_to_do(after_snakemake: Project, resumed: Resumed) -> None:
    after_snakemake.run("python", "-m", "pipeline.commit")
    assert "up to date" in after_snakemake.run("dvc", "status")
    assert stages_run(after_snakemake.run("dvc", "repro")) == set()
    assert "Nothing to be done" in after_snakemake.run("snakemake", "-n", "--cores", "2")
    mine, its = after_snakemake.outputs(), resumed.project.outputs()
    assert mine.keys() == its.keys()
    assert [path for path in mine if mine[path] != its[path]] == []


def test_a_learning_rate_reruns_its_experiment_alone(after_snakemake: Project) -> None:
    def change(params: Any) -> None:
        params["experiments"]["nyud"]["mti_net"]["hrnet18-mti-n"]["lr"] = 3e-4

    text = (after_snakemake.folder / "params.yaml").read_text()
    after_snakemake.change_params(change)
    plan = after_snakemake.run("snakemake", "-n", "--cores", "2")
    (after_snakemake.folder / "params.yaml").write_text(text)
    planned = set(re.findall(r"^(?:local)?rule (\w+):", plan, re.M))
    assert planned == {
        "train_nyud_mti_net",
        "evaluate_nyud_mti_net",
        "compare_nyud_table2a",
        "claims_nyud",
        "track_nyud",
        "figure_nyud_curves",
        "figure_nyud_patches",
        "figure_nyud_deltas",
        "figure_nyud_costs",
        "table_nyud_table2a",
        "report_nyud",
        "all",
    }


def test_a_failing_job_shows_the_one_line(after_snakemake: Project) -> None:
    def change(params: Any) -> None:
        params["experiments"]["nyud"]["mti_net"]["hrnet18-mti-n"]["lerning_rate"] = 1.0

    before, text = after_snakemake.outputs(), (after_snakemake.folder / "params.yaml").read_text()
    after_snakemake.change_params(change)
    output = after_snakemake.run("snakemake", "--cores", "2", fails=True)
    (after_snakemake.folder / "params.yaml").write_text(text)
    assert "hrnet18-mti-n.lerning_rate: unknown parameter" in output
    assert after_snakemake.outputs() == before
