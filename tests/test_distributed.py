"""Several processes train and score as one does: the same weights in float64, the same bytes of every score."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from archive_layout import write_layout
from small_project import ROOT, STUDY, TASKS, contents, write_params, write_project
from test_resuming import environment, unfinished
from torch import nn

from mtinet import config, paths
from mtinet.config import Params
from mtinet.data import nyud, packing
from mtinet.errors import UserError
from mtinet.evaluation import scoring
from mtinet.training import batch_norm, distributed
from mtinet.training.checkpoints import EVERY

pytestmark = pytest.mark.skipif(not torch.distributed.is_available(), reason="torch without torch.distributed")

RUNS = (
    "pascal/r18fpn-single-sal",
    "pascal/r18fpn-mtl-a",
    "nyud/hrnet18-pad-n",
    "pascal/hrnet18-mti-s-en",
    "pascal/r26dlv3-astmt-a",
)
EXPERIMENT = "r18fpn-mti-n"  # with an auxiliary task and initial predictions
STAGE = ("--dataset", "nyud", "--experiment", EXPERIMENT, "--seed", "0")
TORCHRUN = ("-m", "torch.distributed.run", "--nproc-per-node")


def work(*jobs: tuple[Any, ...]) -> None:
    """Have jobs done, see distributed_training.py."""
    command = [sys.executable, str(ROOT / "tests/distributed_training.py"), json.dumps(jobs)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment(), timeout=600)
    assert done.returncode == 0, done.stderr


def two_processes(content: Any) -> None:
    content["compute"]["processes"] = 2


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folders 1 and 2 with float64 trainings, and `project`, trained in two processes without an interruption."""
    folder = tmp_path_factory.mktemp("made")
    project = write_project(folder / "project", 8, two_processes, epochs=3)
    write_layout(folder / "val", train=1, val=7)
    ids = nyud.split_ids(folder / "val", "val")
    packing.pack(folder / "val", None, ids, TASKS, project / paths.packed(STUDY, "nyud", "val"), workers=1)
    shutil.copytree(project, folder / "fresh")
    work(
        *((processes, "float64", str(folder / str(processes)), *RUNS) for processes in (1, 2)),
        (2, "stage", str(project), "train.py", f"nyud/{EXPERIMENT}"),
    )
    return folder


def weights(folder: Path, name: str, rank: int) -> dict[str, torch.Tensor]:
    found: dict[str, torch.Tensor] = torch.load(
        folder / name.replace("/", "-") / str(rank) / "weights.pt", weights_only=True
    )
    return found


@pytest.mark.parametrize("name", RUNS)
def test_two_processes_end_as_one_with_the_whole_batch(made: Path, name: str) -> None:
    """After five steps, shares of 2 and 3 images, with other numbers of ignored pixels in each."""
    one, first, second = weights(made / "1", name, 0), weights(made / "2", name, 0), weights(made / "2", name, 1)
    assert one.keys() == first.keys() == second.keys()
    for key, value in one.items():
        assert torch.equal(first[key], second[key]), key
        assert (first[key] - value).double().norm() <= 1e-9 * value.double().norm(), key
    rows = [json.loads((made / folder / name.replace("/", "-") / "0/history.json").read_text()) for folder in "12"]
    assert rows[0][-1] == pytest.approx(rows[1][-1], rel=1e-9)


def scores(project: Path) -> dict[str, bytes]:
    places = (paths.metrics, paths.statistics, paths.examples)
    return {each.__name__: (project / each(STUDY, "nyud", EXPERIMENT, 0)).read_bytes() for each in places}


def test_three_processes_write_the_scores_of_one_to_the_byte(made: Path) -> None:
    """Of two batches, so that one process has none."""
    project, name = made / "project", f"nyud/{EXPERIMENT}"
    work((1, "stage", str(project), "evaluate.py", name))
    alone = scores(project)
    for place in (paths.metrics, paths.statistics, paths.examples):
        (project / place(STUDY, "nyud", EXPERIMENT, 0)).unlink()
    work((3, "stage", str(project), "evaluate.py", name))
    assert scores(project) == alone
    assert json.loads(alone["metrics"])["images"] == 7


