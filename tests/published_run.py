"""A project with a run whose weights are random: what the commands that apply a trained network need."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from small_project import STUDY, unchanged, write_params
from torch import nn
from torch.optim.swa_utils import update_bn

from mtinet import config, files, paths
from mtinet.training import checkpoints, loop
from mtinet.training.run import Run


def unlike_the_start(net: nn.Module, seed: int) -> nn.Module:
    """`net` with random weights whose batch norms have seen images, so that they normalise as a trained network's."""
    draw = torch.Generator().manual_seed(seed)
    update_bn([torch.randn(2, 3, 64, 96, generator=draw)], net)
    return net


def write_run(
    folder: Path, dataset: str, name: str, change: Callable[[Any], None] = unchanged, seed: int = 0
) -> nn.Module:
    """Write params.yaml at smoke scale and a run's weights and manifest into a folder; returns the network."""
    (folder / "stages").mkdir(parents=True, exist_ok=True)
    write_params(folder, change)
    run = Run.of(config.load(folder / "params.yaml"), dataset, name, 0)
    torch.manual_seed(seed)
    net = unlike_the_start(loop.build_model(run), seed).eval()
    weights = folder / paths.weights(STUDY, dataset, name, 0)
    checkpoints.publish_weights(weights, net)
    files.write_json(
        folder / paths.manifest(STUDY, dataset, name, 0),
        {"config": run.config(), "config_hash": files.digest_of(run.config()),
         "weights_digest": files.digest_of_file(weights)},
    )  # fmt: skip
    return net
