"""What the commands that apply a trained network share: which one is meant, and that its weights are its own."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from mtinet.cli.project import NAME, RunName, absolute, check_declared, enter, run_name, seeds_of
from mtinet.errors import UserError

if TYPE_CHECKING:
    import torch

    from mtinet.config import Params
    from mtinet.exchange.networks import Network

RUN = "dataset/experiment[/seedN], the first seed without; or a folder that 'mtinet import-released' wrote"
MARK = "network.json"  # networks.DESCRIPTION, which is not imported for a command's help


def run_or_folder(text: str) -> RunName | Path:
    """A run's name, or a folder with a network, as argparse takes it."""
    folder = absolute(text)
    if (folder / MARK).is_file():
        return folder
    if NAME.fullmatch(text) is None:
        raise argparse.ArgumentTypeError(
            f"'{text}' is no run, expected dataset/experiment or dataset/experiment/seedN, and no folder with {MARK}"
        )
    return run_name(text)


def arguments(parser: argparse.ArgumentParser) -> None:
    """RUN."""
    parser.add_argument("run", type=run_or_folder, metavar="RUN", help=RUN)


def chosen(given: argparse.Namespace) -> tuple[Params, Network, Path]:
    """The project's parameters, the network that is meant, and the file of its weights; enters the project."""
    from mtinet import config
    from mtinet.exchange import networks

    enter(given)
    params = config.load()
    if isinstance(given.run, Path):
        return params, networks.read(given.run), given.run / networks.WEIGHTS
    check_declared(params, given.run)
    return params, *of_run(params, given.run)


def of_run(params: Params, name: RunName) -> tuple[Network, Path]:
    """A declared run as it was trained; says where params.yaml now declares another."""
    from mtinet import files, paths
    from mtinet.exchange.networks import Network
    from mtinet.training import provenance
    from mtinet.training.run import Run

    run = Run.of(params, name.dataset, name.experiment, seeds_of(params, name)[0])
    path, full = paths.manifest(*run.location), RunName(run.dataset, run.name, run.seed)
    if not path.exists():
        raise UserError(f"{full} is not trained, there is no {path}: train it with 'mtinet run {full}'")
    manifest = files.read_json(path)
    provenance.check_weights(manifest, paths.weights(*run.location))
    if manifest["config_hash"] != files.digest_of(run.config()):
        print(
            f"note: {full} was trained with other parameters than params.yaml has now ('mtinet list')", file=sys.stderr
        )
    return Network.of_manifest(manifest, f"{run.name}, seed {run.seed} ({run.study})"), paths.weights(*run.location)


def prepare(params: Params, dataset: str, device: str) -> torch.device:
    """The device that is asked for; precision and threads are set as for the evaluation."""
    from mtinet.training import loop
    from mtinet.training.run import Run

    # All runs have the same threads and precision, so that any of the dataset's will do.
    loop.prepare_torch(Run.of(params, dataset, params.names(dataset)[0], params.seeds[0]))
    return loop.device_of(device)
