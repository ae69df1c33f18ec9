"""The optimisers of the experiments: Adam, or SGD with momentum (section A.2)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import SGD, Adam, Optimizer

SGD_MOMENTUM = 0.9
CHANNELS_LAST = (0, 2, 3, 1)
CHANNELS_SECOND = (0, 3, 1, 2)


def optimizer_of(kind: str, groups: list[dict[str, Any]], lr: float, decay: float) -> Optimizer:
    """The optimiser `kind`, adam or sgd, of the parameters `groups`, as a procedure gives them."""
    if kind == "sgd":
        return SGD(groups, lr=lr, momentum=SGD_MOMENTUM, weight_decay=decay)
    adam = Adam(groups, lr=lr, weight_decay=decay, fused=True)
    Contiguous(adam)
    return adam


class Contiguous:
    """Lets an optimiser's steps on a CPU see weights and gradients as contiguous tensors.

    torch's fused Adam copies what is channels-last in memory before and after, which takes longer than the update
    itself, and goes wrong where a gradient lies otherwise than its weight. Seen with its channels last, such a weight
    is contiguous.
    """

    def __init__(self, optimizer: Optimizer) -> None:
        self.turned: list[nn.Parameter] = []
        optimizer.register_step_pre_hook(lambda given, *_: self.turn(given))
        optimizer.register_step_post_hook(lambda *_: self.turn_back())

    def turn(self, optimizer: Optimizer) -> None:
        for group in optimizer.param_groups:
            for weight in group["params"]:
                if weight.grad is None or weight.device.type != "cpu":
                    continue
                if lies_channels_last(weight):
                    permute(weight, CHANNELS_LAST)
                    self.turned.append(weight)
                weight.grad = weight.grad.contiguous()

    def turn_back(self) -> None:
        for weight in self.turned:
            permute(weight, CHANNELS_SECOND)
        self.turned.clear()


def lies_channels_last(weight: Tensor) -> bool:
    """Whether a tensor is channels-last in memory and not contiguous as well (as a 1x1 kernel is)."""
    return not weight.is_contiguous() and weight.is_contiguous(memory_format=torch.channels_last)


def permute(weight: nn.Parameter, order: tuple[int, ...]) -> None:
    """Permute the dimensions of a weight and its gradient, in place; nothing moves in memory."""
    gradient, weight.grad = weight.grad, None  # else torch compares the shapes of the two
    weight.data = weight.data.permute(order)
    weight.grad = None if gradient is None else gradient.permute(order)
