"""Encoders of DeepLab-v3+ as in ASTMT [29]: ResNets of bottleneck blocks at output stride 16.

The last stage keeps the resolution of the third and has dilated convolutions instead, which is what makes the
encoder single-scale: features exist at 1/4, for the decoder's low-level branch, and at 1/16.
"""

from __future__ import annotations

from typing import cast

from torch import Tensor, nn

from mtinet.compat import torchvision
from mtinet.errors import UserError
from mtinet.models.backbones import Fusion, load_weights
from mtinet.models.backbones.timm import create
from mtinet.models.deeplab import DeepLabHead
from mtinet.models.heads import Decoder

DECODER: Decoder = DeepLabHead
STRIDES = (4, 16)
LEVELS = {4: "layer1", 16: "layer4"}
BLOCKS = {"resnet26": (2, 2, 2, 2), "resnet50": (3, 4, 6, 3)}
# timm's networks of these names are torchvision's, key for key; torchvision has no weights of a ResNet-26.
HUB = {"resnet26": "resnet26", "resnet50": "resnet50.tv_in1k"}


def check(name: str) -> None:
    """Raise UserError when there is no such encoder."""
    if name not in BLOCKS:
        raise UserError(f"unknown backbone 'dlv3/{name}', expected dlv3/ and one of: {', '.join(BLOCKS)}")


def build(name: str, strides: tuple[int, ...], fusion: Fusion, pretrained: str) -> tuple[nn.Module, dict[int, int]]:
    """A module returning features at `strides` (finest first), and its channels by stride."""
    kind = torchvision.models.resnet
    resnet = kind.ResNet(kind.Bottleneck, [*BLOCKS[name]], replace_stride_with_dilation=[False, False, True])
    body = Encoder(resnet, strides)
    if pretrained == "hub":
        state = create(HUB[name], pretrained).state_dict()
        body.stages.load_state_dict({key: state[key] for key in body.stages.state_dict()})
    elif pretrained != "none":
        load_weights(body.stages, pretrained)
    last = cast(nn.Linear, resnet.get_submodule("fc")).in_features
    return body, {stride: {4: last // 8, 16: last}[stride] for stride in strides}


class Encoder(nn.Module):
    """ResNet stages returning the levels at `strides`."""

    def __init__(self, resnet: nn.Module, strides: tuple[int, ...]) -> None:
        super().__init__()
        getter = torchvision.models._utils.IntermediateLayerGetter
        self.stages = getter(resnet, {LEVELS[stride]: str(stride) for stride in strides})

    def forward(self, images: Tensor) -> list[Tensor]:
        return [*self.stages(images).values()]
