"""A scheduler's signals, whenever they come: the stage leaves within a step plus five seconds, to be requeued."""

from __future__ import annotations

import os
import random
import resource
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from faults import record
from killed_training import used
from small_project import ROOT, STUDY, contents, write_params, write_project
from synthetic import SyntheticSplit

from mtinet import config, interruption, paths
from mtinet.data import nyud, packing
from mtinet.errors import Interrupted
from mtinet.training import loop, tracking
from mtinet.training.checkpoints import Checkpoints
from mtinet.training.run import Run

EXPERIMENT = "hrnet18-single-depth"
LONGEST = 5.0  # seconds beside a step of training, which takes a tenth of a second here
TRIES = 3  # of each stage


def start(folder: Path, stage: str, **changes: str) -> subprocess.Popen[str]:
    """A stage of the run, as the orchestrators call it."""
    command = [sys.executable, str(ROOT / f"stages/{stage}.py"), "--dataset", "nyud", "--experiment", EXPERIMENT]
    environment = {"PYTHONPATH": str(ROOT / "src"), "OMP_NUM_THREADS": "1", **changes}
    return subprocess.Popen(
        [*command, "--seed", "0"], cwd=folder, env=os.environ | environment, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def told(process: subprocess.Popen[str], number: signal.Signals) -> tuple[float, str]:
    """Send a signal: seconds until the process has ended, and its stderr."""
    began = time.monotonic()
    process.send_signal(number)
    _, errors = process.communicate(timeout=120)
    return time.monotonic() - began, errors


def caught(process: subprocess.Popen[str]) -> bool:
    """Whether the process has a handler for SIGTERM."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    mask = next(line.split()[1] for line in status.splitlines() if line.startswith("SigCgt"))
    return bool(int(mask, 16) >> (signal.SIGTERM - 1) & 1)


def reached(process: subprocess.Popen[str], moment: float) -> bool:
    """Whether the process has used so many seconds of CPU, or has ended."""
    return process.poll() is not None or (caught(process) and used(process.pid) >= moment)


def until(condition: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    while not condition():
        assert process.poll() is None, process.communicate()
        time.sleep(0.001)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Parameters, training and validation split."""
    folder = write_project(tmp_path_factory.mktemp("project") / "made", 8, epochs=3)
    ids, packed = nyud.split_ids(folder / "raw", "val"), folder / paths.packed(STUDY, "nyud", "val")
    packing.pack(folder / "raw", None, ids, ("seg", "depth", "normals", "edge"), packed, workers=1)
    return folder


@pytest.fixture
def folder(project: Path, tmp_path: Path) -> Path:
    shutil.copytree(project, tmp_path / "run")
    return tmp_path / "run"


@pytest.mark.parametrize("number", interruption.SIGNALS)
@pytest.mark.parametrize("stage", ["train", "evaluate"])
def test_while_a_stage_is_still_importing(folder: Path, stage: str, number: signal.Signals) -> None:
    process = start(folder, stage)
    until(lambda: caught(process), process)
    assert "libtorch" not in Path(f"/proc/{process.pid}/maps").read_text()  # the longest import is yet to come
    seconds, errors = told(process, number)
    assert process.returncode == interruption.REQUEUE
    assert seconds < LONGEST
    assert errors == f"INTERRUPTED: {number.name} arrived; the same command begins this stage anew\n"
    record("SIGTERM or SIGUSR1 while a stage starts", tried=1, lost=0)


def test_at_random_moments_of_a_whole_run(folder: Path, tmp_path: Path) -> None:
    """Imports, data, steps, publishing, end: training and evaluation end with the bytes of those not disturbed."""
    whole = tmp_path / "whole"
    shutil.copytree(folder, whole)
    work = {}
    for stage in ("train", "evaluate"):
        process, before = start(whole, stage), resource.getrusage(resource.RUSAGE_CHILDREN)
        _, errors = process.communicate(timeout=120)
        assert process.returncode == 0, errors
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        work[stage] = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    rng, left = random.Random(4), 0
    for stage in ("train", "evaluate"):
        for _ in range(TRIES):
            process, moment = start(folder, stage), rng.uniform(0.1, 0.9) * work[stage]
            # One that goes on from a checkpoint has less to do, and may have ended before its moment.
            until(lambda process=process, moment=moment: reached(process, moment), process)
            seconds, errors = told(process, rng.choice(interruption.SIGNALS))
            assert process.returncode in (0, interruption.REQUEUE), errors
            assert seconds < LONGEST, errors
            left += process.returncode == interruption.REQUEUE
        process = start(folder, stage)
        _, errors = process.communicate(timeout=120)
        assert process.returncode == 0, errors
    assert contents(folder, EXPERIMENT) == contents(whole, EXPERIMENT)
    for place in (paths.metrics, paths.statistics, paths.examples):
        path = place(STUDY, "nyud", EXPERIMENT, 0)
        assert (folder / path).read_bytes() == (whole / path).read_bytes(), path
    killed_between_outputs(folder)
    assert (folder / paths.metrics(STUDY, "nyud", EXPERIMENT, 0)).read_text() == "earlier"
    process = start(folder, "evaluate")
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors
    for place in (paths.metrics, paths.statistics, paths.examples):
        path = place(STUDY, "nyud", EXPERIMENT, 0)
        assert (folder / path).read_bytes() == (whole / path).read_bytes(), path
    assert left >= TRIES
    assert not list(folder.rglob(".part-*"))
    record("SIGTERM or SIGUSR1 at a random moment of training or evaluation", tried=2 * TRIES, lost=0)


def killed_between_outputs(folder: Path) -> None:
    """Evaluate over earlier results of other content, killed (SIGKILL) when two of the three outputs are published."""
    for place in (paths.metrics, paths.statistics, paths.examples):
        (folder / place(STUDY, "nyud", EXPERIMENT, 0)).write_text("earlier")
    code = (
        "import os, runpy, sys\nfrom mtinet import files\nsys.argv = sys.argv[1:]\n"
        "files.write_json = lambda *given: os.kill(os.getpid(), 9)\nrunpy.run_path(sys.argv[0], run_name='__main__')"
    )
    command = [str(ROOT / "stages/evaluate.py"), "--dataset", "nyud", "--experiment", EXPERIMENT, "--seed", "0"]
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src"), "OMP_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, "-c", code, *command], cwd=folder, env=environment, check=False)
    assert done.returncode == -signal.SIGKILL
    assert (folder / paths.examples(STUDY, "nyud", EXPERIMENT, 0)).read_bytes() != b"earlier"
    record("Kill between two outputs of one stage", tried=1, lost=0)


