"""Feature pyramid networks [23] on torchvision's ResNets: 256 channels at every scale."""

from __future__ import annotations

from typing import cast

from torch import Tensor, nn

from mtinet.compat import torchvision
from mtinet.errors import UserError
from mtinet.models.backbones import Fusion, hub_failure, load_weights
from mtinet.models.heads import Decoder, PanopticHead

DECODER: Decoder = PanopticHead
STRIDES = (4, 8, 16, 32)
WIDTH = 256
NAMES = ("resnet18", "resnet34", "resnet50", "resnet101", "resnet152")
LEVELS = dict(zip(("layer1", "layer2", "layer3", "layer4"), STRIDES, strict=True))


def check(name: str) -> None:
    """Raise UserError when there is no such ResNet."""
    if name not in NAMES:
        raise UserError(f"unknown backbone 'fpn/{name}', expected fpn/ and one of: {', '.join(NAMES)}")


def build(name: str, strides: tuple[int, ...], fusion: Fusion, pretrained: str) -> tuple[nn.Module, dict[int, int]]:
    """A module returning features at `strides` (finest first), and its channels by stride."""
    weights = "IMAGENET1K_V1" if pretrained == "hub" else None
    try:
        resnet = torchvision.models.get_model(name, weights=weights)
    except Exception as error:  # urllib's errors, and a corrupt download's
        if weights is None:
            raise
        raise hub_failure(f"fpn/{name}", error) from None
    body = Pyramid(resnet, strides)
    if pretrained not in ("none", "hub"):
        load_weights(body.stages, pretrained)
    return body, dict.fromkeys(strides, WIDTH)


class Pyramid(nn.Module):
    """ResNet stages and the pyramid on top, returning the levels at `strides`."""

    def __init__(self, resnet: nn.Module, strides: tuple[int, ...]) -> None:
        super().__init__()
        getter = torchvision.models._utils.IntermediateLayerGetter
        self.strides = strides
        self.stages = getter(resnet, {level: str(stride) for level, stride in LEVELS.items()})
        self.pyramid = torchvision.ops.FeaturePyramidNetwork(widths(resnet), WIDTH)
        for index, stride in enumerate(LEVELS.values()):
            if stride not in strides:  # the top-down path needs every level's lateral layer, not its output
                self.pyramid.layer_blocks[index] = nn.Identity()

    def forward(self, images: Tensor) -> list[Tensor]:
        levels = self.pyramid(self.stages(images))
        return [levels[str(stride)] for stride in self.strides]


def widths(resnet: nn.Module) -> list[int]:
    """The output channels of the four levels, 1/4 first; `fc` reads the last, every level halves them."""
    last = cast(nn.Linear, resnet.get_submodule("fc")).in_features
    return [last // 8, last // 4, last // 2, last]
