"""The loop: same seed, same bytes; an interrupted run ends like an uninterrupted one; poly decay; errors."""

from __future__ import annotations

import dataclasses
import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from pydantic import ValidationError
from synthetic import SyntheticSplit

from mtinet import config
from mtinet.config import Params
from mtinet.errors import UserError
from mtinet.models.procedure import poly
from mtinet.training import batches, checkpoints, loop, provenance
from mtinet.training.run import Run

ROOT = Path(__file__).resolve().parents[1]
CPU = torch.device("cpu")


ASTMT = {
    "backbone": "dlv3/resnet26", "tasks": ["seg", "depth", "normals"], "auxiliary": [], "optimizer": "sgd",
    "lr": 1e-3, "weight_decay": 1e-4,
}  # fmt: skip


def make_run(experiment: str = "hrnet18-mti-n", epochs: int = 3, **changes: Any) -> Run:
    content = yaml.safe_load((ROOT / "params.yaml").read_text())
    content["experiments"]["nyud"]["astmt"] = {
        "astmt": ASTMT | {"options": {}},
        "astmt-released": ASTMT | {"options": {"schedule": "constant", "momentum": "restarted"}},
    }
    content["study"]["scale"] = "smoke"
    content["compute"]["threads"] = 1
    content["scales"]["smoke"]["nyud"] |= {"epochs": epochs, "batch_size": 4, **changes}
    return Run.of(Params.model_validate(content), "nyud", experiment, 0)


def trained(run: Run, folder: Path, split: Any = None) -> tuple[dict[str, torch.Tensor], loop.History]:
    model, history = loop.train(run, split or SyntheticSplit(9), folder, CPU, lambda row: None)
    return model.state_dict(), history


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, torch.Tensor], loop.History]:
    return trained(make_run(), tmp_path_factory.mktemp("first"))


def assert_same(first: dict[str, torch.Tensor], second: dict[str, torch.Tensor]) -> None:
    assert first.keys() == second.keys()
    assert all(torch.equal(first[key], second[key]) for key in first)


def test_same_seed_same_bytes(uninterrupted: Any, tmp_path: Path) -> None:
    weights, history = trained(make_run(), tmp_path)
    assert_same(weights, uninterrupted[0])
    assert history == uninterrupted[1]


def stopped(monkeypatch: pytest.MonkeyPatch, run: Run, folder: Path, steps: int) -> None:
    """Train with a checkpoint after every step, and be killed in the one after `steps`."""
    monkeypatch.setenv(checkpoints.EVERY, "0")
    original = loop.train_step
    with monkeypatch.context() as patched:

        def killed(*arguments: Any) -> Any:
            if arguments[5].step == steps:
                raise KeyboardInterrupt
            return original(*arguments)

        patched.setattr(loop, "train_step", killed)
        with pytest.raises(KeyboardInterrupt):
            trained(run, folder)


@pytest.mark.parametrize("steps", [1, 4])
def test_an_interrupted_run_ends_like_an_uninterrupted_one(
    uninterrupted: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, steps: int
) -> None:
    """Within an epoch of two steps and between two, whatever the global generators did meanwhile."""
    stopped(monkeypatch, make_run(), tmp_path, steps)
    torch.rand(7)
    seen: list[float] = []
    model, history = loop.train(make_run(), SyntheticSplit(9), tmp_path, CPU, lambda row: seen.append(row["epoch"]))
    assert seen == [1, 2, 3]
    assert_same(model.state_dict(), uninterrupted[0])
    assert history == uninterrupted[1]


