"""How a network is trained. A method that is not trained in the ordinary way has a subclass `Training`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from mtinet.models.interface import Predictions

POLY_POWER = 0.9

LossFunction = Callable[[Predictions, Mapping[str, Tensor]], tuple[Tensor, dict[str, Tensor]]]
"""Predictions and targets by task to the weighted total, a scalar, and its detached, unweighted parts by name."""


@dataclass(frozen=True)
class Progress:
    """Where a run stands: epoch and step, both of the whole run and counted from 0, and how many there are."""

    epoch: int
    epochs: int
    step: int
    steps: int


class Procedure:
    """The ordinary procedure: one learning rate with poly decay, all tasks in one joint step.

    one_pass: a step's gradients come from one call of `net`, so that a wrapper of it sees all of them.
    totals: adds up the counts of a batch in several parts, of which a step sees one; losses are contributions then.
    """

    one_pass = True

    def __init__(self, net: nn.Module) -> None:
        self.net = net
        self.totals: Callable[[Sequence[Tensor]], Sequence[Tensor]] = list

    def parameter_groups(self) -> list[dict[str, Any]]:
        """For the optimiser: `params`, and `lr_factor`, by which the group multiplies the learning rate."""
        return [{"params": [*self.net.parameters()], "lr_factor": 1.0}]

    def learning_rate(self, initial: float, progress: Progress) -> float:
        """The learning rate of a step, before the groups' factors."""
        return poly(initial, progress.step, progress.steps)

    def begin_epoch(self, optimizer: torch.optim.Optimizer) -> None:
        """Called before an epoch's first step."""

    def step(
        self, optimizer: torch.optim.Optimizer, batch: Mapping[str, Tensor], loss: LossFunction, progress: Progress
    ) -> dict[str, float]:
        """One batch: update the network; returns the total loss ("loss") and each part's value.

        batch: "image" [B, 3, H, W] and one target per task. Must not draw from torch's generator: a resumed run
        would end otherwise than an uninterrupted one.
        """
        total, parts = loss(self.net(batch["image"]), batch)
        optimizer.zero_grad(set_to_none=True)
        total.backward()
        optimizer.step()
        return {"loss": total.item()} | {part: value.item() for part, value in parts.items()}


def poly(initial: float, step: int, total: int) -> float:
    """Learning rate at `step` of `total`: initial * (1 - step / total) ** 0.9."""
    return float(initial * (1.0 - step / total) ** POLY_POWER)
