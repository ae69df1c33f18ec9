"""What holds for every method: shapes, gradients everywhere, determinism, and switches that do something."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from mtinet import models
from mtinet.models.linear_heads import LinearHead

HRNET = "timm/hrnet_w18_small_v2"
TASKS, AUXILIARY = {"seg": 5, "depth": 1}, {"normals": 3}
# method, options: every value of every switch at least once
VARIANTS = [
    ("single_task", {}),
    ("single_task", {"hrnet_fusion": "bilinear"}),
    ("multi_task", {}),
    ("multi_task", {"hrnet_fusion": "bilinear"}),
    ("pad_net", {}),
    ("pad_net", {"hrnet_fusion": "bilinear"}),
    ("pad_net", {"task_features": "bottleneck_256"}),
    ("pad_net", {"distillation": "squeeze_excitation"}),
    ("mti_net", {}),
    ("mti_net", {"hrnet_fusion": "bilinear"}),
    ("mti_net", {"scales": [4, 8, 16]}),
    ("mti_net", {"scales": [4, 8]}),
    ("mti_net", {"scales": [4]}),
    ("mti_net", {"propagation": "upsample"}),
    ("mti_net", {"propagation": "none"}),
    ("mti_net", {"propagated": "distilled_features"}),
    ("mti_net", {"fpm_softmax": "channels"}),
    ("mti_net", {"fpm_order": ["normals", "seg", "depth"]}),
    ("mti_net", {"distillation": "squeeze_excitation"}),
    ("mti_net", {"width": 12}),
]
FRONT_END = ("pad_net", "mti_net")


SINGLE = ("single_task", "single_task_dlv3")
BACKBONES = {"single_task_dlv3": "dlv3/resnet26", "astmt": "dlv3/resnet26"}


def build(method, options, backbone=None, seed=0) -> nn.Module:
    torch.manual_seed(seed)
    tasks = {"seg": 5} if method in SINGLE else TASKS
    auxiliary = AUXILIARY if method in FRONT_END else {}
    backbone = backbone or BACKBONES.get(method, HRNET)
    return models.build(method, backbone=backbone, tasks=tasks, auxiliary=auxiliary, options=options)


def images(height=64, width=64, batch=2) -> torch.Tensor:
    return torch.randn(batch, 3, height, width, generator=torch.Generator().manual_seed(0))


def outputs(predictions: models.Predictions) -> list[torch.Tensor]:
    """Every tensor of the predictions, in a fixed order."""
    initial = [value for by_task in predictions.initial.values() for value in by_task.values()]
    return [*predictions.final.values(), *initial]


def test_variants_cover_every_switch():
    for method in ("single_task", "multi_task", *FRONT_END):
        tried = {key for name, options in VARIANTS if name == method for key in options}
        assert tried == set(models.default_options(method)), method


@pytest.mark.parametrize("method", models.methods())
@pytest.mark.parametrize(("height", "width"), [(32, 32), (64, 96), (96, 64)])
def test_shapes(method, height, width):
    net = build(method, {}).eval()
    with torch.no_grad():
        predictions = net(images(height, width))
    main = {"seg": 5} if method in SINGLE else TASKS
    assert {task: tuple(value.shape) for task, value in predictions.final.items()} == {
        task: (2, channels, height, width) for task, channels in main.items()
    }
    strides = {"pad_net": [4], "mti_net": [4, 8, 16, 32]}.get(method, [])
    assert {
        stride: {task: tuple(value.shape) for task, value in by_task.items()}
        for stride, by_task in predictions.initial.items()
    } == {
        stride: {
            task: (2, channels, height // stride, width // stride) for task, channels in {**TASKS, **AUXILIARY}.items()
        }
        for stride in strides
    }
    assert all(value.dtype == torch.float32 and value.isfinite().all() for value in outputs(predictions))


@pytest.mark.parametrize("count", [1, 2, 3])
def test_fewer_scales_predict_at_fewer_scales(count):
    scales = [4, 8, 16, 32][:count]
    net = build("mti_net", {"scales": scales}).eval()
    assert [*net(images()).initial] == scales


def ungraded(net: nn.Module, predictions: models.Predictions) -> list[str]:
    """Parameters that get no gradient, or nothing but zeros, from a random projection of all outputs."""
    generator = torch.Generator().manual_seed(1)
    terms = [(value * torch.randn(value.shape, generator=generator)).sum() for value in outputs(predictions)]
    torch.stack(terms).sum().backward()
    return [
        name
        for name, parameter in net.named_parameters()
        if (parameter.grad is None or not parameter.grad.any()) and not name.startswith("discriminator.")
    ]


@pytest.mark.parametrize(("method", "options"), VARIANTS)
def test_every_parameter_receives_a_gradient(method, options):
    net = build(method, options)
    assert ungraded(net, net(images())) == []


@pytest.mark.parametrize("method", ["single_task_dlv3", "astmt"])
def test_every_parameter_receives_a_gradient_on_dilated_encoders(method):
    """ASTMT's discriminator takes no part in a prediction: see test_models_astmt."""
    net = build(method, {})
    assert ungraded(net, net(images())) == []


