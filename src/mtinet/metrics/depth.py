"""Monocular depth: rmse, rel and the threshold accuracies delta_1..3 (Tables 6a and S2a)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

FIELDS = ("pixels", "squared_error", "relative_error", "delta_1", "delta_2", "delta_3")
SMALLEST = 1e-3  # metres


def per_image(prediction: NDArray, target: NDArray) -> NDArray[np.float64]:
    """Sums over the valid pixels of one image, [6] as in FIELDS.

    prediction, target: metres, [H, W]; a target <= 0 is invalid. delta_i counts the pixels with
    max(d / d*, d* / d) < 1.25^i; only for these ratios d is raised to 1 mm where it is below, so that a
    prediction of 0 or less counts as a miss instead of dividing by zero.

    >>> per_image(np.array([[3.0, 9.0]]), np.array([[2.0, 0.0]])).tolist()
    [1.0, 1.0, 0.5, 0.0, 1.0, 1.0]
    """
    valid = target > 0
    truth, guess = target[valid].astype(np.float64), prediction[valid].astype(np.float64)
    error = guess - truth
    quotient = np.maximum(guess, SMALLEST) / truth
    factor = np.maximum(quotient, 1 / quotient)
    within = [np.count_nonzero(factor < 1.25**power) for power in (1, 2, 3)]
    return np.array([truth.size, np.square(error).sum(), (np.abs(error) / truth).sum(), *within], np.float64)


def summarize(statistics: NDArray[np.float64]) -> dict[str, float]:
    """rmse (metres), rel and delta_1..3 (fractions) over all valid pixels of the set, from [N, 6].

    rmse_per_image is the mean over images of each image's own rmse, as ASTMT computes it; images without a
    valid pixel do not count. Everything is NaN when no pixel of the set is valid.

    >>> summarize(np.array([[1, 4.0, 0.5, 0, 1, 1], [3, 0, 0, 3, 3, 3]]))["rmse"]
    1.0
    """
    totals = statistics.sum(axis=0)
    if totals[0] == 0:
        return dict.fromkeys(("rmse", "rel", "delta_1", "delta_2", "delta_3", "rmse_per_image"), float("nan"))
    means = totals[1:] / totals[0]
    measured = statistics[statistics[:, 0] > 0]
    return {
        "rmse": float(np.sqrt(means[0])),
        "rel": float(means[1]),
        "delta_1": float(means[2]),
        "delta_2": float(means[3]),
        "delta_3": float(means[4]),
        "rmse_per_image": float(np.sqrt(measured[:, 1] / measured[:, 0]).mean()),
    }
