"""A label that an image of one's own lacks counts nowhere: not in losses, metrics, blind predictors or affinities."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from own_folder import CHANNELS, CLASSES, EDGES, IDS, UNLABELLED, rooms, with_tasks

from mtinet import losses, metrics
from mtinet.data import packing, transforms, warps
from mtinet.data.layouts import layout
from mtinet.data.packed import PackedSplit
from mtinet.evaluation.blind import blind
from mtinet.studies import affinity

__all__ = ["rooms"]


def sample(task: str, missing: bool, shape: tuple[int, int] = (64, 96)) -> Any:
    """A random label of a task, or that of an image without one, as the layout gives it."""
    if missing:
        return with_tasks(task).read_label(Path("nowhere"), task, "x", shape)
    generator = np.random.default_rng(list(CHANNELS).index(task))
    if task in CLASSES:
        return generator.integers(0, CLASSES[task], shape, dtype=np.uint8)
    if task == "normals":
        vectors = generator.normal(size=(*shape, 3))
        return (vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)).astype(np.float32)
    if task == "depth":
        return generator.uniform(0.5, 5, shape).astype(np.float32)
    return (generator.random(shape) < 0.2).astype(np.uint8)


def target(task: str, missing: bool, warped: bool) -> torch.Tensor:
    """The label as it reaches the loss: resized and flipped, or warped."""
    given = {"image": np.zeros((64, 96, 3), np.uint8), task: sample(task, missing)}
    view = warps.View(flip=True, angle=10.0, scale=1.2)
    seen = warps.warp(given, (32, 32), view) if warped else transforms.augment(given, (32, 32), 1.2, True)
    return torch.from_numpy(seen[task])


@pytest.mark.parametrize("warped", [False, True])
@pytest.mark.parametrize("task", CHANNELS)
def test_an_image_without_a_label_changes_no_loss_and_gets_no_gradient(task: str, warped: bool) -> None:
    generator = torch.Generator().manual_seed(0)
    outputs = torch.randn(3, CHANNELS[task], 32, 32, generator=generator, dtype=torch.float64, requires_grad=True)
    loss = losses.loss_of(task)
    both = torch.stack([target(task, missing, warped) for missing in (True, False, True)])
    with_missing = loss(outputs, both)
    alone = loss(outputs[1:2], both[1:2])
    assert alone > 0
    assert with_missing.item() == pytest.approx(alone.item(), rel=1e-12)
    with_missing.backward()
    assert outputs.grad is not None
    assert not outputs.grad[[0, 2]].any()
    assert outputs.grad[1].any()
    nothing = loss(outputs, torch.stack([target(task, True, warped)] * 3))
    assert nothing.item() == 0


@pytest.mark.parametrize("protocol", ["released", "astmt"])
@pytest.mark.parametrize("cheap", [False, True])
@pytest.mark.parametrize("task", CHANNELS)
def test_an_image_without_a_label_changes_no_metric(task: str, cheap: bool, protocol: str) -> None:
    """Whatever is predicted for it: the metrics of a set are those without it, wherever in the set it is."""
    given = {"edges": {**EDGES, "protocol": protocol}}

    def row(missing: bool, seed: int) -> np.ndarray:
        generator = np.random.default_rng(seed)
        prediction = {
            "seg": lambda: generator.integers(0, 3, (64, 96)), "parts": lambda: generator.integers(0, 7, (64, 96)),
            "normals": lambda: generator.normal(size=(64, 96, 3)),
        }.get(task, lambda: generator.random((64, 96)))()  # fmt: skip
        return metrics.per_image(task, prediction, sample(task, missing), CHANNELS[task], given, cheap=cheap)

    labelled, unlabelled = [row(False, seed) for seed in (1, 2)], [row(True, seed) for seed in (3, 4)]
    alone = metrics.summarize(task, np.stack(labelled), given, cheap=cheap)
    mixed = metrics.summarize(
        task, np.stack([unlabelled[0], labelled[0], unlabelled[1], labelled[1]]), given, cheap=cheap
    )
    assert mixed == alone
    assert None not in alone.values()
    assert {*metrics.summarize(task, np.stack(unlabelled), given, cheap=cheap).values()} == {None}


def test_edges_predicted_where_nothing_is_labelled_do_not_count() -> None:
    """Half an image without labels scores as the other half does by itself."""
    truth = np.zeros((40, 60), np.uint8)
    truth[::8] = 1
    prediction = np.random.default_rng(0).random((40, 60))
    half = truth.copy()
    half[:, 30:] = 255
    blank = np.where(half == 255, 0.0, prediction)
    rows = [metrics.per_image("edge", *pair, None, {"edges": EDGES}) for pair in ((prediction, half), (blank, half))]
    np.testing.assert_array_equal(rows[0], rows[1])
    whole = metrics.per_image("edge", prediction, truth, None, {"edges": EDGES})
    assert (rows[0][1] == 5 * 30).all()  # boundary pixels of the labelled half
    assert rows[0][3][49] < whole[3][49]


def test_predictors_that_see_no_image_are_fitted_on_what_is_labelled(rooms: Path) -> None:
    """With the unlabelled images left out of both splits nothing changes."""
    for task in ("seg", "depth", "edge"):
        found = []
        for left_out in ((), UNLABELLED[task]):
            splits = []
            for split, names in IDS.items():
                kept = [name for name in names if name not in left_out]
                place = Path(f"packed-{task}-{len(left_out)}") / split
                packing.pack(rooms, None, kept, [task], place, workers=1, layout=layout("rooms"))
                splits.append(PackedSplit(place))
            # Positions are those of the most frequent size, which unlabelled images have a say in.
            found.append(blind(*splits, {task: CHANNELS[task]}, {"edges": EDGES})["constant"])
        assert found[0] == found[1]
        assert None not in found[0][task].values()


def test_affinity_counts_only_pairs_that_both_tasks_label(rooms: Path) -> None:
    given = {task: sample(task, missing=task == "depth") for task in ("seg", "depth", "edge")}
    found = affinity.matches(given, 1, 3, affinity.Rules(0.1, 15.0, "between"))
    assert found["seg", "edge"].sum() > 0
    assert found["seg", "depth"].sum() == found["depth", "edge"].sum() == 0
