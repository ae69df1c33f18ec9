"""ASTMT: what is shared and what is a task's own, the adversary's double backward, and the steps of its training."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from mtinet import models
from mtinet.compat import torchvision
from mtinet.models import astmt
from mtinet.models.adversary import GradientReversal, adversarial_loss, directions, reversal_factor
from mtinet.models.interface import Predictions
from mtinet.models.procedure import Progress
from mtinet.models.task_specific import PerTask

TASKS = {"seg": 3, "edge": 1, "normals": 3}
IGNORED = 255
KEPT = -1.0  # a reversal by this factor leaves the gradient as it is


@pytest.fixture(autouse=True)
def _one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def build(backbone="dlv3/resnet26", tasks=TASKS, options=None, seed=0) -> astmt.Net:
    torch.manual_seed(seed)
    return models.build("astmt", backbone=backbone, tasks=tasks, auxiliary={}, options=options or {})


def batch(side=64, images=2, dtype=torch.float32) -> dict[str, Tensor]:
    """Images and labels; the left half of every label is invalid."""
    generator = torch.Generator().manual_seed(0)
    shape = (images, side, side)
    normals = functional.normalize(torch.randn(images, 3, side, side, generator=generator, dtype=dtype), dim=1)
    labels = {
        "image": torch.randn(images, 3, side, side, generator=generator, dtype=dtype),
        "seg": torch.randint(0, 3, shape, generator=generator),
        "edge": torch.randint(0, 2, (images, 1, side, side), generator=generator),
        "normals": normals,
    }
    half = side // 2
    labels["seg"][..., :half], labels["edge"][..., :half], labels["normals"][..., :half] = IGNORED, IGNORED, 0
    return labels


def loss(predictions: Predictions, targets: Mapping[str, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
    """Weighted as on PASCAL, written here: smooth functions of the outputs, means over the valid pixels."""
    ((task, output),) = predictions.final.items()
    target, weight = targets[task], {"seg": 1.0, "edge": 50.0, "normals": 10.0}[task]
    if task == "seg":
        part = functional.cross_entropy(output, target, ignore_index=IGNORED)
    elif task == "edge":
        each = functional.binary_cross_entropy_with_logits(output, target.to(output), reduction="none")
        part = each[target != IGNORED].mean()
    else:
        valid = (target != 0).any(1, keepdim=True).expand_as(output)
        part = (output - target)[valid].square().mean()
    return weight * part, {task: part.detach()}


def own(net: nn.Module, task: str) -> set[str]:
    """Names of the parameters that belong to `task`."""
    return {
        f"{name}.of.{task}.{key}"
        for name, part in net.named_modules()
        if isinstance(part, PerTask)
        for key, _ in part.of[task].named_parameters()
    }


@pytest.mark.parametrize("backbone", ["dlv3/resnet26", "fpn/resnet18"])
def test_a_task_has_norms_adapters_and_gates_of_its_own(backbone):
    """One set per task in every residual block and in the decoder; all other convolutions and the stem are shared."""
    net = build(backbone)
    kinds = torchvision.models.resnet.BasicBlock, torchvision.models.resnet.Bottleneck
    blocks = [part for part in net.backbone.modules() if isinstance(part, kinds)]
    assert len(blocks) == 8
    for block in blocks:
        assert not [part for part in block.children() if isinstance(part, nn.BatchNorm2d)]
        norms = [part for part in block.modules() if isinstance(part, nn.BatchNorm2d)]
        gates = [part for part in block.modules() if type(part).__name__ == "SqueezeExcitation"]
        per_task = 3 if isinstance(block, kinds[1]) else 2
        assert len(norms) == len(TASKS) * (per_task + (block.downsample is not None))
        assert len(gates) == len(TASKS)
        assert {gate.squeeze.out_features for gate in gates} == {gates[0].squeeze.in_features // 16}
        for convolution in (part for part in block.modules() if isinstance(part, nn.Conv2d)):
            assert convolution.kernel_size in ((1, 1), (3, 3))
    adapters = [value for name, value in net.named_parameters() if ".adapter." in name]
    assert adapters
    assert not any(value.any() for value in adapters)
    assert isinstance(net.backbone.body.stages.bn1, nn.BatchNorm2d)
    sizes = {len(own(net, task)) for task in TASKS}
    assert len(sizes) == 1


def test_adapters_stand_beside_every_3x3_convolution_of_a_block():
    for backbone, per_block in (("dlv3/resnet26", 1), ("fpn/resnet18", 2)):
        body = build(backbone).backbone.body
        adapted = [name for name, part in body.named_modules() if type(part).__name__ == "Adapted"]
        assert len(adapted) == 8 * per_block
        assert all(name.split(".")[-2].isdigit() for name in adapted)


def test_the_decoders_low_level_features_are_gated_by_a_quarter():
    net = build()
    gate = net.decoder.low_level[-1].of["seg"].gate
    assert (gate.squeeze.in_features, gate.squeeze.out_features) == (12, 3)
    assert net.predictors.of["seg"].in_channels == 64


@pytest.mark.parametrize("backbone", ["dlv3/resnet26", "fpn/resnet18"])
def test_a_tasks_prediction_depends_on_its_own_parts_and_no_others(backbone):
    net = build(backbone).eval()
    images = batch()["image"]
    with torch.no_grad():
        before = net(images).final
        mine = own(net, "edge")
        for name, parameter in net.named_parameters():
            if name in mine:
                parameter.add_(0.3)
        after = net(images).final
    assert not torch.equal(before["edge"], after["edge"])
    assert torch.equal(before["seg"], after["seg"])
    assert torch.equal(before["normals"], after["normals"])


def test_with_zero_adapters_and_open_gates_a_task_sees_the_plain_network():
    """The conversion keeps what the blocks compute: gates forced to 1, ASTMT's encoder is torchvision's."""
    torch.manual_seed(0)
    plain = models.build("single_task_dlv3", backbone="dlv3/resnet26", tasks={"seg": 3}, auxiliary={}, options={})
    net = build(tasks=TASKS).eval()
    for part in net.modules():
        if type(part).__name__ == "SqueezeExcitation":
            nn.init.zeros_(part.excite.weight)
            nn.init.constant_(part.excite.bias, 100.0)
    images = batch()["image"]
    with torch.no_grad():
        expected, found = plain.eval().backbone(images), net.backbone(images)
    for stride in expected:
        torch.testing.assert_close(found[stride], expected[stride])


def test_reversal_has_the_papers_factor():
    assert reversal_factor(59, 60) == pytest.approx(2 / (1 + math.exp(-10)) - 1)
    assert reversal_factor(0, 60) == pytest.approx(math.tanh(10 / 60 / 2))
    factors = [reversal_factor(epoch, 60) for epoch in range(60)]
    assert factors == sorted(factors)
    assert 0 < factors[0] < factors[-1] < 1


@pytest.mark.parametrize("factor", [0.0, 0.3, 1.0, KEPT])
def test_reversal_is_the_identity_forwards_and_minus_the_factor_backwards(factor):
    values = torch.randn(2, 3, requires_grad=True, dtype=torch.float64)
    weights = torch.randn(2, 3, dtype=torch.float64)
    reversed_values = GradientReversal.apply(values, factor)
    assert torch.equal(reversed_values, values)
    (reversed_values * weights).sum().backward()
    assert torch.equal(values.grad, -factor * weights)


def test_directions_have_length_one_whatever_their_size():
    """Down to elements whose squares are zero in float32; pixels without a gradient have no direction."""
    generator = torch.Generator().manual_seed(0)
    gradient = torch.randn(2, 6, 4, 5, generator=generator) * torch.logspace(-30, 3, 5)
    gradient[0, :, 1, 2] = 0
    gradient.requires_grad_()
    units, valid = directions(gradient)
    expected = functional.normalize(gradient.detach().double(), dim=1, eps=0)
    where = valid[:, None].expand_as(units)
    torch.testing.assert_close(units.detach().double()[where], expected[where], rtol=1e-5, atol=1e-6)
    assert valid.sum() == valid.numel() - 1
    assert not valid[0, 1, 2]
    assert not units[0, :, 1, 2].any()
    units.square().sum().backward()
    assert gradient.grad.isfinite().all()


def test_directions_are_differentiated_exactly():
    gradient = torch.randn(1, 3, 2, 2, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda values: directions(values)[0], (gradient,))


@pytest.mark.parametrize("size", [1, 3])
def test_the_target_is_the_tasks_number_at_every_valid_pixel(size):
    """Against a loop over pixels: cross-entropy of label 2 where the gradient is not zero, its mean."""
    torch.manual_seed(0)
    judge = astmt.Discriminator(5, 4, size).double()
    gradient = torch.randn(2, 5, 3, 4, dtype=torch.float64)
    gradient[:, :, :, :2] = 0
    with torch.no_grad():
        logits = judge(directions(gradient)[0])
        terms = [
            -(logits[image, 2, row, column] - logits[image, :, row, column].exp().sum().log()).item()
            for image in range(2)
            for row in range(3)
            for column in range(2, 4)
        ]
        found = adversarial_loss(judge, gradient, 2, 1.0)
    assert found.item() == pytest.approx(sum(terms) / len(terms))


@pytest.mark.parametrize("task", TASKS)
def test_the_discriminator_is_asked_for_the_task_that_was_active(task):
    """The objective's adversary is the cross-entropy of this task's number, in the order of the tasks."""
    net, data = build("fpn/resnet18").train(), batch(32)
    prediction, features = net.predict(task, data["image"])
    (gradient,) = torch.autograd.grad(loss(Predictions({task: prediction}, {}), data)[0], features)
    found = astmt.objective(net, task, data, loss, 1.0).adversary
    by_label = [adversarial_loss(net.discriminator, gradient, label, 1.0).item() for label in range(len(TASKS))]
    assert found.item() == pytest.approx(by_label[[*TASKS].index(task)], rel=1e-5)
    assert len({round(value, 4) for value in by_label}) == len(TASKS)


def test_pixels_that_no_valid_label_reaches_do_not_count():
    """Labels are missing in the left half: features there get no gradient, but at the border's interpolation."""
    net, data = build().train(), batch(side=64)
    prediction, features = net.predict("seg", data["image"])
    weighted, _ = loss(Predictions({"seg": prediction}, {}), data)
    (gradient,) = torch.autograd.grad(weighted, features)
    valid = directions(gradient)[1]
    assert valid.shape == (2, 16, 16)
    assert not valid[..., :7].any()
    assert valid[..., 8:].all()


