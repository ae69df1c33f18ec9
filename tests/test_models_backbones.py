"""Backbones: features by stride, no layer without use, ImageNet weights from a file or one clear error."""

from __future__ import annotations

import hashlib
import urllib.error

import pytest
import torch
from safetensors.torch import save_file

from mtinet import compat, models
from mtinet.compat import timm, torchvision
from mtinet.errors import UserError
from mtinet.models import backbones
from mtinet.models.backbones import dlv3
from mtinet.models.heads import ConcatenationHead

HRNET = "timm/hrnet_w18_small_v2"
STRIDES = (4, 8, 16, 32)


def build(name: str, strides=STRIDES, fusion="nearest", pretrained="none") -> backbones.Backbone:
    torch.manual_seed(0)
    return backbones.build(name, strides=strides, fusion=fusion, pretrained=pretrained)


def test_torchvision_lives_with_this_torch():
    assert torch.ops.torchvision.nms is not None
    assert torchvision.models.resnet18(weights=None).eval()(torch.zeros(1, 3, 32, 32)).shape == (1, 1000)
    if not compat.compiled_operators_load():
        with pytest.raises(RuntimeError, match="torchvision"):
            torchvision.ops.nms(torch.zeros(1, 4), torch.zeros(1), 0.5)


@pytest.mark.parametrize(
    ("name", "channels"),
    [
        (HRNET, (18, 36, 72, 144)),
        ("fpn/resnet18", (256,) * 4),
        ("timm/resnet18", (64, 128, 256, 512)),
        ("timm/hrnet_w48", (48, 96, 192, 384)),
        ("timm/mambaout_femto", (48, 96, 192, 288)),  # gives its features channels last
        ("timm/convnext_atto", (40, 80, 160, 320)),
        ("timm/swin_tiny_patch4_window7_224", (96, 192, 384, 768)),  # channels last, made for 224x224
    ],
)
def test_features_by_stride(name, channels):
    backbone = build(name).eval()
    with torch.no_grad():
        features = backbone(torch.randn(2, 3, 64, 96))
    assert backbone.channels == dict(zip(STRIDES, channels, strict=True))
    assert {stride: tuple(value.shape) for stride, value in features.items()} == {
        stride: (2, width, 64 // stride, 96 // stride) for stride, width in zip(STRIDES, channels, strict=True)
    }


def test_hrnet18_is_the_papers():
    backbone = build(HRNET)
    assert sum(parameter.numel() for parameter in backbone.parameters()) == 3_860_720
    assert backbone.decoder is ConcatenationHead
    assert not [name for name, _ in backbone.named_parameters() if "incre" in name or "classifier" in name]


def test_dilated_encoders_have_two_scales():
    """1/4 for the decoder's low-level branch and 1/16, the resolution that the last stage keeps by dilation."""
    backbone = build("dlv3/resnet26", strides=None).eval()
    with torch.no_grad():
        features = backbone(torch.randn(1, 3, 64, 96))
    assert {stride: tuple(value.shape) for stride, value in features.items()} == {
        4: (1, 256, 16, 24),
        16: (1, 2048, 4, 6),
    }
    assert [*build("dlv3/resnet26", strides=(16,)).channels] == [16]


def test_the_dilated_encoder_is_torchvisions():
    """The features of DeepLab's own dilated ResNet, with its weights."""
    torch.manual_seed(1)
    whole = torchvision.models.resnet50(weights=None, replace_stride_with_dilation=[False, False, True]).eval()
    backbone = build("dlv3/resnet50", strides=None).eval()
    state = whole.state_dict()
    backbone.body.stages.load_state_dict({key: state[key] for key in backbone.body.stages.state_dict()})
    images = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        low = whole.layer1(whole.maxpool(whole.relu(whole.bn1(whole.conv1(images)))))
        high = whole.layer4(whole.layer3(whole.layer2(low)))
        features = backbone(images)
    assert torch.equal(features[4], low)
    assert torch.equal(features[16], high)


def test_a_step_draws_nothing_from_torchs_generator():
    """Swin trains with stochastic depth; a resumed run could then not end like an uninterrupted one."""
    backbone = build("timm/swin_tiny_patch4_window7_224").train()
    state = torch.random.get_rng_state()
    first, second = (backbone(torch.ones(1, 3, 32, 32)) for _ in range(2))
    assert torch.equal(state, torch.random.get_rng_state())
    assert all(torch.equal(first[stride], second[stride]) for stride in STRIDES)


@pytest.mark.parametrize("name", [HRNET, "fpn/resnet18"])
@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_every_layer_serves_the_scales_used(name, count):
    """The features of fewer scales are those of all four, and no parameter is left without a gradient."""
    whole, part = build(name).eval(), build(name, STRIDES[:count]).eval()
    images = torch.randn(2, 3, 64, 64)
    expected, features = whole(images), part(images)
    assert [*features] == [*STRIDES[:count]]
    assert all(torch.equal(features[stride], expected[stride]) for stride in features)
    sum(value.square().sum() for value in features.values()).backward()
    assert not [key for key, value in part.named_parameters() if value.grad is None or not value.grad.any()]


def test_bilinear_fusion_changes_features_and_nothing_else():
    nearest, bilinear = build(HRNET).eval(), build(HRNET, fusion="bilinear").eval()
    bilinear.load_state_dict(nearest.state_dict())
    images = torch.randn(1, 3, 64, 64)
    first, second = nearest(images), bilinear(images)
    assert all(not torch.allclose(first[stride], second[stride]) for stride in STRIDES)


def classifier_weights(name: str) -> dict[str, torch.Tensor]:
    """A whole ImageNet classifier's state dict, as the hubs have it, with random weights."""
    torch.manual_seed(1)
    library, model = name.split("/")
    whole = timm.create_model(model) if library == "timm" else torchvision.models.get_model(model, weights=None)
    return whole.state_dict()


def with_digest(path) -> str:
    return f"{path}#sha256={hashlib.sha256(path.read_bytes()).hexdigest()}"


@pytest.mark.parametrize("name", [HRNET, "fpn/resnet18", "timm/resnet18", "dlv3/resnet50"])
@pytest.mark.parametrize("suffix", ["safetensors", "pth"])
def test_weights_from_a_file(name, suffix, tmp_path):
    state, path = classifier_weights(name), tmp_path / f"weights.{suffix}"
    save_file(state, path) if suffix == "safetensors" else torch.save(state, path)
    models.check_backbone(name, with_digest(path))
    backbone = build(name, strides=None, pretrained=with_digest(path))
    loaded = {key.split(".", 1)[1].removeprefix("stages."): value for key, value in backbone.state_dict().items()}
    shared = [key for key in loaded if key in state]
    assert len(shared) > 50
    assert all(torch.equal(loaded[key], state[key]) for key in shared)
    assert all(key in shared for key in loaded if not key.startswith("pyramid."))


def broken(name: str, how: str) -> dict[str, torch.Tensor]:
    state = classifier_weights(name)
    key = [key for key in state if key.startswith("layer1")][3]
    if how == "missing":
        del state[key]
    else:
        state[key] = torch.zeros(3)
    return state


@pytest.mark.parametrize("name", [HRNET, "fpn/resnet18", "timm/resnet18"])
@pytest.mark.parametrize("how", ["missing", "misshapen"])
def test_unfit_weights_are_one_error(name, how, tmp_path):
    path = tmp_path / "weights.pth"
    torch.save(broken(name, how), path)
    with pytest.raises(UserError, match=r"weights\.pth.*layer1") as caught:
        models.check_backbone(name, with_digest(path))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"not a state dict"])
