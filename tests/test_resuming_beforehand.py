"""Trainings before the experiments, of teachers and backbones: killed or told to leave, they end with their bytes."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from faults import record
from killed_training import used
from small_project import ROOT, STUDY, write_params

from mtinet import interruption, paths
from mtinet.config import SCENES
from mtinet.training.checkpoints import EVERY

SMALL = {"images": 4, "longest": 48, "input": {"height": 32, "width": 32}, "batch_size": 2, "steps": 6}
STAGES = {
    "pretrain": (["--name", "r18fpn"], paths.pretrained(STUDY, "pascal", "r18fpn")),
    "teach": (["--task", "sal"], paths.teacher(STUDY, "pascal", "sal")),
}
KILLS = 4
LONGEST = 10.0  # seconds; beside a step the grace is 3, and the machine may be busy


def small(content: Any) -> None:
    """Few pictures, few steps."""
    content["pretraining"]["pascal"]["r18fpn"]["budgets"]["smoke"] |= SMALL
    content["scales"]["smoke"]["pascal"]["pretrained"] = {"fpn/resnet18": SCENES}
    content["teachers"]["pascal"]["sal"]["budgets"]["smoke"] |= SMALL


def on_one_core() -> None:
    """Render without further processes: each would import everything once more."""
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})


def start(folder: Path, *command: str) -> subprocess.Popen[str]:
    environment = {"PYTHONPATH": f"{ROOT / 'src'}:{ROOT / 'tests'}", "OMP_NUM_THREADS": "1", EVERY: "0"}
    return subprocess.Popen(
        [sys.executable, *command], cwd=folder, env=os.environ | environment, preexec_fn=on_one_core,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def stage_command(stage: str) -> list[str]:
    return [str(ROOT / f"stages/{stage}.py"), "--dataset", "pascal", *STAGES[stage][0]]


def ended(process: subprocess.Popen[str]) -> str:
    """What a process that has to end well says."""
    output, errors = process.communicate(timeout=900)
    assert process.returncode == 0, errors
    return output


def contents(folder: Path, stage: str) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted((folder / STAGES[stage][1]).iterdir())}


def left_over(folder: Path) -> list[Path]:
    """What unfinished work lies about."""
    places = (path for path in (folder / ".cache").glob("*/*") if path.parent.name != "locks")
    return [*places, *folder.rglob(".part-*")]


@pytest.fixture(params=list(STAGES), scope="module")
def whole(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path, float]:
    """A stage, a folder in which nothing interrupted it, and the seconds of the processor that it took."""
    folder = tmp_path_factory.mktemp(request.param)
    write_params(folder, small)
    before = os.times()
    ended(start(folder, *stage_command(request.param)))
    after = os.times()
    seconds = after.children_user + after.children_system - before.children_user - before.children_system
    assert not left_over(folder)
    return request.param, folder, seconds


@pytest.fixture
def folder(whole: tuple[str, Path, float], tmp_path: Path) -> Path:
    shutil.copy(whole[1] / "params.yaml", tmp_path)
    return tmp_path


def test_kills_at_random_moments_change_no_byte(whole: tuple[str, Path, float], folder: Path) -> None:
    stage, uninterrupted, _ = whole
    script = [str(ROOT / "tests/killed_training.py"), str(folder), str(KILLS), "1", str(STAGES[stage][1])]
    process = start(folder, *script, stage, *stage_command(stage)[1:])
    found = json.loads(ended(process))
    assert len(found["killed_at"]) == KILLS
    assert len(set(found["killed_at"])) > 1, found
    assert contents(folder, stage) == contents(uninterrupted, stage)
    assert not left_over(folder)
    record("teacher's or backbone's training killed (SIGKILL) at a random moment", tried=KILLS, lost=0)


def test_told_to_leave_at_random_moments(whole: tuple[str, Path, float], folder: Path) -> None:
    """While pictures are rendered or packed, in a step, or later: its status and, in the end, the same bytes."""
    stage, uninterrupted, seconds = whole
    rng, left = random.Random(7), 0
    for number in interruption.SIGNALS:
        process, moment = start(folder, *stage_command(stage)), rng.uniform(0.3, 0.8) * seconds
        while process.poll() is None and used(process.pid) < moment:
            time.sleep(0.002)
        began = time.monotonic()
        process.send_signal(number)
        _, errors = process.communicate(timeout=120)
        assert process.returncode in (0, interruption.REQUEUE), errors
        assert time.monotonic() - began < LONGEST, errors
        left += process.returncode == interruption.REQUEUE
    ended(start(folder, *stage_command(stage)))
    assert contents(folder, stage) == contents(uninterrupted, stage)
    assert not left_over(folder)
    assert left
    record("SIGTERM or SIGUSR1 while a teacher or a backbone is trained", tried=2, lost=0)


KILLED = """
import os, runpy, sys
sys.argv = sys.argv[1:]
from pathlib import Path
from mtinet import files
target, publish = Path(sys.argv.pop(0)), files.publish
files.publish = lambda source, place: os.kill(os.getpid(), 9) if place == target else publish(source, place)
runpy.run_path(sys.argv[0], run_name="__main__")
"""
WITHOUT_A_STEP = """
import runpy, sys
sys.argv = sys.argv[1:]
from mtinet import stage
from mtinet.training import loop
loop.train_step = None
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def test_a_kill_while_the_result_is_published_costs_no_step(whole: tuple[str, Path, float], folder: Path) -> None:
    """Checkpoints and pictures go when the result stands in its place, and not before."""
    stage, uninterrupted, _ = whole
    process = start(folder, "-c", KILLED, str(STAGES[stage][1]), *stage_command(stage))
    _, errors = process.communicate(timeout=900)
    assert process.returncode == -signal.SIGKILL, errors
    assert not (folder / STAGES[stage][1]).exists()
    ended(start(folder, "-c", WITHOUT_A_STEP, *stage_command(stage)))
    assert contents(folder, stage) == contents(uninterrupted, stage)
    assert not left_over(folder)
    record("kill while a teacher or a backbone is published", tried=1, lost=0)


def test_two_backbones_share_their_pictures(tmp_path: Path) -> None:
    """Side by side they are rendered once and go with the later one; each backbone is what it is alone."""

    def both(content: Any) -> None:
        small(content)
        content["pretraining"]["pascal"]["hrnet18"]["budgets"]["smoke"] |= SMALL
        content["scales"]["smoke"]["pascal"]["pretrained"]["timm/hrnet_w18_small_v2"] = SCENES

    def weights(folder: Path, name: str) -> bytes:
        return next((folder / paths.pretrained(STUDY, "pascal", name)).glob("*.safetensors")).read_bytes()

    command = [str(ROOT / "stages/pretrain.py"), "--dataset", "pascal", "--name"]
    beside, alone = tmp_path / "beside", tmp_path / "alone"
    for folder in (beside, alone):
        folder.mkdir()
        write_params(folder, both)
    processes = [start(beside, *command, name) for name in ("hrnet18", "r18fpn")]
    seen: set[Path] = set()
    while any(process.poll() is None for process in processes):
        seen |= {*(beside / ".cache").glob("pretrain-data/*")}
        time.sleep(0.01)
    outputs = [ended(process) for process in processes]
    assert len(seen) == 1
    assert any("WAITING" in output for output in outputs)
    assert not left_over(beside)
    for name in ("hrnet18", "r18fpn"):
        ended(start(alone, *command, name))
        assert weights(alone, name) == weights(beside, name)
