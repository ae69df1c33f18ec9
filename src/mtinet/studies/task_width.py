"""The width of MTI-Net's task features on an FPN, which the paper does not say: the one nearest to Table 7b.

    python -m mtinet.studies.task_width

prints one line per width: parameters and FLOPs of MTI-Net relative to the single-task networks, in %.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import torch

from mtinet import models
from mtinet.studies.resources import Resources, count

PASCAL = {"seg": 21, "parts": 7, "sal": 1, "edge": 1, "normals": 3}
PUBLISHED = (-35.0, -19.9)
WIDTHS = range(32, 137, 8)  # squeeze-and-excitation and hardware like multiples
BACKBONE, SIDE = "fpn/resnet50", 512


@dataclass(frozen=True)
class Candidate:
    """A width and what it costs, in % of the single-task networks."""

    width: int
    params: float
    flops: float

    @property
    def distance(self) -> float:
        """Euclidean distance from the printed pair, in percentage points."""
        return float(((self.params - PUBLISHED[0]) ** 2 + (self.flops - PUBLISHED[1]) ** 2) ** 0.5)


def resources(method: str, tasks: Mapping[str, int], options: Mapping[str, Any]) -> Resources:
    """What one network on the ResNet-50 FPN costs for an image of 512x512 pixels."""
    with torch.device("meta"):
        net = models.build(method, backbone=BACKBONE, tasks=tasks, auxiliary={}, options=options)
    return count(net, SIDE, SIDE)


def candidates(widths: Iterable[int] = WIDTHS) -> list[Candidate]:
    """MTI-Net on the five PASCAL tasks at each width."""
    singles = [resources("single_task", {task: channels}, {}) for task, channels in PASCAL.items()]
    params, flops = sum(single.params for single in singles), sum(single.flops for single in singles)
    found = []
    for width in widths:
        net = resources("mti_net", PASCAL, {"width": width})
        found.append(Candidate(width, 100 * (net.params / params - 1), 100 * (net.flops / flops - 1)))
    return found


def main() -> None:
    found = candidates()
    nearest = min(found, key=lambda candidate: candidate.distance)
    for item in found:
        mark = "  <- nearest" if item is nearest else ""
        print(f"{item.width:4d} {item.params:+7.1f} % {item.flops:+7.1f} %  {item.distance:5.1f}{mark}")


if __name__ == "__main__":
    main()
