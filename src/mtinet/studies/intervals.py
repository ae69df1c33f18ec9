"""Bootstrap intervals of metrics and delta_m, from the per-image statistics that the evaluation stores.

What is resampled are the images of the held-out split: an interval says how far a figure would move on other
images of the same kind, not in other trainings. Of several seeds each has its own figure on the drawn images,
and their mean is taken as in the comparison. All runs see the same draws, so that delta_m and differences of
runs are paired: images that are hard for both move neither.

>>> draws = resamples(images=2, replicates=3, seed=0)
>>> rows = np.array([[1, 20.0, 0, 1, 1], [1, 10.0, 1, 1, 1]])                 # of normals, two images
>>> replicated("normals", [rows], draws)["mean_angle"].tolist() == [rows[draw, 1].mean() for draw in draws]
True
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from mtinet import metrics
from mtinet.errors import UserError
from mtinet.metrics import segmentation
from mtinet.metrics.delta_m import delta_m

# The modules whose metrics are functions of sums over the set, but for those named: these go image by image and
# have no interval here (the mean of every image's own rmse, the F at every image's own threshold).
OF_SUMS: dict[str, tuple[str, ...]] = {
    "segmentation": (), "normals": (), "depth": ("rmse_per_image",), "edge_detection": ("oisF",), "edge_loss": (),
}  # fmt: skip
Floats = NDArray[np.float64]
Interval = tuple[float, float]


def resamples(images: int, replicates: int, seed: int) -> NDArray[np.int32]:
    """Which images make up each replicate, drawn with replacement: indices [replicates, images]."""
    generator = np.random.default_rng(seed)
    return generator.integers(0, images, (replicates, images), dtype=np.int32)


def replicated(
    name: str, runs: Sequence[Floats], draws: NDArray[np.int32], settings: metrics.Settings | None = None
) -> dict[str, Floats]:
    """Every metric of task `name` in every replicate, [replicates], averaged over the runs (seeds).

    runs: per-image statistics [images, ...], one array per seed. NaN where a run's metric is not defined.
    Raises UserError when a run has not as many images as the draws are from.
    """
    images = draws.shape[1]
    for statistics in runs:
        if len(statistics) != images:
            raise UserError(
                f"intervals of '{name}': found statistics of {len(statistics)} images, expected {images} as in"
                " the other runs; evaluate all runs on the same split"
            )
    found = [one_run(name, statistics, draws, settings) for statistics in runs]
    return {key: np.array([row[key] for row in found]).mean(axis=0) for key in found[0]}


def one_run(
    name: str, statistics: Floats, draws: NDArray[np.int32], settings: metrics.Settings | None
) -> dict[str, Floats]:
    """Every metric of one run in every replicate: one matrix product where the metric is one of the set's sums."""
    module = metrics.module(name).__name__.rpartition(".")[2]
    if module not in OF_SUMS:
        rows = [metrics.summarize(name, statistics[draw], settings) for draw in draws]
        return {key: np.array([row[key] for row in rows], np.float64) for key in rows[0]}
    counts = np.stack([np.bincount(draw, minlength=draws.shape[1]) for draw in draws]).astype(np.float64)
    sums = np.tensordot(counts, statistics, axes=1)
    if module in VECTORISED:
        return VECTORISED[module](sums)
    rows = [metrics.summarize(name, total[None], settings) for total in sums]
    return {key: np.array([row[key] for row in rows], np.float64) for key in rows[0] if key not in OF_SUMS[module]}


def depth_of(sums: Floats) -> dict[str, Floats]:
    """What metrics/depth.py makes of the sums, [replicates, 6], of all replicates at once."""
    means = segmentation.ratio(sums[:, 1:], np.broadcast_to(sums[:, :1], sums[:, 1:].shape))
    names = ("rel", "delta_1", "delta_2", "delta_3")
    return {"rmse": np.sqrt(means[:, 0])} | {name: means[:, 1 + index] for index, name in enumerate(names)}


def segmentation_of(sums: Floats) -> dict[str, Floats]:
    """What metrics/segmentation.py makes of the sums, [replicates, 3, classes], of all replicates at once."""
    hits, false_positives, false_negatives = np.moveaxis(sums, 1, 0)
    return {
        "mIoU": mean_of_defined(segmentation.ratio(hits, hits + false_positives + false_negatives)),
        "pixel_acc": segmentation.ratio(hits.sum(axis=1), (hits + false_negatives).sum(axis=1)),
        "mean_acc": mean_of_defined(segmentation.ratio(hits, hits + false_negatives)),
    }


def mean_of_defined(values: Floats) -> Floats:
    """Means over the last axis of what is not NaN; NaN where nothing is."""
    defined = ~np.isnan(values)
    return segmentation.ratio(np.where(defined, values, 0).sum(axis=-1), defined.sum(axis=-1).astype(np.float64))


# The bulk of a table's runs; each is compared with its module's own `summarize`, replicate by replicate, in a test.
VECTORISED: dict[str, Callable[[Floats], dict[str, Floats]]] = {"depth": depth_of, "segmentation": segmentation_of}


def delta_m_replicated(figures: Mapping[str, Floats], baselines: Mapping[str, Floats]) -> Floats:
    """delta_m in every replicate, in %, [replicates]: of the main tasks' figures against their baselines'.

    Both map a task to its metric of the same draws, [replicates]. NaN where delta_m is not defined.
    """
    columns = zip(*figures.values(), strict=True)
    references = zip(*(baselines[name] for name in figures), strict=True)
    gains = [
        delta_m(dict(zip(figures, row, strict=True)), dict(zip(figures, base, strict=True)))
        for row, base in zip(columns, references, strict=True)
    ]
    return np.array([np.nan if gain is None else gain for gain in gains], np.float64)


def percentile(values: Floats, level: float = 0.95) -> Interval | None:
    """The interval between the (1 - level) / 2 and (1 + level) / 2 quantiles of the replicates.

    None when a metric is not defined in every replicate.
    """
    if not np.isfinite(values).all():
        return None
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2]).tolist()
    return low, high
