"""Parameters and FLOPs: hand-counted layers, and the counts measured on the released models within 0.5 %."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from mtinet import models
from mtinet.studies.resources import count

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
    assert sum(row[0] for row in found) == pytest.approx(140, rel=0.02)
    assert sum(row[1] for row in found) == pytest.approx(219, rel=0.02)


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
    assert net(torch.randn(2, 3, 8, 8)).device.type == "cpu"