@pytest.mark.parametrize("processes", [1, 2, 5])
def test_parts_come_together_in_the_order_of_the_images(processes: int) -> None:
    images = 11
    parts = [scoring.Part(keys={"seg": "seg"} if rank == 0 else {}) for rank in range(processes)]
    for index in range(images):
        part = parts[index // 2 % processes]
        part.rows.setdefault("seg", {})[index] = np.array([float(index)])
        part.shown[index] = {}
    whole = scoring.merged(parts)
    assert [whole.rows["seg"][index].item() for index in range(images)] == list(range(images))
    assert [*whole.shown] == list(range(images))
    assert whole.keys == {"seg": "seg"}


def started(folder: Path, *command: str, **changes: str) -> subprocess.Popen[str]:
    words = [sys.executable, *command, str(ROOT / "stages/train.py"), *STAGE]
    pipe = subprocess.PIPE
    return subprocess.Popen(words, cwd=folder, env=environment(**changes), stdout=pipe, stderr=pipe, text=True)


def test_told_to_leave_all_leave_with_a_checkpoint_and_torchrun_goes_on_to_the_same_bytes(made: Path) -> None:
    """compute.processes starts the processes, SIGTERM reaches all of them, and torchrun by hand takes the run up."""
    folder = made / "fresh"
    process = started(folder)
    assert process.stdout is not None
    assert "epoch 1/3" in process.stdout.readline()
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 75, errors
    (line,) = errors.splitlines()
    assert line.startswith(f"INTERRUPTED: nyud {EXPERIMENT} seed 0: SIGTERM arrived, left after step")
    left = unfinished(folder)
    assert left
    assert all(checkpoint.name < "000000006-" for checkpoint in left)  # a slow machine's clock makes more
    process = started(folder, *TORCHRUN, "2", **{EVERY: "1000"})
    output, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors
    assert [line.partition(",")[0][-3:] for line in output.splitlines()] == ["1/3", "2/3", "3/3"]  # the first one alone
    found, uninterrupted = contents(folder, EXPERIMENT), contents(made / "project", EXPERIMENT)
    assert found["weights"] == uninterrupted["weights"]
    assert found["history"] == uninterrupted["history"]
    config = json.loads(found["manifest"])["config"]
    assert config["processes"] == 2
    assert config == json.loads(uninterrupted["manifest"])["config"]  # not the code: forks have imported more of it
    assert not unfinished(folder)


# Refusals, each of one line -----------------------------------------------------------------------------------


def torchrun(monkeypatch: pytest.MonkeyPatch, processes: int) -> None:
    for name, value in {"RANK": 0, "LOCAL_RANK": 0, "WORLD_SIZE": processes, "LOCAL_WORLD_SIZE": processes}.items():
        monkeypatch.setenv(name, str(value))


def test_another_number_of_processes_than_is_declared_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    torchrun(monkeypatch, 3)
    with pytest.raises(UserError, match=r"^torchrun started 3 processes, expected compute\.processes in \S+, 2: .*$"):
        distributed.require(2)
    distributed.require(3)


def test_the_number_of_processes_is_part_of_what_determines_a_run(tmp_path: Path) -> None:
    from mtinet.training.run import Run

    found = []
    for change in (lambda content: None, two_processes):
        write_params(tmp_path, change)
        found.append(Run.of(config.load(tmp_path / "params.yaml"), "nyud", EXPERIMENT, 0).config())
    assert [each.pop("processes") for each in found] == [1, 2]
    assert found[0] == found[1]


def test_more_processes_than_images_in_a_batch_are_refused() -> None:
    content = yaml.safe_load((ROOT / "params.yaml").read_text())
    content["study"]["scale"] = "smoke"
    content["compute"]["processes"] = 5
    with pytest.raises(ValueError, match=r"compute\.processes: found 5, expected at most scales\.smoke\.nyud\."):
        Params.model_validate(content)


def test_fewer_gpus_than_processes_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    torchrun(monkeypatch, 2)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    refused = pytest.raises(UserError, match=r"^2 processes on this machine, but torch finds 1 GPUs, .*$")
    with refused, distributed.joined(torch.device("cuda")):
        pass


def test_a_batch_norm_of_another_kind_is_refused() -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm1d(4))
    with pytest.raises(UserError, match=r"^the backbone has BatchNorm1d, expected BatchNorm2d alone, .*$"):
        batch_norm.synchronised(model)


@pytest.mark.parametrize("world", range(1, 8))
def test_every_sample_of_a_batch_has_one_process(world: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(distributed, "world", lambda: world)
    for size in range(world, 20):
        shares = []
        for rank in range(world):
            monkeypatch.setattr(distributed, "rank", lambda rank=rank: rank)
            shares.append([*range(size)][distributed.share(size)])
        assert [sample for share in shares for sample in share] == [*range(size)]
        assert {len(share) for share in shares} <= {size // world, -(-size // world)}
