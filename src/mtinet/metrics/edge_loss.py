"""Edges by the value of their training loss: a stand-in where edges are auxiliary only (NYUD-v2, Table 1)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

IGNORED = 255
POSITIVE_WEIGHT = 0.95  # w_pos, section 3.1
SMALLEST = 1e-7  # float32 probabilities saturate at exactly 0 and 1; this bounds a pixel's loss at 16.1


def per_image(prediction: NDArray, target: NDArray) -> NDArray[np.float64]:
    """Valid pixels and sum of their weighted binary cross-entropy (nats) of one image, [2].

    prediction: probability of an edge [H, W], limited to [1e-7, 1 - 1e-7]; target [H, W] in {0, 1}, 255 =
    ignored. An edge counts 0.95, anything else 0.05.

    >>> per_image(np.array([[0.5, 0.5]]), np.array([[1, 0]])).round(4).tolist()
    [2.0, 0.6931]
    """
    valid = target != IGNORED
    edge = target[valid] == 1
    probability = np.clip(prediction[valid].astype(np.float64), SMALLEST, 1 - SMALLEST)
    weight = np.where(edge, POSITIVE_WEIGHT, 1 - POSITIVE_WEIGHT)
    losses = -weight * np.log(np.where(edge, probability, 1 - probability))
    return np.array([edge.size, losses.sum()], np.float64)


def summarize(statistics: NDArray[np.float64]) -> dict[str, float]:
    """loss: the mean over all valid pixels of the set (nats), from [N, 2]; NaN when there is none.

    >>> summarize(np.array([[2, 0.5], [2, 1.5]]))
    {'loss': 0.5}
    """
    pixels, summed = statistics.sum(axis=0).tolist()
    return {"loss": summed / pixels if pixels else float("nan")}
