"""A training that is killed, told to leave, or finds its checkpoint torn ends with the bytes of one that was not."""

from __future__ import annotations

import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from faults import record, tear
from small_project import ROOT, STUDY, TASKS, contents, results, write_params, write_project
from synthetic import SyntheticSplit

from mtinet import config, interruption, paths
from mtinet.data import nyud, packing
from mtinet.errors import UserError
from mtinet.training import loop, provenance
from mtinet.training.checkpoints import EVERY, Checkpoints
from mtinet.training.run import Run

EXPERIMENT = "hrnet18-single-depth"
EPOCHS = 4  # of two steps
IMAGES = 8


def environment(**changes: str) -> dict[str, str]:
    return os.environ | {"PYTHONPATH": f"{ROOT / 'src'}:{ROOT / 'tests'}", "OMP_NUM_THREADS": "1"} | changes


def killed(folder: Path, kills: int, seed: int = 0, every: str = "0.2") -> dict[str, Any]:
    """The real stage, killed so often, then run to its end."""
    outputs = ",".join(str(path.relative_to(folder)) for path in results(folder, EXPERIMENT).values())
    stage = ["train", "--dataset", "nyud", "--experiment", EXPERIMENT, "--seed", "0"]
    command = [str(ROOT / "tests/killed_training.py"), str(folder), str(kills), str(seed), outputs, *stage]
    done = subprocess.run(
        [sys.executable, *command], capture_output=True, text=True, env=environment(**{EVERY: every}), timeout=600
    )
    log = folder / "attempts.log"
    assert done.returncode == 0, done.stderr + (log.read_text() if log.exists() else "")
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def start(folder: Path, stage: str = "train", **changes: str) -> subprocess.Popen[str]:
    """A stage as the orchestrators call it."""
    command = [sys.executable, str(ROOT / f"stages/{stage}.py"), "--dataset", "nyud", "--experiment", EXPERIMENT]
    return subprocess.Popen(
        [*command, "--seed", "0"],
        cwd=folder,
        env=environment(**changes),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def unfinished(folder: Path) -> list[Path]:
    """All checkpoints of all runs there."""
    return sorted(folder.glob(".cache/train/*/[0-9]*.pt"), key=lambda path: path.name)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Parameters and data; tests copy it."""
    folder = write_project(tmp_path_factory.mktemp("project") / "made", IMAGES, epochs=EPOCHS)
    packed = folder / paths.packed(STUDY, "nyud", "val")
    packing.pack(folder / "raw", None, nyud.split_ids(folder / "raw", "val"), TASKS, packed, workers=1)
    return folder


@dataclass(frozen=True)
class Whole:
    """A run that nothing interrupts: the bytes of its results, and the seconds of its longest step."""

    trained: dict[str, bytes]
    evaluated: dict[str, bytes]
    step: float


@pytest.fixture(scope="module")
def uninterrupted(project: Path, tmp_path_factory: pytest.TempPathFactory) -> Whole:
    folder = tmp_path_factory.mktemp("whole") / "run"
    shutil.copytree(project, folder)
    process = start(folder)
    assert process.stdout is not None
    moments = [time.monotonic() for line in process.stdout if "epoch" in line]
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors
    epochs = [after - before for before, after in itertools.pairwise(moments)]
    return Whole(contents(folder, EXPERIMENT), evaluated(folder), max(epochs) / (IMAGES // 4))


def evaluated(folder: Path) -> dict[str, bytes]:
    """Score the run; the bytes of what is found."""
    process = start(folder, "evaluate")
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors
    made = (paths.metrics, paths.statistics, paths.examples)
    return {place.__name__: (folder / place(STUDY, "nyud", EXPERIMENT, 0)).read_bytes() for place in made}


@pytest.fixture
def folder(project: Path, tmp_path: Path) -> Path:
    shutil.copytree(project, tmp_path / "run")
    return tmp_path / "run"


def test_twenty_kills_at_random_moments_change_no_byte(folder: Path, uninterrupted: Whole) -> None:
    found = killed(folder, 20)
    assert len(found["killed_at"]) == 20
    assert len(set(found["killed_at"])) >= 4, found  # in many places, not always in the same
    assert contents(folder, EXPERIMENT) == uninterrupted.trained
    assert evaluated(folder) == uninterrupted.evaluated
    assert not list(folder.rglob(".part-*"))
    assert not unfinished(folder)
    record("Training killed (SIGKILL) at a random moment and started again", tried=20, lost=0)


def told_to_leave(folder: Path, number: signal.Signals, after: int) -> tuple[float, str]:
    """Send a signal when the epoch `after` has ended: seconds until the stage left, and its stderr."""
    process = start(folder)
    assert process.stdout is not None
    for line in process.stdout:
        if f"epoch {after}/" in line:
            break
    process.send_signal(number)
    began = time.monotonic()
    _, errors = process.communicate(timeout=120)
    assert process.returncode == interruption.REQUEUE == 75, errors
    return time.monotonic() - began, errors


def test_told_to_leave_twice_and_one_checkpoint_torn(folder: Path, uninterrupted: Whole) -> None:
    """SIGTERM, then SIGUSR1, then a bit of the newest checkpoint flips: back to the one before, and the same end."""
    for after, number in enumerate((signal.SIGTERM, signal.SIGUSR1), start=1):
        seconds, errors = told_to_leave(folder, number, after)
        assert seconds < uninterrupted.step + 5, errors
        assert len(errors.splitlines()) == 1
        assert errors.startswith(f"INTERRUPTED: nyud {EXPERIMENT} seed 0: {number.name} arrived, left after step")
        assert len(unfinished(folder)) == after
    older, newer = unfinished(folder)
    tear(newer, 0.5)
    for place in (paths.timing, paths.history):  # as of a kill in the instant of replacing one
        target = folder / place(STUDY, "nyud", EXPERIMENT, 0)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.with_name(f".part-1-{target.name}").write_text("half")
    process = start(folder)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors
    assert newer.name in errors
    assert "is torn" in errors
    assert older.name not in errors
    assert contents(folder, EXPERIMENT) == uninterrupted.trained
    assert not unfinished(folder)
    assert not list(folder.rglob(".part-*"))
    record("SIGTERM or SIGUSR1 during training", tried=2, lost=0)
    record("Newest checkpoint torn, training started again", tried=1, lost=0)


def test_a_changed_parameter_begins_anew(folder: Path, tmp_path: Path) -> None:
    """The checkpoint of the earlier parameters stays where it is and is not looked at."""
    told_to_leave(folder, signal.SIGTERM, 1)
    (before,) = unfinished(folder)
    write_params(folder, epochs=1, lr_factor=20.0)
    process = start(folder)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors
    assert unfinished(folder) == [before]
    fresh = tmp_path / "fresh"
    shutil.copytree(folder, fresh, ignore=shutil.ignore_patterns(".cache", "runs", "reports"))
    assert start(fresh).wait(120) == 0
    assert contents(folder, EXPERIMENT) == contents(fresh, EXPERIMENT)
    record("Parameter changed while a run was unfinished", tried=1, lost=0)


SCALE, OWN = ("scales", "smoke", "nyud"), ("experiments", "nyud", "single_task", EXPERIMENT)
CHANGES: dict[tuple[str, ...], Any] = {
    ("compute", "threads"): 2,
    ("compute", "processes"): 2,
    ("compute", "precision"): "float32",
    ("datasets", "nyud", "tasks", "depth", "weight"): 2.0,
    (*SCALE, "input"): {"height": 32, "width": 64},
    (*SCALE, "epochs"): 9,
    (*SCALE, "epochs_of"): {"timm/hrnet_w18_small_v2": 7},
    (*SCALE, "batch_size"): 2,
    (*SCALE, "optimizer"): {"kind": "sgd", "lr": 0.5},
    (*SCALE, "lr_factor"): 3.0,
    (*SCALE, "augmentation"): {"zoom": [1.0, 1.2], "flip": True},
    (*SCALE, "augmentation", "flip"): False,
    (*SCALE, "pretrained"): "hub",
    (*OWN, "backbone"): "fpn/resnet18",
    (*OWN, "tasks"): ["seg"],
    (*OWN, "auxiliary"): ["normals"],
    (*OWN, "optimizer"): "sgd",
    (*OWN, "lr"): 0.5,
    (*OWN, "weight_decay"): 0.5,
    (*OWN, "weights"): "best",
    (*OWN, "labels"): "shuffled",
    (*OWN, "options"): {"head": "other"},
}


def key_after(folder: Path, changes: dict[tuple[str, ...], Any], seed: int = 0, data: str = "data") -> str:
    """The key of the run's checkpoints when these parameters have other values."""

    def change(content: Any) -> None:
        for where, value in changes.items():
            section = content
            for name in where[:-1]:
                section = section[name]
            section[where[-1]] = value

    write_params(folder, change)
    run = Run.of(config.load(folder / "params.yaml"), "nyud", EXPERIMENT, seed)
    split = SyntheticSplit(1)
    split.digest = data
    return provenance.Origin.of(run, split, torch.device("cpu")).key  # type: ignore[arg-type]


def test_every_parameter_of_a_run_is_part_of_its_checkpoints_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that is not listed here, because it is new, fails; so does what else changes a result and is left out."""
    keys = {where: key_after(tmp_path, {where: value}) for where, value in CHANGES.items()}
    keys[("seed",)] = key_after(tmp_path, {}, seed=1)
    keys[("data",)] = key_after(tmp_path, {}, data="others")
    own = key_after(tmp_path, {})
    run = Run.of(config.load(tmp_path / "params.yaml"), "nyud", EXPERIMENT, 0)
    listed = {where[-1] for where in CHANGES}
    kinds = (type(run.experiment), type(run.scale))
    assert {name for kind in kinds for name in kind.model_fields} - listed == {"scenes"}  # which the data's digest has
    # All but the scenes, and `device`, whose name the environment has.
    assert set(yaml.safe_load((ROOT / "params.yaml").read_text())["compute"]) - listed == {"device"}
    for name, value in (("environment", lambda *given: {"precision": "other"}), ("code_hash", lambda names: "other")):
        with monkeypatch.context() as patched:
            patched.setattr(provenance, name, value)
            keys[(name,)] = key_after(tmp_path, {})
    monkeypatch.setattr(Run, "initial_weights", lambda self: "x#sha256=other")
    keys[("pretraining",)] = key_after(tmp_path, {})
    assert own not in keys.values(), [where for where, key in keys.items() if key == own]
    assert len(set(keys.values())) == len(keys)
    record("Parameter, code, data, weights or machine changed: another checkpoint's key", tried=len(keys), lost=0)


# A loss that is no number -----------------------------------------------------------------------------------


def with_infinite_depth(folder: Path, frame: int) -> None:
    """Make the depth of one frame infinite, as a broken label file would."""
    depth = np.load(folder / paths.packed(STUDY, "nyud", "train") / "depth.npy", mmap_mode="r+")
    size = len(depth) // IMAGES
    depth[frame * size : (frame + 1) * size] = np.inf
    depth.flush()


@pytest.mark.orchestrator
def test_a_loss_that_is_not_finite_stops_the_run_keeps_the_checkpoint_and_fails_in_mlflow(
    folder: Path,
) -> None:
    import mlflow

    last = np.random.default_rng([0, 0]).permutation(IMAGES)[-1]  # of the first epoch, under seed 0: in the second step
    with_infinite_depth(folder, last)
    store = f"sqlite:///{folder}/mlflow.db"
    process = start(folder, MLFLOW_TRACKING_URI=store, **{EVERY: "0"})
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 1
    (line,) = (line for line in errors.splitlines() if line.startswith("ERROR"))
    said = f"ERROR: nyud {EXPERIMENT} seed 0: loss of depth (final) is not finite at step 2, expected a number;"
    assert line.startswith(said)
    (path,) = unfinished(folder)
    assert path.name.startswith("000000001-")
    assert all(torch.isfinite(value).all() for value in torch.load(path, weights_only=True)["model"].values())
    client = mlflow.MlflowClient(store)
    (run,) = client.search_runs([experiment.experiment_id for experiment in client.search_experiments()])
    assert run.info.status == "FAILED"
    assert not any(path.exists() for path in results(folder, EXPERIMENT).values())
    record("Loss not finite in a step", tried=1, lost=0)


def test_weights_that_are_not_finite_are_neither_kept_nor_returned(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The loss of the last step was finite, its gradient was not: there is no next step to show it."""
    monkeypatch.setenv(EVERY, "0")
    write_params(tmp_path, epochs=2)
    run = Run.of(config.load(tmp_path / "params.yaml"), "nyud", EXPERIMENT, 0)
    original = loop.train_step

    def poisoned(*arguments: Any) -> Any:
        values = original(*arguments)
        if arguments[5].step == 3:
            next(iter(arguments[1].net.parameters())).data[0] = float("nan")
        return values

    monkeypatch.setattr(loop, "train_step", poisoned)
    with pytest.raises(UserError, match=r"weights of \S+ are not finite after step 4"):
        loop.train(run, SyntheticSplit(8), tmp_path, torch.device("cpu"), lambda row: None)  # type: ignore[arg-type]
    assert [path.name.partition("-")[0] for path in Checkpoints(tmp_path).found()] == ["000000003", "000000002"]
    record("Weights not finite after a step whose loss was", tried=1, lost=0)
