"""odsF, oisF and AP against the published numbers, a plain reimplementation, and closed forms."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mtinet.errors import UserError
from mtinet.metrics.edges import summarize

FIXTURES = Path(__file__).resolve().parents[2] / "shared" / "fixtures" / "edges"
PUBLISHED = {"COB": ("0.741", "0.770", "0.762"), "HED": ("0.675", "0.693", "0.688")}
needs_counts = pytest.mark.skipif(not FIXTURES.is_dir(), reason=f"no shipped counts of seism in {FIXTURES}")


def shipped(name: str) -> tuple[np.ndarray, np.ndarray]:
    """Counts [2498, 4, 101] and thresholds that seism ships for a method."""
    content = np.load(FIXTURES / f"seism_{name}.npz")
    truth = np.broadcast_to(content["gt_pixels"][:, None], content["matched"].shape)
    counts = [content["matched"], truth, content["matched"], content["pred_pixels"]]
    return np.stack(counts, axis=1), content["thresholds"]


def printed(scores: dict) -> tuple[str, ...]:
    return tuple(f"{scores[key]:.3f}" for key in ("odsF", "oisF", "AP"))


@needs_counts
@pytest.mark.parametrize("method", PUBLISHED)
def test_published_numbers_of_seism(method: str) -> None:
    assert printed(summarize(*shipped(method))) == PUBLISHED[method]


@needs_counts
def test_the_other_flavour_changes_only_the_average_precision_of_cob() -> None:
    assert printed(summarize(*shipped("COB"), "bsds")) == ("0.741", "0.770", "0.752")


def naive_rates(counts: list[int], flavour: str) -> tuple[float, float]:
    matched_truth, truth, matched, predicted = counts
    if flavour == "seism" and truth == 0:
        return 1.0, 0.0
    if predicted == 0:
        return 0.0, 1.0 if flavour == "seism" else 0.0
    return (matched_truth / truth if truth else 0.0), matched / predicted


def naive_f(recall: float, precision: float) -> float:
    return 2 * recall * precision / (recall + precision) if recall + precision else 0.0


def naive_scores(counts: np.ndarray, thresholds: list[float], flavour: str) -> dict[str, float]:
    """The definitions in plain Python."""
    curve = [naive_rates(counts[:, :, k].sum(axis=0).tolist(), flavour) for k in range(len(thresholds))]
    points = list(zip(curve, thresholds, strict=True))
    if flavour == "bsds":
        points = [
            (tuple((1 - s) * a + s * b for a, b in zip(curve[k], curve[k + 1], strict=True)),
             (1 - s) * thresholds[k] + s * thresholds[k + 1])
            for k in range(len(curve) - 1) for s in np.linspace(0, 1, 100)
        ] or points  # fmt: skip
    total = np.zeros(4, int)
    for image in counts:
        own = [naive_f(*naive_rates(image[:, k].tolist(), flavour)) for k in range(len(thresholds))]
        total += image[:, own.index(max(own))]
    return {
        "odsF": max(naive_f(*rates) for rates, _ in points),
        "oisF": naive_f(*naive_rates(total.tolist(), flavour)),
        "AP": naive_ap(curve),
    }


def naive_ap(curve: list[tuple[float, float]]) -> float:
    first: dict[float, float] = {}
    for recall, precision in curve:
        first.setdefault(recall, precision)
    recalls = sorted(first)
    if len(recalls) < 2:
        return 0.0
    total = 0.0
    for step in range(101):
        at = step / 100
        if recalls[0] <= at <= recalls[-1]:
            high = next(k for k, r in enumerate(recalls) if r >= at)
            low = max(high - 1, 0) if recalls[high] != at else high
            width = recalls[high] - recalls[low]
            share = (at - recalls[low]) / width if width else 0.0
            total += first[recalls[low]] * (1 - share) + first[recalls[high]] * share
    return total / 100


@given(
    images=st.integers(1, 5), steps=st.integers(1, 6), seed=st.integers(0, 2**32 - 1), largest=st.integers(0, 20),
    flavour=st.sampled_from(["seism", "bsds"]),
)  # fmt: skip
@settings(max_examples=200, deadline=None)
def test_agrees_with_the_definitions(images: int, steps: int, seed: int, largest: int, flavour: str) -> None:
    random = np.random.default_rng(seed)
    truth = np.repeat(random.integers(0, largest + 1, (images, 1)), steps, axis=1)
    predicted = np.sort(random.integers(0, largest + 1, (images, steps)), axis=1)[:, ::-1]
    matched = (random.random((images, steps)) * (np.minimum(truth, predicted) + 1)).astype(int)
    matched = np.minimum(matched, np.minimum(truth, predicted))
    counts = np.stack([matched, truth, matched, predicted], axis=1)
    thresholds = (np.arange(1, steps + 1) / (steps + 1)).tolist()
    found = summarize(counts, thresholds, flavour)
    for key, value in naive_scores(counts, thresholds, flavour).items():
        assert found[key] == pytest.approx(value, rel=1e-9, abs=1e-12), key


@pytest.mark.parametrize(
    ("counts", "flavour", "rates"),
    [((0, 10, 0, 0), "seism", (0, 1)), ((0, 10, 0, 0), "bsds", (0, 0)), ((0, 0, 0, 10), "seism", (1, 0)),
     ((0, 0, 0, 10), "bsds", (0, 0)), ((0, 0, 0, 0), "seism", (1, 0)), ((0, 0, 0, 0), "bsds", (0, 0))],
)  # fmt: skip
def test_what_empty_maps_give(counts: tuple[int, ...], flavour: str, rates: tuple[float, float]) -> None:
    curve = summarize(np.array(counts).reshape(1, 4, 1), [0.5], flavour)["curve"]
    assert (curve["recall"][0], curve["precision"][0]) == rates


def test_per_image_thresholds_can_only_help_when_images_are_alike() -> None:
    counts = np.array([[[8, 6], [10, 10], [8, 6], [16, 6]], [[9, 2], [10, 10], [9, 2], [9, 2]]])
    scores = summarize(counts, [0.25, 0.5])
    assert scores["odsF"] == pytest.approx(2 * (17 / 20) * (17 / 25) / (17 / 20 + 17 / 25))
    assert scores["odsT"] == 0.25
    assert scores["oisF"] == pytest.approx(2 * (15 / 20) * (15 / 15) / (15 / 20 + 15 / 15))


@pytest.mark.parametrize(
    ("shape", "thresholds", "flavour", "message"),
    [((2, 4, 3), [0.1, 0.2], "seism", r"\(2, 4, 3\), expected \[images, 4, 2\]"),
     ((2, 4, 2), [0.2, 0.1], "seism", "do not ascend"), ((2, 4, 2), [0.1, 0.2], "matlab", "expected one of seism")],
)  # fmt: skip
def test_what_cannot_be_summarized_is_refused(shape: tuple, thresholds: list, flavour: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        summarize(np.zeros(shape), thresholds, flavour)
