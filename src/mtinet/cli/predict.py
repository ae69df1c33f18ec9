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

from mtinet.cli.project import RunName, absolute, check_declared, enter, print_json, run_name, seeds_of

if TYPE_CHECKING:
    from torch import nn

    from mtinet.training.run import Run

HELP = "apply a trained run to your own photos"
EXAMPLE = "mtinet predict nyud/hrnet18-mti-ne photo.jpg holiday/ --out predictions"


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", type=run_name, metavar="RUN", help="dataset/experiment[/seedN]; the first seed without")
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
    from mtinet import config
    from mtinet.data.photos import photos_in
    from mtinet.training.run import Run

    photos = photos_in(given.photos)
    enter(given)
    params = config.load()
    check_declared(params, given.run)
    run = Run.of(params, given.run.dataset, given.run.experiment, seeds_of(params, given.run)[0])
    manifest = trained(run)
    written: dict[str, dict[str, str]] = {}
    for name, made in predicted(run, manifest["config"], photos, given):
        written[name] = {"photo": str(photos[name]), **{key: str(path) for key, path in made.items()}}
        if not given.json:
            print(made["panel"], flush=True)
    if given.json:
        print_json(written)
    return int(len(written) < len(photos))


def trained(run: Run) -> dict[str, Any]:
    """The manifest of the run, whose weights are seen to be its own; says where params.yaml now declares another."""
    from mtinet import files, paths
    from mtinet.errors import UserError
    from mtinet.training import provenance

    path, name = paths.manifest(*run.location), RunName(run.dataset, run.name, run.seed)
    if not path.exists():
        raise UserError(f"{name} is not trained, there is no {path}: train it with 'mtinet run {name}'")
    manifest: dict[str, Any] = files.read_json(path)
    provenance.check_weights(manifest, paths.weights(*run.location))
    if manifest["config_hash"] != files.digest_of(run.config()):
        print(
            f"note: {name} was trained with other parameters than params.yaml has now ('mtinet list')", file=sys.stderr
        )
    return manifest


def predicted(
    run: Run, trained_as: dict[str, Any], photos: dict[str, Path], given: argparse.Namespace
) -> Iterator[tuple[str, dict[str, Path]]]:
    """Write every photo's files; its name and, by task and "panel", where they are."""
    from mtinet.evaluation import prediction_files
    from mtinet.evaluation.prediction import predictions
    from mtinet.reporting.classes import classes_of
    from mtinet.reporting.side_by_side import side_by_side
    from mtinet.training import loop

    experiment, box = trained_as["experiment"], trained_as["scale"]["input"]
    device = loop.device_of(given.device)
    loop.prepare_torch(run)  # the precision and threads of the evaluation
    model = network(run, trained_as).to(device)
    classes = classes_of(run.dataset)
    found = predictions(
        model, read(shown(photos)), (box["height"], box["width"]), experiment["tasks"], experiment["auxiliary"],
        device, given.batch,
    )  # fmt: skip
    for name, photo, by_task in found:
        made = {task: prediction_files.write(given.out, name, task, array) for task, array in by_task.items()}
        made["panel"] = given.out / "panels" / f"{name}.png"
        title = f"{photos[name].name}: {run.name}, seed {run.seed} ({run.study})"
        side_by_side(title, photo, by_task, made["panel"], classes, tuple(experiment["auxiliary"]))
        yield name, made


def network(run: Run, trained_as: dict[str, Any]) -> nn.Module:
    """The network that was trained, by its manifest's parameters, with its weights."""
    from mtinet import models, paths
    from mtinet.training import checkpoints

    experiment, channels = trained_as["experiment"], trained_as["channels"]
    model = models.build(
        trained_as["method"],
        backbone=experiment["backbone"],
        tasks={task: channels[task] for task in experiment["tasks"]},
        auxiliary={task: channels[task] for task in experiment["auxiliary"]},
        options=experiment["options"],
    )
    checkpoints.load_weights(paths.weights(*run.location), model)
    return model


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