@pytest.mark.parametrize("method", ["single_task", "multi_task", "linear_heads", *FRONT_END, "astmt"])
def test_every_parameter_receives_a_gradient_on_fpn(method):
    options = {"propagation": "upsample", "width": 16} if method == "mti_net" else {}
    if method == "pad_net":  # 4C = 1024 channels with basic blocks are heavy on this backbone
        options = {"task_features": "bottleneck_256"}
    net = build(method, options, backbone="fpn/resnet18")
    assert ungraded(net, net(images())) == []


@pytest.mark.parametrize(("method", "options"), [variant for variant in VARIANTS if variant[1]])
def test_every_switch_changes_the_output(method, options):
    """With the default's weights where the switch leaves them as they are, with the same seed otherwise."""
    plain, switched = build(method, {}), build(method, options)
    if [*plain.state_dict()] == [*switched.state_dict()]:
        shapes = [value.shape for value in plain.state_dict().values()]
        if shapes == [value.shape for value in switched.state_dict().values()]:
            switched.load_state_dict(plain.state_dict())
    with torch.no_grad():
        expected, found = plain.eval()(images()), switched.eval()(images())
    assert all(not torch.allclose(expected.final[task], found.final[task], atol=1e-5) for task in found.final)


@pytest.mark.parametrize("method", FRONT_END)
@pytest.mark.parametrize("backbone", ["timm/convnext_atto", "timm/swin_tiny_patch4_window7_224"])
def test_any_timm_model_with_four_levels_will_do(method, backbone):
    """Widths, normalisation and layout of features are the backbone's affair."""
    options = {"width": 16} if method == "mti_net" else {"task_features": "bottleneck_256"}
    net = build(method, options, backbone=backbone)
    predictions = net(images(64, 96))
    assert {task: tuple(value.shape) for task, value in predictions.final.items()} == {
        task: (2, channels, 64, 96) for task, channels in TASKS.items()
    }
    assert ungraded(net, predictions) == []


def test_width_is_that_of_the_task_features():
    net = build("mti_net", {"width": 12})
    for stride, front_end in net.front_ends.items():
        assert front_end.predictors["seg"].in_channels == 12, stride
    assert net.heads["seg"].predictor.in_channels == 4 * 12


@pytest.mark.parametrize("options", [{"fpm_softmax": "channels"}, {"propagated": "distilled_features"}])
def test_readings_share_their_weights(options):
    """Both readings take the same weights, so a checkpoint of either can be scored under the other."""
    plain, switched = build("mti_net", {}), build("mti_net", options)
    assert {key: value.shape for key, value in plain.state_dict().items()} == {
        key: value.shape for key, value in switched.state_dict().items()
    }


@pytest.mark.parametrize("method", models.methods())
def test_evaluation_is_deterministic_and_per_image(method):
    """Twice the same bits; and an image's prediction does not depend on its neighbours in the batch."""
    net, batch = build(method, {}).eval().double(), images().double()
    with torch.no_grad():
        first, again, alone = net(batch), net(batch), net(batch[:1])
    for one, two, three in zip(outputs(first), outputs(again), outputs(alone), strict=True):
        assert torch.equal(one, two)
        torch.testing.assert_close(one[:1], three)


def disturbed(net: nn.Module, part: str) -> models.Predictions:
    """The predictions after the parameters under the name `part` have been moved."""
    with torch.no_grad():
        moved = [parameter for name, parameter in net.named_parameters() if name.startswith(part)]
        assert moved, part
        for parameter in moved:
            parameter.add_(0.5)
        return net(images())


@pytest.mark.parametrize(("propagation", "flows"), [("fpm", True), ("upsample", True), ("none", False)])
def test_coarse_scales_inform_fine_ones_through_propagation_only(propagation, flows):
    net = build("mti_net", {"propagation": propagation}).eval()
    with torch.no_grad():
        before = net(images())
    after = disturbed(net, "front_ends.32.features")
    for task in TASKS:
        assert not torch.equal(before.initial[32][task], after.initial[32][task])
        assert torch.equal(before.initial[4][task], after.initial[4][task]) != flows
        assert not torch.equal(before.final[task], after.final[task])


@pytest.mark.parametrize(
    ("method", "part"), [("pad_net", "task_features.normals"), ("mti_net", "front_ends.4.features.normals")]
)
def test_auxiliary_tasks_inform_main_tasks(method, part):
    """Through the distillation: their features reach the final predictions of the main tasks (section 2.1)."""
    net = build(method, {}).eval()
    with torch.no_grad():
        before = net(images())
    after = disturbed(net, part)
    assert all(not torch.equal(before.final[task], after.final[task]) for task in TASKS)
    assert all(torch.equal(before.initial[4][task], after.initial[4][task]) for task in TASKS)


def test_a_linear_head_sums_what_every_scale_predicts():
    """Features that are one number each: 1x1 convolutions are products then, whatever is interpolated."""
    head = LinearHead({4: 2, 8: 3}, 5)
    features = {4: torch.full((1, 2, 4, 6), 2.0), 8: torch.full((1, 3, 2, 3), -1.0)}
    finest, coarser = (head.predictors[name] for name in ("4", "8"))
    expected = 2 * finest.weight.sum(dim=(1, 2, 3)) + finest.bias - coarser.weight.sum(dim=(1, 2, 3)) + coarser.bias
    torch.testing.assert_close(head(features), expected[None, :, None, None].expand(1, 5, 4, 6))