@pytest.mark.parametrize("experiment", ["astmt", "astmt-released"])
def test_a_procedure_of_its_own_resumes_to_the_bit(
    experiment: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stopped in the second epoch of two and taken up again, with momentum kept and restarted per epoch."""
    run = make_run(experiment, epochs=2, input={"height": 32, "width": 32})
    weights, history = trained(run, tmp_path / "whole")
    stopped(monkeypatch, run, tmp_path / "parts", 3)
    resumed, rows = trained(run, tmp_path / "parts")
    assert_same(resumed, weights)
    assert rows == history
    assert [*history[0]] == ["epoch", "steps", "lr", "loss", "seg", "depth", "normals", "adversary"]
    assert (history[1]["lr"] == history[0]["lr"]) == (experiment == "astmt-released")


def test_history_counts_steps_and_drops_the_last_incomplete_batch(uninterrupted: Any) -> None:
    history = uninterrupted[1]
    assert [row["steps"] for row in history] == [2, 4, 6]
    assert {"loss", "seg", "depth", "seg@4", "normals@32"} <= set(history[0])
    assert all(np.isclose(row["loss"], sum(v for k, v in row.items() if k not in ("epoch", "steps", "lr", "loss")),
                          rtol=1e-4) for row in history)  # fmt: skip


@pytest.mark.parametrize("step", [0, 1, 77, 99])
def test_poly_decay(step: int) -> None:
    assert poly(1e-4, step, 100) == pytest.approx(1e-4 * (1 - step / 100) ** 0.9)
    assert poly(1e-4, 100, 100) == 0.0


def test_every_image_is_seen_once_per_epoch_in_an_order_of_its_own() -> None:
    run = make_run(batch_size=3)
    split = SyntheticSplit(9)
    marked = [np.full((80, 112, 3), index * 20, np.uint8) for index in range(9)]
    split.image = lambda index: marked[index]  # type: ignore[method-assign]
    orders = []
    for number in range(2):
        images = [batch["image"] for batch in batches.epoch(run, split, number)]  # type: ignore[arg-type]
        orders.append([round(float(image[0].mean()), 3) for batch in images for image in batch])
        assert len(set(orders[-1])) == 9
    assert orders[0] != orders[1]


def test_a_loss_that_is_not_finite_stops_the_run_and_names_task_and_step(tmp_path: Path) -> None:
    split = SyntheticSplit(8)
    for image in split.frames:
        image["depth"][:] = np.inf
    with pytest.raises(UserError, match=r"hrnet18-mti-n seed 0: loss of depth \(final, .*\) is not finite at step 1,"):
        trained(make_run(), tmp_path, split)


def test_weights_survive_the_way_through_the_file(tmp_path: Path) -> None:
    run = make_run("hrnet18-single-seg")
    loop.prepare_torch(run)
    model, other = loop.build_model(run), loop.build_model(run)
    path = tmp_path / "weights.safetensors"
    checkpoints.publish_weights(path, model)
    checkpoints.load_weights(path, other)
    assert_same(model.state_dict(), other.state_dict())
    with pytest.raises(UserError, match="another model"):
        checkpoints.load_weights(path, loop.build_model(make_run("hrnet18-single-depth")))
    with pytest.raises(UserError, match="dvc pull"):
        checkpoints.load_weights(tmp_path / "none.safetensors", model)


def key_of(run: Run, split: Any, device: str = "cpu") -> str:
    return provenance.Origin.of(run, split, torch.device(device)).key


def test_the_key_of_a_run_changes_with_all_that_determines_it(monkeypatch: pytest.MonkeyPatch) -> None:
    split = SyntheticSplit(4)
    keys = [
        key_of(run, data)
        for run, data in [
            (make_run(), split),
            (make_run(epochs=4), split),
            (make_run("hrnet18-mti"), split),
            (make_run(lr_factor=2.0), split),
            (make_run(), SyntheticSplit(4, seed=1)),
        ]
    ]
    assert all(first != second for first, second in itertools.combinations(keys, 2))
    assert key_of(make_run(), split) == keys[0]
    monkeypatch.setattr(provenance, "version", lambda library: "9.9")
    assert key_of(make_run(), split) != keys[0]


def test_runs_that_differ_in_name_alone_do_not_share_unfinished_work() -> None:
    run = make_run("hrnet18-mti")
    assert key_of(run, SyntheticSplit(4)) != key_of(dataclasses.replace(run, name="twin"), SyntheticSplit(4))


def test_a_batch_larger_than_the_split_is_one_error(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="batch_size is 4, expected at most the 3 training images"):
        trained(make_run(), tmp_path, SyntheticSplit(3))


HRNET = "timm/hrnet_w18_small_v2"


def test_less_than_one_epoch_is_the_beginning_of_one(tmp_path: Path) -> None:
    split = SyntheticSplit(16)
    half, whole = make_run(epochs_of={HRNET: 0.5}), make_run(epochs=1)
    batches_of_half, batches_of_whole = [*batches.epoch(half, split, 0)], [*batches.epoch(whole, split, 0)]
    assert (len(batches_of_half), len(batches_of_whole)) == (2, 4)
    for found, expected in zip(batches_of_half, batches_of_whole, strict=False):
        assert torch.equal(found["image"], expected["image"])
    assert key_of(half, split) != key_of(whole, split)
    _, history = trained(half, tmp_path, split)
    assert [(row["epoch"], row["steps"]) for row in history] == [(1, 2)]
    manifest = provenance.manifest(provenance.Origin.of(half, split, CPU), history, Path(__file__))
    assert (manifest["steps"], manifest["epochs"], manifest["config"]["scale"]["epochs"]) == (2, 0.5, 0.5)


def test_a_part_of_an_epoch_without_a_whole_batch_is_one_error(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="batch_size is 4, expected at most the 3 training images"):
        trained(
            make_run(epochs_of={HRNET: 0.34}), tmp_path, SyntheticSplit(8)
        )  # an archive may have fewer than declared


@pytest.mark.parametrize("count", [0, 0.0, -0.5, 1.5, 1.0, float("nan"), "1", True])
def test_epochs_of_a_backbone_are_a_whole_number_or_a_part_of_one(count: Any) -> None:
    with pytest.raises(ValidationError, match="epochs_of"):
        make_run(epochs_of={HRNET: count})


def test_a_scales_optimizer_stands_in_for_every_experiments_own() -> None:
    """PASCAL's runs differ in optimiser and learning rate by a factor of 100: one factor cannot serve them all."""
    params = config.load(ROOT / "params.yaml")
    pascal = params.scale("pascal")
    assert pascal.optimizer is not None
    runs = [Run.of(params, "pascal", name, 0) for name, _ in params.runs("pascal")]
    assert {run.experiment.optimizer for run in runs} == {"adam", "sgd"}
    assert {(run.optimizer, run.learning_rate) for run in runs} == {("adam", pascal.optimizer.lr)}
    own = [dataclasses.replace(run, scale=pascal.model_copy(update={"optimizer": None})) for run in runs]
    assert {run.optimizer for run in own} == {"adam", "sgd"}
    assert all(run.learning_rate == run.experiment.lr for run in own)
