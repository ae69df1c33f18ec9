"""A trained network as a file for other programs: ONNX, torch.export's program, or the released code's checkpoint.

onnx, torch: input "images", float32 [B, 3, H, W], RGB, value / 255 normalised by ImageNet's mean and deviation; outputs
by task, raw: logits, metres, vectors of any length; of auxiliary tasks at a quarter of the size. Batch and image size
are free, in steps of 32 pixels (torch: from 64 to 4096), unless --fixed. The file is run on random images of several
sizes and on --check photos, and refused where it differs from the network. What it takes and gives is in FILE.json.
"""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mtinet.cli import applying
from mtinet.cli.progress import Progress, progress
from mtinet.cli.project import absolute, columns, print_json
from mtinet.errors import UserError

if TYPE_CHECKING:
    from torch import Tensor

    from mtinet.exchange.exporting import Flat
    from mtinet.exchange.networks import Network

HELP = "write a trained network for other programs"
EXAMPLE = "mtinet export nyud/hrnet18-mti --format onnx --out mti.onnx --check photo.jpg"
FORMATS = ("onnx", "torch", "released")
LEAST, FACTOR = 1e-5, 10.0  # a file may be this far from the network, or so many times the network's own rounding


def arguments(parser: argparse.ArgumentParser) -> None:
    applying.arguments(parser)
    parser.add_argument("--format", required=True, choices=FORMATS)
    parser.add_argument("--out", required=True, type=absolute, metavar="FILE", help="where it goes")
    parser.add_argument("--fixed", action="store_true", help="for one image of the size of the training's input only")
    parser.add_argument(
        "--check", nargs="+", type=absolute, default=[], metavar="PHOTO", help="also compare on these photos"
    )
    parser.add_argument("--json", action="store_true", help="print the differences as JSON")


def main(given: argparse.Namespace) -> int:
    with progress(f"loading {given.run}") as shown:
        params, network, weights = applying.chosen(given)
        applying.prepare(params, network.dataset, "cpu")
        if given.format == "released":
            found = as_released(network, weights, given)
        else:
            found = as_program(network, weights, given, shown)
    if given.json:
        print_json({"file": str(given.out), **found})
    elif given.format == "released":
        print(f"{given.out}: {found['tensors']} tensors by their released names")
    else:
        compared = found["differences"]
        rows = [(name, *(f"{share:.1e}" for share in by_task.values())) for name, by_task in compared.items()]
        print(columns([("difference from the network", *found["outputs"]), *rows], right=range(1, 9)))
        print(given.out)
    return 0


def as_program(network: Network, weights: Path, given: argparse.Namespace, shown: Progress) -> dict[str, Any]:
    """Write a file that other programs run, once it gives what the network gives, and what a program has to know."""
    from mtinet import files
    from mtinet.exchange.exporting import Flat

    net = Flat(network.load(weights), network.tasks, network.auxiliary).eval()
    with files.replacing(given.out) as temporary:
        shown.now(f"writing {given.out.name}")
        exported = written(net, network, temporary, given)
        found = compared(net, network, exported, given, shown)
    described = description(network, net, given) | {"differences": found}
    files.write_json(given.out.with_name(f"{given.out.name}.json"), described)
    return described


def written(net: Flat, network: Network, path: Path, given: argparse.Namespace) -> Any:
    """Write the file; returns it as a function."""
    from mtinet.exchange import exporting

    kinds = {
        "onnx": (exporting.write_onnx, exporting.load_onnx),
        "torch": (exporting.write_program, exporting.load_program),
    }
    write, load = kinds[given.format]
    write(net, path, (network.height, network.width), given.fixed)
    return load(path)


def compared(
    net: Flat, network: Network, exported: Any, given: argparse.Namespace, shown: Progress
) -> dict[str, dict[str, float]]:
    """What was shown -> by task the largest difference; UserError where one is more than rounding."""
    from mtinet.exchange.exporting import differences, rounding

    found, tried = {}, inputs(network, given)
    shown.now("comparing it with the network", len(tried))
    for name, images in tried:
        found[name] = differences(net, exported, images)
        own = rounding(net, images)
        for task, share in found[name].items():
            limit = max(LEAST, FACTOR * own[task])
            if not share <= limit:
                raise UserError(
                    f"{given.format}: {task} differs from the network's by {share:.1e} of its range on {name},"
                    f" expected at most {limit:.0e}; no file was written"
                )
        shown.step()
    return found


def inputs(network: Network, given: argparse.Namespace) -> list[tuple[str, Tensor]]:
    """Name and images [B, 3, H, W] of everything that the file is tried on."""
    import torch

    from mtinet.data.photos import read_photo
    from mtinet.evaluation.prediction import STEP, Fit
    from mtinet.exchange.exporting import LEAST as SMALLEST

    height, width = network.height, network.width
    if not given.fixed:
        height, width = max(SMALLEST, height), max(SMALLEST, width)
    sizes = [(1, height, width)]
    if not given.fixed:
        sizes += [(2, width + STEP, height + STEP), (3, 2 * STEP, 3 * STEP)]
    draw = torch.Generator().manual_seed(0)
    found = [
        (f"random, {count} of {rows}x{across}", torch.randn(count, 3, rows, across, generator=draw))
        for count, rows, across in sizes
    ]
    for path in given.check:
        photo = read_photo(path)
        fit = Fit.of((photo.shape[0], photo.shape[1]), (height, width))
        if given.fixed and fit.padded != (height, width):
            raise UserError(f"{path} becomes {fit.padded[0]}x{fit.padded[1]}, a --fixed file takes {height}x{width}")
        found.append((path.name, torch.from_numpy(fit.network_input(photo))[None]))
    return found


def description(network: Network, net: Flat, given: argparse.Namespace) -> dict[str, Any]:
    """What a program has to know to run the file."""
    from mtinet.data.transforms import DEVIATION, MEAN
    from mtinet.exchange.exporting import LEAST, MOST, STEP

    sides: dict[str, Any] = {"height": network.height, "width": network.width}
    if not given.fixed:
        side = f"any multiple of {STEP}" + (f" from {LEAST} to {STEP * MOST}" if given.format == "torch" else "")
        sides = {"height": side, "width": side, "trained_at": sides}
    batch = f"up to {MOST}" if given.format == "torch" else "any"
    return {
        "format": given.format,
        "input": {"name": "images", "type": "float32", "channels": "RGB", "divided_by": 255.0,
                  "mean": [round(float(value), 3) for value in MEAN],
                  "deviation": [round(float(value), 3) for value in DEVIATION],
                  "batch": 1 if given.fixed else batch, **sides},
        "outputs": {task: {"channels": network.channels[task], "stride": 4 if task in net.auxiliary else 1}
                    for task in (*net.tasks, *net.auxiliary)},
        "network": asdict(network),
    }  # fmt: skip


def as_released(network: Network, weights: Path, given: argparse.Namespace) -> dict[str, Any]:
    """Write the checkpoint that the released code would have saved of this network."""
    from mtinet.exchange import released

    if given.fixed or given.check:
        raise UserError("--fixed and --check are for the formats onnx and torch; a checkpoint is the weights alone")
    released.check_readings(network.method, network.backbone, network.options, network.tasks, network.auxiliary)
    state = network.load(weights).state_dict()
    released.write(given.out, network.method, state)
    return {"tensors": len(state)}
