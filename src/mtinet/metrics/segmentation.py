"""Semantic segmentation: mIoU, pixel and mean accuracy from true/false positives and false negatives."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

IGNORED = 255


def per_image(prediction: NDArray, target: NDArray, *, classes: int) -> NDArray[np.float64]:
    """True positives, false positives, false negatives per class, [3, classes], of one image.

    prediction: integers [H, W] in 0..classes-1. target: the same, 255 = ignored, wherever the prediction is.
    Raises ValueError on any other label, such as those of an archive with one class more.

    >>> per_image(np.array([[0, 1]]), np.array([[0, 0]]), classes=2).tolist()
    [[1.0, 0.0], [0.0, 1.0], [1.0, 0.0]]
    """
    valid = target != IGNORED
    truth, guess = target[valid].astype(np.int64), prediction[valid].astype(np.int64)
    for what, labels in (("target", truth), ("prediction", guess)):
        if labels.size and (labels.min() < 0 or labels.max() >= classes):
            found = f"{labels.min()}..{labels.max()}"
            raise ValueError(f"{what} labels {found}, expected 0..{classes - 1} or {IGNORED}")
    confusion = np.bincount(truth * classes + guess, minlength=classes * classes).reshape(classes, classes)
    hits = np.diag(confusion)
    return np.stack([hits, confusion.sum(axis=0) - hits, confusion.sum(axis=1) - hits]).astype(np.float64)


def iou_per_class(statistics: NDArray[np.float64]) -> NDArray[np.float64]:
    """tp / (tp + fp + fn) over the whole set, [classes]; NaN for a class that occurs nowhere."""
    hits, false_positives, false_negatives = statistics.sum(axis=0)
    return ratio(hits, hits + false_positives + false_negatives)


def summarize(statistics: NDArray[np.float64]) -> dict[str, float]:
    """mIoU, pixel_acc and mean_acc as fractions, from statistics [N, 3, classes] summed over the images.

    mIoU is the mean over the classes that occur in the ground truth or in the predictions of the set; one
    that occurs in neither has no IoU and is left out. mean_acc is the mean recall over the classes in the
    ground truth. NaN where nothing is valid.

    >>> summarize(np.array([[[1, 0], [0, 1], [1, 0]]], dtype=float))
    {'mIoU': 0.25, 'pixel_acc': 0.5, 'mean_acc': 0.5}
    """
    hits, _, false_negatives = statistics.sum(axis=0)
    return {
        "mIoU": mean_of_defined(iou_per_class(statistics)),
        "pixel_acc": float(ratio(hits.sum(), (hits + false_negatives).sum())),
        "mean_acc": mean_of_defined(ratio(hits, hits + false_negatives)),
    }


def ratio(numerator: NDArray[np.float64], denominator: NDArray[np.float64]) -> NDArray[np.float64]:
    """numerator / denominator, NaN where the latter is 0."""
    quotient: NDArray[np.float64] = np.full(np.shape(denominator), np.nan)
    np.divide(numerator, denominator, out=quotient, where=np.asarray(denominator) > 0)
    return quotient


def mean_of_defined(values: NDArray[np.float64]) -> float:
    """Mean of the entries that are not NaN; NaN when there is none."""
    defined = values[~np.isnan(values)]
    return float(defined.mean()) if defined.size else float("nan")
