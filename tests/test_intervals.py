"""Bootstrap intervals: their coverage where the truth is known, scipy's bootstrap, loops, and pairing."""

from __future__ import annotations

import doctest
import subprocess
import sys
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import bootstrap

from mtinet import metrics
from mtinet.errors import UserError
from mtinet.metrics.delta_m import delta_m
from mtinet.studies import intervals
from mtinet.studies.intervals import delta_m_replicated, percentile, replicated, resamples


def normals_rows(angles: np.ndarray, pixels: np.ndarray | int = 100) -> np.ndarray:
    """Statistics of normals [images, 5] for images with the given mean angles."""
    rows = np.zeros((len(angles), 5))
    rows[:, 0], rows[:, 1] = pixels, pixels * angles
    return rows


def seg_rows(generator: np.random.Generator, images: int, classes: int) -> np.ndarray:
    """Statistics of segmentation [images, 3, classes]; a class is missing from most images."""
    counts = generator.integers(0, 500, (images, 3, classes))
    return (counts * (generator.random((images, 1, classes)) < 0.3)).astype(np.float64)


def test_ninety_five_percent_cover_the_truth_as_often() -> None:
    """A ratio of sums, as most metrics are: angles over pixels, where larger images are easier."""
    generator = np.random.default_rng(0)
    covered = []
    for simulation in range(200):
        pixels = generator.integers(50, 151, 80)
        angles = generator.normal(20 - 0.05 * (pixels - 100), 5)
        draws = resamples(80, 400, simulation)
        low, high = percentile(replicated("normals", [normals_rows(angles, pixels)], draws)["mean_angle"])
        # E[n a] / E[n] = 20 - 0.05 Var(n) / E(n), n uniform on 50..150
        truth = 20 - 0.05 * (101**2 - 1) / 12 / 100
        covered.append(low <= truth <= high)
    assert 0.90 <= np.mean(covered) <= 0.98


def test_intervals_of_delta_m_cover_the_truth_and_are_narrow_by_pairing() -> None:
    generator = np.random.default_rng(1)
    covered, paired_width, unpaired_width = [], [], []
    for simulation in range(200):
        difficulty = generator.normal(0, 5, 60)
        single, multi = (20 * share + difficulty + generator.normal(0, 1, 60) for share in (1.0, 0.9))
        draws, others = resamples(60, 300, simulation), resamples(60, 300, simulation + 1000)
        model = replicated("normals", [normals_rows(multi)], draws)["mean_angle"]
        base = replicated("normals", [normals_rows(single)], draws)["mean_angle"]
        apart = replicated("normals", [normals_rows(single)], others)["mean_angle"]
        low, high = percentile(delta_m_replicated({"normals": model}, {"normals": base}))
        covered.append(low <= 10 <= high)
        paired_width.append(high - low)
        unpaired_width.append(np.ptp(percentile(delta_m_replicated({"normals": model}, {"normals": apart}))))
    assert 0.90 <= np.mean(covered) <= 0.98
    assert np.mean(paired_width) < 0.4 * np.mean(unpaired_width)


@pytest.mark.parametrize("level", [0.5, 0.8, 0.95])
def test_agrees_with_scipy_on_a_mean(level: float) -> None:
    angles = np.random.default_rng(2).gamma(2, 10, 120)
    draws = resamples(120, 8000, 3)
    found = percentile(replicated("normals", [normals_rows(angles)], draws)["mean_angle"], level)
    reference = bootstrap(
        (angles,), np.mean, n_resamples=8000, method="percentile", confidence_level=level, rng=np.random.default_rng(4)
    )
    expected = reference.confidence_interval
    width = expected.high - expected.low
    assert found == pytest.approx((expected.low, expected.high), abs=0.06 * width)


