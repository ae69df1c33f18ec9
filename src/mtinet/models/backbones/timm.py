"""Backbones of timm: HRNet without its classification modules, and any model with levels at the strides."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from mtinet.compat import timm
from mtinet.errors import UserError
from mtinet.models.backbones import Fusion, fitting, hub_failure, load_weights
from mtinet.models.heads import ConcatenationHead, Decoder

DECODER: Decoder = ConcatenationHead
STRIDES = (4, 8, 16, 32)


def check(name: str) -> None:
    """Raise UserError when timm has no such model."""
    if not timm.is_model(name):
        close = timm.list_models(f"*{name.split('_')[0]}*")[:3]
        hint = f"; similar: {', '.join(close)}" if close else ""
        raise UserError(f"unknown backbone 'timm/{name}', expected a model of timm {timm.__version__}{hint}")


def build(name: str, strides: tuple[int, ...], fusion: Fusion, pretrained: str) -> tuple[nn.Module, dict[int, int]]:
    """A module returning features at `strides` (finest first), and its channels by stride."""
    if name.startswith("hrnet"):
        return hrnet(name, strides, fusion, pretrained)
    indices = levels(name, strides)
    arguments: dict[str, Any] = {"features_only": True, "out_indices": indices}
    if pretrained not in ("none", "hub"):
        check_file(name, pretrained)
        arguments["pretrained_cfg_overlay"] = {"file": pretrained}
    if name.startswith("swin"):  # it would take images of the size it was trained at only
        arguments["strict_img_size"] = False
    body = without_drops(create(name, pretrained, **arguments))
    channels = dict(zip(strides, body.feature_info.channels(), strict=True))
    last = getattr(body, "output_fmt", None)
    return (ChannelsFirst(body) if str(last).endswith("NHWC") else body), channels


def without_drops(body: Any) -> Any:
    """`body` with its dropout and stochastic depth off: a training step draws nothing from torch's generator, so
    that an interrupted run ends like an uninterrupted one."""
    for module in body.modules():
        if isinstance(module, timm.layers.drop.DropPath):
            module.drop_prob = 0.0
        elif isinstance(module, nn.Dropout):
            module.p = 0.0
    return body


def hrnet(name: str, strides: tuple[int, ...], fusion: Fusion, pretrained: str) -> tuple[nn.Module, dict[int, int]]:
    """HRNet's four branches as they leave stage 4 (feature_location=""), 1/4 first."""
    source = pretrained if pretrained == "hub" else "none"
    body = create(name, source, features_only=True, feature_location="", out_indices=(1, 2, 3, 4))
    if pretrained not in ("none", "hub"):
        load_weights(body, pretrained)
    if fusion == "bilinear":
        for module in body.modules():
            if isinstance(module, nn.Upsample):
                module.mode, module.align_corners = "bilinear", False
    # The last fusion has one row of layers per output scale; those of unused scales would get no gradient.
    last = body.stage4[-1]
    last.fuse_layers = last.fuse_layers[: len(strides)]
    return body, dict(zip(strides, body.feature_info.channels(), strict=False))


def create(name: str, pretrained: str, **arguments: Any) -> Any:
    """timm's create_model with a failing download turned into a UserError."""
    if pretrained == "none":
        try:
            return timm.create_model(name, **arguments)
        except Exception as error:  # timm's models have errors of their own for what they do not offer
            raise featureless(name, error) from None
    logging.getLogger("huggingface_hub").setLevel(logging.ERROR)  # it warns of every repetition
    try:
        return timm.create_model(name, pretrained=True, **arguments)
    except Exception as error:  # the hubs' clients raise errors of many libraries
        if pretrained == "hub":
            raise hub_failure(f"timm/{name}", error) from None
        raise


def featureless(name: str, error: Exception) -> UserError:
    """The one message for a model that cannot be had as a feature extractor."""
    reason = " ".join(str(error).split()) or type(error).__name__
    return UserError(f"backbone timm/{name} offers no features by scale ({reason})")


def levels(name: str, strides: Sequence[int]) -> list[int]:
    """Indices of timm's feature levels at `strides`."""
    try:
        with torch.device("meta"):
            reductions = create(name, "none", features_only=True).feature_info.reduction()
    except AttributeError as error:
        raise featureless(name, error) from None
    if any(stride not in reductions for stride in strides):
        raise UserError(f"backbone timm/{name} has levels at strides {reductions}, expected {[*strides]} too")
    return [reductions.index(stride) for stride in strides]


def check_file(name: str, path: str) -> None:
    """timm loads leniently into feature extractors, so the file is held against the whole model here."""
    with torch.device("meta"):
        whole = create(name, "none")
    classifier = whole.default_cfg.get("classifier") or ()
    heads = (classifier,) if isinstance(classifier, str) else tuple(classifier)
    ignored = tuple(f"{head}." for head in heads)
    fitting(path, {key: value for key, value in whole.state_dict().items() if not key.startswith(ignored)})


class ChannelsFirst(nn.Module):
    """Features [B, H, W, C], as some of timm's transformers give them, as [B, C, H, W]."""

    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.body = body

    def forward(self, images: Tensor) -> list[Tensor]:
        return [features.permute(0, 3, 1, 2).contiguous() for features in self.body(images)]
