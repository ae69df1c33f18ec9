"""Every method overfits four images on the five tasks of PASCAL: the network can learn, every task, from scratch.

Small images with few classes, labels piecewise smooth, so that predictions at a quarter of the size can reach
them. The losses are written here with torch.nn.functional, independently of mtinet.losses.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from mtinet import models
from mtinet.models.interface import Predictions
from mtinet.models.procedure import Progress

IMAGES = 4
CHANNELS = {"seg": 6, "parts": 4, "sal": 1, "edge": 1, "normals": 3}
GOALS = {"seg": 0.95, "parts": 0.95, "sal": 0.95, "edge": 0.95, "normals": 5.0}
STEPS = 300


@pytest.fixture(autouse=True)
def _one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def smooth(count: int, side: int, generator: torch.Generator) -> Tensor:
    """[IMAGES, count, side, side] sums of low-frequency waves, in about [-1, 1]."""
    y, x = torch.meshgrid(torch.linspace(0, 1, side), torch.linspace(0, 1, side), indexing="ij")
    field = torch.zeros(IMAGES, count, side, side)
    for _ in range(3):
        shape = (IMAGES, count, 1, 1)
        a, b, phase = (torch.rand(shape, generator=generator) * 0.8 - 0.4 for _ in range(3))
        field += torch.sin(2 * math.pi * (a * x + b * y + phase)) / 3
    return field


def scene(side: int) -> dict[str, Tensor]:
    """Images and the labels of all tasks; all are functions of the same hidden fields."""
    generator = torch.Generator().manual_seed(0)
    hidden = smooth(3, side, generator)
    seg, parts = (
        ((hidden[:, index] + 1) / 2 * classes).long().clamp(0, classes - 1)
        for index, classes in ((0, CHANNELS["seg"]), (1, CHANNELS["parts"]))
    )
    normals = functional.normalize(torch.cat([hidden[:, 1:], -torch.ones_like(hidden[:, :1])], 1), dim=1)
    palette = torch.rand(CHANNELS["seg"], 3, generator=generator) * 2 - 1
    return {
        "image": palette[seg].permute(0, 3, 1, 2) + 0.5 * hidden,
        "seg": seg,
        "parts": parts,
        "sal": (hidden[:, 2:] > 0).float(),
        "edge": (hidden[:, 1:2].abs() < 0.15).float(),
        "normals": normals,
    }


def task_loss(task: str, prediction: Tensor, target: Tensor) -> Tensor:
    prediction = functional.interpolate(prediction, size=target.shape[-2:], mode="bilinear", align_corners=False)
    if task in ("seg", "parts"):
        return functional.cross_entropy(prediction, target)
    if task == "normals":
        return functional.l1_loss(functional.normalize(prediction, dim=1), target)
    return functional.binary_cross_entropy_with_logits(prediction, target)


def loss(predictions: Predictions, targets: Mapping[str, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
    outputs = [predictions.final, *predictions.initial.values()]
    terms = [task_loss(task, given[task], targets[task]) for given in outputs for task in given]
    return torch.stack(terms).sum(), {task: torch.zeros(()) for task in predictions.final}


def score(task: str, prediction: Tensor, target: Tensor) -> float:
    """Pixel accuracy; mean angle in degrees."""
    if task == "normals":
        cosine = (functional.normalize(prediction, dim=1) * target).sum(1).clamp(-1, 1)
        return torch.rad2deg(torch.acos(cosine)).mean().item()
    found = prediction.argmax(1) == target if task in ("seg", "parts") else (prediction > 0) == (target > 0.5)
    return found.float().mean().item()


def reached(scores: dict[str, float]) -> bool:
    return all(value < GOALS[task] if task == "normals" else value > GOALS[task] for task, value in scores.items())


def overfit(method: str, backbone: str, tasks: list[str], rate: float, side: int) -> dict[str, float]:
    """Train with the method's procedure until the goals are met in evaluation mode, at most STEPS steps."""
    torch.manual_seed(0)
    batch = scene(side)
    channels = {task: CHANNELS[task] for task in tasks}
    net = models.build(method, backbone=backbone, tasks=channels, auxiliary={}, options={})
    for module in net.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = 0.5  # at the usual 0.1 the running statistics lag tens of steps behind
    net = net.to(memory_format=torch.channels_last)
    batch["image"] = batch["image"].contiguous(memory_format=torch.channels_last)
    procedure = models.procedure(method, net)
    optimizer = torch.optim.Adam(procedure.parameter_groups(), lr=rate, fused=True)
    scores: dict[str, float] = {}
    for step in range(STEPS):
        progress = Progress(epoch=step, epochs=STEPS, step=step, steps=STEPS)
        for group in optimizer.param_groups:
            group["lr"] = procedure.learning_rate(rate, progress)
        net.train()
        procedure.step(optimizer, batch, loss, progress)
        if step % 5 == 4 and step >= 14:
            with torch.no_grad():
                final = net.eval()(batch["image"]).final
            scores = {task: score(task, final[task], batch[task]) for task in tasks}
            if reached(scores):
                break
    return scores


@pytest.mark.parametrize(
    ("method", "backbone", "tasks", "rate", "side"),
    [
        *(("single_task", "timm/hrnet_w18_small_v2", [task], 5e-3, 32) for task in CHANNELS),
        *(("single_task_dlv3", "dlv3/resnet26", [task], 5e-3, 32) for task in CHANNELS),
        ("multi_task", "timm/hrnet_w18_small_v2", [*CHANNELS], 5e-3, 32),
        ("pad_net", "timm/hrnet_w18_small_v2", [*CHANNELS], 5e-3, 32),
        ("mti_net", "timm/hrnet_w18_small_v2", [*CHANNELS], 5e-3, 64),
        ("astmt", "fpn/resnet18", [*CHANNELS], 1e-3, 32),
        ("astmt", "dlv3/resnet26", [*CHANNELS], 1e-3, 32),
    ],
)
def test_overfits_four_images(method, backbone, tasks, rate, side):
    scores = overfit(method, backbone, tasks, rate, side)
    assert reached(scores), scores
