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
    valid = (target != 0).any(axis=-1)
    truth, guess = target[valid].astype(np.float64), prediction[valid].astype(np.float64)
    # The arctangent keeps its precision at 0 and 180 degrees, where the arccosine of a dot product loses it.
    across = np.linalg.norm(np.cross(guess, truth), axis=-1)
    along = np.einsum("ij,ij->i", guess, truth)
    degrees = np.degrees(np.arctan2(across, along))
    degrees[~guess.any(axis=-1)] = 90.0
    within = [np.count_nonzero(degrees < limit) for limit in LIMITS.values()]
    return np.array([degrees.size, degrees.sum(), *within], np.float64)


def summarize(statistics: NDArray[np.float64]) -> dict[str, float]:
    """mean_angle (degrees) and within_11, within_22, within_30 (fractions) over the valid pixels, from [N, 5].

    >>> summarize(np.array([[2, 40.0, 1, 1, 2], [2, 0.0, 2, 2, 2]]))
    {'mean_angle': 10.0, 'within_11': 0.75, 'within_22': 0.75, 'within_30': 1.0}
    """
    totals = statistics.sum(axis=0)
    means = totals[1:] / totals[0] if totals[0] else np.full(4, np.nan)
    return dict(zip(("mean_angle", *LIMITS), means.tolist(), strict=True))
