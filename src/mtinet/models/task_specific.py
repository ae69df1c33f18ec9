"""What ASTMT [29] gives every task of its own in an otherwise shared network: norms, residual adapters, gates.

One task is active at a time. Its modules are found through an ActiveTask that all of them share, so that
torchvision's blocks and the decoders can be used as they are, without a task among their arguments.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Collection
from typing import cast

from torch import Tensor, nn

from mtinet.compat import torchvision
from mtinet.models.blocks import SqueezeExcitation

NORMS = (nn.BatchNorm2d, nn.GroupNorm)


class ActiveTask:
    """The task whose modules are in use; `name` is set before a forward pass."""

    def __init__(self, tasks: Collection[str]) -> None:
        self.tasks = tuple(tasks)
        self.name = self.tasks[0]


class PerTask(nn.Module):
    """One module per task, made by `make(task)`; the active one's is called."""

    def __init__(self, active: ActiveTask, make: Callable[[str], nn.Module]) -> None:
        super().__init__()
        self.active = active
        self.of = nn.ModuleDict({task: make(task) for task in active.tasks})

    def forward(self, features: Tensor) -> Tensor:
        result: Tensor = self.of[self.active.name](features)
        return result


class Adapted(nn.Module):
    """A shared convolution and, in parallel, the active task's 1x1 convolution, which starts at zero."""

    def __init__(self, convolution: nn.Conv2d, active: ActiveTask) -> None:
        super().__init__()
        self.shared = convolution
        self.adapter = PerTask(active, lambda task: adapter(convolution))

    def forward(self, features: Tensor) -> Tensor:
        result: Tensor = self.shared(features) + self.adapter(features)
        return result


def adapter(convolution: nn.Conv2d) -> nn.Conv2d:
    """A 1x1 convolution of the same channels and stride, without bias, zero."""
    layer = nn.Conv2d(
        convolution.in_channels, convolution.out_channels, 1, cast(tuple[int, int], convolution.stride), bias=False
    )
    nn.init.zeros_(layer.weight)
    return layer


class Gated(nn.Module):
    """Features times their squeeze-and-excitation gate."""

    def __init__(self, channels: int, reduction: int) -> None:
        super().__init__()
        self.gate = SqueezeExcitation(channels, reduction)

    def forward(self, features: Tensor) -> Tensor:
        result: Tensor = features * self.gate(features)
        return result


def gates(channels: int, reduction: int, active: ActiveTask) -> PerTask:
    """A gate for every task."""
    return PerTask(active, lambda task: Gated(channels, reduction))


def specialise(module: nn.Module, active: ActiveTask) -> None:
    """Give every task its own copy of each norm below `module`, and adapters beside each 3x3 convolution."""
    for name, child in [*module.named_children()]:
        if isinstance(child, NORMS):
            setattr(module, name, PerTask(active, lambda task, norm=child: copy.deepcopy(norm)))  # type: ignore[misc]
        elif isinstance(child, nn.Conv2d) and child.kernel_size == (3, 3):
            setattr(module, name, Adapted(child, active))
        else:
            specialise(child, active)


def specialise_blocks(body: nn.Module, active: ActiveTask, reduction: int) -> int:
    """Specialise every residual block of torchvision below `body`, with a gate before its addition; how many.

    The stem, and whatever else is no residual block, stays shared.
    """
    kinds = torchvision.models.resnet
    blocks = [part for part in body.modules() if isinstance(part, kinds.BasicBlock | kinds.Bottleneck)]
    for block in blocks:
        last = "bn3" if isinstance(block, kinds.Bottleneck) else "bn2"
        channels = getattr(block, last).num_features
        specialise(block, active)
        setattr(block, last, nn.Sequential(getattr(block, last), gates(channels, reduction, active)))
    return len(blocks)