@given(
    seed=st.integers(0, 2**16),
    seeds=st.integers(1, 3),
    task=st.sampled_from(["seg", "depth", "normals", "sal", "edge"]),
)
@settings(max_examples=20, deadline=None)
def test_every_replicate_is_the_metric_of_the_drawn_images(seed: int, seeds: int, task: str) -> None:
    generator = np.random.default_rng(seed)
    shape = {"seg": (6, 3, 4), "normals": (6, 5), "sal": (6, 15, 4), "depth": (6, 6), "edge": (6, 4, 99)}[task]
    runs = [generator.integers(0, 50, shape).astype(float) for _ in range(seeds)]
    draws = resamples(6, 5, seed)
    found = replicated(task, runs, draws)
    for number, draw in enumerate(draws):
        summaries = [metrics.summarize(task, np.stack([run[image] for image in draw])) for run in runs]
        assert set(summaries[0]) - set(found) <= {"rmse_per_image", "oisF"}
        for key, values in found.items():
            expected = np.mean([np.nan if row[key] is None else row[key] for row in summaries])
            assert values[number] == pytest.approx(expected, rel=1e-12, nan_ok=True)


def test_delta_m_of_five_tasks_replicate_by_replicate() -> None:
    generator = np.random.default_rng(5)
    names = ("seg", "parts", "sal", "depth", "normals")
    figures, baselines = ({name: generator.uniform(0.3, 0.6, 7) for name in names} for _ in range(2))
    found = delta_m_replicated(figures, baselines | {"edge": np.full(7, np.nan)})
    for number, value in enumerate(found):
        signs = {"depth": -1, "normals": -1}
        gains = [signs.get(n, 1) * (figures[n][number] / baselines[n][number] - 1) for n in names]
        assert value == pytest.approx(100 * np.mean(gains), rel=1e-12)


def test_a_whole_comparison_holds_its_point_estimates() -> None:
    generator = np.random.default_rng(6)
    single = {"seg": seg_rows(generator, 300, 10), "normals": normals_rows(generator.normal(20, 4, 300))}
    multi = {"seg": single["seg"] * [[1.1], [0.9], [0.9]], "normals": single["normals"] * [1, 1.05, 1, 1, 1]}
    draws = resamples(300, 300, 7)
    figure = {"seg": "mIoU", "normals": "mean_angle"}
    points, samples = [], []
    for run in (multi, single):
        points.append({name: metrics.summarize(name, run[name])[figure[name]] for name in run})
        samples.append({name: replicated(name, [run[name]], draws)[figure[name]] for name in run})
    for name in figure:
        low, high = percentile(samples[0][name])
        assert low < points[0][name] < high
    low, high = percentile(delta_m_replicated(*samples))
    assert low < delta_m(*points) < high


def test_same_seed_same_draws_and_every_image_is_as_likely() -> None:
    draws = resamples(20, 2000, 8)
    assert np.array_equal(draws, resamples(20, 2000, 8))
    assert not np.array_equal(draws, resamples(20, 2000, 9))
    counts = np.bincount(draws.ravel(), minlength=20)
    assert counts.min() > 1850  # of 2000 expected, standard deviation 44
    assert counts.max() < 2150


def test_metrics_that_are_not_always_defined_have_no_interval() -> None:
    rows = normals_rows(np.array([10.0, 20.0, 30.0]), np.array([100, 0, 0]))  # two images without a valid pixel
    found = replicated("normals", [rows], resamples(3, 200, 0))["mean_angle"]
    assert np.isnan(found).any()
    assert percentile(found) is None
    assert np.isnan(delta_m_replicated({"normals": found}, {"normals": np.full(200, 20.0)})).any()


def test_runs_on_other_images_are_one_clear_line() -> None:
    with pytest.raises(UserError, match=r"^intervals of 'seg': found statistics of 4 images, expected 5"):
        replicated("seg", [np.ones((5, 3, 2)), np.ones((4, 3, 2))], resamples(5, 2, 0))


def test_a_thousand_replicates_of_the_nyud_test_set_take_seconds() -> None:
    generator = np.random.default_rng(10)
    seg, depth = seg_rows(generator, 654, 40), generator.uniform(1, 1000, (654, 6))
    draws = resamples(654, 1000, 0)
    began = time.process_time()
    replicated("seg", [seg], draws)
    replicated("depth", [depth], draws)
    assert time.process_time() - began < 10


def test_example_and_imports() -> None:
    result = doctest.testmod(intervals)
    assert result.attempted > 0
    assert result.failed == 0
    code = "import sys, mtinet.studies.intervals; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
