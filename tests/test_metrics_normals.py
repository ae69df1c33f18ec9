"""Angular error against float64 loops, torchmetrics' cosine similarity and rotations of a known angle."""

from __future__ import annotations

from math import acos, degrees, sqrt

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from mtinet import compat, metrics  # noqa: F401 - torchmetrics imports torchvision, see compat
from mtinet.metrics import normals


def images(seed: int, count: int, invalid: float) -> list[tuple[np.ndarray, np.ndarray]]:
    """Predictions of any length and unit targets with zero vectors, [H, W, 3] of varying size."""
    generator = np.random.default_rng(seed)
    result = []
    for _ in range(count):
        shape = (*generator.integers(1, 8, 2), 3)
        target = generator.normal(size=shape)
        target /= np.linalg.norm(target, axis=-1, keepdims=True)
        prediction = 4 * target + generator.normal(size=shape)
        target[generator.random(shape[:2]) < invalid] = 0
        result.append((prediction.astype(np.float32), target.astype(np.float32)))
    return result


def loop_angles(pairs: list[tuple[np.ndarray, np.ndarray]]) -> list[float]:
    angles = []
    for prediction, target in pairs:
        for guess, truth in zip(prediction.reshape(-1, 3), target.reshape(-1, 3), strict=True):
            if any(truth):
                dot = sum(float(g) * float(t) for g, t in zip(guess, truth, strict=True))
                lengths = sqrt(sum(float(g) ** 2 for g in guess) * sum(float(t) ** 2 for t in truth))
                angles.append(degrees(acos(min(max(dot / lengths, -1), 1))))
    return angles


@given(seed=st.integers(0, 2**16), count=st.integers(1, 4), invalid=st.sampled_from([0.0, 0.4, 0.97]))
@settings(max_examples=60, deadline=None)
def test_summary_agrees_with_a_loop(seed: int, count: int, invalid: float) -> None:
    pairs = images(seed, count, invalid)
    summary = normals.summarize(np.stack([normals.per_image(*pair) for pair in pairs]))
    angles = loop_angles(pairs)
    if not angles:
        assert all(np.isnan(value) for value in summary.values())
        return
    within = [sum(angle < limit for angle in angles) / len(angles) for limit in (11.25, 22.5, 30)]
    expected = {"mean_angle": sum(angles) / len(angles)}
    expected |= dict(zip(("within_11", "within_22", "within_30"), within, strict=True))
    assert summary == pytest.approx(expected, rel=1e-9)


def test_mean_angle_agrees_with_torchmetrics() -> None:
    from torchmetrics.functional import pairwise_cosine_similarity

    pairs = images(seed=1, count=3, invalid=0)
    angles = []
    for prediction, target in pairs:
        guess, truth = (torch.from_numpy(a.reshape(-1, 3)).double() for a in (prediction, target))
        angles.append(torch.acos(pairwise_cosine_similarity(guess, truth).diagonal()))
    statistics = np.stack([metrics.per_image("normals", *pair) for pair in pairs])
    expected = torch.rad2deg(torch.cat(angles)).mean().item()
    assert metrics.summarize("normals", statistics)["mean_angle"] == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("angle", [0, 0.01, 11.2, 11.3, 22.4, 29.9, 90, 179.9, 180])
def test_rotation_by_a_known_angle(angle: float) -> None:
    target = np.array([[[0.0, 0.6, -0.8]]])
    axis = np.array([1.0, 0, 0])  # perpendicular to the target
    prediction = 3 * Rotation.from_rotvec(np.radians(angle) * axis).apply(target[0])[None]
    expected = [1, angle, *(int(angle < limit) for limit in (11.25, 22.5, 30))]
    assert normals.per_image(prediction, target) == pytest.approx(expected, abs=1e-5)


def test_zero_prediction_counts_as_perpendicular_and_zero_target_not_at_all() -> None:
    prediction, target = np.zeros((1, 2, 3)), np.array([[[0.0, 0.0, 1.0], [0.0, 0.0, 0.0]]])
    assert normals.per_image(prediction, target).tolist() == [1, 90, 0, 0, 0]
