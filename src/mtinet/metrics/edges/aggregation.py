"""From counts per image and threshold to odsF, oisF and AP, by the rules of seism or of the BSDS benchmark."""

from __future__ import annotations

from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mtinet.errors import UserError

Flavour = Literal["seism", "bsds"]
Floats = NDArray[np.float64]


def summarize(counts: NDArray, thresholds: ArrayLike, flavour: Flavour = "seism") -> dict[str, Any]:
    """odsF, odsT, oisF, AP (fractions) and the curve of a set of images.

    counts: [N, 4, K], cntR, sumR, cntP, sumP of N images at K ascending thresholds. `curve` maps thresholds,
    recall, precision and F to lists [K], over all images.

    odsF: the best F = 2PR / (P + R) at one threshold, odsT, for all images (bsds: with R and P interpolated
    linearly in 100 steps between neighbouring thresholds). oisF: F of the counts summed at each image's first
    best threshold. AP: the mean over R = 0, .01, .., 1 of P at R, 0 where R is not reached, times 101/100. Where
    no pixel is predicted P = 1 (bsds: 0) and R = 0; where the truth has none R = 1 and P = 0 (bsds: both 0).
    Raises UserError for counts of another shape and thresholds that do not ascend.

    >>> counts = np.array([[[8, 6], [10, 10], [8, 6], [16, 6]]])
    >>> scores = summarize(counts, [0.25, 0.5])
    >>> round(scores["odsF"], 4), scores["odsT"], scores["curve"]["recall"]
    (0.75, 0.5, [0.8, 0.6])
    """
    steps, values = checked(counts, thresholds, flavour)
    recall, precision = rates(values.sum(axis=0), flavour)
    measure = f_measure(recall, precision)
    ods, at = best(recall, precision, steps, flavour)
    own = f_measure(*rates(values.swapaxes(0, 1), flavour)).argmax(axis=1)  # of equal ones the first
    chosen = values[np.arange(len(values)), :, own].sum(axis=0)
    return {
        "odsF": ods,
        "odsT": at,
        "oisF": float(f_measure(*rates(chosen, flavour))),
        "AP": average_precision(recall, precision),
        "curve": {
            "thresholds": steps.tolist(), "recall": recall.tolist(), "precision": precision.tolist(),
            "F": measure.tolist(),
        },
    }  # fmt: skip


def rates(counts: Floats, flavour: Flavour) -> tuple[Floats, Floats]:
    """Recall and precision [...] from counts [4, ...]."""
    matched_truth, truth, matched_predicted, predicted = counts
    recall = matched_truth / np.maximum(truth, 1)
    precision = matched_predicted / np.maximum(predicted, 1)
    if flavour == "seism":
        precision = np.where(predicted == 0, 1.0, precision)
        recall, precision = np.where(truth == 0, 1.0, recall), np.where(truth == 0, 0.0, precision)
    return recall, precision


def f_measure(recall: Floats, precision: Floats) -> Floats:
    """2PR / (P + R), 0 where both are 0."""
    measure: Floats = 2 * precision * recall / np.where(precision + recall > 0, precision + recall, 1)
    return measure


def best(recall: Floats, precision: Floats, steps: Floats, flavour: Flavour) -> tuple[float, float]:
    """The best F along the curve and its threshold; of equal ones the first."""
    if flavour == "bsds" and steps.size > 1:
        share = np.linspace(0, 1, 100)
        recall, precision, steps = (
            (line[:-1, None] * (1 - share) + line[1:, None] * share).ravel() for line in (recall, precision, steps)
        )
    measure = f_measure(recall, precision)
    return float(measure.max()), float(steps[measure.argmax()])


def average_precision(recall: Floats, precision: Floats) -> float:
    """Interpolated average precision; 0 where all thresholds have one recall."""
    unique, first = np.unique(recall, return_index=True)
    if unique.size < 2:
        return 0.0
    reached = np.interp(np.arange(101) / 100, unique, precision[first], left=0.0, right=0.0)
    return float(reached.sum() / 100)


def checked(counts: NDArray, thresholds: ArrayLike, flavour: str) -> tuple[Floats, Floats]:
    """Thresholds and counts as float64; UserError where they or the flavour are not what summarize takes."""
    steps, values = np.asarray(thresholds, np.float64), np.asarray(counts, np.float64)
    if flavour not in get_args(Flavour):
        raise UserError(f"flavour '{flavour}', expected one of {', '.join(get_args(Flavour))}")
    if steps.ndim != 1 or not steps.size or not (np.diff(steps) > 0).all():
        raise UserError("thresholds do not ascend, expected a list like 0.01, 0.02, .., 0.99")
    if values.ndim != 3 or values.shape[1:] != (4, steps.size):
        raise UserError(f"counts of shape {values.shape}, expected [images, 4, {steps.size}], as many as thresholds")
    return steps, values
