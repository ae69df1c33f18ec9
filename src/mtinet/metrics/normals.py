"""Surface normals: the mean angular error (mErr of section 3.1) and shares of pixels within given angles."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

LIMITS = {"within_11": 11.25, "within_22": 22.5, "within_30": 30.0}  # degrees, the usual three


def per_image(prediction: NDArray, target: NDArray) -> NDArray[np.float64]:
    """Valid pixels, sum of angles in degrees, pixels below 11.25, 22.5 and 30 degrees of one image, [5].

    prediction, target: [H, W, 3] of any positive length; the zero vector in the target is invalid, in the
    prediction it counts as perpendicular, 90 degrees.

    >>> per_image(np.array([[[0.0, 0.0, 2.0]]]), np.array([[[0.0, 1.0, 0.0]]])).tolist()
    [1.0, 90.0, 0.0, 0.0, 0.0]
    """
    x, y, z = np.moveaxis(target != 0, -1, 0)
    valid = x | y | z  # several times faster than any(axis=-1)
    truth, guess = target[valid].astype(np.float64), prediction[valid].astype(np.float64)
    lengths = np.sqrt(inner(guess, guess) * inner(truth, truth))
    cosine = np.divide(inner(guess, truth), lengths, out=np.zeros(len(truth)), where=lengths > 0)
    degrees = np.degrees(np.arccos(np.clip(cosine, -1, 1)))
    within = [np.count_nonzero(degrees < limit) for limit in LIMITS.values()]
    return np.array([degrees.size, degrees.sum(), *within], np.float64)


def inner(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    """Inner products of the rows of two arrays [pixels, 3]."""
    products: NDArray[np.float64] = np.einsum("ij,ij->i", a, b)
    return products


def summarize(statistics: NDArray[np.float64]) -> dict[str, float]:
    """mean_angle (degrees), within_11, within_22, within_30 (fractions) over the valid pixels, from [N, 5].

    >>> summarize(np.array([[2, 40.0, 1, 1, 2], [2, 0.0, 2, 2, 2]]))
    {'mean_angle': 10.0, 'within_11': 0.75, 'within_22': 0.75, 'within_30': 1.0}
    """
    totals = statistics.sum(axis=0)
    means = totals[1:] / totals[0] if totals[0] else np.full(4, np.nan)
    return dict(zip(("mean_angle", *LIMITS), means.tolist(), strict=True))
