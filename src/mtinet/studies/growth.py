"""How parameters and FLOPs grow with the number of tasks and of scales (section A.1 on cross-stitch networks)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass
from functools import cache
from typing import Any, cast

import torch
from torch import nn

from mtinet import models
from mtinet.models import STRIDES, backbones
from mtinet.studies.resources import Resources, count, shapes_only

CROSS_STITCH, SINGLE, SCALED = "cross_stitch", "single_task", "mti_net"
INTERACTING = ("pad_net", "mti_net", "astmt")  # which take two tasks or more


@dataclass(frozen=True)
class Point:
    """One network of a curve: `axis` is what varies along it, "tasks" or "scales"."""

    axis: str
    method: str
    tasks: int
    scales: int


def points(declared: Mapping[str, Any]) -> Iterator[Point]:
    """The networks of a dataset's entry in pipeline/growth.yaml; of methods of several tasks from two tasks on."""
    for method in declared["methods"]:
        for tasks in declared["tasks"]:
            if tasks > 1 or method not in INTERACTING:
                yield Point("tasks", method, tasks, len(STRIDES))
        for scales in declared["scales"]:
            yield Point("scales", method, declared["tasks_of_scales"], scales)


@cache
def encoder(name: str, strides: tuple[int, ...], device: torch.device) -> nn.Module:
    """A backbone on torch's current `device`, to be copied: that takes a tenth of the time."""
    return backbones.build(name, strides=strides, fusion="nearest", pretrained="none")


def network(declared: Mapping[str, Any], method: str, tasks: int, scales: int) -> nn.Module:
    """A network of `method` on the entry's backbone, on torch's current device.

    Methods without a switch for scales get features at the finest ones only.
    """
    strides, outputs = STRIDES[:scales], {f"task{number}": declared["outputs"] for number in range(tasks)}
    features = deepcopy(encoder(declared["backbone"], strides, torch.get_default_device()))
    options = dict(declared["methods"][method]) | ({"scales": [*strides]} if method == SCALED else {})
    parsed = models.check_options(method, options, outputs, {})
    net: nn.Module = models.method_module(method).Net(features, outputs, {}, parsed)
    return net


def counted(declared: Mapping[str, Any], height: int, width: int) -> list[dict[str, Any]]:
    """Every point with its "params", and "flops" of one image of height x width pixels for all tasks."""

    @cache
    def costs(method: str, tasks: int, scales: int) -> Resources:
        with shapes_only():
            net = network(declared, method, tasks, scales)
        return count(net, height, width)

    found = []
    for point in points(declared):
        if point.method in (SINGLE, CROSS_STITCH):
            one = costs(SINGLE, 1, point.scales)
            units = stitches(declared, point, height, width) if point.method == CROSS_STITCH else Resources(0, 0)
            cost = Resources(point.tasks * one.params + units.params, point.tasks * one.flops + units.flops)
        else:
            cost = costs(point.method, point.tasks, point.scales)
        place = {"axis": point.axis, "method": point.method, "tasks": point.tasks, "scales": point.scales}
        found.append(place | {"params": cost.params, "flops": cost.flops})
    return found


def stitches(declared: Mapping[str, Any], point: Point, height: int, width: int) -> Resources:
    """What cross-stitch networks (Misra et al. 2016) have beside a whole network per task: their units.

    A unit mixes the tasks' features channel by channel, with T^2 weights per channel and as many multiply-adds per
    position. Here one stands at every scale between encoder and decoder. The original has them within the encoder,
    too; wherever they are, they cost little beside T encoders.
    """
    with shapes_only():
        backbone = network(declared, SINGLE, 1, point.scales).backbone
    channels = cast(backbones.Backbone, backbone).channels
    mixed = point.tasks**2 if point.tasks > 1 else 0
    flops = sum(number * (height // stride) * (width // stride) for stride, number in channels.items())
    return Resources(params=mixed * sum(channels.values()), flops=mixed * flops)
