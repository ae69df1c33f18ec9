"""Every method overfits four images: the network can learn, every task, from scratch.

Images of 64x96 with 6 classes instead of 40, labels piecewise smooth, so that predictions at a quarter of the
size can reach them. The losses are written here with torch.nn.functional, independently of mtinet.losses.
"""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from mtinet import models

CLASSES, HEIGHT, WIDTH, IMAGES = 6, 64, 96, 4
CHANNELS = {"seg": CLASSES, "depth": 1, "normals": 3}
GOALS = {"seg": 0.95, "depth": 0.1, "normals": 5.0}
STEPS = 100


@pytest.fixture(autouse=True)
def _one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def smooth(count: int, generator: torch.Generator) -> Tensor:
    """[IMAGES, count, H, W] sums of low-frequency waves, in about [-1, 1]."""
    y, x = torch.meshgrid(torch.linspace(0, 1, HEIGHT), torch.linspace(0, 1.5, WIDTH), indexing="ij")
    field = torch.zeros(IMAGES, count, HEIGHT, WIDTH)
    for _ in range(3):
        shape = (IMAGES, count, 1, 1)
        a, b, phase = (torch.rand(shape, generator=generator) * 2 - 1 for _ in range(3))
        field += torch.sin(2 * math.pi * (a * x + b * y + phase)) / 3
    return field


def scene() -> tuple[Tensor, dict[str, Tensor]]:
    """Images and the labels of all tasks; all are smooth functions of the same hidden fields."""
    generator = torch.Generator().manual_seed(0)
    hidden = smooth(3, generator)
    seg = ((hidden[:, 0] + 1) / 2 * CLASSES).long().clamp(0, CLASSES - 1)
    depth = 3 + 1.5 * hidden[:, 1:2]
    normals = functional.normalize(torch.cat([hidden[:, 1:], -torch.ones_like(depth)], 1), dim=1)
    palette = torch.rand(CLASSES, 3, generator=generator) * 2 - 1
    images = palette[seg].permute(0, 3, 1, 2) + 0.5 * hidden
    return images, {"seg": seg, "depth": depth, "normals": normals}


def loss(task: str, prediction: Tensor, target: Tensor) -> Tensor:
    size = target.shape[-2:]
    prediction = functional.interpolate(prediction, size=size, mode="bilinear", align_corners=False)
    if task == "seg":
        return functional.cross_entropy(prediction, target)
    if task == "normals":
        prediction = functional.normalize(prediction, dim=1)
    return functional.l1_loss(prediction, target)


def score(task: str, prediction: Tensor, target: Tensor) -> float:
    """Pixel accuracy, rmse in metres, mean angle in degrees."""
    if task == "seg":
        return (prediction.argmax(1) == target).float().mean().item()
    if task == "depth":
        return (prediction - target).square().mean().sqrt().item()
    cosine = (functional.normalize(prediction, dim=1) * target).sum(1).clamp(-1, 1)
    return torch.rad2deg(torch.acos(cosine)).mean().item()


def reached(scores: dict[str, float]) -> bool:
    return all(value > GOALS[task] if task == "seg" else value < GOALS[task] for task, value in scores.items())


def overfit(method: str, tasks: list[str]) -> dict[str, float]:
    """Train until the goals are met in evaluation mode, at most STEPS steps; the last scores."""
    torch.manual_seed(0)
    images, labels = scene()
    channels = {task: CHANNELS[task] for task in tasks}
    net = models.build(method, backbone="timm/hrnet_w18_small_v2", tasks=channels, auxiliary={}, options={})
    for module in net.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = 0.3  # at the usual 0.1 the running statistics lag tens of steps behind
    net = net.to(memory_format=torch.channels_last)
    images = images.contiguous(memory_format=torch.channels_last)
    optimizer = torch.optim.Adam(net.parameters(), lr=5e-3)
    schedule = torch.optim.lr_scheduler.PolynomialLR(optimizer, STEPS, power=0.9)
    scores: dict[str, float] = {}
    for step in range(1, STEPS + 1):
        output = net.train()(images)
        outputs = [output.final, *output.initial.values()]
        total = sum(loss(task, given[task], labels[task]) for given in outputs for task in given)
        optimizer.zero_grad()
        total.backward()
        optimizer.step()
        schedule.step()
        if step % 10 == 0 and step >= 30:
            with torch.no_grad():
                final = net.eval()(images).final
            scores = {task: score(task, final[task], labels[task]) for task in tasks}
            if reached(scores):
                break
    return scores


@pytest.mark.parametrize(
    ("method", "tasks"),
    [
        ("single_task", ["depth"]),
        ("multi_task", ["seg", "depth", "normals"]),
        ("pad_net", ["seg", "depth", "normals"]),
        ("mti_net", ["seg", "depth", "normals"]),
    ],
)
def test_overfits_four_images(method, tasks):
    scores = overfit(method, tasks)
    assert reached(scores), scores
