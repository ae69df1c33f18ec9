"""How often the 95 % intervals hold the truth, on synthetic test sets whose truth is known.

    python -m mtinet.studies.coverage

prints per metric the share of repetitions whose interval holds it; what is expected is 95 %. A repetition draws a
test set of `IMAGES` images and bootstraps it as the comparison does.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from mtinet.metrics.delta_m import delta_m
from mtinet.studies.intervals import Floats, delta_m_replicated, percentile, replicated, resamples

IMAGES, REPETITIONS, RESAMPLES = 200, 1000, 1000
METRICS = ("rmse", "pixel_acc", "mIoU", "delta_m")
FACTORS = {"model": (1.0, 0.0), "baseline": (1.1, 0.05)}  # of the depth error, and by how much fewer pixels hit
# Ten classes from common to rare, as shares of an image's pixels, and how often a pixel of each is hit. A class
# stands in an image with probability PRESENT, so that rare ones are in few images.
SHARES = np.array([0.3, 0.2, 0.15, 0.1, 0.08, 0.06, 0.04, 0.03, 0.02, 0.02])
HITS = np.linspace(0.8, 0.3, len(SHARES))
PRESENT, PIXELS, ERROR = 0.6, 5000, 0.6


def test_set(generator: np.random.Generator, images: int) -> dict[str, dict[str, Floats]]:
    """Statistics of depth and segmentation per run ("model", "baseline"), which share the images' difficulty."""
    hard = generator.gamma(2.0, 0.5, images)  # mean 1: an image's squared error, relative to the set's
    present = generator.random((images, len(SHARES))) < PRESENT
    found = {}
    for run, (factor, fewer) in FACTORS.items():
        noise = generator.gamma(10.0, 0.1, images)
        depth = np.zeros((images, 6))
        depth[:, 0], depth[:, 1] = PIXELS, PIXELS * (factor * ERROR) ** 2 * hard * noise
        pixels = np.round(PIXELS * SHARES * present)
        hits = generator.binomial(pixels.astype(int), HITS - fewer).astype(np.float64)
        # What is missed is taken for the next class, so that every miss is a false positive somewhere.
        seg = np.stack([hits, np.roll(pixels - hits, 1, axis=1), pixels - hits], axis=1)
        found[run] = {"depth": depth, "seg": seg}
    return found


def truth() -> dict[str, float]:
    """The metrics of infinitely many images, from expectations."""
    figures: dict[str, dict[str, float]] = {}
    accuracy = {}
    for run, (factor, fewer) in FACTORS.items():
        pixels = PRESENT * np.round(PIXELS * SHARES)
        hits = pixels * (HITS - fewer)
        missed = pixels - hits
        iou = hits / (pixels + np.roll(missed, 1))
        figures[run] = {"depth": factor * ERROR, "seg": float(iou.mean())}
        accuracy[run] = float(hits.sum() / pixels.sum())
    gain = delta_m(figures["model"], figures["baseline"])
    assert gain is not None
    return {
        "rmse": figures["model"]["depth"],
        "pixel_acc": accuracy["model"],
        "mIoU": figures["model"]["seg"],
        "delta_m": gain,
    }


def samples(found: Mapping[str, Mapping[str, Floats]], seed: int) -> dict[str, Floats]:
    """The metrics in every replicate."""
    draws = resamples(len(found["model"]["depth"]), RESAMPLES, seed)
    runs = {
        run: {task: replicated(task, [rows], draws) for task, rows in tasks.items()} for run, tasks in found.items()
    }
    figures = {run: {"depth": tasks["depth"]["rmse"], "seg": tasks["seg"]["mIoU"]} for run, tasks in runs.items()}
    model = runs["model"]
    return {
        "rmse": model["depth"]["rmse"],
        "pixel_acc": model["seg"]["pixel_acc"],
        "mIoU": model["seg"]["mIoU"],
        "delta_m": delta_m_replicated(figures["model"], figures["baseline"]),
    }


def coverage(repetitions: int, seed: int = 0) -> dict[str, float]:
    """Metric -> share of repetitions whose interval holds the truth."""
    generator, known = np.random.default_rng(seed), truth()
    held = dict.fromkeys(METRICS, 0)
    for repetition in range(repetitions):
        for name, values in samples(test_set(generator, IMAGES), repetition).items():
            ends = percentile(values)
            held[name] += ends is not None and ends[0] <= known[name] <= ends[1]
    return {name: count / repetitions for name, count in held.items()}


def main() -> None:
    print(f"{REPETITIONS} test sets of {IMAGES} images, {RESAMPLES} resamples each; intervals that hold the truth:")
    for name, share in coverage(REPETITIONS).items():
        print(f"{name:10s} {100 * share:5.1f} %")


if __name__ == "__main__":
    main()
