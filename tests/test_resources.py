"""Parameters and FLOPs: hand-counted layers, and the counts measured on the released models within 0.5 %."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from mtinet import models
from mtinet.studies import task_width
from mtinet.studies.resources import count, resized, shapes_only

NYUD, PASCAL = {"seg": 40, "depth": 1}, {"seg": 21, "human_parts": 7, "sal": 1, "edge": 1, "normals": 3}
N, NE = {"normals": 3}, {"normals": 3, "edge": 1}
PAD, MTI = {"task_features": "bottleneck_256"}, {"fpm_softmax": "channels"}
# method, main tasks, auxiliary tasks, options, height, width, parameters in millions, GFLOPs
ROWS = [
    ("multi_task", NYUD, {}, {}, 480, 640, 4.019, 12.77),
    ("pad_net", NYUD, {}, PAD, 480, 640, 7.019, 70.25),
    ("pad_net", NYUD, N, PAD, 480, 640, 9.590, 119.6),
    ("pad_net", NYUD, NE, PAD, 480, 640, 12.161, 168.9),
    ("mti_net", NYUD, {}, MTI, 480, 640, 8.578, 17.14),
    ("mti_net", NYUD, N, MTI, 480, 640, 11.588, 19.93),
    ("mti_net", NYUD, NE, MTI, 480, 640, 14.838, 22.88),
    ("multi_task", PASCAL, {}, {}, 512, 512, 4.238, 14.45),
    ("pad_net", PASCAL, {}, PAD, 512, 512, 29.305, 424.9),
    ("mti_net", PASCAL, {}, MTI, 512, 512, 24.494, 30.31),
]


def resources(method, tasks, auxiliary, options, height, width, backbone="timm/hrnet_w18_small_v2"):
    with torch.device("meta"):
        net = models.build(method, backbone=backbone, tasks=tasks, auxiliary=auxiliary, options=options)
    found = count(net, height, width)
    return found.params / 1e6, found.flops / 1e9


@pytest.mark.parametrize(("method", "tasks", "auxiliary", "options", "height", "width", "params", "flops"), ROWS)
def test_released_models(method, tasks, auxiliary, options, height, width, params, flops):
    found = resources(method, tasks, auxiliary, options, height, width)
    assert found == pytest.approx((params, flops), rel=0.005)


@pytest.mark.parametrize(
    ("tasks", "height", "width", "params", "flops"),
    [(NYUD, 480, 640, 7.880, 22.53), (PASCAL, 512, 512, 19.681, 47.76)],
)
def test_single_task_nets_together(tasks, height, width, params, flops):
    found = [resources("single_task", {task: n}, {}, {}, height, width) for task, n in tasks.items()]
    assert sum(row[0] for row in found) == pytest.approx(params, rel=0.005)
    assert sum(row[1] for row in found) == pytest.approx(flops, rel=0.005)


def test_five_resnet50_fpns_are_near_the_printed_ones():
    """Table 7b prints 140 M and 219 G for the five single-task nets."""
    found = [resources("single_task", {task: n}, {}, {}, 512, 512, "fpn/resnet50") for task, n in PASCAL.items()]
    params, flops = (sum(row[index] for row in found) for index in (0, 1))
    assert params == pytest.approx(140, rel=0.02)
    assert flops == pytest.approx(219, rel=0.02)
    multi_task = resources("multi_task", PASCAL, {}, {}, 512, 512, "fpn/resnet50")
    assert 100 * (multi_task[0] / params - 1) == pytest.approx(-75.0, abs=1)
    assert 100 * (multi_task[1] / flops - 1) == pytest.approx(-66.0, abs=1)


def test_astmt_costs_a_forward_pass_per_task():
    """Table 7b prints -51 % and -1 %: the FLOPs are those of about five networks. The printed parameters are not
    met: shared convolutions and five sets of norms, adapters and gates make two thirds less."""
    single = [resources("single_task", {task: n}, {}, {}, 512, 512, "fpn/resnet50") for task, n in PASCAL.items()]
    found = resources("astmt", PASCAL, {}, {}, 512, 512, "fpn/resnet50")
    assert 100 * (found[1] / sum(row[1] for row in single) - 1) == pytest.approx(4.4, abs=0.1)
    assert 100 * (found[0] / sum(row[0] for row in single) - 1) == pytest.approx(-65.9, abs=0.1)


def test_the_parameters_of_astmt_by_hand():
    """ResNet-50 on its FPN, counted from the widths: what a further task adds to the residual blocks."""
    two, three = (
        resources("astmt", dict.fromkeys(names, 1), {}, {}, 512, 512, "fpn/resnet50")[0] for names in ("ab", "abc")
    )
    blocks = {64: 3, 128: 4, 256: 6, 512: 3}
    adapters = sum(count * width**2 for width, count in blocks.items())
    norms = sum(count * 2 * (width + width + 4 * width) + 2 * 4 * width for width, count in blocks.items())
    gates = sum(count * (2 * (4 * width) * (width // 4) + 4 * width + width // 4) for width, count in blocks.items())
    # Panoptic branches: 1, 1, 2 and 3 convolutions, the first of 256 channels, the others of 128; group norms.
    decoder = 4 * 256 * 128 + 3 * 128 * 128 + 7 * 2 * 128
    assert (three - two) * 1e6 == pytest.approx(adapters + norms + gates + decoder + (128 + 1) + (128 + 1))


def test_no_uniform_width_of_task_features_meets_table_7b():
    """The search takes the nearest width: parameters and FLOPs move together, and its neighbours are further off."""
    found = task_width.candidates((88, 96, 104))
    assert [item.params for item in found] == sorted(item.params for item in found)
    assert [item.flops for item in found] == sorted(item.flops for item in found)
    assert min(found, key=lambda item: item.distance).width == 96
    assert (found[1].params, found[1].flops) == pytest.approx((-57.4, -9.3), abs=0.1)
    assert found[1].distance == pytest.approx(24.8, abs=0.1)


def test_one_multiply_add_is_one_flop():
    """A 3x3 convolution 3 -> 8 on 32x64, then a linear layer 8 -> 5 on its average, counted by hand."""
    net = nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 5)
    )
    found = count(net, 32, 64)
    assert found.flops == 32 * 64 * 8 * 3 * 9 + 8 * 5
    assert found.params == (3 * 9 * 8 + 8) + 2 * 8 + (8 * 5 + 5)


def test_counting_leaves_the_model_as_it_was():
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))
    net[1].eval()
    before = {key: value.clone() for key, value in net.state_dict().items()}
    count(net, 32, 32)
    assert net.training
    assert not net[1].training
    assert all(torch.equal(before[key], value) for key, value in net.state_dict().items())
    assert not any("forward" in vars(module) for module in net.modules())
    assert net(torch.randn(2, 3, 8, 8)).device.type == "cpu"


@pytest.mark.parametrize(
    "options", [{"size": (7, 9)}, {"size": 6}, {"scale_factor": 2}, {"scale_factor": 1.5}, {"scale_factor": [2.0, 0.5]}]
)
def test_interpolated_maps_have_torchs_shape(options):
    features = torch.zeros(2, 3, 5, 11)
    assert resized(features, **options).shape == nn.functional.interpolate(features, **options).shape


@pytest.mark.parametrize("backbone", ["timm/hrnet_w18_small_v2", "fpn/resnet18"])
def test_networks_without_values_cost_what_those_with_values_do(backbone):
    def net():
        return models.build("mti_net", backbone=backbone, tasks={"seg": 3, "depth": 1}, auxiliary={}, options={})

    with shapes_only():
        bare = net()
    assert all(parameter.is_meta for parameter in bare.parameters())
    assert count(bare, 64, 96) == count(net(), 64, 96)
    assert torch.nn.functional.interpolate(torch.ones(1, 1, 2, 2), scale_factor=2).sum() == 16  # and ours is gone
    assert torch.nn.Linear(2, 2).bias.device.type == "cpu"
