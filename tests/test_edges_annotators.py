"""Several annotators: the benchmark's own counts on BSDS500, and least-cost matchings against dense assignments."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment
from skimage.morphology import thin as reference_thin

from mtinet.metrics.edges import count_matches, count_matches_annotators
from mtinet.metrics.edges.annotators import nearest_matching
from mtinet.metrics.edges.reading import read_prediction, read_truth
from tests.edge_references import random_map

BSDS = Path(__file__).resolve().parents[2] / "shared" / "fixtures" / "real" / "bsds"
NOISE = 12  # pixels by which the C++ benchmark, seeded by the clock, differs from itself
SIDES = st.tuples(st.integers(1, 14), st.integers(1, 14))


@pytest.mark.skipif(not BSDS.is_dir(), reason=f"no BSDS500 images in {BSDS}")
@pytest.mark.parametrize("image", ["100007", "100039", "100099"])
def test_real_images_as_the_benchmark_counts_them(image: str) -> None:
    thresholds, *benchmark = np.loadtxt(BSDS / f"{image}_ev1.txt").T
    truths = read_truth(BSDS / f"{image}.mat")
    assert isinstance(truths, list)
    assert len(truths) > 1
    counts = count_matches_annotators(read_prediction(BSDS / f"{image}.png"), truths, thresholds)
    for name, expected in zip(("cntR", "sumR", "cntP", "sumP"), benchmark, strict=True):
        difference = np.abs(getattr(counts, name) - expected)
        assert difference.max() <= (NOISE if name.startswith("cnt") else 0), name


def masks(seed: int, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    first, second = (random_map(random, "noise", size) < random.uniform(0.02, 0.6) for _ in range(2))
    return first, second


@given(size=SIDES, seed=st.integers(0, 2**32 - 1), radius=st.floats(0, 5))
@settings(max_examples=250, deadline=None)
def test_largest_and_of_those_nearest(size: tuple[int, int], seed: int, radius: float) -> None:
    first, second = masks(seed, size)
    rows, columns = nearest_matching(first, second, radius)
    ends = [np.stack(np.unravel_index(places, size), axis=1) for places in (rows, columns)]
    lengths = np.sqrt(((ends[0] - ends[1]) ** 2).sum(axis=1))
    assert len(set(rows)) == len(set(columns)) == len(rows)
    assert first.ravel()[rows].all()
    assert second.ravel()[columns].all()
    assert (lengths <= radius).all()
    apart = np.sqrt(((np.argwhere(first)[:, None] - np.argwhere(second)) ** 2).sum(axis=2))
    able, price = apart <= radius, 1e4
    chosen = linear_sum_assignment(np.where(able, apart, price)) if apart.size else ([], [])
    assert len(rows) == able[chosen].sum()
    assert lengths.sum() == pytest.approx(apart[chosen][able[chosen]].sum())


@given(size=SIDES, seed=st.integers(0, 2**32 - 1))
@settings(max_examples=60, deadline=None)
def test_one_annotator_is_the_usual_count_and_a_second_adds(size: tuple[int, int], seed: int) -> None:
    random = np.random.default_rng(seed)
    prediction = random_map(random, "blobs", size)
    truths = [reference_thin(random_map(random, "blobs", size) > 0.5) for _ in range(2)]
    share, steps = 2.1 / np.hypot(*size), [0.2, 0.5, 0.8]
    single = [count_matches(prediction, truth, steps, share) for truth in truths]
    for truth, counts in zip(truths, single, strict=True):
        alone = count_matches_annotators(prediction, [truth], steps, share)
        assert np.array_equal(np.stack(alone), np.stack(counts))
    both = count_matches_annotators(prediction, truths, steps, share)
    assert np.array_equal(both.cntR, single[0].cntR + single[1].cntR)
    assert np.array_equal(both.sumR, single[0].sumR + single[1].sumR)
    assert (both.cntP >= np.maximum(single[0].cntP, single[1].cntP)).all()
    assert (both.cntP <= np.minimum(both.sumP, both.cntR)).all()
