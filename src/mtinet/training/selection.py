"""Which epoch's weights a run keeps: the last one's, as in the paper, or those of the best one on validation images.

The validation images are the ones that are scored, so that the second way chooses on what it is judged by: it is a
reading of its own (`weights: best` in params.yaml), never the default, and says so wherever its numbers are shown.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from mtinet.data import transforms
from mtinet.data.packed import PackedSplit
from mtinet.losses import total_loss
from mtinet.training import batches
from mtinet.training.run import Run

COLUMN = "validation_loss"  # of the history


class Selection(Protocol):
    """What decides, epoch by epoch, and hands the weights out in the end; its state is part of checkpoints."""

    state: dict[str, Any]

    def unseen(self, history: list[dict[str, float]]) -> list[dict[str, float]]:
        """The rows of epochs whose model was not looked at: of the last one, where `note` was left."""

    def note(self, row: dict[str, float], model: nn.Module, leaving: Callable[[], bool]) -> bool:
        """Look at the model after the epoch of `row`, and add to the row what was measured.

        False, and nothing is added, where `leaving`, asked again and again, said that this process has to leave.
        """

    def apply(self, model: nn.Module) -> None:
        """Give the model the weights that are kept."""


class Last:
    """The last epoch's weights."""

    state: dict[str, Any]

    def __init__(self) -> None:
        self.state = {}

    def unseen(self, history: list[dict[str, float]]) -> list[dict[str, float]]:
        return []

    def note(self, row: dict[str, float], model: nn.Module, leaving: Callable[[], bool]) -> bool:
        return True

    def apply(self, model: nn.Module) -> None:
        pass


class Best:
    """The weights of the epoch with the least training objective on `split`, the earlier one of two equal ones.

    state: "loss", that of the best epoch so far, and "model", its weights; empty before the first epoch.
    """

    def __init__(self, run: Run, split: PackedSplit, device: torch.device) -> None:
        self.run, self.split, self.device = run, split, device
        self.state: dict[str, Any] = {}

    def unseen(self, history: list[dict[str, float]]) -> list[dict[str, float]]:
        return [row for row in history if COLUMN not in row]

    def note(self, row: dict[str, float], model: nn.Module, leaving: Callable[[], bool]) -> bool:
        loss = loss_on(self.run, model, self.split, self.device, leaving)
        if loss is None:
            return False
        row[COLUMN] = loss
        if not self.state or row[COLUMN] < self.state["loss"] or math.isnan(self.state["loss"]):
            weights = {name: value.detach().clone() for name, value in model.state_dict().items()}
            self.state = {"loss": row[COLUMN], "model": weights}
        return True

    def apply(self, model: nn.Module) -> None:
        model.load_state_dict(self.state["model"])


def kept_epoch(history: Sequence[Mapping[str, float]]) -> int:
    """The epoch, from 1, whose weights were kept, as a run's history says it."""
    rows = [row for row in history if not math.isnan(row.get(COLUMN, math.nan))]
    return int(min(rows, key=lambda row: row[COLUMN])["epoch"] if rows else history[-1]["epoch"])


def selection_of(run: Run, validation: PackedSplit | None, device: torch.device) -> Selection:
    """What the run's `weights` asks for; `validation` is needed for the best."""
    if run.experiment.weights == "last":
        return Last()
    assert validation is not None, "the best epoch is chosen on validation images"
    return Best(run, validation, device)


@torch.no_grad()
def loss_on(
    run: Run, model: nn.Module, split: PackedSplit, device: torch.device, leaving: Callable[[], bool] = lambda: False
) -> float | None:
    """The training objective on a whole split, without augmentation: the mean over batches, weighted by their images.

    In float32, the model in evaluation mode. Of several processes each computes all of it: the same number. None as
    soon as `leaving` says True, which is asked before each batch: there may be minutes of them.
    """
    model.eval()
    total = 0.0
    for batch in plain(run, split):
        if leaving():
            return None
        targets = {key: value.to(device) for key, value in batch.items()}
        targets["image"] = targets["image"].contiguous(memory_format=torch.channels_last)
        loss, _ = total_loss(model(targets["image"]), targets, run.loss_weights)
        total += float(loss) * len(targets["image"])
    return total / len(split)


def plain(run: Run, split: PackedSplit) -> Iterator[dict[str, Tensor]]:
    """All images of a split in their order, at the network's input size, the last batch being the rest."""
    unchanged = partial(transforms.augment, zoom=1.0, flip=False)
    for first in range(0, len(split), run.scale.batch_size):
        indices = np.arange(first, min(first + run.scale.batch_size, len(split)))
        yield batches.batch(run, split, indices, [unchanged] * len(indices))
