"""Depth metrics against scikit-learn, torchmetrics and float64 loops."""

from __future__ import annotations

from math import sqrt

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import mean_absolute_percentage_error, mean_squared_error

from mtinet import compat, metrics  # noqa: F401 - torchmetrics imports torchvision, see compat
from mtinet.metrics import depth


def images(seed: int, count: int, invalid: float) -> list[tuple[np.ndarray, np.ndarray]]:
    """Predictions (some zero or negative) and targets in metres with invalid pixels, of varying size."""
    generator = np.random.default_rng(seed)
    result = []
    for _ in range(count):
        shape = tuple(generator.integers(1, 8, 2))
        target = generator.uniform(0.5, 10, shape).astype(np.float32)
        prediction = target * generator.choice([0.0, -1.0, 0.7, 0.9, 1.1, 1.5, 2.5], shape).astype(np.float32)
        target[generator.random(shape) < invalid] = 0
        result.append((prediction, target))
    return result


def loop(pairs: list[tuple[np.ndarray, np.ndarray]]) -> dict[str, float]:
    """All metrics from the pixels one by one."""
    squares, relative, factors, own = [], [], [], []
    for prediction, target in pairs:
        errors = []
        for d, truth in zip(prediction.flat, target.flat, strict=True):
            d, truth = float(d), float(truth)
            if truth > 0:
                errors.append((d - truth) ** 2)
                relative.append(abs(d - truth) / truth)
                factors.append(max(d / truth, truth / d) if d > 0 else float("inf"))
        squares += errors
        own += [sqrt(sum(errors) / len(errors))] if errors else []
    deltas = {f"delta_{k}": sum(f < 1.25**k for f in factors) / len(factors) for k in (1, 2, 3)}
    means = {"rmse": sqrt(sum(squares) / len(squares)), "rel": sum(relative) / len(relative)}
    return {**means, **deltas, "rmse_per_image": sum(own) / len(own)}


CASES = given(seed=st.integers(0, 2**16), count=st.integers(1, 4), invalid=st.sampled_from([0.0, 0.4, 0.97]))


@CASES
@settings(max_examples=60, deadline=None)
def test_summary_agrees_with_a_loop_and_scikit_learn(seed: int, count: int, invalid: float) -> None:
    pairs = images(seed, count, invalid)
    summary = depth.summarize(np.stack([depth.per_image(*pair) for pair in pairs]))
    truth = np.concatenate([target[target > 0] for _, target in pairs]).astype(np.float64)
    guess = np.concatenate([prediction[target > 0] for prediction, target in pairs]).astype(np.float64)
    if not truth.size:
        assert len(summary) == 6
        assert all(np.isnan(value) for value in summary.values())
        return
    assert summary == pytest.approx(loop(pairs), rel=1e-9)
    assert summary["rmse"] == pytest.approx(sqrt(mean_squared_error(truth, guess)), rel=1e-9)
    assert summary["rel"] == pytest.approx(mean_absolute_percentage_error(truth, guess), rel=1e-9)


def test_rmse_agrees_with_torchmetrics() -> None:
    from torchmetrics import MeanSquaredError

    pairs = images(seed=5, count=6, invalid=0.3)
    reference = MeanSquaredError(squared=False)
    for prediction, target in pairs:
        reference.update(torch.from_numpy(prediction[target > 0]), torch.from_numpy(target[target > 0]))
    statistics = np.stack([metrics.per_image("depth", *pair) for pair in pairs])
    rmse = metrics.summarize("depth", statistics)["rmse"]
    assert rmse == pytest.approx(reference.compute().item(), rel=1e-5)


def test_rmse_over_pixels_and_per_image_by_hand() -> None:
    # One image is off by 2 m in its single valid pixel, one exact in three: sqrt(4 / 4) and (2 + 0) / 2.
    off = depth.per_image(np.array([[4.0, 4.0]]), np.array([[2.0, 0.0]]))
    exact = depth.per_image(np.ones((1, 3)), np.ones((1, 3)))
    empty = depth.per_image(np.ones((2, 2)), np.zeros((2, 2)))
    summary = depth.summarize(np.stack([off, exact, empty]))
    deltas = {"delta_1": 0.75, "delta_2": 0.75, "delta_3": 0.75}
    expected = {"rmse": 1, "rel": 0.25, **deltas, "rmse_per_image": 1}
    assert summary == pytest.approx(expected)


@pytest.mark.parametrize(
    ("prediction", "counted"), [(1.25, [0, 1, 1]), (1.249, [1, 1, 1]), (0.65, [0, 1, 1]), (0.5, [0, 0, 0])]
)
def test_delta_is_strict_and_works_both_ways(prediction: float, counted: list[int]) -> None:
    assert depth.per_image(np.array([[prediction]]), np.ones((1, 1)))[3:].tolist() == counted
