"""Segmentation metrics against scikit-learn, torchmetrics and a hand-computed case."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, confusion_matrix, jaccard_score, recall_score

from mtinet import compat, metrics  # noqa: F401 - torchmetrics imports torchvision, see compat
from mtinet.metrics import segmentation


def images(seed: int, count: int, classes: int, used: int, ignored: float) -> list[tuple[np.ndarray, np.ndarray]]:
    """Random predictions and targets, of varying size, that use the first `used` of `classes` classes."""
    generator = np.random.default_rng(seed)
    result = []
    for _ in range(count):
        shape = tuple(generator.integers(1, 9, 2))
        target = generator.integers(0, used, shape).astype(np.uint8)
        target[generator.random(shape) < ignored] = 255
        result.append((generator.integers(0, used, shape).astype(np.uint8), target))
    return result


def valid_pixels(pairs: list[tuple[np.ndarray, np.ndarray]]) -> tuple[np.ndarray, np.ndarray]:
    guess = np.concatenate([prediction[target != 255] for prediction, target in pairs])
    truth = np.concatenate([target[target != 255] for _, target in pairs])
    return guess, truth


CASES = given(
    seed=st.integers(0, 2**16),
    count=st.integers(1, 4),
    used=st.integers(1, 6),
    ignored=st.sampled_from([0.0, 0.3, 0.95]),
)


@CASES
@settings(max_examples=60, deadline=None)
def test_summary_agrees_with_scikit_learn(seed: int, count: int, used: int, ignored: float) -> None:
    pairs = images(seed, count, 6, used, ignored)
    statistics = np.stack([segmentation.per_image(*pair, classes=6) for pair in pairs])
    summary = segmentation.summarize(statistics)
    guess, truth = valid_pixels(pairs)
    if not truth.size:
        assert all(np.isnan(value) for value in summary.values())
        return
    occurring = sorted(set(truth) | set(guess))
    iou = jaccard_score(truth, guess, labels=occurring, average=None)
    recall = recall_score(truth, guess, labels=sorted(set(truth)), average="macro")
    expected = {"mIoU": iou.mean(), "pixel_acc": accuracy_score(truth, guess), "mean_acc": recall}
    assert summary == pytest.approx(expected, rel=1e-12)
    assert segmentation.iou_per_class(statistics)[occurring] == pytest.approx(iou, rel=1e-12)
    absent = np.setdiff1d(np.arange(6), occurring)
    assert np.isnan(segmentation.iou_per_class(statistics)[absent]).all()


@CASES
@settings(max_examples=30, deadline=None)
def test_statistics_agree_with_the_confusion_matrix(seed: int, count: int, used: int, ignored: float) -> None:
    for prediction, target in images(seed, count, 6, used, ignored):
        guess, truth = valid_pixels([(prediction, target)])
        if not truth.size:
            assert not segmentation.per_image(prediction, target, classes=6).any()
            continue
        matrix = confusion_matrix(truth, guess, labels=range(6))
        diagonal = np.diag(matrix)
        expected = [diagonal, matrix.sum(0) - diagonal, matrix.sum(1) - diagonal]
        assert np.array_equal(segmentation.per_image(prediction, target, classes=6), expected)


def test_summary_agrees_with_torchmetrics_where_all_classes_occur() -> None:
    from torchmetrics.classification import MulticlassJaccardIndex

    pairs = images(seed=3, count=5, classes=4, used=4, ignored=0.2)
    reference = MulticlassJaccardIndex(num_classes=4, ignore_index=255)
    for prediction, target in pairs:
        reference.update(torch.from_numpy(prediction).int(), torch.from_numpy(target).int())
    statistics = np.stack([metrics.per_image("seg", *pair, classes=4) for pair in pairs])
    assert metrics.summarize("seg", statistics)["mIoU"] == pytest.approx(reference.compute().item(), rel=1e-6)


def test_dataset_level_by_hand() -> None:
    # Image 1: class 0 twice right, once taken for 1. Image 2: class 1 once right, class 0 once taken for 2.
    first = segmentation.per_image(np.array([[0, 0, 1]]), np.array([[0, 0, 0]]), classes=4)
    second = segmentation.per_image(np.array([[1, 2, 3]]), np.array([[1, 0, 255]]), classes=4)
    summary = segmentation.summarize(np.stack([first, second]))
    # IoU: class 0 2/4, class 1 1/2, class 2 0/1 (only predicted); class 3 only where ignored: absent.
    assert summary == pytest.approx({"mIoU": 1 / 3, "pixel_acc": 3 / 5, "mean_acc": (2 / 4 + 1) / 2})


def test_splitting_the_images_does_not_change_the_summary() -> None:
    prediction, target = np.random.default_rng(0).integers(0, 5, (2, 12, 7))
    whole = segmentation.per_image(prediction, target, classes=5)[None]
    rows = [0, 4, 5, 12]
    parts = [segmentation.per_image(prediction[a:b], target[a:b], classes=5) for a, b in pairwise(rows)]
    assert segmentation.summarize(np.stack(parts)) == segmentation.summarize(whole)


@pytest.mark.parametrize(("prediction", "target"), [(0, 40), (40, 0), (0, 254)])
def test_a_label_out_of_range_is_an_error_that_names_it(prediction: int, target: int) -> None:
    with pytest.raises(ValueError, match=rf"labels {max(prediction, target)}\.\..*expected 0\.\.39 or 255"):
        segmentation.per_image(np.array([[prediction]]), np.array([[target]]), classes=40)
