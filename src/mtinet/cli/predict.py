"""What a trained run predicts for your own photos: files in the benchmark's formats, and a panel for each photo.

Photos of any size, orientation, grey or transparent; folders are searched. Below DIR come semseg/, human_parts/, sal/,
edge/, normals/ (.png), depth/ (.mat, metres) as far as the run predicts them, and panels/, one picture with all of it
side by side. Nothing is squeezed: a photo is fitted into the network's input size and padded. It ends with 1 when a
photo could not be read.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mtinet.cli import applying
from mtinet.cli.project import absolute, print_json

if TYPE_CHECKING:
    import torch
    from torch import nn

    from mtinet.exchange.networks import Network

HELP = "apply a trained run to your own photos"
EXAMPLE = "mtinet predict nyud/hrnet18-mti-ne photo.jpg holiday/ --out predictions"


def arguments(parser: argparse.ArgumentParser) -> None:
    applying.arguments(parser)
    parser.add_argument("photos", nargs="+", type=absolute, metavar="PHOTO", help="an image file, or a folder of them")
    parser.add_argument("--out", required=True, type=absolute, metavar="DIR", help="where the files go")
    parser.add_argument(
        "--batch", type=positive, default=1, metavar="N", help="photos at once, of one shape; default: 1"
    )
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto", help="default: auto")
    parser.add_argument("--json", action="store_true", help="print the files of every photo as JSON")


def positive(text: str) -> int:
    """A number of 1 or more as argparse takes it."""
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"'{text}' is not 1 or more")
    return int(text)


def main(given: argparse.Namespace) -> int:
    from mtinet.data.photos import photos_in

    photos = photos_in(given.photos)
    params, network, weights = applying.chosen(given)
    device = applying.prepare(params, network.dataset, given.device)
    written: dict[str, dict[str, str]] = {}
    for name, made in predicted(network, network.load(weights).to(device), photos, device, given):
        written[name] = {"photo": str(photos[name]), **{key: str(path) for key, path in made.items()}}
        if not given.json:
            print(made["panel"], flush=True)
    if given.json:
        print_json(written)
    return int(len(written) < len(photos))


def predicted(
    network: Network, model: nn.Module, photos: dict[str, Path], device: torch.device, given: argparse.Namespace
) -> Iterator[tuple[str, dict[str, Path]]]:
    """Write every photo's files; its name and, by task and "panel", where they are."""
    from mtinet.evaluation import prediction_files
    from mtinet.evaluation.prediction import predictions
    from mtinet.reporting.classes import classes_of
    from mtinet.reporting.side_by_side import side_by_side

    classes, box = classes_of(network.dataset), (network.height, network.width)
    found = predictions(model, read(shown(photos)), box, network.tasks, network.auxiliary, device, given.batch)
    for name, photo, by_task in found:
        made = {task: prediction_files.write(given.out, name, task, array) for task, array in by_task.items()}
        made["panel"] = given.out / "panels" / f"{name}.png"
        title = f"{photos[name].name}: {network.title}"
        side_by_side(title, photo, by_task, made["panel"], classes, tuple(network.auxiliary))
        yield name, made


def read(photos: Iterable[tuple[str, Path]]) -> Iterator[tuple[str, Any]]:
    """The photos, read when they are needed; one that cannot be read is said and left out."""
    from mtinet.data.photos import read_photo
    from mtinet.errors import UserError

    for name, path in photos:
        try:
            yield name, read_photo(path)
        except UserError as error:
            print(f"ERROR: {error}", file=sys.stderr)


def shown(photos: dict[str, Path]) -> Iterable[tuple[str, Path]]:
    """The photos with a bar of progress, where a terminal shows it."""
    from rich.console import Console
    from rich.progress import track

    console = Console(stderr=True)
    return track(photos.items(), "photos", console=console, transient=True, disable=not console.is_terminal)