def test_a_batch_without_any_label_trains_nothing_and_stays_finite():
    net, data = build().train(), batch()
    data["normals"] = torch.zeros_like(data["normals"])

    def empty(predictions: Predictions, targets: Mapping[str, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
        output = predictions.final["normals"]
        part = torch.where(targets["normals"] != 0, output, 0).sum()
        return part, {"normals": part.detach()}

    found = astmt.objective(net, "normals", data, empty, 1.0)
    found.total.backward()
    assert found.total.item() == found.adversary.item() == 0
    assert all(value.grad is None or not value.grad.any() for value in net.parameters())


def slope(parameter: Tensor, index: tuple[int, ...], value: Callable[[], float]) -> float:
    """The central difference of `value` with respect to one weight."""
    step, values = 1e-7, []
    for moved in (step, -2 * step):
        with torch.no_grad():
            parameter[index] += moved
        values.append(value())
    with torch.no_grad():
        parameter[index] += step
    return (values[0] - values[1]) / (2 * step)


@pytest.mark.parametrize(("backbone", "task"), [("dlv3/resnet26", "seg"), ("fpn/resnet18", "normals")])
@pytest.mark.parametrize("share", [0.01, 0.9])
def test_the_whole_loss_is_differentiated_through_the_gradient(backbone, task, share, monkeypatch):
    """Finite differences of 0.99 task + 0.01 adversary with respect to weights of the encoder, the reversal off.

    Also with the shares turned round, since at 0.01 the double backward drowns in the task's gradient. ReLU and
    max pooling are replaced by smooth functions, as finite differences want.
    """
    monkeypatch.setattr(astmt, "ADVERSARIAL_SHARE", share)
    monkeypatch.setattr(functional, "relu", lambda values, inplace=False: functional.softplus(values))
    net, data = build(backbone).double().train(), batch(32, 3, torch.float64)
    net.backbone.body.stages.maxpool = nn.AvgPool2d(3, 2, 1)
    weight = {"seg": 1.0, "normals": 10.0}[task]
    adapted = ".weight" if "dlv3" in backbone else ".shared.weight"
    for name in ("stages.conv1.weight", "stages.layer2.1.conv1" + adapted, "stages.layer4.0.conv2.shared.weight"):
        parameter = net.backbone.body.get_parameter(name)
        found = astmt.objective(net, task, data, loss, KEPT)
        assert found.total.item() == pytest.approx((1 - share) * weight * found.task + share * found.adversary)
        (analytic,) = torch.autograd.grad(found.total, parameter)
        prediction = net.predict(task, data["image"])[0]
        (without,) = torch.autograd.grad((1 - share) * loss(Predictions({task: prediction}, {}), data)[0], parameter)
        # Where the adversary's part, which only the double backward gives, is largest.
        index = tuple(int(i) for i in torch.unravel_index((analytic - without).abs().argmax(), parameter.shape))
        numeric = slope(parameter, index, lambda: astmt.objective(net, task, data, loss, KEPT).total.item())
        assert analytic[index].item() == pytest.approx(numeric, rel=1e-4), name
        # A gradient without the double backward would be ten tolerances off at least.
        assert share < 0.5 or without[index].item() != pytest.approx(numeric, rel=1e-3), name


def test_the_encoder_works_against_the_discriminator():
    """With the reversal the adversary's part of an encoder's gradient turns round, the discriminator's stays."""
    net, data = build("fpn/resnet18").double().train(), batch(32, 3, torch.float64)

    def gradients(factor: float) -> tuple[Tensor, Tensor]:
        found = astmt.objective(net, "seg", data, loss, factor)
        weights = [net.backbone.body.stages.conv1.weight, net.discriminator.hidden.weight]
        first, second = torch.autograd.grad(found.total, weights)
        return first, second

    none, judge_none = gradients(0.0)
    kept, judge_kept = gradients(KEPT)
    turned, judge_turned = gradients(0.3)
    torch.testing.assert_close(turned - none, -0.3 * (kept - none), rtol=1e-6, atol=1e-12)
    torch.testing.assert_close(judge_turned, judge_kept)
    torch.testing.assert_close(judge_none, judge_kept)
    assert (kept - none).abs().max() > 1e-8


def test_every_parameter_of_a_task_and_the_shared_ones_receive_a_gradient():
    net, data = build(options={"discriminator": "3x3"}).train(), batch()
    astmt.objective(net, "edge", data, loss, 0.5).total.backward()
    moved = {name for name, value in net.named_parameters() if value.grad is not None and value.grad.any()}
    others = own(net, "seg") | own(net, "normals")
    assert moved == {name for name, _ in net.named_parameters()} - others


def training(net: astmt.Net) -> tuple[Any, torch.optim.Optimizer]:
    procedure = models.procedure("astmt", net)
    return procedure, torch.optim.SGD(procedure.parameter_groups(), lr=1e-3, momentum=0.9, weight_decay=1e-4)


def test_parameter_groups():
    """Every parameter once: shared, task-specific at T times, discriminator at 10 times the learning rate."""
    net = build()
    groups = training(net)[0].parameter_groups()
    names = {id(parameter): name for name, parameter in net.named_parameters()}
    by_factor = {group["lr_factor"]: {names[id(value)] for value in group["params"]} for group in groups}
    assert [*by_factor] == [1.0, 3.0, 10.0]
    assert by_factor[3.0] == set().union(*(own(net, task) for task in TASKS))
    assert by_factor[10.0] == {name for name in names.values() if name.startswith("discriminator.")}
    assert sum(len(group["params"]) for group in groups) == len(names)
    assert set().union(*by_factor.values()) == set(names.values())


def progress(epoch=0) -> Progress:
    return Progress(epoch=epoch, epochs=4, step=epoch * 10, steps=40)


def test_a_step_is_one_update_per_task_in_sequence():
    """Replayed by hand: gradient, momentum and weight decay of the shared and the task's own parameters only."""
    net, data = build("fpn/resnet18").double().train(), batch(32, 3, torch.float64)
    procedure, optimizer = training(net)
    values = procedure.step(optimizer, data, loss, progress())
    assert [*values] == ["loss", *TASKS, "adversary"]
    replayed = build("fpn/resnet18").double().train()
    buffers: dict[str, Tensor] = {}
    total = 0.0
    for task in TASKS:
        found = astmt.objective(replayed, task, data, loss, reversal_factor(0, 4))
        gradients = torch.autograd.grad(found.total, [*replayed.parameters()], allow_unused=True)
        total += found.total.item()
        with torch.no_grad():
            for (name, parameter), gradient in zip(replayed.named_parameters(), gradients, strict=True):
                if gradient is None:
                    continue
                decayed = gradient + 1e-4 * parameter
                buffers[name] = decayed if name not in buffers else 0.9 * buffers[name] + decayed
                parameter -= 1e-3 * buffers[name]
    assert values["loss"] == pytest.approx(total, rel=1e-9)
    for name, parameter in replayed.named_parameters():
        torch.testing.assert_close(net.get_parameter(name), parameter, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(
    ("option", "value"), [("discriminator", "3x3"), ("schedule", "constant"), ("momentum", "restarted")]
)
def test_every_switch_changes_what_is_learned(option, value):
    """Weights after two epochs of one step; the second follows the schedule and meets the first's momentum."""

    def learned(options: dict[str, str]) -> Tensor:
        net, data = build("fpn/resnet18", options=options).train(), batch(32)
        procedure, optimizer = training(net)
        for epoch in range(2):
            procedure.begin_epoch(optimizer)
            for group in optimizer.param_groups:
                group["lr"] = procedure.learning_rate(1e-2, progress(epoch)) * group["lr_factor"]
            procedure.step(optimizer, data, loss, progress(epoch))
        return net.backbone.body.stages.conv1.weight.detach()

    assert not torch.equal(learned({}), learned({option: value}))


def test_schedules():
    poly, constant = (training(build(options=options))[0] for options in ({}, {"schedule": "constant"}))
    assert poly.learning_rate(1e-3, progress(2)) == pytest.approx(1e-3 * 0.5**0.9)
    assert constant.learning_rate(1e-3, progress(2)) == 1e-3
