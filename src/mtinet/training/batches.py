"""The samples of each training step: order and augmentation from the seed."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from mtinet.data import transforms
from mtinet.data.packed import PackedSplit
from mtinet.training.run import Run


def steps_per_epoch(run: Run, images: int) -> int:
    """The last incomplete batch is dropped."""
    return images // run.scale.batch_size


def epoch(run: Run, split: PackedSplit, number: int) -> Iterator[dict[str, Tensor]]:
    """The batches of epoch `number`: image float32 [B, 3, H, W] and one target per task.

    Order, zoom and flip depend on (seed, epoch) alone, so that a resumed run sees the same samples. No thread
    reads ahead: a batch takes a few milliseconds from packed files, and on two cores a third thread slowed
    the training step by a third.
    """
    size = run.scale.batch_size
    generator = np.random.default_rng([run.seed, number])
    order = generator.permutation(len(split))
    groups = [order[start : start + size] for start in range(0, len(order) - size + 1, size)]
    draws = [[transforms.draw(generator, run.scale.augmentation.zoom, run.scale.augmentation.flip) for _ in group]
             for group in groups]  # fmt: skip
    for group, draw in zip(groups, draws, strict=True):
        yield batch(run, split, group, draw)


def batch(run: Run, split: PackedSplit, indices: np.ndarray, draws: list[tuple[float, bool]]) -> dict[str, Tensor]:
    """Images `indices` of the split, each augmented by its draw, stacked."""
    size = (run.scale.input.height, run.scale.input.width)
    samples = []
    for index, (zoom, flip) in zip(indices.tolist(), draws, strict=True):
        sample = {"image": split.image(index)} | {task: split.label(task, index) for task in run.tasks}
        samples.append(transforms.augment(sample, size, zoom, flip))
    return {key: torch.from_numpy(np.stack([sample[key] for sample in samples])) for key in samples[0]}
