"""The samples of each training step: order and augmentation from the seed, one batch read ahead."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

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

    Order, zoom and flip depend on (seed, epoch) alone, so that a resumed run sees the same samples. One batch
    is prepared ahead in a thread: decoding and resizing release the interpreter's lock.
    """
    size = run.scale.batch_size
    generator = np.random.default_rng([run.seed, number])
    order = generator.permutation(len(split))
    groups = [order[start : start + size] for start in range(0, len(order) - size + 1, size)]
    draws = [[transforms.draw(generator, run.augmentation.zoom, run.augmentation.flip) for _ in group]
             for group in groups]  # fmt: skip
    with ThreadPoolExecutor(1) as reader:
        ahead = [reader.submit(batch, run, split, groups[0], draws[0])] if groups else []
        for step in range(len(groups)):
            current = ahead.pop()
            if step + 1 < len(groups):
                ahead.append(reader.submit(batch, run, split, groups[step + 1], draws[step + 1]))
            yield current.result()


def batch(run: Run, split: PackedSplit, indices: np.ndarray, draws: list[tuple[float, bool]]) -> dict[str, Tensor]:
    """Images `indices` of the split, each augmented by its draw, stacked."""
    size = (run.scale.input.height, run.scale.input.width)
    samples = []
    for index, (zoom, flip) in zip(indices.tolist(), draws, strict=True):
        sample = {"image": split.image(index)} | {task: split.label(task, index) for task in run.tasks}
        samples.append(transforms.augment(sample, size, zoom, flip))
    return {key: torch.from_numpy(np.stack([sample[key] for sample in samples])) for key in samples[0]}
