"""`mtinet run` and `mtinet evaluate`: the orchestrators' stage commands, with their exit statuses and signals."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from command_line import ROOT, CommandLine, copy_reports

from mtinet import interruption
from mtinet.cli import stages
from mtinet.cli.progress import Progress
from mtinet.cli.project import run_name
from pipeline.matrix import items
from pipeline.rules import rules
from pipeline.snake import RULES

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
SCORED = """
import json, os, sys
if "evaluate" in sys.argv[0]:
    words = dict(zip(sys.argv[1::2], sys.argv[2::2]))
    path = "reports/scenes-laptop/metrics/{--dataset}/{--experiment}/seed{--seed}.json".format(**words)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    scores = {"tasks": {"seg": {"mIoU": 0.25, "mean_acc": 0.5}, "depth": {"rmse": 1.25}},
              "auxiliary": {"normals": {"mean_angle": None}}, "images": 6}
    open(path, "w").write(json.dumps(scores))
"""
STAGE = """
import os, time
from mtinet import processes, stage
from mtinet.errors import UserError
if __name__ == "__main__":
    print("began", flush=True)
    if os.path.exists("imports"):
        time.sleep(60)
    with stage.reporting_errors(), stage.writing(cached=[stage.Path("runs/x/made")]):
        if os.path.exists("fails"):
            raise UserError("found this, expected that")
        BODY
"""
READY = 'print("at work", flush=True)'
WAITING = {
    "steps": f"{READY}; time.sleep(60)",
    "workers": f"""with processes.pool(2) as pool:
            list(pool.map(time.sleep, [0.5] * 2))
            {READY}
            list(pool.map(time.sleep, [60.0] * 4))""",
}


@pytest.fixture
def mtinet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> CommandLine:
    folder = copy_reports(tmp_path / "project")
    for stage in ("train", "evaluate"):
        (folder / f"stages/{stage}.py").write_text(FAKE + SCORED)
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

    def of_stage(said: str) -> list[str]:
        return [line for line in said.splitlines() if "stages/" in line]

    answer = mtinet(command, "nyud/hrnet18-mti")
    assert answer.status == 0
    assert of_stage(answer.out) == [f"{mtinet.folder.parent} {words} {seed}" for seed in (0, 3)]
    assert answer.err.splitlines() == [f"python {words} {seed}" for seed in (0, 3)]
    answer = mtinet(command, "nyud/hrnet18-mti/seed3")
    assert of_stage(answer.out) == [f"{mtinet.folder.parent} {words} 3"]


def test_what_was_made_is_said(mtinet: CommandLine) -> None:
    """Where it is, each task's own figure as tables print it, and for a script all of them."""
    trained = mtinet("run", "nyud/hrnet18-mti").out.splitlines()[-1]
    weights = "runs/scenes-laptop/nyud/hrnet18-mti/seed0/weights.safetensors"
    assert trained == f"nyud/hrnet18-mti/seed0: {weights}; next: mtinet evaluate nyud/hrnet18-mti/seed0"
    path = "reports/scenes-laptop/metrics/nyud/hrnet18-mti/seed0.json"
    line = "seg mIoU 25.00 %, depth rmse 1.250 m, normals mean_angle none (auxiliary); 6 images"
    assert mtinet("evaluate", "nyud/hrnet18-mti").out.splitlines()[1:] == [f"nyud/hrnet18-mti/seed0: {line}", path]
    answer = mtinet("evaluate", "nyud/hrnet18-mti", "--json")
    (read,) = json.loads(answer.out)
    assert read == {"run": "nyud/hrnet18-mti/seed0", "file": path} | json.loads((mtinet.folder / path).read_text())
    assert "stages/evaluate.py" in answer.err


def test_what_a_stage_says_is_kept_where_snakemake_keeps_it(mtinet: CommandLine) -> None:
    (mtinet.folder / "fails").write_text("1")
    answer = mtinet("run", "nyud/hrnet18-mti")
    (rule,) = [rule for rule in RULES if rule.name == "train_nyud_mti_net"]
    log = rule.log.format(exp="hrnet18-mti", seed=0)
    assert answer.err.splitlines()[-1] == f"all that it said: {log}"
    (mtinet.folder / "fails").unlink()
    mtinet("run", "nyud/hrnet18-mti")
    command = "stages/train.py --dataset nyud --experiment hrnet18-mti --seed 0"
    began, said, *again = (mtinet.folder / log).read_text().splitlines()
    assert began.endswith(f"] python {command}")
    assert said == f"{mtinet.folder} {command}"
    assert [line.partition("] ")[2] or line for line in again] == [f"python {command}", said]


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


