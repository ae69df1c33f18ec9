"""Every job on a GPU of its own, or as many as may share one, whatever starts and dies at once."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import fake_tools
import pytest

from mtinet.errors import UserError
from pipeline import gpus
from pipeline.dependencies import ROOT

# A stage in small: writes when it was at work, and where.
STAGE = """
import json, os, sys, time
began = time.monotonic()
time.sleep(float(sys.argv[2]))
open(sys.argv[1], "w").write(json.dumps([os.environ.get("CUDA_VISIBLE_DEVICES"), began, time.monotonic()]))
"""
SMALL, LARGE = 2000, 7000


@dataclass
class Machine:
    """A pretended machine; jobs started on it leave (GPU, began, ended) in its folder."""

    folder: Path
    environment: dict[str, str]

    def start(self, mem_mb: int, seconds: float = 0.05) -> subprocess.Popen[str]:
        note = self.folder / f"{mem_mb}-{len(list(self.folder.glob('*.claim')))}.json"
        note.with_suffix(".claim").touch()
        launch = [sys.executable, "-m", "pipeline.launch", "--gpu", "1", "--gpu-mem-mb", str(mem_mb), "--"]
        command = [*launch, sys.executable, "-c", STAGE, str(note), str(seconds)]
        return subprocess.Popen(command, cwd=ROOT, env=self.environment, stdout=subprocess.PIPE, text=True)

    def notes(self, pattern: str = "*.json") -> list[tuple[str, float, float]]:
        return [tuple(json.loads(path.read_text())) for path in self.folder.glob(pattern)]


def machine(folder: Path, memories: list[int], **environment: str) -> Machine:
    tools = fake_tools.nvidia_smi(folder / "bin", memories)
    (folder / "tmp").mkdir()
    own = {key: value for key, value in os.environ.items() if key not in (gpus.VISIBLE, gpus.JOBS_PER_GPU)}
    own |= {"PATH": fake_tools.before(tools), "TMPDIR": str(folder / "tmp"), "PYTHONPATH": str(ROOT / "src")}
    return Machine(folder, own | environment)


def most_at_once(notes: list[tuple[str, float, float]]) -> Counter[str]:
    """Per GPU the largest number of jobs that were at work at the same moment."""
    most: Counter[str] = Counter()
    for gpu, began, _ in notes:
        most[gpu] = max(most[gpu], sum(other == gpu and start <= began < end for other, start, end in notes))
    return most


def test_many_jobs_at_once_and_each_has_a_gpu_of_its_own(tmp_path: Path) -> None:
    here = machine(tmp_path, [8000] * 3)
    jobs = [here.start(SMALL) for _ in range(24)]
    assert [job.wait(60) for job in jobs] == [0] * 24
    assert most_at_once(here.notes()) == {"GPU-00": 1, "GPU-11": 1, "GPU-22": 1}


def test_small_jobs_share_a_gpu_and_large_ones_do_not(tmp_path: Path) -> None:
    """Three of 2,000 MB fit on 8,000 MB; 7,000 and 2,000 do not, nor two of 7,000."""
    here = machine(tmp_path, [8000] * 2, MTINET_JOBS_PER_GPU="3")
    jobs = [here.start(LARGE if number % 4 == 0 else SMALL, seconds=0.5) for number in range(16)]
    assert [job.wait(60) for job in jobs] == [0] * 16
    assert set(most_at_once(here.notes()).values()) <= {1, 2, 3}
    assert max(most_at_once(here.notes()).values()) > 1
    for gpu, began, ended in here.notes(f"{LARGE}-*.json"):
        beside = [note for note in here.notes() if note[0] == gpu and note[1] < ended and note[2] > began]
        assert beside == [(gpu, began, ended)]


def claims(here: Machine, count: int) -> set[str]:
    """The places that are claimed, as soon as there are so many."""
    while len(found := {path.stem for path in (here.folder / "tmp").glob("mtinet-gpus-*/GPU-*")}) < count:
        time.sleep(0.02)
    return found


def test_every_gpu_has_a_job_before_any_is_shared(tmp_path: Path) -> None:
    here = machine(tmp_path, [8000] * 3, MTINET_JOBS_PER_GPU="2")
    jobs = [here.start(SMALL, seconds=600) for _ in range(3)]
    assert claims(here, 3) == {"GPU-00-0", "GPU-11-0", "GPU-22-0"}
    for job in jobs:
        job.kill()
        job.wait()


def test_a_killed_jobs_gpu_is_free_at_once(tmp_path: Path) -> None:
    here = machine(tmp_path, [8000])
    first = here.start(SMALL, seconds=600)
    claims(here, 1)
    second = here.start(SMALL)
    assert second.stdout is not None
    assert second.stdout.readline() == "WAITING: all places on 1 GPUs are taken, 1 on each\n"
    assert second.poll() is None
    first.send_signal(signal.SIGKILL)
    assert second.wait(30) == 0
    assert [gpu for gpu, _, _ in here.notes()] == ["GPU-00"]


def test_a_job_larger_than_any_gpu_gets_one_alone_instead_of_waiting_for_ever(tmp_path: Path) -> None:
    here = machine(tmp_path, [8000], MTINET_JOBS_PER_GPU="2")
    assert here.start(9000).wait(30) == 0


@pytest.mark.parametrize(("visible", "chosen"), [("1", "GPU-11"), ("GPU-2", "GPU-22"), ("", None), ("7", None)])
def test_only_visible_gpus_are_given(tmp_path: Path, visible: str, chosen: str | None) -> None:
    here = machine(tmp_path, [8000] * 3, CUDA_VISIBLE_DEVICES=visible)
    assert here.start(SMALL).wait(30) == 0
    ((given, _, _),) = here.notes()
    assert given == (visible if chosen is None else chosen)


def test_without_gpus_a_job_just_runs(tmp_path: Path) -> None:
    here = machine(tmp_path, [])
    jobs = [here.start(SMALL, seconds=0.5) for _ in range(3)]
    assert [job.wait(30) for job in jobs] == [0] * 3
    assert {gpu for gpu, _, _ in here.notes()} == {None}


@pytest.mark.parametrize("text", ["0", "-1", "two", "1.5", ""])
def test_a_wrong_number_of_jobs_per_gpu_is_one_line(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv(gpus.JOBS_PER_GPU, text)
    with pytest.raises(UserError, match=r"MTINET_JOBS_PER_GPU is .* expected how many jobs"):
        gpus.jobs_per_gpu()
