"""How low a training loss comes without an image: what a learning curve must fall below before it shows anything.

Two predictors per task, fitted to the training labels as the network gets them (resized to its input, not augmented)
and judged on the same labels by the task's own loss: the best output for all pixels ("constant"), and the best one for
each position ("position"). Unlike those of the stage blind, which are fitted to the metrics, they minimise losses.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import torch
from numpy.typing import NDArray

from mtinet import losses
from mtinet.data import transforms
from mtinet.data.packed import PackedSplit
from mtinet.losses.edge_bce import POSITIVE_WEIGHT
from mtinet.tasks import task

IGNORED = 255
VALUES = 2**26  # of labels of a task that are held at once; of more, every second position and so on
LEAST = 1e-6  # probability: a loss stays finite where a label occurs that fitting gave none
Outputs = tuple[NDArray, NDArray]  # constant [C, 1, 1], per position [C, h, w]


def levels(train: PackedSplit, classes: Mapping[str, int], size: transforms.Size) -> dict[str, dict[str, float]]:
    """Task -> "constant" and "position" -> the mean loss on `train`; only of tasks whose loss has a best output here.

    classes: channels of every task's output. size: (height, width) of the network's input.
    """
    found = {}
    for name, channels in classes.items():
        fit = FITTED.get(task(name).loss)
        if fit is not None:
            targets = stacked(train, name, size)
            constant, position = fit(targets, channels)
            found[name] = {
                "constant": mean_loss(name, constant, targets),
                "position": mean_loss(name, position, targets),
            }
    return found


def stacked(train: PackedSplit, name: str, size: transforms.Size) -> NDArray:
    """The task's targets of all images, as a batch has them: [N, h, w] or [N, C, h, w], thinned to VALUES."""
    step = 1
    while len(train) * (size[0] // step) * (size[1] // step) > VALUES:
        step += 1
    views = []
    for index in range(len(train)):
        sample = {"image": train.image(index), name: train.label(name, index)}
        views.append(transforms.augment(sample, size, zoom=1.0, flip=False)[name][..., ::step, ::step])
    return np.stack(views)


def mean_loss(name: str, output: NDArray, targets: NDArray) -> float:
    """The loss of giving `output` for every image, over all of them as one batch."""
    module = losses.module(name)
    shape = (1, output.shape[0], *targets.shape[-2:])
    given = torch.from_numpy(np.broadcast_to(output, shape[1:]).astype(np.float32).reshape(shape))
    parts = [module.sums(given, torch.from_numpy(target[None])) for target in targets]
    summed, counts = (sum(values[1:], values[0]) for values in zip(*parts, strict=True))
    return float(module.combine(summed.double(), counts))


def most_likely(targets: NDArray, classes: int) -> Outputs:
    """Cross-entropy is least for the classes' shares: their logarithms."""
    counts = np.stack([(targets == label).sum(axis=0) for label in range(classes)])
    return logarithms(counts.sum(axis=(1, 2), keepdims=True)), logarithms(counts)


def logarithms(counts: NDArray) -> NDArray:
    """Of shares over the first axis."""
    return np.asarray(np.log(np.maximum(counts / np.maximum(counts.sum(axis=0), 1), LEAST)))


def medians(targets: NDArray, channels: int) -> Outputs:
    """The mean of absolute differences is least for the median; depth 0 is no label."""
    valid = targets > 0
    middle = np.median(targets[valid]) if valid.any() else 1.0
    ordered = np.sort(np.where(valid, targets, np.inf), axis=0)
    place = np.maximum(valid.sum(axis=0, keepdims=True) - 1, 0) // 2  # of several equally good ones the nearest
    position = np.take_along_axis(ordered, place, axis=0)[0]
    return np.full((1, 1, 1), middle), np.where(np.isfinite(position), position, middle)


def directions(targets: NDArray, channels: int) -> Outputs:
    """The mean direction: nearly the best one of unit length. Invalid normals are zero vectors and add nothing."""
    total, position = targets.sum(axis=(0, 2, 3), dtype=np.float64)[:, None, None], targets.sum(axis=0)
    return total, np.where(position.any(axis=0), position, total)


def edge_logits(targets: NDArray, channels: int) -> Outputs:
    """The share of edges as the loss's fixed weights count it."""
    return weighted(targets, POSITIVE_WEIGHT)


def balanced_logits(targets: NDArray, channels: int) -> Outputs:
    """The share of ones as the loss counts it, whose weights balance both classes over all that it is asked about."""
    return weighted(targets, float((targets == 0).sum() / max((targets != IGNORED).sum(), 1)))


def weighted(targets: NDArray, weight: float) -> Outputs:
    """Logits of the share of ones where each counts `weight` and a zero 1 - weight."""
    ones, zeros = weight * (targets == 1).sum(axis=0), (1 - weight) * (targets == 0).sum(axis=0)
    shares = [np.clip(one / np.maximum(one + zero, LEAST), LEAST, 1 - LEAST)
              for one, zero in ((ones.sum(keepdims=True), zeros.sum(keepdims=True)), (ones, zeros))]  # fmt: skip
    constant, position = (np.log(share) - np.log1p(-share) for share in shares)
    return constant, position


FITTED: dict[str, Callable[[NDArray, int], Outputs]] = {
    "cross_entropy": most_likely,
    "l1": medians,
    "normals_l1": directions,
    "edge_bce": edge_logits,
    "balanced_bce": balanced_logits,
}
