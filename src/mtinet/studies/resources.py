"""Parameters and FLOPs of a network (Table 7).

One FLOP here is one multiply-add of a convolution, linear layer or matrix product, as in the paper's Table 7;
torch's counter counts such a pair as two, so its sum is halved. Not counted, as everywhere in this field:
normalisation, activations, interpolation, element-wise sums and products. Conditions: one image, the whole
forward pass in evaluation mode, on torch's meta device, so that counting computes and stores nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.overrides import TorchFunctionMode
from torch.utils.flop_counter import FlopCounterMode

from mtinet.compat import without_compiler

UNCOUNTED = (nn.modules.batchnorm._BatchNorm, nn.ReLU)
FILLING = frozenset({Tensor.normal_, Tensor.uniform_, Tensor.fill_, Tensor.zero_})


@dataclass(frozen=True)
class Resources:
    """params: number of parameters (buffers excluded). flops: multiply-adds of one image's forward pass."""

    params: int
    flops: int


class Unfilled(TorchFunctionMode):
    """Leaves tensors as they were allocated: without it most of building a network for its shapes is drawing
    initial weights, which are operations in Python on the meta device."""

    def __torch_function__(
        self, function: Callable[..., Any], types: Sequence[type], args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:  # fmt: skip
        return args[0] if function in FILLING else function(*args, **(kwargs or {}))


class Resized(TorchFunctionMode):
    """Gives interpolated maps their shape only: they are uncounted, and a third of the work on the meta device."""

    def __torch_function__(
        self, function: Callable[..., Any], types: Sequence[type], args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:  # fmt: skip
        if function is not nn.functional.interpolate:
            return function(*args, **(kwargs or {}))
        return resized(*args, **(kwargs or {}))


def resized(features: Tensor, size: Any = None, scale_factor: Any = None, *_: Any, **__: Any) -> Tensor:
    """An empty map of the shape that torch.nn.functional.interpolate gives `features`, [B, C, H, W]."""
    before = features.shape[2:]
    factors = scale_factor if isinstance(scale_factor, Sequence) else [scale_factor] * len(before)
    sizes = [size] * len(before) if isinstance(size, int) else size
    after = sizes or [int(length * factor) for length, factor in zip(before, factors, strict=True)]
    return features.new_empty(*features.shape[:2], *after)


@contextmanager
def shapes_only() -> Iterator[None]:
    """Networks built within have shapes and no values: nothing is computed or stored."""
    with without_compiler(), torch.device("meta"), Unfilled():
        yield


def count(model: nn.Module, height: int, width: int) -> Resources:
    """Resources of `model` for one image of height x width pixels; leaves the model as it was."""
    tensors = {**dict(model.named_parameters()), **dict(model.named_buffers())}
    meta = {name: tensor.detach().to("meta") for name, tensor in tensors.items()}
    image = torch.empty(1, 3, height, width, device="meta")
    modes = {module: module.training for module in model.modules()}
    # They count nothing and change no shape, but torch has half of the work with them on the meta device.
    idle = [module for module in modes if isinstance(module, UNCOUNTED)]
    counter = FlopCounterMode(display=False)
    try:
        model.eval()
        for one in idle:
            vars(one)["forward"] = unchanged
        with torch.no_grad(), without_compiler(), Resized(), counter:
            functional_call(model, meta, (image,))
    finally:
        for module, training in modes.items():
            module.training = training
        for one in idle:
            vars(one).pop("forward", None)
    params = sum(parameter.numel() for parameter in model.parameters())
    return Resources(params=params, flops=counter.get_total_flops() // 2)


def unchanged(features: torch.Tensor) -> torch.Tensor:
    """What stands for a module that only changes values."""
    return features