def write_stage(mtinet: CommandLine, body: str) -> None:
    """A training stage of the project's that does this, with the library beside it."""
    shutil.copytree(ROOT / "src/mtinet", mtinet.folder / "src/mtinet", ignore=shutil.ignore_patterns("__pycache__"))
    (mtinet.folder / "stages/train.py").write_text(STAGE.replace("BODY", body))


def started(mtinet: CommandLine, body: str, until: str) -> subprocess.Popen[str]:
    """`mtinet run` of a stage that does this, in a group of its own as on a terminal, once it has said `until`."""
    write_stage(mtinet, body)
    process = subprocess.Popen(
        [sys.executable, "-m", "mtinet.cli", "run", "nyud/hrnet18-mti/seed0"], cwd=mtinet.folder, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )  # fmt: skip
    assert process.stdout is not None
    while process.stdout.readline() != f"{until}\n":
        assert process.poll() is None, process.communicate()
    return process


def gone(group: int) -> bool:
    """Whether no process of the group is left."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return True
    return False


@pytest.mark.parametrize("to_all", [True, False], ids=["terminal", "kill"])
@pytest.mark.parametrize("body", WAITING.values(), ids=WAITING.keys())
def test_ctrl_c_is_one_line_and_130_and_leaves_no_process(mtinet: CommandLine, body: str, to_all: bool) -> None:
    """A terminal sends it to all processes, workers too; `kill -INT` to this one alone."""
    process = started(mtinet, body, "at work")
    (os.killpg if to_all else os.kill)(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == interruption.CTRL_C == 130
    tracker = ("resource_tracker", "warnings.warn")  # multiprocessing's own warning where a process is cut off
    assert [line for line in errors.splitlines()[1:] if not any(words in line for words in tracker)] == [
        "INTERRUPTED: Ctrl-C; the same command goes on, or begins anew where there is nothing to go on from",
        "all that it said: logs/scenes-laptop/train_nyud_mti_net-hrnet18-mti-0.log",
    ]
    end = time.monotonic() + 5
    while not gone(process.pid) and time.monotonic() < end:
        time.sleep(0.05)
    assert gone(process.pid)
    assert not any((mtinet.folder / "runs/x").glob("*"))


def test_ctrl_c_while_a_stage_is_still_importing(mtinet: CommandLine) -> None:
    (mtinet.folder / "imports").touch()
    process = started(mtinet, "pass", "began")
    os.killpg(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 130
    assert [line.partition(";")[0] for line in errors.splitlines()[1:-1]] == ["INTERRUPTED: Ctrl-C"]


@pytest.mark.parametrize("words", [("--debug", "run"), ("run", "--debug"), ("run",)])
@pytest.mark.parametrize("exported", ["1", "0"])
def test_traces_of_stages_come_with_debug(
    mtinet: CommandLine, words: tuple[str, ...], exported: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (mtinet.folder / "fails").touch()
    write_stage(mtinet, "pass")
    monkeypatch.setenv("MTINET_DEBUG", exported)
    answer = mtinet(*words, "nyud/hrnet18-mti")
    assert answer.status == 1
    command, *said, _ = answer.err.splitlines()
    assert command.startswith("python stages/train.py")
    assert said[-1] == "ERROR: found this, expected that"
    traced = "--debug" in words or exported == "1"
    assert ("Traceback (most recent call last):" in said) == traced == (len(said) > 1)
    assert answer.err.count("ERROR: ") == 1


def test_a_stages_output_stands_above_its_progress(mtinet: CommandLine) -> None:
    """What it prints goes where it went without: results to stdout, the rest to the terminal, line by line."""
    script = mtinet.folder / "stages/evaluate.py"
    said = "import sys\nprint('a result')\nprint('careful', file=sys.stderr)\nprint('no end', end='')\n"
    script.write_text(said + SCORED)
    answer = mtinet.watched("evaluate", "nyud/hrnet18-mti/seed0")
    assert (answer.status, answer.out.splitlines()[:2]) == (0, ["a result", "no end"])
    assert "scoring nyud/hrnet18-mti, seed 0 0:00:00" in answer.err
    assert "careful" in re.split(r"[\r\n]+", answer.err)
    together = mtinet.watched("evaluate", "nyud/hrnet18-mti/seed0", stdout_too=True)
    assert together.out == ""
    assert {"a result", "careful", "no end"} <= set(re.split(r"[\r\n]+", together.err))
    (mtinet.folder / "fails").write_text("75")
    assert mtinet.watched("run", "nyud/hrnet18-mti").status == 75


def test_a_stage_that_a_signal_kills_counts_as_in_shells(tmp_path: Path) -> None:
    killed = [sys.executable, "-c", "import os; os.kill(os.getpid(), 9)"]
    assert stages.execute(killed, Progress(), tmp_path / "log") == 137
