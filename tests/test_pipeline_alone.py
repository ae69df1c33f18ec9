"""One dataset's experiments without the other's: the stages that its teachers need are there, in both graphs."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml
from small_project import copy_code
from workflow import Project

from mtinet.config import SCENES
from pipeline import dependencies

pytestmark = pytest.mark.orchestrator
ROOT = Path(__file__).resolve().parents[1]
OTHER = {"nyud": "pascal", "pascal": "nyud"}
# What `make repro` and `make commit` make of the declarations, as two lines: portions, and the code's stages.
PORTIONS = """
from mtinet.config import load
from pipeline.jobs import jobs
from pipeline.matrix import dvc_name, items
from pipeline.rules import rules
found = jobs(load(), rules())
made = [stage for job in found for stage in job.stages if not stage.startswith("code_")]
assert sorted(made) == sorted(dvc_name(rule, item) for rule in rules() for item in items(rule))
known = {job.name for job in found}
for job in found:
    for other in job.after & known:
        assert [one.name for one in found].index(other) < [one.name for one in found].index(job.name), (job.name, other)
print(*sorted(f"{job.name}: {' '.join(sorted(job.after & known))}" for job in found if "teacher" in job.name), sep="|")
print(*(stage for job in found for stage in job.stages if stage.startswith("code_")))
"""


@pytest.fixture(scope="module", params=["nyud", "pascal"])
def alone(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Project]:
    """A copy of the project in which one dataset alone has experiments, with the dvc.yaml of that."""
    dataset: str = request.param
    folder = tmp_path_factory.mktemp(dataset)
    copy_code(folder)
    shutil.copy(ROOT / "Snakefile", folder)
    content = yaml.safe_load((ROOT / "params.yaml").read_text())
    content["experiments"] = {dataset: content["experiments"][dataset]}
    (folder / "params.yaml").write_text(yaml.safe_dump(content, sort_keys=False))
    project = Project(folder)
    project.run("git", "init", "-q")
    project.run("dvc", "init", "-q")
    project.run("python", "-m", "pipeline.write_dvc")
    return dataset, project


def stages(project: Project) -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load((project.folder / "dvc.yaml").read_text())["stages"]
    return content


def test_the_other_dataset_has_the_stages_of_its_raw_data_where_a_teacher_learns_from_it(
    alone: tuple[str, Project],
) -> None:
    dataset, project = alone
    others = {name for name in stages(project) if f"_{OTHER[dataset]}" in name}
    assert others == ({"code_nyud", "check_nyud", "dataset_nyud"} if dataset == "pascal" else set())


def test_everything_that_is_read_is_written_by_a_stage(alone: tuple[str, Project]) -> None:
    """By DVC's own reading of dvc.yaml: what is no file of the project must be the output of a stage, or hold such."""
    dataset, project = alone
    script = (
        "from dvc.repo import Repo\n"
        "found = Repo('.').index.stages\n"
        "written = [out.def_path for stage in found for out in stage.outs]\n"
        "read = {dep.def_path for stage in found for dep in stage.deps if not hasattr(dep, 'params')}\n"
        "print(*written, sep='\\n'); print('---'); print(*read, sep='\\n')\n"
    )
    written, _, read = project.run("python", "-c", script).partition("---\n")
    places = [Path(path) for path in written.split()]
    for path in map(Path, read.split()):
        related = any(path.is_relative_to(place) or place.is_relative_to(path) for place in places)
        assert related or (project.folder / path).exists(), path
    assert f"--dataset {dataset}" in (project.folder / "dvc.yaml").read_text()


def test_dvc_can_make_all_of_it(alone: tuple[str, Project]) -> None:
    """It finds every key of params.yaml that the stages name, and, with nothing there, all of them due."""
    _, project = alone
    (answer,) = (line for line in project.run("dvc", "status", "--json").splitlines() if line.startswith("{"))
    due = json.loads(answer)
    assert {name.partition("@")[0] for name in due} == set(stages(project))


def test_snakemake_plans_the_same_stages(alone: tuple[str, Project]) -> None:
    _, project = alone
    plan = project.run("snakemake", "-n", "--cores", "1", "--quiet", "rules")
    planned = {line.split()[0] for line in plan.splitlines() if len(line.split()) == 2 and line.split()[1].isdigit()}
    declared = {name for name in stages(project) if not name.startswith("code_")}
    assert planned - {"total", "all"} == declared


def test_portions_hold_every_stage_and_teachers_wait_for_what_they_learn_from(alone: tuple[str, Project]) -> None:
    dataset, project = alone
    teachers, codes = project.run("python", "-c", PORTIONS).splitlines()
    if dataset == "nyud":
        assert (teachers, codes) == ("", "code_nyud")
        return
    data = "nyud data pascal data"
    assert teachers == f"pascal teacher of normals: {data}|pascal teacher of sal: {data}"
    assert codes.split() == ["code_nyud", "code_pascal"]


def test_the_code_of_the_stages_is_digested_for_both(alone: tuple[str, Project]) -> None:
    _, project = alone
    for name in (name for name in stages(project) if name.startswith("code_")):
        project.run("python", "-m", "pipeline.code_digests", "--dataset", name.removeprefix("code_"))
    made = {path.stem for path in (project.folder / "runs/code").rglob("*.json")}
    assert made == {name for name in stages(project) if not name.startswith("code_")}


def test_the_check_of_a_dataset_that_is_only_learnt_from_passes(alone: tuple[str, Project]) -> None:
    dataset, project = alone
    if dataset == "pascal":
        project.run("python", "stages/check.py", "--dataset", "nyud")


def test_the_word_for_rendered_pictures_is_the_configurations() -> None:
    assert dependencies.SCENES == SCENES
