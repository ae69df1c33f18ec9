"""Blocks that heads and task modules are made of. Residual blocks are torchvision's."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from mtinet.compat import torchvision


def residual_block(channels: int, outputs: int) -> nn.Module:
    """ResNet's basic block, two 3x3 convolutions: [B, channels, H, W] -> [B, outputs, H, W]."""
    block = torchvision.models.resnet.BasicBlock
    return initialised(block(channels, outputs, 1, shortcut(channels, outputs)))


def bottleneck(channels: int, outputs: int) -> nn.Module:
    """ResNet's bottleneck block of width outputs / 4: [B, channels, H, W] -> [B, outputs, H, W]."""
    block = torchvision.models.resnet.Bottleneck
    return initialised(block(channels, outputs // block.expansion, 1, shortcut(channels, outputs)))


def shortcut(channels: int, outputs: int) -> nn.Module | None:
    """The projection on the residual connection, None where the identity fits."""
    if channels == outputs:
        return None
    return nn.Sequential(nn.Conv2d(channels, outputs, 1, bias=False), nn.BatchNorm2d(outputs))


def initialised(module: nn.Module) -> nn.Module:
    """`module` with its convolutions drawn as in ResNet: normal, preserving the variance backwards."""
    for part in module.modules():
        if isinstance(part, nn.Conv2d):
            nn.init.kaiming_normal_(part.weight, mode="fan_out", nonlinearity="relu")
    return module


class SqueezeExcitation(nn.Module):
    """Channel gating [14]: global average, two linear layers, sigmoid. Returns the gate [B, C, 1, 1]."""

    def __init__(self, channels: int, reduction: int = 16) -> None:
        super().__init__()
        hidden = max(1, channels // reduction)
        self.squeeze = nn.Linear(channels, hidden)
        self.excite = nn.Linear(hidden, channels)
        # The input follows a ReLU, so its averages are positive and hardly differ between images: a row of
        # mixed signs is off for all of them or on for all, and with channels / 16 units none may be left on.
        nn.init.uniform_(self.squeeze.weight, 0, 2 / channels)
        nn.init.zeros_(self.squeeze.bias)

    def forward(self, features: Tensor) -> Tensor:
        pooled = features.mean(dim=(2, 3))
        gate: Tensor = self.excite(functional.relu(self.squeeze(pooled))).sigmoid()
        return gate[:, :, None, None]


def at_least_float32(values: Tensor) -> Tensor:
    """The same values in float32, where bfloat16 would not do: in sums and norms of many."""
    return values.to(torch.promote_types(values.dtype, torch.float32))


def resize(features: Tensor, like: Tensor) -> Tensor:
    """Bilinear interpolation of [B, C, h, w] to the height and width of `like`."""
    if features.shape[-2:] == like.shape[-2:]:
        return features
    return functional.interpolate(features, size=like.shape[-2:], mode="bilinear", align_corners=False)
