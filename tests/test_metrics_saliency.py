"""Saliency metrics against scikit-learn, torchmetrics and cases by hand; parts where nobody is in the image."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import jaccard_score, precision_score, recall_score

from mtinet import compat, metrics  # noqa: F401 - torchmetrics imports torchvision, see compat
from mtinet.metrics import saliency

THRESHOLDS = [0.20, 0.25, 0.30, 0.35, 0.40, 0.45, 0.50, 0.55, 0.60, 0.65, 0.70, 0.75, 0.80, 0.85, 0.90]
SHARES = st.sampled_from([0.0, 0.3, 0.97])
Pairs = list[tuple[np.ndarray, np.ndarray]]


def images(seed: int, count: int, ignored: float, salient: float) -> Pairs:
    """Predictions on and between the thresholds, and targets with ignored pixels, of varying size."""
    generator = np.random.default_rng(seed)
    result = []
    for _ in range(count):
        shape = tuple(generator.integers(1, 8, 2))
        target = (generator.random(shape) < salient).astype(np.uint8)
        prediction = np.clip(generator.normal(0.35 + 0.3 * target, 0.3), 0, 1)
        on_threshold = generator.choice([0.0, *THRESHOLDS, 1.0], shape)
        prediction = np.where(generator.random(shape) < 0.5, prediction, on_threshold).astype(np.float32)
        target[generator.random(shape) < ignored] = 255
        result.append((prediction, target))
    return result


def reference(pairs: Pairs) -> dict[str, float]:
    """Both figures from scikit-learn's scores of every image at every threshold."""
    valid = [(p[t != 255], t[t != 255]) for p, t in pairs if (t != 255).any()]
    iou, f_measure = [], []
    for threshold in THRESHOLDS:
        binary = [(truth, (p > np.float32(threshold)).astype(int)) for p, truth in valid]
        iou.append(np.mean([jaccard_score(*pair, zero_division=1) for pair in binary]))
        precision = np.mean([precision_score(*pair, zero_division=0) for pair in binary])
        recall = np.mean([recall_score(*pair, zero_division=0) for pair in binary])
        bottom = 0.3 * precision + recall
        f_measure.append(1.3 * precision * recall / bottom if bottom else 0.0)
    return {"mIoU": max(iou), "maxF": max(f_measure)}


@given(
    seed=st.integers(0, 2**16), count=st.integers(1, 4), ignored=SHARES, salient=st.sampled_from([0.0, 0.1, 0.6, 1.0])
)
@settings(max_examples=40, deadline=None)
def test_summary_agrees_with_scikit_learn(seed: int, count: int, ignored: float, salient: float) -> None:
    pairs = images(seed, count, ignored, salient)
    summary = saliency.summarize(np.stack([saliency.per_image(*pair) for pair in pairs]))
    if all((target == 255).all() for _, target in pairs):
        assert all(np.isnan(value) for value in summary.values())
        return
    assert summary == pytest.approx(reference(pairs), rel=1e-12)


def test_iou_agrees_with_torchmetrics() -> None:
    from torchmetrics.classification import BinaryJaccardIndex

    pairs = images(seed=4, count=6, ignored=0.2, salient=0.5)
    per_threshold = []
    for threshold in THRESHOLDS:
        metric = BinaryJaccardIndex(threshold=float(np.float32(threshold)), ignore_index=255)
        scores = [metric(torch.from_numpy(p), torch.from_numpy(t).int()).item() for p, t in pairs]
        per_threshold.append(np.mean(scores))
    statistics = np.stack([metrics.per_image("sal", *pair) for pair in pairs])
    assert metrics.summarize("sal", statistics)["mIoU"] == pytest.approx(max(per_threshold), rel=1e-6)


@given(seed=st.integers(0, 2**16), ignored=SHARES)
@settings(max_examples=30, deadline=None)
def test_counts_are_those_of_every_threshold(seed: int, ignored: float) -> None:
    ((prediction, target),) = images(seed, 1, ignored, 0.5)
    statistics = saliency.per_image(prediction, target)
    for threshold, row in zip(THRESHOLDS, statistics, strict=True):
        above, valid = prediction > np.float32(threshold), target != 255
        masks = (above & (target == 1), above & (target == 0), ~above & (target == 1), ~above & (target == 0))
        assert row.tolist() == [np.count_nonzero(mask & valid) for mask in masks]


def test_one_threshold_serves_all_images() -> None:
    """The maximum is taken over thresholds of the mean, not of each image: by hand."""
    # Image 1 is right between 0.3 and 0.6, image 2 between 0.6 and 0.8 (below: half of it).
    first = saliency.per_image(np.array([[0.6, 0.3]]), np.array([[1, 0]]))
    second = saliency.per_image(np.array([[0.8, 0.6]]), np.array([[1, 0]]))
    # From 0.30 to 0.55: (1 + 1/2) / 2; from 0.60 to 0.75: (0 + 1) / 2. Not (1 + 1) / 2.
    assert saliency.summarize(np.stack([first, second]))["mIoU"] == pytest.approx(0.75)


def test_an_image_without_anything_salient_is_right_if_nothing_is_predicted() -> None:
    target = np.zeros((2, 3), np.uint8)
    silent, loud = (saliency.per_image(np.full((2, 3), value), target)[None] for value in (0.1, 0.95))
    assert saliency.summarize(silent) == {"mIoU": 1.0, "maxF": 0.0}
    assert saliency.summarize(loud) == {"mIoU": 0.0, "maxF": 0.0}


def test_images_without_a_valid_pixel_do_not_count() -> None:
    pairs = images(seed=5, count=3, ignored=0.1, salient=0.5)
    rows = [saliency.per_image(*pair) for pair in pairs]
    empty = saliency.per_image(np.full((4, 4), 0.7), np.full((4, 4), 255))
    assert not empty.any()
    assert saliency.summarize(np.stack([*rows, empty, empty])) == saliency.summarize(np.stack(rows))


@pytest.mark.parametrize("label", [2, 127, 254])
def test_a_map_of_grey_values_is_an_error_that_names_them(label: int) -> None:
    with pytest.raises(ValueError, match=rf"target labels 0\.\.{label}, expected 0, 1 or 255"):
        saliency.per_image(np.zeros((1, 3)), np.array([[0, label, 255]]))


def test_parts_of_an_image_without_a_person_do_not_count() -> None:
    generator = np.random.default_rng(6)
    guess, truth = generator.integers(0, 7, (2, 3, 6, 8))
    rows = [metrics.per_image("parts", *pair, classes=7) for pair in zip(guess, truth, strict=True)]
    nobody = metrics.per_image("parts", generator.integers(0, 7, (6, 8)), np.full((6, 8), 255), classes=7)
    assert not nobody.any()
    with_nobody = metrics.summarize("parts", np.stack([nobody, *rows, nobody]))
    assert with_nobody == metrics.summarize("parts", np.stack(rows))
    expected = jaccard_score(truth.ravel(), guess.ravel(), average="macro")
    assert with_nobody["mIoU"] == pytest.approx(expected, rel=1e-12)
    assert metrics.summarize("parts", np.stack([nobody, nobody]))["mIoU"] is None