@pytest.mark.parametrize("suffix", ["safetensors", "pth"])
def test_unreadable_weights_are_one_error(content, suffix, tmp_path):
    path = tmp_path / f"weights.{suffix}"
    path.write_bytes(content)
    with pytest.raises(UserError, match="weights"):
        models.check_backbone(HRNET, with_digest(path))


def test_a_file_with_other_content_than_its_digest_is_one_error(tmp_path):
    """What params.yaml names determines the result: a file may not change under its name."""
    path = tmp_path / "weights.pth"
    torch.save(classifier_weights(HRNET), path)
    named = with_digest(path)
    models.check_backbone(HRNET, named)
    digest = named.partition("=")[2]
    with pytest.raises(UserError, match=rf"weights\.pth has SHA-256 {digest}, expected its SHA-256 behind its name"):
        models.check_backbone(HRNET, str(path))
    path.write_bytes(b"other")
    with pytest.raises(UserError, match=rf"expected SHA-256 {digest}; if it is the file you mean, write"):
        models.check_backbone(HRNET, named)


def test_a_missing_file_is_one_error():
    with pytest.raises(UserError, match=r"pretrained: found 'nowhere\.pth', expected none, hub or"):
        models.check_backbone(HRNET, "nowhere.pth")


def test_no_network_is_one_error(monkeypatch):
    def fail(*arguments, **keywords):
        raise urllib.error.URLError("Name or service not known")

    monkeypatch.setattr(torch.hub, "download_url_to_file", fail)
    monkeypatch.setattr(torch.hub, "get_dir", lambda: "no-such-cache")
    monkeypatch.setattr("timm.models._builder.load_pretrained", fail)
    monkeypatch.setattr("torchvision.models._api.load_state_dict_from_url", fail)
    for name in (HRNET, "fpn/resnet18", "dlv3/resnet26"):
        with pytest.raises(UserError, match=r"hub.*Name or service not known.*pretrained to none") as caught:
            models.check_backbone(name, "hub")
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["resnet26", "resnet50"])
def test_the_hubs_weights_fit_the_dilated_encoder(name, monkeypatch):
    """timm's networks are torchvision's key for key: with the download replaced by random weights."""
    torch.manual_seed(2)
    donor = timm.create_model(dlv3.HUB[name])
    monkeypatch.setattr(dlv3, "create", lambda *arguments: donor)
    loaded = build(f"dlv3/{name}", strides=None, pretrained="hub").body.stages.state_dict()
    assert all(torch.equal(value, donor.state_dict()[key]) for key, value in loaded.items())
