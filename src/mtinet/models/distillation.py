"""Multi-modal distillation, equation 1: a main task takes from the other tasks what an attention lets pass.

F_k^o = F_k^i + sum over l != k of  sigma(W_kl F_l^i) * (W'_kl F_l^i)
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Literal, cast

import torch
from torch import Tensor, nn

from mtinet.models.blocks import SqueezeExcitation

Gate = Literal["attention", "squeeze_excitation"]


class SpatialAttention(nn.Module):
    """The mask sigma(W F) of equation 1, [B, C, H, W] in (0, 1). W is 3x3, as released."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Conv2d(channels, channels, 3, padding=1, bias=False)

    def forward(self, features: Tensor) -> Tensor:
        return torch.sigmoid(self.weight(features))


class Message(nn.Module):
    """What one task gives another: the gate applied to W' F, [B, C, H, W] -> [B, C, H, W]."""

    def __init__(self, channels: int, gate: Gate) -> None:
        super().__init__()
        kind = SpatialAttention if gate == "attention" else SqueezeExcitation
        self.gate: nn.Module = kind(channels)
        self.content = nn.Conv2d(channels, channels, 3, padding=1, bias=False)

    def forward(self, features: Tensor) -> Tensor:
        message: Tensor = self.gate(features) * self.content(features)
        return message


class MultiModalDistillation(nn.Module):
    """Equation 1 at one scale. All tasks give; only `receivers`, the main tasks, are refined, since features
    of auxiliary tasks are not used after the front-end (section 2.5).

    gate: attention, or squeeze_excitation, the alternative that section 2.3 names, in which the mask is one
    number per channel instead of one per channel and position.
    """

    def __init__(self, givers: Collection[str], receivers: Collection[str], channels: int, gate: Gate) -> None:
        super().__init__()
        self.messages = nn.ModuleDict()
        for receiver in receivers:
            others = [giver for giver in givers if giver != receiver]
            self.messages[receiver] = nn.ModuleDict({giver: Message(channels, gate) for giver in others})

    def forward(self, features: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Task -> [B, C, H, W] to receiver -> [B, C, H, W]."""
        distilled = {}
        for receiver in self.messages:
            messages = cast(nn.ModuleDict, self.messages[receiver])
            received = [message(features[giver]) for giver, message in messages.items()]
            distilled[receiver] = sum(received, start=features[receiver])
        return distilled
