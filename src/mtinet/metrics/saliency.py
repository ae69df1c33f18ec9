"""Saliency: mIoU, the paper's figure, and maxF, that of the saliency literature, from counts per threshold."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

IGNORED = 255
THRESHOLDS = (np.arange(4, 19) / 20).astype(np.float32)  # 0.20, 0.25 .. 0.90, as ASTMT has them
BETA_SQUARED = 0.3  # weight of recall against precision (Achanta et al., 2009)


def per_image(prediction: NDArray, target: NDArray) -> NDArray[np.float64]:
    """True positives, false positives, false negatives, true negatives per threshold of one image, [15, 4].

    prediction: probabilities in 0..1, [H, W]; salient is what exceeds the threshold, compared in float32.
    target: [H, W] in {0, 1}, 255 = ignored. Raises ValueError on any other label, such as a map of grey values.

    >>> per_image(np.array([[0.9, 0.3, 0.0]]), np.array([[1, 0, 255]]))[[1, 2, 14]].tolist()
    [[1.0, 1.0, 0.0, 0.0], [1.0, 0.0, 0.0, 1.0], [0.0, 0.0, 1.0, 1.0]]
    """
    valid = target != IGNORED
    truth = target[valid].astype(np.int64)
    if truth.size and (truth.min() < 0 or truth.max() > 1):
        raise ValueError(f"target labels {truth.min()}..{truth.max()}, expected 0, 1 or {IGNORED}")
    # A pixel's level is the number of thresholds that it exceeds: above threshold t are the levels t+1 and up.
    levels = np.searchsorted(THRESHOLDS, prediction[valid].astype(np.float32), side="left")
    count = len(THRESHOLDS) + 1
    pixels = np.bincount(levels * 2 + truth, minlength=2 * count).reshape(count, 2)
    below = pixels.cumsum(axis=0)[:-1]
    above = pixels.sum(axis=0) - below
    return np.stack([above[:, 1], above[:, 0], below[:, 1], below[:, 0]], axis=1).astype(np.float64)


def summarize(statistics: NDArray[np.float64]) -> dict[str, float]:
    """mIoU and maxF as fractions, from statistics [N, 15, 4]; images without a valid pixel do not count.

    mIoU: every image's IoU of the salient pixels, its mean over the images, and of that the maximum over the
    thresholds. An image without a salient pixel in which none is predicted has IoU 1, since the prediction is
    right everywhere; it would punish silence to call it 0, and leaving such images out would make their
    number depend on the threshold.

    maxF: precision and recall of every image, their means over the images, from these at each threshold
    F = (1 + 0.3) P R / (0.3 P + R), and the maximum over the thresholds. As is usual there, precision is 0
    where nothing is predicted and recall is 0 where nothing is salient. (Other work takes the maximum over
    256 thresholds, which can only be higher.)

    Both are NaN when no pixel of the set is valid.

    >>> summarize(np.array([[[2.0, 2.0, 0.0, 0.0]] * 15, [[0.0, 0.0, 0.0, 4.0]] * 15]))
    {'mIoU': 0.75, 'maxF': 0.28260869565217395}
    """
    counted = statistics[statistics[:, 0].sum(axis=1) > 0]
    if len(counted) == 0:
        return {"mIoU": float("nan"), "maxF": float("nan")}
    hits, false_positives, false_negatives, _ = np.moveaxis(counted, -1, 0)
    precision = ratio(hits, hits + false_positives, 0).mean(axis=0)
    recall = ratio(hits, hits + false_negatives, 0).mean(axis=0)
    f_measure = ratio((1 + BETA_SQUARED) * precision * recall, BETA_SQUARED * precision + recall, 0)
    return {
        "mIoU": float(ratio(hits, hits + false_positives + false_negatives, 1).mean(axis=0).max()),
        "maxF": float(f_measure.max()),
    }


def ratio(numerator: NDArray[np.float64], denominator: NDArray[np.float64], undefined: float) -> NDArray[np.float64]:
    """numerator / denominator, and `undefined` where the latter is 0."""
    quotient: NDArray[np.float64] = np.full(denominator.shape, float(undefined))
    np.divide(numerator, denominator, out=quotient, where=denominator > 0)
    return quotient
