"""Thinning against scikit-image, of single maps and of many thresholds at once."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.morphology import thin as reference

from benchmarks.edge_maps import label_maps, soft_map
from mtinet.metrics.edges import boundaries_from_labels, thin
from mtinet.metrics.edges.sets import thinned_sets
from mtinet.thinning import deletable, thin_levels
from tests.edge_references import KINDS, SIDES, random_map


@given(size=SIDES, kind=st.sampled_from(KINDS), seed=st.integers(0, 2**32 - 1), level=st.floats(0.01, 1))
@settings(max_examples=1200, deadline=None)
def test_agrees_with_scikit_image(size: tuple[int, int], kind: str, seed: int, level: float) -> None:
    mask = random_map(np.random.default_rng(seed), kind, size) >= level
    assert np.array_equal(thin(mask), reference(mask))


def test_the_rule_is_that_of_guo_and_hall() -> None:
    """All 256 neighbourhoods, by the conditions as published: x1 to the right, then counter-clockwise."""
    for x in product((False, True), repeat=8):
        crossings = sum(not x[i] and (x[i + 1] or x[(i + 2) % 8]) for i in (0, 2, 4, 6))
        first = sum(x[i] or x[i + 1] for i in (0, 2, 4, 6))
        second = sum(x[i + 1] or x[(i + 2) % 8] for i in (0, 2, 4, 6))
        corner = (x[1] or x[2] or not x[7]) and x[0]
        expected = crossings == 1 and 2 <= min(first, second) <= 3 and not corner
        assert deletable(*np.array(x)[:, None]).item() == expected, x


@given(size=SIDES, kind=st.sampled_from(KINDS), seed=st.integers(0, 2**32 - 1), count=st.integers(1, 140))
@settings(max_examples=60, deadline=None)
def test_every_threshold_is_thinned_as_if_alone(size: tuple[int, int], kind: str, seed: int, count: int) -> None:
    random = np.random.default_rng(seed)
    levels = np.round(random_map(random, kind, size) * count).astype(int)
    words = thin_levels(levels, count)
    for number in random.integers(0, count, 12):
        alone = (words[number // 64] >> np.uint64(number % 64)) & np.uint64(1)
        assert np.array_equal(alone.astype(bool), reference(levels > number))


@pytest.mark.parametrize(("seed", "size"), [(0, (375, 500)), (1, (321, 481)), (2, (480, 640))])
def test_realistic_maps_at_full_size(seed: int, size: tuple[int, int]) -> None:
    _, maps = label_maps(seed + 1, size)
    thresholds = np.arange(1, 100) / 100
    prediction = soft_map(maps[-1], seed)
    sets = thinned_sets(prediction, thresholds)
    for number in range(0, 99, 9):
        expected = reference(prediction / 255 >= thresholds[number])
        assert np.array_equal(sets.mask(sets.index[number]), expected)
    assert np.array_equal(thin(boundaries_from_labels(maps[-1])), reference(boundaries_from_labels(maps[-1])))


def naive_boundaries(labels: np.ndarray) -> np.ndarray:
    """The rule of seism, pixel by pixel: neighbours that lie outside are left out."""
    height, width = labels.shape
    found = np.zeros(labels.shape, bool)
    for y in range(height):
        for x in range(width):
            others = [(y, x + 1), (y + 1, x), (y + 1, x + 1)]
            found[y, x] = any(b < height and r < width and labels[b, r] != labels[y, x] for b, r in others)
    return found


@given(size=st.tuples(st.integers(1, 25), st.integers(1, 25)), seed=st.integers(0, 2**32 - 1), labels=st.integers(1, 5))
@settings(max_examples=100, deadline=None)
def test_boundaries_are_those_of_the_rule(size: tuple[int, int], seed: int, labels: int) -> None:
    field = random_map(np.random.default_rng(seed), "blobs", size)
    values = np.minimum(field * labels, labels - 1).astype(np.uint8)
    assert np.array_equal(boundaries_from_labels(values), reference(naive_boundaries(values)))
