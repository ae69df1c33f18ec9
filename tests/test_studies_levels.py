"""What training losses come to without an image, against entropies, medians and a numerical minimisation."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from archive_layout import write_layout
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.random import default_rng
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.stats import entropy

from mtinet import losses
from mtinet.data import nyud, packing
from mtinet.data.packed import PackedSplit
from mtinet.studies import levels as study

SEEDS = st.integers(0, 2**32 - 1)
SIZE = (5, 6)


def loss(name: str, output: float, targets: NDArray) -> float:
    """The loss of one number everywhere, all images as one batch."""
    given = torch.full((len(targets), 1, *targets.shape[-2:]), output, dtype=torch.float64)
    return float(losses.loss_of(name)(given, torch.from_numpy(targets)))


def binary(seed: int) -> NDArray:
    """Labels of two classes [N, 1, h, w], some ignored."""
    rng = default_rng(seed)
    found = (rng.random((12, 1, *SIZE)) < rng.uniform(0.05, 0.6)).astype(np.float32)
    found[rng.random(found.shape) < 0.1] = 255
    return found


@settings(max_examples=25, deadline=None)
@given(SEEDS)
def test_classes_come_to_their_entropy(seed: int) -> None:
    labels = default_rng(seed).integers(0, 4, (30, *SIZE))
    constant, position = study.most_likely(labels, 4)
    overall = entropy(np.bincount(labels.ravel(), minlength=4))
    each = entropy(np.stack([(labels == k).mean(axis=0) for k in range(4)]), axis=0).mean()
    assert study.mean_loss("seg", constant, labels) == pytest.approx(overall, rel=1e-5)
    assert study.mean_loss("seg", position, labels) == pytest.approx(each, rel=1e-4)


@settings(max_examples=25, deadline=None)
@given(SEEDS)
def test_depth_comes_to_its_mean_deviation_from_the_median(seed: int) -> None:
    rng = default_rng(seed)
    depth = rng.uniform(0.5, 9, (11, 1, *SIZE)).astype(np.float32)
    depth[rng.random(depth.shape) < 0.2] = 0
    known = np.where(depth > 0, depth, np.nan)
    constant, position = study.medians(depth, 1)
    expected = np.nanmean(np.abs(known - np.nanmedian(known)))
    assert study.mean_loss("depth", constant, depth) == pytest.approx(expected, rel=1e-5)
    expected = np.nanmean(np.abs(known - np.nanmedian(known, axis=0)))
    assert study.mean_loss("depth", position, depth) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(("name", "fit"), [("edge", study.edge_logits), ("sal", study.balanced_logits)])
@settings(max_examples=20, deadline=None)
@given(seed=SEEDS)
def test_no_logit_is_better_than_the_constant(name: str, fit: study.Callable, seed: int) -> None:
    targets = binary(seed)
    constant, position = fit(targets, 1)
    best = minimize_scalar(lambda logit: loss(name, logit, targets), bounds=(-12, 12), method="bounded").fun
    assert study.mean_loss(name, constant, targets) == pytest.approx(best, rel=1e-4)
    assert study.mean_loss(name, position, targets) <= best + 1e-7


def test_directions_are_the_mean_ones() -> None:
    rng = default_rng(0)
    normals = rng.standard_normal((9, 3, *SIZE)).astype(np.float32) + np.float32([0, 0, 2])[:, None, None]
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    constant, position = study.directions(normals, 3)
    worse = study.mean_loss("normals", np.array([1.0, 0, 0])[:, None, None], normals)
    found = study.mean_loss("normals", constant, normals)
    assert study.mean_loss("normals", position, normals) < found < worse
    same = np.broadcast_to(normals[:1], normals.shape).copy()
    assert study.mean_loss("normals", study.directions(same, 3)[1], same) == pytest.approx(0, abs=1e-6)


def test_every_task_of_a_packed_split(tmp_path: Path) -> None:
    """At the network's size; and what is thinned to save memory differs little."""
    write_layout(tmp_path / "raw", train=6, val=1)
    tasks = {"seg": 40, "depth": 1, "normals": 3, "edge": 1}
    ids = nyud.split_ids(tmp_path / "raw", "train")
    packing.pack(tmp_path / "raw", None, ids, tuple(tasks), tmp_path / "packed", workers=1)
    split = PackedSplit(tmp_path / "packed")
    found = study.levels(split, tasks, (32, 48))
    assert list(found) == list(tasks)
    assert all(np.isfinite(level).all() for level in (list(one.values()) for one in found.values()))
    assert all(0 <= one["position"] <= one["constant"] + 1e-6 for one in found.values())
    assert study.stacked(split, "depth", (32, 48)).shape == (6, 1, 32, 48)


def test_of_many_labels_some_are_taken(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    write_layout(tmp_path / "raw", train=3, val=1)
    packing.pack(tmp_path / "raw", None, nyud.split_ids(tmp_path / "raw", "train"), ("seg",), tmp_path / "p", workers=1)
    monkeypatch.setattr(study, "VALUES", 3 * 16 * 16)
    assert study.stacked(PackedSplit(tmp_path / "p"), "seg", (32, 32)).shape == (3, 16, 16)
