"""The decoder of DeepLab-v3+ in ASTMT's width [29]: 64 channels instead of 256."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from mtinet.compat import torchvision
from mtinet.models.blocks import initialised, resize

WIDTH, LOW_LEVEL = 64, 12
RATES = (6, 12, 18)


class DeepLabHead(nn.Module):
    """Atrous spatial pyramid pooling of the coarsest features, upsampled, and low-level features of the finest
    scale, reduced to 12 channels; both concatenated, two 3x3 convolutions, a 1x1 predictor."""

    def __init__(self, channels: Mapping[int, int], outputs: int) -> None:
        super().__init__()
        self.fine, self.coarse = min(channels), max(channels)
        self.pyramid = pyramid_pooling(channels[self.coarse])
        self.low_level = convolution(channels[self.fine], LOW_LEVEL, 1)
        self.fusion = nn.Sequential(convolution(WIDTH + LOW_LEVEL, WIDTH, 3), convolution(WIDTH, WIDTH, 3))
        self.predictor = nn.Conv2d(WIDTH, outputs, 1)

    def forward(self, features: Mapping[int, Tensor]) -> Tensor:
        low = self.low_level(features[self.fine])
        high = resize(self.pyramid(features[self.coarse]), low)
        prediction: Tensor = self.predictor(self.fusion(torch.cat([high, low], dim=1)))
        return prediction


def pyramid_pooling(channels: int) -> nn.Module:
    """torchvision's, without its dropout: a training step draws nothing from torch's generator."""
    pyramid = torchvision.models.segmentation.deeplabv3.ASPP(channels, RATES, WIDTH)
    pyramid.project = pyramid.project[:3]
    return initialised(pyramid)


def convolution(channels: int, outputs: int, size: int) -> nn.Sequential:
    """Convolution, batch norm, ReLU at the same resolution."""
    layer = initialised(nn.Conv2d(channels, outputs, size, padding=size // 2, bias=False))
    return nn.Sequential(layer, nn.BatchNorm2d(outputs), nn.ReLU(inplace=True))
