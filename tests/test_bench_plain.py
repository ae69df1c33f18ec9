"""The plain ways do the same as ours: objective, statistics, samples. And what benchmarks count is what is there."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from archive_layout import write_layout
from torch.utils.flop_counter import FlopCounterMode

from benchmarks import networks, plain, plain_scoring, profiles, trainer, workers
from mtinet import losses, metrics
from mtinet.data import nyud, packing, transforms
from mtinet.data.packed import PackedSplit
from mtinet.models.interface import Predictions

ROOT = Path(__file__).resolve().parents[1]
CHANNELS = {"seg": 40, "depth": 1, "normals": 3, "edge": 1}
SETTINGS = {"edges": {"max_dist": 0.011, "protocol": "released", "flavour": "seism"}}


def targets(height: int = 32, width: int = 48) -> dict[str, torch.Tensor]:
    random = torch.Generator().manual_seed(0)
    seg = torch.randint(0, 40, (2, height, width), generator=random)
    seg[:, :3] = 255
    depth = 5 * torch.rand(2, 1, height, width, generator=random)
    depth[..., :4] = 0
    normals = F.normalize(torch.randn(2, 3, height, width, generator=random), dim=1)
    normals[:, :, -2:] = 0
    edge = (torch.rand(2, 1, height, width, generator=random) < 0.1).float()
    edge[..., -3:] = 255
    return {"image": torch.zeros(2, 3, height, width), "seg": seg, "depth": depth, "normals": normals, "edge": edge}


def outputs(height: int, width: int, seed: int) -> dict[str, torch.Tensor]:
    random = torch.Generator().manual_seed(seed)
    return {
        name: torch.randn(2, channels, height, width, generator=random).requires_grad_()
        for name, channels in CHANNELS.items()
    }


def test_the_plain_objective_and_its_gradients_are_ours() -> None:
    predictions = Predictions(outputs(32, 48, 1), {4: outputs(8, 12, 2), 8: outputs(4, 6, 3)})
    leaves = [leaf for found in (predictions.final, *predictions.initial.values()) for leaf in found.values()]
    theirs = plain.objective(predictions, targets())
    ours, _ = losses.total_loss(predictions, targets(), dict.fromkeys(CHANNELS, 1.0))
    torch.testing.assert_close(theirs, ours)
    for mine, other in zip(torch.autograd.grad(ours, leaves), torch.autograd.grad(theirs, leaves), strict=True):
        torch.testing.assert_close(mine, other, rtol=1e-4, atol=1e-7)


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("archive")
    write_layout(root, train=2, val=1)
    return root


@pytest.mark.parametrize("flip", [False, True])
@pytest.mark.parametrize("zoom", [1.0, 1.5])
def test_the_plain_loader_gives_what_ours_gives(archive: Path, zoom: float, flip: bool) -> None:
    """Pixels under a resampled one are chosen by another rule, so labels agree but along boundaries."""
    name = nyud.split_ids(archive, "train")[0]
    sample = {kind: plain.read(archive, kind, name) for kind in ("image", *CHANNELS)}
    ours = {"image": nyud.read_image(archive, name)} | {
        task: nyud.read_label(archive, task, name, sample["image"].shape[:2]) for task in CHANNELS
    }
    for kind, array in ours.items():
        np.testing.assert_array_equal(sample[kind], array)
    size = (64, 96)
    theirs, mine = plain.augmented(sample, size, zoom, flip), transforms.augment(ours, size, zoom, flip)
    for kind, tensor in theirs.items():
        assert (tuple(tensor.shape), tensor.numpy().dtype) == (mine[kind].shape, mine[kind].dtype)
        near = np.isclose(tensor.numpy(), mine[kind], rtol=0.05, atol=0.35 if kind == "image" else 0.02)
        assert near.mean() > (0.8 if kind == "edge" else 0.9), kind


def test_the_loader_repeats_its_frames(archive: Path) -> None:
    frames = plain.Frames(archive, ["depth"], (32, 32), [1.0], length=5)
    batch = next(plain.batches(frames, 2, workers=0))
    assert len(frames) == 5
    assert batch["image"].shape == (2, 3, 32, 32)
    assert batch["depth"].shape == (2, 1, 32, 32)


@pytest.mark.parametrize("task", ["seg", "depth", "normals", "edge"])
def test_plain_statistics_are_ours(archive: Path, tmp_path: Path, task: str) -> None:
    packing.pack(archive, None, nyud.split_ids(archive, "val"), list(CHANNELS), tmp_path / "packed", workers=1)
    target = np.array(PackedSplit(tmp_path / "packed").label(task, 0))
    random = np.random.default_rng(0)
    if task == "seg":
        prediction = np.where(random.random(target.shape) < 0.3, 3, np.minimum(target, 39)).astype(np.uint8)
    elif task == "edge":
        prediction = (0.6 * target + 0.4 * random.random(target.shape)).astype(np.float32)
    else:
        prediction = (target + 0.2 * random.normal(size=target.shape)).astype(np.float32)
        prediction = np.maximum(prediction, 0.1) if task == "depth" else prediction
    ours = metrics.per_image(task, prediction, target, CHANNELS[task], SETTINGS)
    theirs = plain_scoring.METRICS[task](prediction, target)
    if task == "edge":  # quotients of 255ths against hundredths may fall on either side of a threshold
        np.testing.assert_allclose(ours[0], theirs, atol=2)
        assert theirs.max() > 20
    else:
        np.testing.assert_allclose(theirs, ours, rtol=1e-5)


@pytest.mark.parametrize("task", ["seg", "depth", "normals", "edge"])
def test_a_plain_prediction_comes_back_from_its_file(tmp_path: Path, task: str) -> None:
    output = outputs(12, 16, 4)[task].detach()[:1]
    plain_scoring.save(tmp_path / "0001", task, output, (12, 16))
    found = plain_scoring.load(tmp_path / "0001", task)
    wanted = {
        "seg": output.argmax(1)[0], "depth": output[0, 0], "edge": output.sigmoid()[0, 0],
        "normals": F.normalize(output, dim=1)[0].permute(1, 2, 0),
    }[task]  # fmt: skip
    tolerance = {"seg": 0, "depth": 1e-6, "edge": 1 / 255, "normals": 2 / 255 + 1e-6}[task]
    np.testing.assert_allclose(found, wanted.numpy(), atol=tolerance)


def test_work_is_what_closed_forms_say() -> None:
    first, second = torch.rand(8, 16), torch.rand(16, 4)
    with profiles.Work() as work:
        (first @ second).t()
    assert work.operators == [(2 * 8 * 16 * 4, 4 * (8 * 16 + 16 * 4 + 8 * 4), False)]
    with profiles.Work() as work:
        first.add_(1.0)
    assert work.bytes == 2 * first.numel() * 4  # read and written
    weights = [torch.rand(5, requires_grad=True), torch.rand(7, requires_grad=True)]
    optimizer = torch.optim.Adam(weights, fused=True)
    for weight in weights:
        weight.grad = torch.ones_like(weight)
    optimizer.step()
    with profiles.Work() as work:
        optimizer.step()
    # Weight, gradient and two moments are read, three of them written, and the count of steps of each both.
    assert work.bytes >= (4 + 3) * 4 * (5 + 7)
    assert work.bytes <= (4 + 3) * 4 * (5 + 7 + 4) + 64
    rates = {"float32": 1.0, "bfloat16": 2.0, "copy in cache": 1e9}
    with profiles.Work() as work:
        first.bfloat16() @ second.bfloat16()
    assert work.least(rates) == pytest.approx(2 * 8 * 16 * 4 / 2e9, rel=1e-3)


def test_flops_of_a_step_are_those_of_torch_s_counter() -> None:
    net = torch.nn.Sequential(torch.nn.Conv2d(3, 8, 3), torch.nn.BatchNorm2d(8), torch.nn.Conv2d(8, 4, 1))
    image = torch.rand(2, 3, 16, 16)
    with FlopCounterMode(display=False) as counter:
        net(image).sum().backward()
    with profiles.Work() as work:
        net(image).sum().backward()
    assert work.flops == counter.get_total_flops() > 0


def test_plain_and_ours_train_the_same_network() -> None:
    """One step from the same weights on the same batch ends at nearly the same ones."""
    threads, fill = torch.get_num_threads(), torch.utils.deterministic.fill_uninitialized_memory  # type: ignore[attr-defined]
    tiny = networks.Scale(32, 32, 2, 4)
    batch = {kind: tensor for kind, tensor in targets(32, 32).items() if kind in ("image", "depth")}
    try:
        made = [kind("r18fpn-single-depth", tiny, 1, "float32", torch.device("cpu")) for kind in trainer.KINDS.values()]
        for one in made:
            one.step(batch)
        ours, theirs = made[0].procedure.net.state_dict(), made[1].net.state_dict()  # type: ignore[union-attr]
    finally:
        torch.set_num_threads(threads)
        torch.use_deterministic_algorithms(False)
        torch.utils.deterministic.fill_uninitialized_memory = fill  # type: ignore[attr-defined]
    statistics = [name for name in ours if "running" in name]
    assert statistics
    for name in statistics:
        torch.testing.assert_close(ours[name].contiguous(), theirs[name], rtol=1e-4, atol=1e-5)


def test_a_stage_ends_where_its_work_begins() -> None:
    script = ROOT / "stages" / "table.py"
    arguments = ["--dataset", "nyud", "--name", "table2a"]
    command = [sys.executable, "-m", "benchmarks.begin", "mtinet.config:load", str(script), *arguments]
    began = time.monotonic()
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert began < float(done.stdout) < time.monotonic()
    assert len(done.stdout.splitlines()) == 1


def test_a_worker_that_dies_is_an_error() -> None:
    worker = workers.Worker("neither plain nor ours")
    try:
        with pytest.raises(RuntimeError, match="ended with"):
            worker.ask("forget")
    except BrokenPipeError:
        pytest.fail("its end came as a broken pipe")
    finally:
        worker.close()
