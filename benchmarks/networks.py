"""The networks that benchmarks train: experiments of params.yaml, at a size, a precision and a number of threads."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch

from benchmarks.harness import ROOT
from mtinet import config
from mtinet.config import Augmentation
from mtinet.config.sections import InputSize
from mtinet.paths import PARAMS
from mtinet.training import precision
from mtinet.training.run import Run

DATASET = "nyud"
NETWORKS = (
    "hrnet18-single-depth", "hrnet18-mtl", "hrnet18-pad-ne", "hrnet18-mti-ne",
    "r18fpn-single-depth", "r18fpn-mtl", "r18fpn-pad-ne", "r18fpn-mti-ne",
)  # fmt: skip


@dataclass(frozen=True)
class Scale:
    """Size of the input, images of a batch and of an epoch, as a scale of params.yaml has them."""

    height: int
    width: int
    batch: int
    images: int


LAPTOP = Scale(64, 96, 4, 108)
PAPER = Scale(480, 640, 6, 795)


def precisions(device: str) -> tuple[str, ...]:
    """What networks can compute with on a device without emulation."""
    best = precision.chosen("auto", torch.device(device))
    return ("float32",) if best == "float32" else ("float32", best)


def run_of(experiment: str, scale: Scale, threads: int, computing: str) -> Run:
    """The experiment as params.yaml declares it, at laptop scale but for what is given."""
    params = config.load(ROOT / PARAMS)
    params = params.model_copy(update={"study": params.study.model_copy(update={"scale": "laptop"})})
    run = Run.of(params, DATASET, experiment, 0)
    size = InputSize(height=scale.height, width=scale.width)
    changed = run.scale.model_copy(update={"input": size, "batch_size": scale.batch, "epochs": 1000})
    return replace(run, scale=changed, threads=threads, precision=computing)


def with_augmentation(run: Run, augmentation: Augmentation) -> Run:
    """The run with another augmentation than its scale's."""
    return replace(run, scale=run.scale.model_copy(update={"augmentation": augmentation}))
