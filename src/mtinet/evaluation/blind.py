"""Two predictors that see no image, fitted on training labels only: what a network must beat.

The best constant predicts one value everywhere, the per-position prior one value per pixel position. Which
value is best depends on the metric, so there is one estimator per kind of statistics.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mtinet import metrics
from mtinet.data.packed import PackedSplit
from mtinet.evaluation.exact import MARK, exact_labels, scored_label
from mtinet.evaluation.outputs import at_size, nearest
from mtinet.processes import Submit, done, sharing
from mtinet.tasks import task

IGNORED = 255
BAND_BYTES = 2**26  # of labels held at once for the median
Size = tuple[int, int]
Priors = tuple[NDArray, NDArray]  # constant [C], per position [C, H, W]
Summary = dict[str, float | None]


def blind(
    train: PackedSplit,
    val: PackedSplit,
    classes: Mapping[str, int],
    settings: metrics.Settings | None = None,
    workers: int = 1,
) -> dict[str, dict[str, Summary]]:
    """Metrics on `val` of both predictors fitted on `train`: "constant" and "position" -> task -> metrics.

    classes: channels of every task to predict, the number of classes where it has such. settings: the dataset's,
    of its metrics. workers: processes that share costly metrics. Where training images differ in size, positions
    are those of the most frequent size, to which labels go by nearest, and from which the prior goes to each
    image's size as predictions do. Where `val` has exact labels of a task, "constant!exact" and
    "position!exact" hold the metrics against them.
    """
    grid = common_size(train)
    exact = exact_labels(val, list(classes))
    result: dict[str, dict[str, Summary]] = {"constant": {}, "position": {}}
    with sharing(workers if any(map(metrics.is_costly, classes)) else 1) as submit:
        for name, channels in classes.items():
            constant, position = ESTIMATORS[task(name).statistics](train, name, grid, channels)
            count = submit if metrics.is_costly(name) else done
            for key, values in (("constant", constant[:, None, None]), ("position", position)):
                prior = torch.from_numpy(values)[None]
                truth = scored_label(val, name)
                result[key][name] = score_prior(val, name, prior, channels, truth, settings, count)
                if name in exact:
                    found = score_prior(val, name, prior, channels, exact[name], settings, count)
                    result.setdefault(f"{key}{MARK}", {})[name] = found
    return result


def score_prior(
    val: PackedSplit,
    name: str,
    prior: Tensor,
    channels: int,
    label: str,
    settings: metrics.Settings | None = None,
    submit: Submit = done,
) -> Summary:
    """Metrics of predicting `prior` [1, C, h, w], brought to the size of each image, for all of `val`.

    label: which labels of `val` they are held against.
    """
    rows: list[Future[NDArray[np.float64]]] = []
    prediction: NDArray = np.empty((0, 0))
    for index in range(len(val)):
        target = val.label(label, index)
        if prediction.shape[:2] != target.shape[:2]:
            prediction = at_size(name, prior, target.shape[:2])
        rows.append(submit(metrics.per_image, name, prediction, target, channels, settings))
    return metrics.summarize(name, np.stack([row.result() for row in rows]), settings)


def label_priors(train: PackedSplit, name: str, grid: Size, classes: int) -> Priors:
    """The most frequent class, overall and per position; uint8.

    Of all constants it is the best on the labels it was counted on: accuracy is its share of the pixels, and
    so is its IoU (every other pixel is a false positive), while the IoU of all other classes is 0.
    """
    total = np.zeros(classes, np.int64)
    counts = np.zeros((classes, grid[0] * grid[1]), np.int32)
    for label in labels(train, name):
        total += np.bincount(label[label != IGNORED], minlength=classes)
        flat = on_grid(label, grid).reshape(-1)
        places = np.flatnonzero(flat != IGNORED)
        counts[flat[places], places] += 1
    constant = np.array([total.argmax()], np.uint8)
    mode = np.where(counts.any(axis=0), counts.argmax(axis=0), constant).astype(np.uint8)
    return constant, mode.reshape(1, *grid)


def depth_priors(train: PackedSplit, name: str, grid: Size, channels: int) -> Priors:
    """The mean of all valid pixels, which minimises their rmse; per position the median; metres, float32."""
    summed, pixels = 0.0, 0
    for label in labels(train, name):
        valid = label[label > 0]
        summed, pixels = summed + float(valid.sum(dtype=np.float64)), pixels + valid.size
    constant = np.array([summed / max(pixels, 1)], np.float32)
    rows = max(1, BAND_BYTES // (len(train) * grid[1] * np.dtype(np.float32).itemsize))
    bands = [range(top, min(top + rows, grid[0])) for top in range(0, grid[0], rows)]
    median = np.concatenate([band_median(train, name, grid, band) for band in bands])
    return constant, np.where(np.isfinite(median), median, constant)[None]


def band_median(train: PackedSplit, name: str, grid: Size, band: range) -> NDArray[np.float32]:
    """Median depth over the training images at each position of some rows, infinite where none is valid."""
    values = np.empty((len(train), len(band), grid[1]), np.float32)
    for place, label in zip(values, labels(train, name), strict=True):
        place[:] = on_grid(label, grid, band)
    values[values <= 0] = np.inf  # sorted behind the valid ones; np.nanmedian is many times slower
    values.sort(axis=0)
    valid = np.isfinite(values).sum(axis=0)[None]
    middle = [np.take_along_axis(values, place, axis=0)[0] for place in ((valid - 1) // 2, valid // 2)]
    median: NDArray[np.float32] = (middle[0] + middle[1]) / 2
    return median


def normals_priors(train: PackedSplit, name: str, grid: Size, channels: int) -> Priors:
    """The normalised mean direction, overall and per position: the greatest mean cosine; float32."""
    total = np.zeros(3)
    summed = np.zeros((*grid, 3))
    for label in labels(train, name):
        total += label.sum(axis=(0, 1), dtype=np.float64)  # invalid ones are zero vectors
        summed += on_grid(label, grid)
    summed[~summed.any(axis=-1)] = total
    position = summed / np.maximum(np.linalg.norm(summed, axis=-1, keepdims=True), 1e-12)
    constant = total / max(float(np.linalg.norm(total)), 1e-12)
    return constant.astype(np.float32), np.moveaxis(position, -1, 0).astype(np.float32)


def edge_priors(train: PackedSplit, name: str, grid: Size, channels: int) -> Priors:
    """The share of edges, overall and per position: probabilities, float32.

    The benchmark tries all thresholds, so only the order of the positions counts (and the constant, wherever it
    is not below all thresholds, predicts every pixel). Where no label is valid, the overall share.
    """
    share, counts = positives(train, name, grid)
    position = np.divide(counts[0], counts[1], out=np.full(grid, share), where=counts[1] > 0)
    return np.array([share], np.float32), position.astype(np.float32)[None]


def saliency_priors(train: PackedSplit, name: str, grid: Size, channels: int) -> Priors:
    """The mean label under the loss's weights, which balance both classes: probabilities, float32.

    The overall one is then 1/2. As a constant none scores better: between the least and the greatest
    threshold each means everything below it and nothing above, of which the metric takes the better. At a
    position the overall share counts as one more image, lest a few hundred images make it certain.
    """
    share, counts = positives(train, name, grid)
    constant = weighted_share(np.array([share]), 1 - share)
    return constant, weighted_share((counts[0] + share) / (counts[1] + 1), 1 - share)[None]


def positives(train: PackedSplit, name: str, grid: Size) -> tuple[float, NDArray[np.float64]]:
    """Of labels {0, 1}: the overall share of ones, and per position the numbers of ones and of valid labels."""
    total, counts = np.zeros(2), np.zeros((2, *grid))
    for label in labels(train, name):
        total += [np.count_nonzero(label == 1), np.count_nonzero(label != IGNORED)]
        resized = on_grid(label, grid)
        counts += np.stack([resized == 1, resized != IGNORED])
    share = total[0] / max(total[1], 1)
    return float(share), counts


def weighted_share(share: NDArray[np.float64], weight: float) -> NDArray[np.float32]:
    """The share of positives when each counts `weight` and a negative 1 - weight.

    Where that leaves nothing to count (only negatives, of weight 0, or only positives), it is `share`.
    """
    ones, zeros = weight * share, (1 - weight) * (1 - share)
    both = ones + zeros
    return np.divide(ones, both, out=share.copy(), where=both > 0).astype(np.float32)


def labels(split: PackedSplit, name: str) -> Iterator[NDArray]:
    """The labels of all images, one at a time."""
    return (split.label(name, index) for index in range(len(split)))


def common_size(split: PackedSplit) -> Size:
    """The most frequent (height, width) of the images; of several the first to occur."""
    sizes = Counter(split.image(index).shape[:2] for index in range(len(split)))
    height, width = max(sizes, key=lambda size: sizes[size])
    return height, width


def on_grid(label: NDArray, grid: Size, rows: range | None = None) -> NDArray:
    """`label` [h, w, ...] at the positions of `grid` by nearest neighbour (some rows only, if given)."""
    if label.shape[:2] == grid:
        return label if rows is None else label[rows.start : rows.stop]
    down, across = nearest(grid[0], label.shape[0]), nearest(grid[1], label.shape[1])
    return label[down if rows is None else down[rows.start : rows.stop]][:, across]


ESTIMATORS: dict[str, Callable[[PackedSplit, str, Size, int], Priors]] = {
    "segmentation": label_priors,
    "depth": depth_priors,
    "normals": normals_priors,
    "edge_detection": edge_priors,
    "saliency": saliency_priors,
}
