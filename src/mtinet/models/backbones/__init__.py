"""Backbones with features at 1/4, 1/8, 1/16 and 1/32, named "library/name".

    timm/hrnet_w18_small_v2   HRNet-18 of the paper; any timm model with levels at the four strides
    fpn/resnet18              torchvision ResNet with a 256-channel feature pyramid network
    dlv3/resnet50             torchvision ResNet with dilated convolutions, for DeepLab-v3+: 1/4 and 1/16 only

A library is a module of this package with `build`, `check`, `STRIDES`, the scales that it has, and `DECODER`, the
head that belongs to it. It is imported by its name, so adding one changes no file that existing runs depend on.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Literal

import torch
from torch import Tensor, nn

from mtinet import files
from mtinet.errors import UserError
from mtinet.models.heads import Decoder

Fusion = Literal["nearest", "bilinear"]

# A state dict's file of this name holds a whole `Backbone`, pyramid included, as the stage pretrain writes it; one of
# any other name the layers that ImageNet's weights are for.
WHOLE = "backbone.safetensors"


class Backbone(nn.Module):
    """A feature extractor with its features by stride.

    channels: stride -> channels, finest first. decoder: makes the head that belongs to it (section A.2).
    body: takes images and returns one tensor [B, C, H/stride, W/stride] per stride, in that order.
    """

    def __init__(self, body: nn.Module, channels: dict[int, int], decoder: Decoder) -> None:
        super().__init__()
        self.body = body
        self.channels = channels
        self.decoder = decoder

    def forward(self, images: Tensor) -> dict[int, Tensor]:
        """Images [B, 3, H, W], float32, sides multiples of 32, to stride -> [B, C, H/stride, W/stride]."""
        height, width = images.shape[-2:]
        if height % 32 or width % 32:
            raise UserError(f"found images of {height}x{width}, expected sides that are multiples of 32")
        return dict(zip(self.channels, self.body(images), strict=True))


def build(name: str, *, strides: Sequence[int] | None, fusion: Fusion, pretrained: str) -> Backbone:
    """The backbone called `name` with features at `strides` only (None: all that it has); layers that serve
    others do not exist."""
    check(name, pretrained, fusion, strides)
    library, model = name.split("/", 1)
    module = library_module(library)
    source = verified(pretrained)
    whole = Path(source).name == WHOLE
    body, channels = module.build(model, tuple(strides or module.STRIDES), fusion, "none" if whole else source)
    backbone = Backbone(body, channels, module.DECODER)
    if whole:
        load_weights(backbone, source)
    return backbone


def check(name: str, pretrained: str, fusion: Fusion, strides: Sequence[int] | None = None) -> None:
    """Raise UserError when backbone, weights' file, fusion or scales cannot be had; builds nothing."""
    library, _, model = name.partition("/")
    module = library_module(library)
    module.check(model)
    wanted = [*(strides or module.STRIDES)]
    if any(stride not in module.STRIDES for stride in wanted):
        raise UserError(f"backbone {name} has levels at strides {[*module.STRIDES]}, expected {wanted} too")
    if fusion != "nearest" and not model.startswith("hrnet"):
        raise UserError(f"option 'hrnet_fusion': found {fusion} with {name}, expected an HRNet backbone")
    verified(pretrained)


def verified(pretrained: str) -> str:
    """`pretrained` as none, hub or a path, whose file has the SHA-256 named behind it: "x.pth#sha256=0123.."."""
    if pretrained in ("none", "hub"):
        return pretrained
    return str(files.verified(pretrained, "pretrained", "none, hub or a state dict's file"))


def library_module(library: str) -> ModuleType:
    """The module of this package that builds backbones of `library`."""
    libraries = [item.name for item in pkgutil.iter_modules(__path__)]
    if library not in libraries:
        raise UserError(f"unknown backbone library '{library}', expected one of: {', '.join(libraries)}")
    return importlib.import_module(f"{__name__}.{library}")


def load_weights(body: nn.Module, path: str) -> None:
    """Fill `body` from a state dict; keys that it lacks, such as those of ImageNet's classifier, are ignored."""
    state = body.state_dict()
    body.load_state_dict({**state, **fitting(path, state)})


def fitting(path: str, wanted: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The `wanted` tensors of a state dict's file; a missing or misshapen one is a UserError.

    Batch norm's counters are optional: torch's default momentum does not use them, and some files lack them.
    """
    state = read_state(path)
    missing = [key for key in wanted if key not in state and not key.endswith("num_batches_tracked")]
    if missing:
        raise UserError(
            f"{path}: lacks {len(missing)} of the backbone's {len(wanted)} tensors, the first is {missing[0]}"
        )
    for key in wanted.keys() & state.keys():
        if state[key].shape != wanted[key].shape:
            raise UserError(f"{path}: {key} is {[*state[key].shape]}, expected {[*wanted[key].shape]}")
    return {key: state[key] for key in wanted.keys() & state.keys()}


def read_state(path: str) -> dict[str, Tensor]:
    """The tensors of a state dict's file, by key."""
    try:
        if path.endswith(".safetensors"):
            return dict(importlib.import_module("safetensors.torch").load_file(path))
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # corrupt files raise whatever their parser raises
        reason = f"{type(error).__name__}: {first_line(error)}"
        raise UserError(f"{path}: no readable state dict ({reason})") from None
    state = state.get("state_dict", state) if isinstance(state, dict) else None
    if not state or not all(isinstance(value, Tensor) for value in state.values()):
        raise UserError(f"{path}: found no state dict, expected tensors by name")
    return dict(state)


def hub_failure(name: str, error: Exception) -> UserError:
    """The one message for ImageNet weights that cannot be fetched."""
    return UserError(
        f"pretrained: the weights of {name} cannot be fetched from the hub ({type(error).__name__}:"
        f" {first_line(error)}); set scales.<scale>.<dataset>.pretrained to none or to a state dict's file"
    )


def first_line(error: Exception) -> str:
    """The first line of an exception's text."""
    return (str(error).strip().splitlines() or [""])[0]
