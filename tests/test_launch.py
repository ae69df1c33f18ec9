"""In a cluster's job: a stage that SLURM told to leave comes back, one that was cancelled or failed does not."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import fake_tools
import pytest

from pipeline.dependencies import ROOT
from pipeline.launch import MOST_RESTARTS, QUEUED

# A training in small: leaves with 75 at a signal, once its work is safe.
STAGE = """
import signal, sys, time
told = []
for number in (signal.SIGTERM, signal.SIGUSR1):
    signal.signal(number, lambda number, frame: told.append(number))
print("at work", flush=True)
while not told:
    time.sleep(0.02)
time.sleep(0.3)
print("work is safe", flush=True)
sys.exit(75)
"""


def start(folder: Path, *command: str, state: str = "RUNNING", **environment: str) -> subprocess.Popen[str]:
    """The launcher in a pretended job 42, whose state SLURM gives as `state`; `scontrol` ends it as SLURM does."""
    fake_tools.write(folder / "bin", "squeue", f"print({state!r})")
    fake_tools.write(
        folder / "bin",
        "scontrol",
        "import os, sys\n"
        f"open({str(folder / 'scontrol')!r}, 'w').write(' '.join(sys.argv[1:]))\n"
        "os.kill(os.getppid(), 9)",
    )
    return subprocess.Popen(
        [sys.executable, "-m", "pipeline.launch", "--gpu", "1", "--", *command],
        cwd=ROOT,
        env={
            **os.environ, QUEUED: "1", "SLURM_JOB_ID": "42", "PYTHONPATH": str(ROOT / "src"),
            "PATH": fake_tools.before(folder / "bin"), **environment,
        },
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )  # fmt: skip


def told(process: subprocess.Popen[str], number: signal.Signals) -> str:
    """Signal the launcher and its stage, as SLURM does, once that is at work; all that was printed."""
    assert process.stdout is not None
    assert process.stdout.readline() == "at work\n"
    os.killpg(process.pid, number)
    return process.communicate(timeout=30)[0]


@pytest.mark.parametrize("number", [signal.SIGUSR1, signal.SIGTERM])
def test_a_stage_that_was_told_to_leave_saves_its_work_and_is_queued_again(
    tmp_path: Path, number: signal.Signals
) -> None:
    process = start(tmp_path, sys.executable, "-c", STAGE)
    printed = told(process, number)
    assert printed.startswith("work is safe\nREQUEUED: job 42, for the 1. time")
    assert (tmp_path / "scontrol").read_text() == "requeue 42"


@pytest.mark.parametrize("state", ["CANCELLED", "COMPLETING", "PREEMPTED", "TIMEOUT", "PENDING", ""])
def test_a_job_that_slurm_has_ended_is_left_to_slurm(tmp_path: Path, state: str) -> None:
    process = start(tmp_path, sys.executable, "-c", STAGE, state=state)
    assert told(process, signal.SIGTERM) == "work is safe\n"
    assert process.returncode == 75
    assert not (tmp_path / "scontrol").exists()


def test_a_stage_that_never_gets_done_is_not_queued_for_ever(tmp_path: Path) -> None:
    process = start(tmp_path, sys.executable, "-c", STAGE, SLURM_RESTART_COUNT=str(MOST_RESTARTS))
    assert told(process, signal.SIGUSR1) == "work is safe\n"
    assert process.returncode == 75


def test_a_signal_while_the_stage_still_begins_queues_it_again(tmp_path: Path) -> None:
    process = start(tmp_path, sys.executable, "-c", "import time; print('at work', flush=True); time.sleep(60)")
    assert told(process, signal.SIGUSR1).startswith("REQUEUED: job 42")


@pytest.mark.parametrize("status", [0, 1, 3])
def test_any_other_end_is_passed_on(tmp_path: Path, status: int) -> None:
    process = start(tmp_path, sys.executable, "-c", f"raise SystemExit({status})")
    assert process.wait(30) == status
    assert not (tmp_path / "scontrol").exists()


def test_slurms_gpu_is_left_as_it_is(tmp_path: Path) -> None:
    """Under SLURM every job's GPU may be called 0: places of this machine would count them as one."""
    fake_tools.nvidia_smi(tmp_path / "bin", [8000] * 2)
    code = "import os; print(os.environ['CUDA_VISIBLE_DEVICES'])"
    process = start(tmp_path, sys.executable, "-c", code, CUDA_VISIBLE_DEVICES="0")
    assert process.communicate(timeout=30)[0] == "0\n"


def test_on_this_machine_the_command_takes_the_launchers_place(tmp_path: Path) -> None:
    """No process in between that could keep a signal from the stage, and the stage's own exit status."""
    environment = {key: value for key, value in os.environ.items() if key != QUEUED}
    process = subprocess.Popen(
        [sys.executable, "-m", "pipeline.launch", "--", sys.executable, "-c", STAGE],
        cwd=ROOT, env=environment | {"PYTHONPATH": str(ROOT / "src")}, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stdout.readline() == "at work\n"
    began = time.monotonic()
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 75
    assert time.monotonic() - began > 0.2
