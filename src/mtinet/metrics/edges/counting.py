"""Matched and total boundary pixels of one image at every threshold: the benchmark's four counts."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mtinet.errors import UserError
from mtinet.metrics.edges.annotators import nearest_matching
from mtinet.metrics.edges.matching import Matcher, candidate_pairs, number_of_pairs, without_lonely_rows
from mtinet.metrics.edges.sets import ThinnedSets, thinned_sets

# Candidate pairs held at once, about 30 bytes each while their graph is built. Where all thresholds together
# have more, they are halved, down to single ones; one threshold may have MOST_PAIRS.
PAIRS_AT_ONCE, MOST_PAIRS = 2**26, 2**28
Mask = NDArray[np.bool_]


class Counts(NamedTuple):
    """The benchmark's counts of one image, int64 [K] each, for K thresholds."""

    cntR: NDArray[np.int64]  # matched ground-truth pixels
    sumR: NDArray[np.int64]  # ground-truth pixels
    cntP: NDArray[np.int64]  # matched predicted pixels
    sumP: NDArray[np.int64]  # predicted pixels, after thinning


def count_matches(
    prediction: NDArray, boundaries: NDArray, thresholds: ArrayLike, max_dist: float = 0.0075, *, strict: bool = False
) -> Counts:
    """Threshold, thin and match one prediction with one ground truth, exactly.

    prediction: uint8 (divided by 255) or float in 0..1, [H, W]. boundaries: bool (or 0 and 1) [H, W], thin
    already. thresholds: [K] in any order; a pixel is predicted where prediction >= threshold (strict: >),
    compared in the precision of the prediction. max_dist: pairs are at most max_dist * sqrt(H^2 + W^2) pixels
    apart. Raises UserError for other values, unequal sizes, and more than 2^28 pairs at one threshold.

    >>> counts = count_matches(np.eye(4), np.eye(4, k=1) > 0, [0.5], max_dist=0.2)
    >>> [int(count[0]) for count in counts]
    [3, 3, 3, 4]
    """
    truth = checked_boundaries(boundaries, prediction)
    radius = radius_of(truth.shape, max_dist)
    sets = thinned_sets(prediction, thresholds, strict=strict)
    matched = np.append(matched_sizes(sets, range(sets.count), truth, radius), 0)
    total = np.full(len(sets.index), np.count_nonzero(truth), np.int64)
    return Counts(matched[sets.index], total, matched[sets.index], sets.sizes()[sets.index])


def count_matches_annotators(
    prediction: NDArray,
    annotations: Sequence[NDArray],
    thresholds: ArrayLike,
    max_dist: float = 0.0075,
    *,
    strict: bool = False,
) -> Counts:
    """As count_matches, against several annotators' boundaries of one image (BSDS500).

    Recall counts the matched and total pixels of all annotators together, precision every predicted pixel once
    that any of them matches. Each annotator's matching is the maximum one with the least sum of distances.
    """
    truths = [checked_boundaries(boundaries, prediction) for boundaries in annotations]
    radius = radius_of(np.shape(prediction), max_dist)
    sets = thinned_sets(prediction, thresholds, strict=strict)
    counts = np.zeros((2, sets.count + 1), np.int64)
    for number in range(sets.count):
        predicted = sets.mask(number)
        hit = np.zeros(predicted.size, np.bool_)
        for truth in truths:
            rows, columns = nearest_matching(predicted, truth, radius)
            hit[rows] = True
            counts[0, number] += columns.size
        counts[1, number] = np.count_nonzero(hit)
    total = np.full(len(sets.index), sum(map(np.count_nonzero, truths)), np.int64)
    return Counts(counts[0, sets.index], total, counts[1, sets.index], sets.sizes()[sets.index])


def matched_sizes(sets: ThinnedSets, numbers: range, truth: Mask, radius: float) -> NDArray[np.int64]:
    """Size of a maximum matching of each of the sets `numbers`, which are nested before thinning, with `truth`."""
    if not numbers or not truth.any():
        return np.zeros(len(numbers), np.int64)
    used = sets.used(numbers)
    predicted = np.zeros(truth.shape, np.bool_)
    predicted.reshape(-1)[sets.places[used]] = True
    size = number_of_pairs(predicted, truth, radius, enough=PAIRS_AT_ONCE)
    if size > PAIRS_AT_ONCE and len(numbers) > 1:
        middle = len(numbers) // 2
        return np.concatenate(
            [matched_sizes(sets, part, truth, radius) for part in (numbers[:middle], numbers[middle:])]
        )
    if size > MOST_PAIRS:
        raise UserError(
            f"{size} candidate pairs at one threshold of an image {truth.shape[0]} x {truth.shape[1]} within "
            f"{radius:.1f} pixels, expected at most {MOST_PAIRS}; lower max_dist or score a smaller image"
        )
    pairs, partnered = without_lonely_rows(candidate_pairs(predicted, truth, radius))
    matcher = Matcher(pairs)
    rows = np.flatnonzero(used)[partnered]
    words = sets.words[:, rows]
    sizes = [matcher.size(sets.bit(words, number)) for number in reversed(numbers)]
    return np.array(sizes[::-1], np.int64)


def radius_of(shape: tuple[int, ...], max_dist: float) -> float:
    """The greatest distance of a pair in pixels; UserError for a max_dist that makes no sense."""
    if not 0 <= max_dist < math.inf:
        raise UserError(f"max_dist is {max_dist}, expected a share of the image's diagonal such as 0.0075")
    return max_dist * math.sqrt(shape[0] ** 2 + shape[1] ** 2)


def checked_boundaries(boundaries: NDArray, prediction: NDArray) -> Mask:
    """The ground truth as bool [H, W]; UserError where it is no mask of the prediction's size."""
    array = np.asarray(boundaries)
    if array.ndim != 2 or array.shape != np.shape(prediction):
        raise UserError(
            f"ground truth of size {size_text(array.shape)} and prediction of size "
            f"{size_text(np.shape(prediction))}, expected two maps [H, W] of one size"
        )
    if array.dtype == np.bool_:
        return array
    mask: Mask = array != 0
    if (array != mask).any():
        raise UserError(f"ground truth has values {array.min()}..{array.max()}, expected boundaries: bool, or 0 and 1")
    return mask


def size_text(shape: tuple[int, ...]) -> str:
    """A shape for a message: 321 x 481."""
    return " x ".join(map(str, shape)) or "()"
