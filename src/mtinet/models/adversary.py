"""ASTMT's adversary [29]: a discriminator tells from the gradients that tasks send into the shared features which
task they come from, and the network, through a reversed gradient, learns to make that impossible."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from mtinet.models.blocks import at_least_float32


class GradientReversal(torch.autograd.Function):
    """The identity, whose gradient is multiplied by -factor."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, factor: float) -> Tensor:
        ctx.factor = factor
        return values.view_as(values)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        return -ctx.factor * gradients[0], None


def reversal_factor(epoch: int, epochs: int) -> float:
    """alpha = 2 / (1 + exp(-10 (epoch + 1) / epochs)) - 1, from 0 to 1 over a run; epochs count from 0."""
    return 2 / (1 + math.exp(-10 * (epoch + 1) / epochs)) - 1


class Discriminator(nn.Module):
    """Which of `tasks` tasks a gradient [B, C, h, w] comes from, per pixel: logits [B, tasks, h, w]."""

    def __init__(self, channels: int, tasks: int, size: int) -> None:
        super().__init__()
        self.hidden = nn.Conv2d(channels, channels, size, padding=size // 2)
        self.predictor = nn.Conv2d(channels, tasks, 1)

    def forward(self, gradients: Tensor) -> Tensor:
        logits: Tensor = self.predictor(functional.relu(self.hidden(gradients)))
        return logits


def directions(gradient: Tensor) -> tuple[Tensor, Tensor]:
    """[B, C, h, w] divided by its L2 norm over the channels, and where it has a direction, bool [B, h, w].

    A pixel that no valid label reaches has a gradient of exactly zero; there the result is zero as well.
    """
    gradient = at_least_float32(gradient)
    # Elements are down to 1e-9, so their squares would underflow: each pixel is first divided by its largest.
    largest = gradient.detach().abs().amax(dim=1, keepdim=True)
    valid = largest > 0
    scaled = gradient / torch.where(valid, largest, 1)
    squared = scaled.square().sum(dim=1, keepdim=True)
    return scaled * torch.where(valid, squared, 1).rsqrt(), valid.squeeze(1)


def adversarial_loss(
    discriminator: nn.Module,
    gradient: Tensor,
    label: int,
    factor: float,
    totals: Callable[[Sequence[Tensor]], Sequence[Tensor]] = list,
) -> Tensor:
    """Cross-entropy of the discriminator against the task's number `label`, mean over the valid pixels, scalar.

    gradient: of the task's weighted loss with respect to the shared features, with a graph of its own. What
    reaches it from here is multiplied by -factor. totals: see procedure.py.
    """
    units, valid = directions(gradient)
    logits = discriminator(GradientReversal.apply(units, factor))
    losses = functional.cross_entropy(logits, torch.full_like(valid, label, dtype=torch.long), reduction="none")
    (count,) = totals([valid.sum()])
    return torch.where(valid, losses, 0).sum() / count.clamp(min=1)
