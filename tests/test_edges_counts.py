"""Counts per threshold against exact solvers of other make."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.morphology import thin as reference_thin

from benchmarks.edge_maps import label_maps, soft_map
from mtinet.errors import UserError
from mtinet.metrics.edges import boundaries_from_labels, count_matches, suppress
from mtinet.metrics.edges import counting as module
from tests.edge_references import KINDS, SIDES, matching_size, random_map

STEPS = np.arange(1, 100) / 100


def expected(
    prediction: np.ndarray, truth: np.ndarray, threshold: float, squared_radius: Fraction, strict: bool = False
) -> tuple[int, int, int, int]:
    """The four counts of one threshold."""
    values = prediction / 255 if prediction.dtype == np.uint8 else prediction
    predicted = reference_thin(values > threshold if strict else values >= threshold)
    size = matching_size(predicted, truth, squared_radius)
    return size, int(truth.sum()), size, int(predicted.sum())


@given(
    size=SIDES, radius=st.integers(1, 6), kinds=st.tuples(st.sampled_from(KINDS), st.sampled_from(KINDS)),
    seed=st.integers(0, 2**32 - 1), bits=st.booleans(), strict=st.booleans(), shifted=st.booleans(),
)  # fmt: skip
@settings(max_examples=1100, deadline=None)
def test_agrees_with_exact_solvers(
    size: tuple[int, int], radius: int, kinds: tuple[str, str], seed: int, bits: bool, strict: bool, shifted: bool
) -> None:
    random = np.random.default_rng(seed)
    prediction = random_map(random, kinds[0], size)
    prediction = (255 * prediction).astype(np.uint8) if bits else prediction
    other = np.roll(prediction, 1, axis=(0, 1)) / 255 if shifted and bits else random_map(random, kinds[1], size)
    truth = reference_thin(other >= random.uniform(0.1, 1))
    thresholds = random.permutation(STEPS)[:2]
    max_dist = (radius + 0.1) / np.hypot(*size)
    counts = np.stack(count_matches(prediction, truth, thresholds, max_dist, strict=strict), axis=1)
    for found, threshold in zip(counts, thresholds, strict=True):
        assert tuple(found) == expected(prediction, truth, threshold, Fraction(10 * radius + 1, 10) ** 2, strict)


@given(size=SIDES, kind=st.sampled_from(KINDS[2:]), seed=st.integers(0, 2**32 - 1), radius=st.integers(1, 6))
@settings(max_examples=25, deadline=None)
def test_many_thresholds_each_as_if_alone(size: tuple[int, int], kind: str, seed: int, radius: int) -> None:
    random = np.random.default_rng(seed)
    prediction = random_map(random, kind, size).astype(np.float32)
    truth = reference_thin(random_map(random, "blobs", size) > 0.5)
    together = np.stack(count_matches(prediction, truth, STEPS, radius / np.hypot(*size)))
    for number in range(0, 99, 14):
        alone = count_matches(prediction, truth, STEPS[number : number + 1], radius / np.hypot(*size))
        assert np.array_equal(together[:, number], np.stack(alone)[:, 0])


@pytest.mark.parametrize(
    ("size", "max_dist", "suppressed"),
    [((375, 500), 0.0075, False), ((321, 481), 0.0075, True), ((240, 320), 0.011, False)],
)
def test_realistic_maps_at_full_size(size: tuple[int, int], max_dist: float, suppressed: bool) -> None:
    _, maps = label_maps(2, size)
    prediction, truth = soft_map(maps[1], 3), boundaries_from_labels(maps[1])
    prediction = suppress(prediction) if suppressed else prediction
    counts = np.stack(count_matches(prediction, truth, STEPS, max_dist), axis=1)
    assert counts[0, 0] > 500
    radius = Fraction(max_dist).limit_denominator(10**6) ** 2 * (size[0] ** 2 + size[1] ** 2)
    for number in (0, 1, 5, 12, 25, 40, 60, 90):
        assert tuple(counts[number]) == expected(prediction, truth, STEPS[number], radius)


@pytest.mark.parametrize(("apart", "matched"), [((3, 4), 1), ((5, 0), 1), ((4, 4), 0), ((5, 1), 0)])
def test_the_radius_is_inclusive(apart: tuple[int, int], matched: int) -> None:
    prediction, truth = np.zeros((300, 400)), np.zeros((300, 400), bool)
    prediction[100, 100], truth[100 + apart[0], 100 + apart[1]] = 1, True
    assert count_matches(prediction, truth, [0.5], 0.01).cntP[0] == matched


def test_a_pixel_is_predicted_at_its_own_value_unless_strict() -> None:
    for value in (np.uint8(51), np.float64(0.2), np.float32(0.2)):
        prediction, truth = np.full((1, 1), value), np.ones((1, 1), bool)
        assert count_matches(prediction, truth, [0.2]).sumP[0] == 1
        assert count_matches(prediction, truth, [0.2], strict=True).sumP[0] == 0


def test_a_greedy_matching_would_be_too_small() -> None:
    """A chain along which every pair must move on: only augmenting paths find all of them."""
    truth = np.zeros((9, 60), bool)
    truth[4, 3:57:3] = True
    prediction = np.zeros((9, 60))
    prediction[4, 1:55:3] = np.linspace(1, 0.1, 18)  # each nearest to its right, able to reach its left but the first
    for radius in (2, 1):
        found = count_matches(prediction, truth, STEPS, (radius + 0.1) / np.hypot(9, 60))
        sizes = [expected(prediction, truth, step, Fraction(radius**2))[0] for step in STEPS]
        assert found.cntP.tolist() == sizes


def test_nothing_predicted_and_nothing_true() -> None:
    empty, full = np.zeros((7, 9)), np.ones((7, 9), bool)
    assert [count.tolist() for count in count_matches(empty, full, [0.5, 0.9])] == [[0, 0], [63, 63], [0, 0], [0, 0]]
    counts = count_matches(np.ones((7, 9)), ~full, [0.5])
    assert (counts.cntR[0], counts.sumR[0], counts.cntP[0]) == (0, 0, 0)
    assert counts.sumP[0] == reference_thin(full).sum()


def test_graphs_that_are_split_to_save_memory_give_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    _, maps = label_maps(1, (120, 160))
    prediction, truth = soft_map(maps[0], 1), boundaries_from_labels(maps[0])
    whole = np.stack(count_matches(prediction, truth, STEPS))
    monkeypatch.setattr(module, "PAIRS_AT_ONCE", 3000)
    assert np.array_equal(np.stack(count_matches(prediction, truth, STEPS)), whole)
    monkeypatch.setattr(module, "MOST_PAIRS", 1000)
    with pytest.raises(UserError, match=r"120 x 160 .*lower max_dist"):
        count_matches(prediction, truth, STEPS)


@pytest.mark.parametrize("kind", ["full", "noise", "component"])
def test_worst_cases_stay_exact(kind: str) -> None:
    random = np.random.default_rng(0)
    size = (150, 200)
    prediction = {
        "full": np.full(size, 255, np.uint8),
        "noise": random.integers(0, 256, size, dtype=np.uint8),
        "component": np.tile(np.arange(200, dtype=np.uint8), (150, 1)) // 2 * (np.arange(200) % 4 == 0) + np.uint8(20),
    }[kind]
    truth = boundaries_from_labels(random.integers(0, 2, size))
    counts = np.stack(count_matches(prediction, truth, STEPS), axis=1)
    for number in (0, 7, 50):
        radius = Fraction(75, 10000) ** 2 * (150**2 + 200**2)
        assert tuple(counts[number]) == expected(prediction, truth, STEPS[number], radius)


def test_counts_never_exceed_what_is_there_and_do_not_depend_on_the_order_of_thresholds() -> None:
    _, maps = label_maps(1, (120, 160))
    prediction, truth = soft_map(maps[0], 1), boundaries_from_labels(maps[0])
    counts = np.stack(count_matches(prediction, truth, STEPS, 0.011))
    assert (counts[0] <= counts[1]).all()
    assert (counts[2] <= counts[3]).all()
    assert np.array_equal(np.stack(count_matches(prediction, truth, STEPS[::-1], 0.011))[:, ::-1], counts)
    radii = [np.stack(count_matches(prediction, truth, STEPS, share)) for share in (0.0, 0.004, 0.008, 0.02)]
    assert all((more[0] >= less[0]).all() for less, more in pairwise(radii))


BAD = [
    (np.full((3, 4), 0.5), np.zeros((3, 5), bool), "3 x 5 and prediction of size 3 x 4"),
    (np.full((3, 4), 1.5), np.zeros((3, 4), bool), "values 1.5..1.5, expected 0..1"),
    (np.full((3, 4), -0.1), np.zeros((3, 4), bool), "expected 0..1"),
    (np.full((3, 4), np.nan), np.zeros((3, 4), bool), "12 NaN pixels"),
    (np.zeros((3, 4), np.uint16), np.zeros((3, 4), bool), "uint16, expected uint8"),
    (np.zeros((3, 4, 3), np.uint8), np.zeros((3, 4), bool), "size 3 x 4 x 3"),
    (np.zeros((3, 4), np.uint8), np.full((3, 4), 7), "values 7..7, expected boundaries"),
]


@pytest.mark.parametrize(("prediction", "truth", "message"), BAD)
def test_bad_maps_are_one_clear_line(prediction: np.ndarray, truth: np.ndarray, message: str) -> None:
    with pytest.raises(UserError, match=message) as caught:
        count_matches(prediction, truth, [0.5])
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("thresholds", "max_dist"), [([], 0.01), ([np.nan], 0.01), ([0.5], -1), ([0.5], np.nan)])
def test_bad_settings_are_refused(thresholds: list[float], max_dist: float) -> None:
    with pytest.raises(UserError, match="expected"):
        count_matches(np.zeros((3, 4)), np.zeros((3, 4), bool), thresholds, max_dist)
