"""Two processes in one folder: refused or one after the other, with one line that says so, and never mixed outputs."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from faults import record
from workflow import Project

from mtinet import locks
from mtinet.errors import UserError

# A stage in small: writes two files that belong together, slowly.
STAGE = """
import sys, time
from pathlib import Path
from mtinet import files, stage

with stage.reporting_errors(), stage.writing(cached=[Path("runs/one.txt"), Path("runs/two.txt")]):
    print("at work", flush=True)
    for name in ("one", "two"):
        files.write_text(Path(f"runs/{name}.txt"), sys.argv[1])
        time.sleep(float(sys.argv[2]))
"""


def start(folder: Path, name: str, seconds: float = 0.0, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", STAGE, name, str(seconds)],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(Path(locks.__file__).parents[1])} | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def at_work(process: subprocess.Popen[Any], text: str = "at work") -> str:
    """Wait until a process prints a line with `text`; all that it printed."""
    assert process.stdout is not None
    seen = ""
    for line in process.stdout:
        seen += line
        if text in line:
            return seen
    raise AssertionError(f"ended without '{text}': {seen}")


def made(folder: Path) -> set[str]:
    return {(folder / f"runs/{name}.txt").read_text() for name in ("one", "two")}


def test_two_processes_with_the_same_outputs_go_one_after_the_other(tmp_path: Path) -> None:
    tries = 3
    for attempt in range(tries):
        first = start(tmp_path, f"first{attempt}", 0.4)
        at_work(first)
        others = [start(tmp_path, f"{name}{attempt}", 0.05) for name in ("second", "third")]
        answers = [process.communicate(timeout=60) for process in [first, *others]]
        assert [process.returncode for process in [first, *others]] == [0, 0, 0], answers
        assert len(made(tmp_path)) == 1
        assert any(f"WAITING: process {first.pid} is writing runs/one.txt" in output for output, _ in answers[1:])
    record("Several processes of one stage at once", tried=tries, lost=0)


def test_a_killed_process_holds_nobody_up(tmp_path: Path) -> None:
    first = start(tmp_path, "first", 60)
    at_work(first)
    second = start(tmp_path, "second")
    at_work(second, "WAITING")
    first.kill()
    first.communicate()
    assert second.wait(60) == 0
    second.communicate()
    assert made(tmp_path) == {"second"}


def test_told_to_leave_while_it_waits_or_works_a_stage_leaves_with_its_status(tmp_path: Path) -> None:
    first = start(tmp_path, "first", 60)
    at_work(first)
    second = start(tmp_path, "second")
    at_work(second, "WAITING")
    for process in (second, first):
        process.terminate()
        _, errors = process.communicate(timeout=10)
        assert process.returncode == 75
        assert errors == "INTERRUPTED: SIGTERM arrived; the same command begins this stage anew\n"
    assert not list(tmp_path.rglob(".part-*"))


def test_snakemake_and_other_stages_exclude_one_another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv(locks.SNAKEMAKE, raising=False)
    held = locks.snakemake_alone()
    other = start(tmp_path, "dvc's")
    _, errors = other.communicate(timeout=60)
    assert other.returncode == 1
    assert re.fullmatch(rf"ERROR: Snakemake \(process {os.getpid()}\) is at work in \S+: expected one .*\n", errors)
    assert not Path("runs").exists()
    own = start(tmp_path, "its own", **{locks.SNAKEMAKE: "1"})
    assert own.wait(60) == 0
    own.communicate()
    held.close()
    other = start(tmp_path, "dvc's", 60)
    at_work(other)
    with pytest.raises(UserError, match=r"a stage that Snakemake did not start is at work .*'dvc repro'"):
        locks.snakemake_alone()
    other.kill()
    other.communicate()
    locks.snakemake_alone().close()


REPRO = """
import sys
from pipeline import repro

