"""The edge loss as a metric against scikit-learn's log loss and the training loss."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import log_loss

from mtinet import losses, metrics
from mtinet.metrics import edge_loss


def images(seed: int, count: int, ignored: float) -> list[tuple[np.ndarray, np.ndarray]]:
    generator = np.random.default_rng(seed)
    result = []
    for _ in range(count):
        shape = tuple(generator.integers(1, 8, 2))
        target = generator.integers(0, 2, shape).astype(np.uint8)
        target[generator.random(shape) < ignored] = 255
        result.append((generator.uniform(0.001, 0.999, shape).astype(np.float32), target))
    return result


@given(seed=st.integers(0, 2**16), count=st.integers(1, 4), ignored=st.sampled_from([0.0, 0.4, 0.97]))
@settings(max_examples=60, deadline=None)
def test_summary_agrees_with_scikit_learn(seed: int, count: int, ignored: float) -> None:
    pairs = images(seed, count, ignored)
    summary = edge_loss.summarize(np.stack([edge_loss.per_image(*pair) for pair in pairs]))
    truth = np.concatenate([target[target != 255] for _, target in pairs])
    guess = np.concatenate([prediction[target != 255] for prediction, target in pairs]).astype(np.float64)
    if not truth.size:
        assert np.isnan(summary["loss"])
        return
    weight = np.where(truth == 1, 0.95, 0.05)
    expected = log_loss(truth, guess, sample_weight=weight, labels=[0, 1]) * weight.sum() / truth.size
    assert summary == pytest.approx({"loss": expected}, rel=1e-9)


def test_agrees_with_the_training_loss_of_the_same_logits() -> None:
    generator = np.random.default_rng(1)
    logits, target = generator.normal(size=(1, 1, 6, 7)), generator.choice([0, 1, 255], (1, 1, 6, 7))
    statistics = metrics.per_image("edge", 1 / (1 + np.exp(-logits[0, 0])), target[0, 0], cheap=True)[None]
    trained = losses.loss_of("edge")(torch.from_numpy(logits), torch.from_numpy(target)).item()
    assert metrics.summarize("edge", statistics, cheap=True)["loss"] == pytest.approx(trained, rel=1e-9)


def test_certain_but_wrong_probabilities_stay_finite() -> None:
    pixels, summed = edge_loss.per_image(np.array([[0.0, 1.0]], np.float32), np.array([[1, 0]], np.uint8))
    assert pixels == 2
    assert summed == pytest.approx((0.95 + 0.05) * -np.log(1e-7))
