"""Intervals of a comparison: coverage at n = 200, pairing, several seeds, and what has none."""

from __future__ import annotations

import numpy as np
import pytest

from mtinet import metrics
from mtinet.evaluation import uncertainty
from mtinet.metrics.delta_m import delta_m
from mtinet.studies import coverage
from mtinet.studies.intervals import delta_m_replicated, percentile, replicated, resamples


def test_coverage_of_rmse_and_pixel_accuracy_at_200_images() -> None:
    """93 to 97 % of 1,000 test sets whose truth is known in closed form."""
    generator, known = np.random.default_rng(0), coverage.truth()
    held = {"rmse": 0, "pixel_acc": 0}
    for repetition in range(1000):
        rows = coverage.test_set(generator, 200)["model"]
        draws = resamples(200, uncertainty.REPLICATES, repetition)
        found = replicated("depth", [rows["depth"]], draws) | replicated("seg", [rows["seg"]], draws)
        for name in held:
            low, high = percentile(found[name])
            held[name] += low <= known[name] <= high
    for count in held.values():
        assert 930 <= count <= 970


def test_the_truth_of_the_simulation_is_what_many_images_give() -> None:
    found, known = coverage.test_set(np.random.default_rng(2), 100_000), coverage.truth()
    model, base = ({task: metrics.summarize(task, rows) for task, rows in run.items()} for run in found.values())
    assert model["depth"]["rmse"] == pytest.approx(known["rmse"], rel=0.01)
    assert model["seg"]["pixel_acc"] == pytest.approx(known["pixel_acc"], rel=0.005)
    assert model["seg"]["mIoU"] == pytest.approx(known["mIoU"], rel=0.005)
    gains = [model["seg"]["mIoU"] / base["seg"]["mIoU"] - 1, 1 - model["depth"]["rmse"] / base["depth"]["rmse"]]
    assert 100 * np.mean(gains) == pytest.approx(known["delta_m"], abs=0.2)


def sampled(**runs: dict[str, np.ndarray]) -> dict[str, uncertainty.Samples]:
    return uncertainty.sampled(
        {name: ["depth", "seg"] for name in runs}, {name: [0] for name in runs}, lambda name, seed: runs[name]
    )


def test_two_identical_models_differ_by_an_interval_that_holds_0_and_is_narrower_than_the_unpaired_one() -> None:
    rows = coverage.test_set(np.random.default_rng(3), 80)["model"]
    samples = sampled(a=rows, b=rows)
    found = uncertainty.differences(samples["a"], {"depth": "b", "seg": "b"}, samples)
    gain = uncertainty.delta_m_interval(samples["a"], {"depth": "b", "seg": "b"}, samples)
    others = resamples(80, uncertainty.REPLICATES, 99)
    apart = {task: replicated(task, [rows[task]], others) for task in rows}
    for task, name in (("depth", "rmse"), ("seg", "mIoU")):
        low, high = found[task][name]
        assert low <= 0 <= high
        assert high - low < np.ptp(percentile(samples["a"][task][name] - apart[task][name]))
    assert gain[0] <= 0 <= gain[1]
    unpaired = delta_m_replicated(
        {"depth": samples["a"]["depth"]["rmse"], "seg": samples["a"]["seg"]["mIoU"]},
        {"depth": apart["depth"]["rmse"], "seg": apart["seg"]["mIoU"]},
    )
    assert np.ptp(gain) < np.ptp(percentile(unpaired))


def test_a_clear_difference_is_clear_and_seeds_are_averaged() -> None:
    found = coverage.test_set(np.random.default_rng(4), 150)
    samples = sampled(a=found["model"], b=found["baseline"])
    low, high = uncertainty.delta_m_interval(samples["a"], {"depth": "b", "seg": "b"}, samples)
    points = [
        {"depth": metrics.summarize("depth", run["depth"])["rmse"], "seg": metrics.summarize("seg", run["seg"])["mIoU"]}
        for run in found.values()
    ]
    assert 0 < low < delta_m(*points) < high
    both = list(found.values())
    seeds = uncertainty.sampled({"a": ["depth", "seg"]}, {"a": [0, 1]}, lambda name, seed: both[seed])["a"]
    mean = (samples["a"]["depth"]["rmse"] + samples["b"]["depth"]["rmse"]) / 2
    assert np.allclose(seeds["depth"]["rmse"], mean, rtol=1e-12)


def test_without_statistics_of_every_seed_there_is_no_interval() -> None:
    rows = coverage.test_set(np.random.default_rng(5), 10)["model"]
    read = {("a", 0): rows}
    found = uncertainty.sampled({"a": ["seg"]}, {"a": [0, 1]}, lambda name, seed: read.get((name, seed)))
    assert found == {}
    assert uncertainty.intervals(found.get("a")) is None
    assert uncertainty.delta_m_interval(None, {"seg": "b"}, {}) is None


def test_edges_are_recounted_per_replicate_and_watched_predictions_have_no_interval() -> None:
    generator = np.random.default_rng(6)
    truth = np.repeat(generator.integers(20, 60, (30, 1, 1)), 99, axis=2).astype(float)
    predicted = generator.integers(20, 80, (30, 1, 99)).astype(float)
    matched = np.minimum(truth, predicted) * generator.uniform(0.2, 0.9, (30, 1, 99))
    counts = np.concatenate([matched, truth, matched, predicted], axis=1)
    read = {"edge": counts, "edge@4": np.ones((30, 2))}
    found = uncertainty.sampled({"a": ["edge"]}, {"a": [0]}, lambda name, seed: read)["a"]
    assert set(found) == {"edge"}
    draws = resamples(30, uncertainty.REPLICATES, uncertainty.SEED)
    for number in range(0, uncertainty.REPLICATES, 97):
        sums = counts[draws[number]].sum(axis=0)
        recall, precision = sums[0] / sums[1], sums[2] / sums[3]
        best = (2 * recall * precision / (recall + precision)).max()
        assert found["edge"]["odsF"][number] == pytest.approx(best, rel=1e-12)
