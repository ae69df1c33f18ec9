"""`mtinet run` and `mtinet evaluate`: the orchestrators' stage commands, with their exit statuses and signals."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from command_line import CommandLine, copy_reports

from mtinet.cli import stages
from mtinet.cli.progress import Progress
from mtinet.cli.project import run_name
from pipeline.matrix import items
from pipeline.rules import rules

FAKE = """
import os, signal, sys, time
print(os.getcwd(), *sys.argv, flush=True)
if os.path.exists("fails"):
    sys.exit(int(open("fails").read()))
if os.path.exists("waits"):
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(75))
    print("ready", flush=True)
    time.sleep(20)
"""


@pytest.fixture
def mtinet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> CommandLine:
    folder = copy_reports(tmp_path / "project")
    for stage in ("train", "evaluate"):
        (folder / f"stages/{stage}.py").write_text(FAKE)
    return CommandLine(folder, monkeypatch, capfd)


def test_commands_are_those_of_the_orchestrators() -> None:
    checked = 0
    for rule in rules():
        if rule.stage not in ("train", "evaluate"):
            continue
        for item in items(rule):
            expected = rule.command
            for key, value in item.items():
                expected = expected.replace(f"{{{key}}}", str(value))
            name = run_name(f"{rule.dataset}/{item['exp']}/seed{item['seed']}")
            assert ["python", *stages.command(rule.stage, name, int(item["seed"]))] == expected.split()
            checked += 1
    assert checked > 100


@pytest.mark.parametrize(("command", "stage"), [("run", "train"), ("evaluate", "evaluate")])
def test_the_stage_runs_in_the_projects_folder(mtinet: CommandLine, command: str, stage: str) -> None:
    path = mtinet.folder / "params.yaml"
    path.write_text(path.read_text().replace("seeds: [0]", "seeds: [0, 3]"))
    mtinet.folder = mtinet.folder / "pipeline"
    words = f"stages/{stage}.py --dataset nyud --experiment hrnet18-mti --seed"
    answer = mtinet(command, "nyud/hrnet18-mti")
    assert answer.status == 0
    assert answer.out.splitlines() == [f"{mtinet.folder.parent} {words} {seed}" for seed in (0, 3)]
    assert answer.err.splitlines() == [f"python {words} {seed}" for seed in (0, 3)]
    answer = mtinet(command, "nyud/hrnet18-mti/seed3")
    assert answer.out.splitlines() == [f"{mtinet.folder.parent} {words} 3"]


@pytest.mark.parametrize("status", [1, 75])
def test_it_ends_as_the_stage_does(mtinet: CommandLine, status: int) -> None:
    (mtinet.folder / "fails").write_text(str(status))
    assert mtinet("run", "nyud/hrnet18-mti").status == status


def test_a_schedulers_signal_reaches_the_stage(mtinet: CommandLine) -> None:
    (mtinet.folder / "waits").touch()
    command = [sys.executable, "-m", "mtinet.cli", "run", "nyud/hrnet18-mti/seed0"]
    with subprocess.Popen(command, cwd=mtinet.folder, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        while process.stdout.readline() != "ready\n":
            assert process.poll() is None
        began = time.monotonic()
        process.send_signal(signal.SIGTERM)
        assert process.wait(15) == 75
        assert time.monotonic() - began < 10


def test_ctrl_c_ends_both_with_130(mtinet: CommandLine) -> None:
    """A terminal sends it to all of its processes."""
    (mtinet.folder / "waits").touch()
    command = [sys.executable, "-m", "mtinet.cli", "run", "nyud/hrnet18-mti/seed0"]
    with subprocess.Popen(
        command, cwd=mtinet.folder, stdout=subprocess.PIPE, text=True, start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    ) as process:  # fmt: skip
        assert process.stdout is not None
        while process.stdout.readline() != "ready\n":
            assert process.poll() is None
        os.killpg(process.pid, signal.SIGINT)
        assert process.wait(15) == 130


def test_a_stages_output_stands_above_its_progress(mtinet: CommandLine) -> None:
    """What it prints goes where it went without: results to stdout, the rest to the terminal, line by line."""
    script = mtinet.folder / "stages/evaluate.py"
    script.write_text("import sys\nprint('a result')\nprint('careful', file=sys.stderr)\nprint('no end', end='')\n")
    answer = mtinet.watched("evaluate", "nyud/hrnet18-mti/seed0")
    assert (answer.status, answer.out) == (0, "a result\nno end")
    assert "scoring nyud/hrnet18-mti, seed 0 0:00:00" in answer.err
    assert "careful" in re.split(r"[\r\n]+", answer.err)
    together = mtinet.watched("evaluate", "nyud/hrnet18-mti/seed0", stdout_too=True)
    assert together.out == ""
    assert {"a result", "careful", "no end"} <= set(re.split(r"[\r\n]+", together.err))
    (mtinet.folder / "fails").write_text("75")
    assert mtinet.watched("run", "nyud/hrnet18-mti").status == 75


def test_a_stage_that_a_signal_kills_counts_as_in_shells() -> None:
    assert stages.execute([sys.executable, "-c", "import os; os.kill(os.getpid(), 9)"], Progress()) == 137
