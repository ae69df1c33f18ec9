"""A checkpoint of the authors' released code as a network that predict, export and demo take in a run's place.

Single task, MTL, PAD-Net and MTI-Net on HRNet-18. Every tensor must have its place; the switches under which the
released code trained it are set, and printed. `mtinet export RUN --format released` is the way back.
"""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from mtinet.cli.progress import progress
from mtinet.cli.project import absolute, enter, print_json
from mtinet.errors import UserError

if TYPE_CHECKING:
    from mtinet.config import Params
    from mtinet.exchange.networks import Network

HELP = "take over a checkpoint of the released code"
EXAMPLE = "mtinet import-released best_model.pth.tar --dataset nyud --out networks/mti-net"
SCALE = "paper"  # whose input size it was trained at
MEANING = {
    "hrnet_fusion": "HRNet's branches are fused by bilinear upsampling; timm's, and the paper's weights', is nearest",
    "fpm_softmax": "the FPM's softmax is over adjacent channels; section 2.4's is over the tasks",
    "fpm_order": "the order in which the FPM concatenates the tasks",
    "task_features": "PAD-Net's task features have 256 channels from bottlenecks; as the paper says, 4C",
}


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", type=absolute, metavar="FILE", help="a state dict that the released code saved")
    parser.add_argument("--dataset", required=True, help="what it was trained on: nyud or pascal")
    parser.add_argument("--task", help="what a single-task checkpoint predicts; its names do not say it")
    parser.add_argument("--out", required=True, type=absolute, metavar="FOLDER", help="where the network goes")
    parser.add_argument("--json", action="store_true", help="print what was found as JSON")


def main(given: argparse.Namespace) -> int:
    with progress(f"importing {given.file.name}"):
        network, tensors = imported(given)
    said(network, tensors, given)
    return 0


def imported(given: argparse.Namespace) -> tuple[Network, int]:
    """Write the network of a checkpoint; it, and how many tensors it has."""
    from mtinet import config
    from mtinet.exchange import networks, released
    from mtinet.exchange.networks import Network

    enter(given)
    params = config.load()
    state = released.read(given.file)
    found = released.contents(state, given.task)
    channels = {**found.tasks, **found.auxiliary}
    check(params, given.dataset, channels)
    size = params.scales[SCALE][given.dataset].input
    network = Network(
        title=f"{given.file.name} (released code)", dataset=given.dataset, method=found.method,
        backbone=released.BACKBONE, tasks=[*found.tasks], auxiliary=[*found.auxiliary], channels=channels,
        options=found.options, height=size.height, width=size.width, digest="",
    )  # fmt: skip
    return networks.write(given.out, network, released.load(state, found)), len(state)


def check(params: Params, dataset: str, channels: dict[str, int]) -> None:
    """Raise UserError unless params.yaml has the dataset, and its tasks with as many channels."""
    if dataset not in params.datasets:
        raise UserError(f"--dataset: found '{dataset}', expected one of: {', '.join(params.datasets)}")
    for task, count in channels.items():
        if task not in params.datasets[dataset].tasks:
            labelled = ", ".join(params.datasets[dataset].tasks)
            raise UserError(f"the checkpoint predicts {task}, expected tasks of {dataset}: {labelled}")
        wanted = params.channels(dataset, task)
        if count != wanted:
            raise UserError(
                f"the checkpoint has {count} channels for {task}, {dataset} has {wanted}: another --dataset?"
            )


def said(network: Network, tensors: int, given: argparse.Namespace) -> None:
    """Print what was found and which readings it implies."""
    if given.json:
        from dataclasses import asdict

        print_json({"folder": str(given.out), "tensors": tensors, **asdict(network)})
        return
    tasks = ", ".join([*network.tasks, *(f"{task} (auxiliary)" for task in network.auxiliary)])
    print(f"{network.method} on HRNet-18 with {tasks}: {tensors} tensors, each with its place")
    for key, value in network.options.items():
        shown = ", ".join(value) if isinstance(value, list) else value
        print(f"  {key}: {shown}  ({MEANING[key]})")
    print(f"use it as 'mtinet predict {given.out} photo.jpg --out predictions'", file=sys.stderr)
