"""Parameters and FLOPs of a network (Table 7).

One FLOP here is one multiply-add of a convolution, linear layer or matrix product, as in the paper's Table 7;
torch's counter counts such a pair as two, so its sum is halved. Not counted, as everywhere in this field:
normalisation, activations, interpolation, element-wise sums and products. Conditions: one image, the whole
forward pass in evaluation mode, on torch's meta device, so that counting computes and stores nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn
from torch.func import functional_call
from torch.utils.flop_counter import FlopCounterMode

UNCOUNTED = (nn.modules.batchnorm._BatchNorm, nn.ReLU)


@dataclass(frozen=True)
class Resources:
    """params: number of parameters (buffers excluded). flops: multiply-adds of one image's forward pass."""

    params: int
    flops: int


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
        with torch.no_grad(), counter:
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
