"""The samples of each training step: order and augmentation from the seed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mtinet.config import Augmentation
from mtinet.data import transforms, warps
from mtinet.data.packed import PackedSplit
from mtinet.training.run import Run

ALL = slice(None)
Augment = Callable[[transforms.Sample, transforms.Size], dict[str, NDArray[Any]]]


def steps_per_epoch(run: Run, images: int) -> int:
    """The last incomplete batch is dropped."""
    return images_seen(run, images) // run.scale.batch_size


def images_seen(run: Run, images: int) -> int:
    """How many of the training images an epoch has: all, or the part where less than one epoch is declared."""
    return run.scale.images_seen(run.experiment.backbone, images)


def epoch(run: Run, split: PackedSplit, number: int, first: int = 0, share: slice = ALL) -> Iterator[dict[str, Tensor]]:
    """The batches of epoch `number` from the batch `first` on: image float32 [B, 3, H, W] and one target per task.

    share: which of each batch's samples to read, where several processes train together.

    Order and augmentation depend on (seed, epoch) alone, so that a resumed run sees the same samples. No thread
    reads ahead: a batch takes a few milliseconds from packed files, and on two cores a third thread slowed
    the training step by a third.
    """
    size = run.scale.batch_size
    generator = np.random.default_rng([run.seed, number])
    order = generator.permutation(len(split))
    groups = [order[step * size : (step + 1) * size] for step in range(steps_per_epoch(run, len(split)))]
    partners = shuffled(run.seed, len(split)) if run.experiment.labels == "shuffled" else None
    draws = [[draw(generator, run.scale.augmentation) for _ in group] for group in groups]
    for group, drawn in zip(groups[first:], draws[first:], strict=True):
        yield batch(run, split, group[share], drawn[share], partners)


def shuffled(seed: int, images: int) -> NDArray[np.intp]:
    """Image -> the image whose labels it gets: a cycle through all of them drawn by the seed, so that none keeps its
    own where there are two at least."""
    order = np.random.default_rng([seed, 0, 1]).permutation(images)  # an epoch's generator has two numbers
    partners = np.empty_like(order)
    partners[order] = np.roll(order, -1)
    return partners


def draw(generator: np.random.Generator, augmentation: Augmentation) -> Augment:
    """One sample's augmentation: zoom, or rotation and scale, and flip."""
    flip = augmentation.flip
    if augmentation.zoom is not None:
        zoom, flip = transforms.draw(generator, augmentation.zoom, flip)
        return partial(transforms.augment, zoom=zoom, flip=flip)
    view = warps.draw(generator, augmentation.rotation or 0.0, augmentation.scale or (1.0, 1.0), flip)
    return partial(warps.warp, view=view, borders=augmentation.borders or "ignored")


def batch(
    run: Run, split: PackedSplit, indices: np.ndarray, draws: list[Augment], partners: NDArray[np.intp] | None = None
) -> dict[str, Tensor]:
    """Images `indices` of the split, each augmented by its draw, stacked; with the labels of `partners`, if any."""
    size = (run.scale.input.height, run.scale.input.width)
    samples = []
    for index, augment in zip(indices.tolist(), draws, strict=True):
        source = index if partners is None else int(partners[index])
        sample = {"image": split.image(source)} | {task: split.label(task, source) for task in run.tasks}
        samples.append(augment(sample, size))
        if source != index:  # augmented apart, since images may differ in size
            samples[-1]["image"] = augment({"image": split.image(index)}, size)["image"]
    return {key: torch.from_numpy(np.stack([sample[key] for sample in samples])) for key in samples[0]}
