"""Real NYUv2 frames go the whole way: layout, packing, augmented training steps, evaluation and panel."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from PIL import Image
from real_frames import needs_real_frames, write_real_frames

from mtinet.config import Params
from mtinet.data import cards, labels, nyud, packing
from mtinet.data.packed import PackedSplit
from mtinet.evaluation import scoring
from mtinet.evaluation.blind import blind
from mtinet.reporting import figures
from mtinet.reporting.classes import classes_of
from mtinet.training import loop
from mtinet.training.run import Run

pytestmark = needs_real_frames
ROOT = Path(__file__).resolve().parents[1]
SETTINGS = {"edges": {"max_dist": 0.011, "protocol": "released", "flavour": "seism"}}
TASKS = ["seg", "depth", "normals", "edge"]


@pytest.fixture(scope="module")
def splits(tmp_path_factory: pytest.TempPathFactory) -> dict[str, PackedSplit]:
    """Both splits packed, with the labels derived that the frames lack: what dataset, distill, prepare do."""
    folder = tmp_path_factory.mktemp("real")
    raw, distilled = folder / "nyud", folder / "distilled"
    write_real_frames(raw)
    distilled.mkdir()
    card = cards.make_card(raw, "nyud", "archive")
    labels.derive_missing(raw, card, distilled)
    for split in ("train", "val"):
        packing.pack(raw, distilled, nyud.split_ids(raw, split), TASKS, folder / split)
    return {split: PackedSplit(folder / split) for split in ("train", "val")}


@pytest.fixture(scope="module")
def run() -> Run:
    content = yaml.safe_load((ROOT / "params.yaml").read_text())
    content["study"]["scale"] = "smoke"
    content["compute"]["threads"] = 1
    content["scales"]["smoke"]["nyud"] |= {"epochs": 12, "batch_size": 2, "lr_factor": 10.0}
    return Run.of(Params.model_validate(content), "nyud", "hrnet18-mti-ne", 0)


def test_training_steps_evaluation_and_panel(splits: dict[str, PackedSplit], run: Run, tmp_path: Path) -> None:
    rows: list[dict[str, float]] = []
    model, history = loop.train(run, splits["train"], tmp_path / "work", torch.device("cpu"), rows.append)
    assert history == rows
    assert history[-1]["loss"] < 0.8 * history[0]["loss"]
    scores = scoring.score(
        model,
        splits["val"],
        main=run.experiment.tasks,
        auxiliary=run.experiment.auxiliary,
        classes=run.channels,
        size=(run.scale.input.height, run.scale.input.width),
        batch_size=1,
        device=torch.device("cpu"),
        settings=SETTINGS,
    )
    summary = scores.summaries["tasks"] | scores.summaries["auxiliary"]
    assert set(summary) == set(TASKS)
    assert all(value is not None and np.isfinite(value) for task in summary.values() for value in task.values())
    path = tmp_path / "panel.png"
    shown, tasks = {run.name: scores.examples}, ["seg", "depth", "normals"]
    figures.panel(shown, {"MTI-Net": run.name}, tasks, path, classes_of("nyud"))
    picture = np.asarray(Image.open(path).convert("RGB"))
    assert min(picture.shape[:2]) > 200
    assert picture.std() > 20


def test_the_blind_predictors_run_on_them(splits: dict[str, PackedSplit]) -> None:
    scores = blind(splits["train"], splits["val"], {"seg": 40, "depth": 1, "normals": 3, "edge": 1}, SETTINGS)
    # By hand: the constant is the mean depth of both training frames, scored on all valid pixels of the third.
    depths = [splits["train"].label("depth", index).astype(np.float64) for index in range(2)]
    mean = np.concatenate([depth[depth > 0] for depth in depths]).mean()
    target = splits["val"].label("depth", 0).astype(np.float64)
    expected = np.sqrt(((mean - target[target > 0]) ** 2).mean())
    assert scores["constant"]["depth"]["rmse"] == pytest.approx(expected, rel=1e-4)
