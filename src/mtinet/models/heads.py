"""Heads that decode multi-scale features into one task's output; also the feature aggregation (section 2.5).

Which one belongs to which backbone is said in section A.2: HRNet features are upsampled, concatenated and
decoded by two convolutions, FPN features by the semantic branch of panoptic feature pyramid networks [17].
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from mtinet.models.blocks import initialised, resize

Decoder = Callable[[Mapping[int, int], int], nn.Module]
"""Makes a head of channels by stride and a number of outputs. The head takes features by stride
[B, channels[stride], H/stride, W/stride] to [B, outputs, H/s, W/s], s being the finest stride; its last layer is
the 1x1 convolution `predictor`."""


def concatenated(features: Mapping[int, Tensor]) -> Tensor:
    """All scales, finest first, upsampled bilinearly to the finest and concatenated along the channels."""
    finest = features[min(features)]
    return torch.cat([resize(features[stride], finest) for stride in sorted(features)], dim=1)


def fusion(channels: int) -> nn.Sequential:
    """The first of the two convolutions: 1x1, as HRNetV2's own segmentation head has it and as released."""
    return nn.Sequential(initialised(nn.Conv2d(channels, channels, 1)), nn.BatchNorm2d(channels), nn.ReLU(inplace=True))


class ConcatenationHead(nn.Module):
    """Bilinear upsampling to the finest scale, concatenation, two convolutions."""

    def __init__(self, channels: Mapping[int, int], outputs: int) -> None:
        super().__init__()
        width = sum(channels.values())
        self.fusion = fusion(width)
        self.predictor = nn.Conv2d(width, outputs, 1)

    def forward(self, features: Mapping[int, Tensor]) -> Tensor:
        prediction: Tensor = self.predictor(self.fusion(concatenated(features)))
        return prediction


class PanopticHead(nn.Module):
    """Semantic branch of [17]: every scale is brought to the finest by steps of 3x3 convolution, group norm,
    ReLU and doubling; the scales are summed and predicted from by a 1x1 convolution."""

    WIDTH = 128

    def __init__(self, channels: Mapping[int, int], outputs: int) -> None:
        super().__init__()
        finest = min(channels)
        self.branches = nn.ModuleDict(
            {str(stride): self.branch(width, stride // finest) for stride, width in channels.items()}
        )
        self.predictor = nn.Conv2d(self.WIDTH, outputs, 1)

    def branch(self, channels: int, factor: int) -> nn.Sequential:
        """From `channels` at 1/factor of the finest scale to WIDTH channels at the finest."""
        layers: list[nn.Module] = []
        for step in range(max(1, factor.bit_length() - 1)):
            width = channels if step == 0 else self.WIDTH
            layers += [initialised(nn.Conv2d(width, self.WIDTH, 3, padding=1, bias=False))]
            layers += [nn.GroupNorm(32, self.WIDTH), nn.ReLU(inplace=True)]
            if factor > 1:
                layers += [nn.Upsample(scale_factor=2, mode="bilinear", align_corners=False)]
        return nn.Sequential(*layers)

    def forward(self, features: Mapping[int, Tensor]) -> Tensor:
        levels = [branch(features[int(stride)]) for stride, branch in self.branches.items()]
        prediction: Tensor = self.predictor(torch.stack(levels).sum(0))
        return prediction