def test_no_further_step_is_begun(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However long a step takes, the one in which the signal comes is the last, and its state is kept."""
    write_params(tmp_path, epochs=2)
    run = Run.of(config.load(tmp_path / "params.yaml"), "nyud", EXPERIMENT, 0)
    original = loop.train_step
    for last in (1, 2, 3):  # in the middle and at the end of an epoch

        def signalled(*arguments: Any, last: int = last) -> Any:
            if arguments[5].step == last - 1:
                os.kill(os.getpid(), signal.SIGUSR1)
            return original(*arguments)

        with monkeypatch.context() as patched:
            patched.setattr(loop, "train_step", signalled)
            with pytest.raises(Interrupted, match=f"SIGUSR1 arrived, left after step {last} of 4 with a checkpoint"):
                loop.train(run, SyntheticSplit(8), tmp_path / "kept", torch.device("cpu"), lambda row: None)  # type: ignore[arg-type]
        assert Checkpoints(tmp_path / "kept").found()[0].name.startswith(f"{last:09d}-")


# What stands in the way ---------------------------------------------------------------------------------------


def run(code: str, signals: int = 1) -> tuple[subprocess.Popen[str], float, str, str]:
    """Run code as if it stood in a stage's script; it says when it is ready, then SIGTERM is sent so often."""
    begin = f"import sys\nsys.argv = ['{ROOT}/stages/train.py']\nimport mtinet\nsys.argv = ['-c']\n"
    process = subprocess.Popen(
        [sys.executable, "-c", begin + code], env=os.environ | {"PYTHONPATH": str(ROOT / "src")},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    process.stdout.readline()
    began = time.monotonic()
    for _ in range(signals):
        process.send_signal(signal.SIGTERM)
        time.sleep(0.1)
    output, errors = process.communicate(timeout=60)
    return process, time.monotonic() - began, output, errors


READY = "print('ready', flush=True)"
STUCK = {
    "an exception that a library swallows": f"""
    try:
        {READY}
        time.sleep(60)
    except BaseException:
        time.sleep(60)""",
    "calls that a pool has taken": f"""
    with ThreadPoolExecutor(2) as pool:
        calls = pool.map(time.sleep, [2.0] * 40)
        {READY}
        list(calls)""",
    "processes that a pool waits for": f"""
    with processes.pool(2) as pool:
        calls = pool.map(time.sleep, [2.0] * 40)
        {READY}
        list(calls)""",
}


@pytest.mark.parametrize("body", STUCK.values(), ids=STUCK.keys())
def test_whatever_it_waits_for_a_stage_leaves(body: str) -> None:
    """The process ends after the seconds of grace, and its workers with it."""
    code = (
        "import time\nfrom concurrent.futures import ThreadPoolExecutor\nfrom mtinet import processes, stage\n"
        f"with stage.reporting_errors():{body}\nprint('not reached')"
    )
    process, seconds, output, errors = run(code)
    assert process.returncode == interruption.REQUEUE
    assert seconds < 20  # what it waits for takes 40 at least; the grace is 3, and the machine may be busy
    assert output == ""
    said = [line for line in errors.splitlines() if "resource_tracker" not in line]  # multiprocessing's own warning
    assert said == ["INTERRUPTED: SIGTERM arrived; the same command begins this stage anew"]
    record("SIGTERM while a stage waits for something else", tried=1, lost=0)


def test_further_signals_do_not_disturb_the_way_out() -> None:
    code = (
        f"import time\nfrom mtinet import stage\nwith stage.reporting_errors():\n    try:\n        {READY}\n"
        "        time.sleep(60)\n    finally:\n        time.sleep(0.5)\n        print('cleared', flush=True)"
    )
    process, _, output, errors = run(code, signals=4)
    assert (process.returncode, output) == (interruption.REQUEUE, "cleared\n")
    assert len(errors.splitlines()) == 1


def test_a_result_that_is_published_stays_so() -> None:
    """In the second in which the interpreter unloads its libraries a signal is too late, and changes no status."""
    code = (
        "import time\nfrom mtinet import stage\n"
        "with stage.reporting_errors():\n    pass\nprint('ready', flush=True)\ntime.sleep(0.5)\nprint('ended')"
    )
    process, _, output, errors = run(code)
    assert (process.returncode, output, errors) == (0, "ended\n", "")


def test_other_programs_keep_their_signals() -> None:
    """Only a stage's own process takes them when mtinet is imported: no program that uses it, and no worker."""
    code = "import sys\nsys.argv = [sys.argv[1]]\nimport mtinet, signal\nprint(signal.getsignal(15))"
    for script, expected in (("stages/train.py", "end_at_once"), ("tests/x.py", "0"), ("train.py", "0")):
        done = subprocess.run(
            [sys.executable, "-c", code, str(ROOT / script)], env=os.environ | {"PYTHONPATH": str(ROOT / "src")},
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        assert expected in done.stdout.removesuffix("\n")


@pytest.fixture
def silent_server() -> Iterator[str]:
    """Takes connections and says nothing, as a server behind a broken network."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


def test_a_tracking_server_that_does_not_answer(folder: Path, silent_server: str) -> None:
    process = start(folder, "train", MLFLOW_TRACKING_URI=silent_server)
    until((folder / ".cache/mlflow.lock").exists, process)
    time.sleep(0.3)
    seconds, errors = told(process, signal.SIGTERM)
    assert process.returncode == interruption.REQUEUE, errors
    assert seconds < LONGEST


def test_a_signal_during_tracking_ends_that_and_is_noted() -> None:
    """In training the handler outside only notes it: the step's checkpoint is still to be written."""
    client = SimpleNamespace(set_terminated=lambda *given: time.sleep(60))
    tracker = tracking.Tracker("experiment", "name", "key")
    tracker.client = client
    began = time.monotonic()
    threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGUSR1)).start()
    with interruption.noted() as note:
        tracker.finish()
    assert note.name == "SIGUSR1"
    assert time.monotonic() - began < LONGEST
