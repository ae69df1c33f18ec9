"""Which epoch's weights a run keeps: the last one's, or those of the least loss on validation images."""

from __future__ import annotations

import dataclasses
import os
import signal
from collections.abc import Iterator
from math import nan
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from faults import record
from synthetic import SyntheticSplit
from test_training import CPU, assert_same, make_run, stopped

from mtinet.data.transforms import augment
from mtinet.errors import Interrupted
from mtinet.training import loop, provenance, selection
from mtinet.training.run import Run

VALIDATION = SyntheticSplit(5, seed=1)


def best_run(**changes: Any) -> Run:
    run = make_run("hrnet18-single-depth", input={"height": 32, "width": 64}, **changes)
    return dataclasses.replace(run, experiment=run.experiment.model_copy(update={"weights": "best"}))


def trained(run: Run, folder: Path) -> tuple[dict[str, torch.Tensor], loop.History]:
    model, history = loop.train(run, SyntheticSplit(9), folder, CPU, lambda row: None, VALIDATION)
    return model.state_dict(), history


@pytest.mark.parametrize(
    ("losses", "kept"),
    [((3.0, 1.0, 2.0), 1), ((1.0, 1.0, 1.0), 0), ((3.0, 2.0, 1.0), 2), ((nan, 2.0, 3.0), 1), ((2.0, nan, 3.0), 0)],
)
def test_the_weights_of_the_epoch_with_the_least_loss_are_kept(
    losses: tuple[float, ...], kept: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The losses are given; the weights after each epoch are noted beside."""
    seen: list[dict[str, torch.Tensor]] = []

    def loss_on(run: Run, model: torch.nn.Module, *others: Any) -> float:
        seen.append({name: value.clone() for name, value in model.state_dict().items()})
        return losses[len(seen) - 1]

    monkeypatch.setattr(selection, "loss_on", loss_on)
    weights, history = trained(best_run(), tmp_path)
    assert_same(weights, seen[kept])
    assert [row["validation_loss"] for row in history] == pytest.approx([*losses], nan_ok=True)
    assert selection.kept_epoch(history) == kept + 1
    others = [one for index, one in enumerate(seen) if index != kept]
    assert not any(all(torch.equal(one[name], weights[name]) for name in weights) for one in others)


def test_training_is_the_same_with_and_without_looking(tmp_path: Path) -> None:
    """Measuring draws nothing and changes no step: the losses in training are those of a run that keeps the last."""
    run = best_run()
    last = dataclasses.replace(run, experiment=run.experiment.model_copy(update={"weights": "last"}))
    _, history = trained(run, tmp_path / "best")
    _, plain = loop.train(last, SyntheticSplit(9), tmp_path / "last", CPU, lambda row: None)
    assert [{**row, "validation_loss": None} for row in history] == [{**row, "validation_loss": None} for row in plain]
    assert all("validation_loss" not in row for row in plain)


def test_the_loss_is_that_of_every_image_without_augmentation(tmp_path: Path) -> None:
    """L1 over valid pixels, batch by batch, in plain numpy."""
    run = best_run()
    torch.manual_seed(0)
    model = loop.build_model(run).eval()
    size, expected = (32, 64), 0.0
    for first in range(0, len(VALIDATION), 4):
        images = range(first, min(first + 4, len(VALIDATION)))
        samples = [
            augment({"image": VALIDATION.image(i), "depth": VALIDATION.label("depth", i)}, size, zoom=1.0, flip=False)
            for i in images
        ]
        with torch.no_grad():
            output = model(torch.from_numpy(np.stack([sample["image"] for sample in samples]))).final["depth"]
        output = F.interpolate(output, size, mode="bilinear", align_corners=False).squeeze(1).double().numpy()
        target = np.stack([sample["depth"] for sample in samples]).reshape(output.shape).astype(np.float64)
        valid = target > 0
        expected += np.abs(output - target)[valid].mean() * len(samples)
    found = selection.loss_on(run, model, VALIDATION, CPU)  # type: ignore[arg-type]
    assert found == pytest.approx(expected / len(VALIDATION), rel=1e-5)


@pytest.mark.parametrize("steps", [2, 3])
def test_an_interrupted_run_keeps_what_an_uninterrupted_one_keeps(
    steps: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The best epoch may lie before the interruption: it is part of the checkpoint."""
    weights, history = trained(best_run(lr_factor=300.0), tmp_path / "whole")
    losses = [row["validation_loss"] for row in history]
    monkeypatch.setattr("test_training.trained", trained)
    stopped(monkeypatch, best_run(lr_factor=300.0), tmp_path / "parts", steps)
    resumed, rows = trained(best_run(lr_factor=300.0), tmp_path / "parts")
    assert_same(resumed, weights)
    assert [row["validation_loss"] for row in rows] == losses


def test_told_to_leave_while_validation_images_are_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It leaves before the next batch of them, as there may be minutes of them, and looks again when it goes on."""
    weights, history = trained(best_run(), tmp_path / "whole")
    original, looked = selection.plain, 0

    def signalled(run: Run, split: Any) -> Iterator[Any]:
        nonlocal looked
        for batch in original(run, split):
            looked += 1
            if looked in (3, 4):  # the first batch of two after the second epoch; then again, as soon as it goes on
                os.kill(os.getpid(), signal.SIGTERM)
            yield batch

    monkeypatch.setattr(selection, "plain", signalled)
    for count in (3, 4):
        with pytest.raises(Interrupted, match="SIGTERM arrived, left after step 4 of 6 with a checkpoint"):
            trained(best_run(), tmp_path / "parts")
        assert looked == count
    told: list[float] = []
    run, folder = best_run(), tmp_path / "parts"
    model, rows = loop.train(run, SyntheticSplit(9), folder, CPU, lambda row: told.append(row["epoch"]), VALIDATION)
    assert looked == 8
    assert told == [1, 2, 3]
    assert_same(model.state_dict(), weights)
    assert [[*row.items()] for row in rows] == [[*row.items()] for row in history]
    record("SIGTERM while validation images choose the epoch", tried=2, lost=0)


def test_the_images_that_choose_are_part_of_the_key() -> None:
    run, split = best_run(), SyntheticSplit(9)
    keys = {
        provenance.Origin.of(run, split, CPU, choosing).key  # type: ignore[arg-type]
        for choosing in (None, VALIDATION, SyntheticSplit(5, seed=2))
    }
    assert len(keys) == 3
