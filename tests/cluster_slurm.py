"""A study through a real SLURM on this machine, with a job cancelled and another told to leave: `make cluster-test`.

Not one of `make test`'s files: it needs root, and Debian's slurm-wlm and munge.
"""

from __future__ import annotations

import contextlib
import json
import re
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import loopback_slurm
import pytest
from workflow import Project

CANCELLED, TOLD = "hrnet18-mti-n", "hrnet18-mtl"  # experiments whose trainings are disturbed
LOG = "logs/scenes-smoke/train_nyud_{}-{}-0.log"
METHODS = {CANCELLED: "mti_net", TOLD: "multi_task"}
PATIENCE = 900.0  # seconds for the whole study


@dataclass
class Study:
    """A finished run through SLURM: what Snakemake said, the disturbed jobs' numbers, how often SLURM restarted any."""

    project: Project
    output: str
    jobs: dict[str, str]
    restarts: dict[str, int]


def slower(params: Any) -> None:
    """Trainings long enough to be disturbed."""
    params["scales"]["smoke"]["nyud"]["epochs"] = 16


def copy(folder: Path, **environment: str) -> Project:
    """The reduced project, with slower trainings and a checkpoint every second."""
    project = Project.copy(folder, MTINET_CHECKPOINT_SECONDS="1", **environment)
    project.change_params(slower)
    return project


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    assert not loopback_slurm.missing(), f"{loopback_slurm.missing()}: see make cluster-test"
    with loopback_slurm.running(tmp_path_factory.mktemp("slurm") / "cluster") as environment:
        return run(copy(tmp_path_factory.mktemp("study"), **environment))


def run(project: Project) -> Study:
    """Run everything through SLURM; disturb two trainings as soon as they have work to lose."""
    log = project.folder.parent / "snakemake.log"
    disturbances = {CANCELLED: ["scancel"], TOLD: ["scancel", "--signal=USR1"]}
    jobs: dict[str, str] = {}
    restarts: dict[str, int] = {}
    began = time.monotonic()
    with log.open("w") as stream, ended(project, stream) as process:
        while process.poll() is None:
            assert time.monotonic() - began < PATIENCE, log.read_text()[-6000:]
            for experiment in [name for name in disturbances if name not in jobs and at_work(project, name)]:
                jobs[experiment] = running_job(project, experiment)
                project.run(*disturbances[experiment], jobs[experiment])
            restarts |= restarted(project)
            time.sleep(0.5)
    assert process.returncode == 0, log.read_text()[-6000:]
    return Study(project, log.read_text(), jobs, restarts)


@contextlib.contextmanager
def ended(project: Project, stream: IO[str]) -> Iterator[subprocess.Popen[bytes]]:
    """Snakemake on SLURM, with its output in `stream`; it does not outlive the body."""
    command = ["snakemake", "--profile", "profiles/slurm"]
    process = subprocess.Popen(
        command, cwd=project.folder, env=project.environment, stdout=stream, stderr=subprocess.STDOUT
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


def at_work(project: Project, experiment: str) -> bool:
    """Whether the experiment's training runs as a job and has some epochs behind it."""
    log = project.folder / LOG.format(METHODS[experiment], experiment)
    return log.exists() and "epoch 3/" in log.read_text() and bool(running_job(project, experiment))


def running_job(project: Project, experiment: str) -> str:
    """The number of the experiment's running training, "" where there is none."""
    listed = project.run("squeue", "--noheader", "--states=RUNNING", "--format=%i %k")
    found = re.search(rf"^(\d+) rule_train_\S*_wildcards_{experiment}_0$", listed, re.M)
    return found[1] if found else ""


def restarted(project: Project) -> dict[str, int]:
    """By job how often SLURM restarted it. One that waits for its turn is told not to wait two minutes."""
    described = project.run("scontrol", "--oneliner", "show", "job")
    for line in described.splitlines():
        if "JobState=PENDING" in line and "Reason=BeginTime" in line:
            number = re.findall(r"JobId=(\d+)", line)[0]
            project.run("scontrol", "update", f"JobId={number}", "StartTime=now")
    found = re.findall(r"JobId=(\d+) .*? Restarts=(\d+)", described)
    return {number: int(times) for number, times in found if times != "0"}


def declared_files(project: Project) -> dict[str, bytes]:
    """Content of every declared output of all rules, by path; one that is missing is not there."""
    listed = project.run(
        "python", "-c", "import json; from pipeline.snake import EVERYTHING; print(json.dumps(EVERYTHING))"
    )
    found = {}
    for name in json.loads(listed):
        path = project.folder / name
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            if file.is_file() and file.name != ".snakemake_timestamp":
                found[file.relative_to(project.folder).as_posix()] = file.read_bytes()
        assert path.exists(), f"{name} is missing"
    return found


def test_every_result_is_there_and_has_the_bytes_of_a_local_run(
    study: Study, tmp_path_factory: pytest.TempPathFactory
) -> None:
    local = copy(tmp_path_factory.mktemp("local"))
    local.run("snakemake", "--cores", "2", "--quiet", "all")
    mine, its = declared_files(study.project), declared_files(local)
    assert mine.keys() == its.keys()
    assert len(mine) > 100
    assert [path for path in mine if mine[path] != its[path]] == []


def test_the_cancelled_training_was_submitted_again_and_only_by_snakemake(study: Study) -> None:
    cancelled = study.jobs[CANCELLED]
    assert f"SLURM-job '{cancelled}' failed, SLURM status is: 'CANCELLED'" in study.output
    assert cancelled not in study.restarts
    assert len(submissions(study, CANCELLED)) == 2


def test_the_training_that_was_told_to_leave_came_back_in_the_same_job(study: Study) -> None:
    assert study.restarts == {study.jobs[TOLD]: 1}
    assert submissions(study, TOLD) == [study.jobs[TOLD]]


def submissions(study: Study, experiment: str) -> list[str]:
    """The jobs as which the experiment's training was submitted."""
    return re.findall(rf"submitted with SLURM jobid (\d+) \(log: \S+rule_train_\S+/{experiment}_0/", study.output)


def test_then_snakemake_has_nothing_to_do(study: Study) -> None:
    assert "Nothing to be done" in study.project.run("snakemake", "-n", "--cores", "2")