repro.run_dvc = lambda *options: (print("at work", flush=True), sys.stdin.read())
repro.main()
"""


def repro(folder: Path) -> subprocess.Popen[str]:
    """`make repro` in a folder, which waits as soon as it calls DVC."""
    root = Path(locks.__file__).parents[2]
    return subprocess.Popen(
        [sys.executable, "-c", REPRO], cwd=folder, env=os.environ | {"PYTHONPATH": f"{root / 'src'}:{root}"},
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def test_two_make_repro_and_snakemake_exclude_one_another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("params.yaml", "dvc.yaml"):
        shutil.copy(Path(locks.__file__).parents[2] / name, tmp_path)
    first = repro(tmp_path)
    at_work(first)
    second = repro(tmp_path)
    _, errors = second.communicate(timeout=60)
    assert second.returncode == 1
    assert errors == (
        f"ERROR: `make repro` (process {first.pid}) is at work in {tmp_path}: expected one at a time; run this again"
        " when it has ended\n"
    )
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match="a stage that Snakemake did not start is at work"):
        locks.snakemake_alone()
    first.kill()
    first.communicate()
    held = locks.snakemake_alone()
    third = repro(tmp_path)
    _, errors = third.communicate(timeout=60)
    held.close()
    assert third.returncode == 1
    assert errors.startswith(f"ERROR: Snakemake (process {os.getpid()}) is at work in {tmp_path}")
    record("a second make repro, or snakemake, while make repro was at work, and the other way round", tried=3, lost=0)


# The real tools ---------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A copy with some more scenes to render."""

    project = Project.copy(tmp_path_factory.mktemp("concurrent"))

    def more(params: Any) -> None:
        params["scales"]["smoke"]["nyud"]["scenes"] |= {"train": 24, "val": 6}

    project.change_params(more)
    return project


def begin(project: Project, *command: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        command,
        cwd=project.folder,
        env=project.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@contextlib.contextmanager
def paused(project: Project, process: subprocess.Popen[str]) -> Iterator[None]:
    """Stop the stage dataset, which `process` runs, in the middle of its work, and let it go on afterwards."""
    until = time.monotonic() + 120
    while not list(project.folder.glob(".cache/dataset/*/images/*.jpg")):
        assert time.monotonic() < until
        assert process.poll() is None, process.communicate()[0]
        time.sleep(0.05)
    (lock,) = project.folder.glob(".cache/locks/data-scenes-smoke-nyud-*.lock")
    stage = int(lock.read_text())
    os.kill(stage, signal.SIGSTOP)
    yield
    assert process.poll() is None
    os.kill(stage, signal.SIGCONT)


def refused(project: Project, *commands: Sequence[str]) -> list[str]:
    """What the commands say, started together; all must fail."""
    processes = [begin(project, *command) for command in commands]
    said = [process.communicate(timeout=300)[0] for process in processes]
    assert all(process.returncode for process in processes), said
    return said


CARD = "data/scenes-smoke/nyud-card.json"
SNAKEMAKE = ("snakemake", "--cores", "1", CARD)


@pytest.mark.orchestrator
def test_dvc_at_work_lets_neither_a_second_one_nor_snakemake_in(project: Project) -> None:
    first = begin(project, "dvc", "repro", "dataset_nyud")
    with paused(project, first):
        second, snakemake = refused(project, ["dvc", "repro", "dataset_nyud"], SNAKEMAKE)
    assert re.search(r"is busy, it is being blocked by|Unable to acquire lock|already running", second), second
    assert "ERROR: a stage that Snakemake did not start is at work" in snakemake, snakemake
    assert "Traceback" not in snakemake
    output, _ = first.communicate(timeout=300)
    assert first.returncode == 0, output
    assert "up to date" in project.run("dvc", "status", "dataset_nyud")
    record("A second dvc repro, or snakemake, while dvc repro was at work", tried=2, lost=0)


@pytest.mark.orchestrator
def test_snakemake_at_work_lets_neither_a_second_one_nor_dvc_in(project: Project) -> None:
    def other(params: Any) -> None:
        params["scales"]["smoke"]["nyud"]["scenes"]["seed"] = 5

    project.change_params(other)
    shutil.rmtree(project.folder / "data", ignore_errors=True)  # made by DVC: nothing tells Snakemake of the new seed
    first = begin(project, *SNAKEMAKE)
    with paused(project, first):
        second, dvc = refused(project, SNAKEMAKE, ["dvc", "repro", "dataset_nyud"])
    assert "LockException" in second, second
    assert re.search(r"ERROR: Snakemake \(process \d+\) is at work", dvc), dvc
    output, _ = first.communicate(timeout=300)
    assert first.returncode == 0, output
    assert (project.folder / CARD).exists()
    record("A second snakemake, or dvc repro, while snakemake was at work", tried=2, lost=0)
