"""A shared backbone with the least head per task: what FPN is trained with before the experiments.

No method of the paper. Heads of its own would cost FPN four fifths of a step, to be thrown away; and what a linear head
reads, the backbone has to compute itself. See mtinet/training/pretraining.py.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from mtinet.models.backbones import Backbone
from mtinet.models.blocks import resize
from mtinet.models.interface import BaseOptions, Predictions, refuse_auxiliary


@dataclass(frozen=True)
class Options(BaseOptions):
    """No switches of its own."""

    def check_tasks(self, method: str, tasks: Collection[str], auxiliary: Collection[str]) -> None:
        refuse_auxiliary(method, auxiliary)


class LinearHead(nn.Module):
    """A 1x1 convolution of every scale; the predictions are brought bilinearly to the finest and summed."""

    def __init__(self, channels: Mapping[int, int], outputs: int) -> None:
        super().__init__()
        self.predictors = nn.ModuleDict(
            {str(stride): nn.Conv2d(width, outputs, 1) for stride, width in channels.items()}
        )

    def forward(self, features: Mapping[int, Tensor]) -> Tensor:
        """Features by stride [B, channels[stride], H/stride, W/stride] to [B, outputs, H/s, W/s], s the finest."""
        finest = features[min(features)]
        predictions = [resize(predict(features[int(stride)]), finest) for stride, predict in self.predictors.items()]
        return torch.stack(predictions).sum(dim=0)


class Net(nn.Module):
    """Shared backbone and linear heads."""

    def __init__(
        self, backbone: Backbone, tasks: Mapping[str, int], auxiliary: Mapping[str, int], options: Options
    ) -> None:
        super().__init__()
        self.backbone = backbone
        self.heads = nn.ModuleDict({task: LinearHead(backbone.channels, outputs) for task, outputs in tasks.items()})

    def forward(self, images: Tensor) -> Predictions:
        features = self.backbone(images)
        final = {task: resize(decode(features), images) for task, decode in self.heads.items()}
        return Predictions(final=final, initial={})
