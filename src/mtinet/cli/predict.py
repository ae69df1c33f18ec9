"""What a trained run predicts for your own photos: files in the benchmark's formats, and a panel for each photo.

Photos of any size, orientation, grey or transparent; folders are searched. Below DIR come semseg/, human_parts/, sal/,
edge/, normals/ (.png), depth/ (.mat, metres) as far as the run predicts them, and panels/, one picture with all of it
side by side. Nothing is squeezed: a photo is fitted into the network's input size and padded. A video's frames are
photos called <video>-<number>. It ends with 1 when a photo or video could not be read.
"""

from __future__ import annotations

import argparse
import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mtinet.cli import applying
from mtinet.cli.progress import Progress, progress
from mtinet.cli.project import absolute, print_json
from mtinet.errors import UserError

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray
    from torch import nn

    from mtinet.exchange.networks import Network

HELP = "apply a trained run to your own photos"
EXAMPLE = "mtinet predict nyud/hrnet18-mti-ne photo.jpg holiday/ --out predictions"


def arguments(parser: argparse.ArgumentParser) -> None:
    applying.arguments(parser)
    parser.add_argument(
        "photos", nargs="+", type=absolute, metavar="PHOTO", help="an image or video file, or a folder of images"
    )
    parser.add_argument("--out", required=True, type=absolute, metavar="DIR", help="where the files go")
    parser.add_argument(
        "--batch", type=positive, default=1, metavar="N", help="photos at once, of one shape; default: 1"
    )
    parser.add_argument(
        "--every", type=positive, default=1, metavar="N", help="of a video every N-th frame; default: 1"
    )
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto", help="default: auto")
    parser.add_argument("--json", action="store_true", help="print the files of every photo as JSON")


def positive(text: str) -> int:
    """A number of 1 or more as argparse takes it."""
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"'{text}' is not 1 or more")
    return int(text)


def main(given: argparse.Namespace) -> int:
    written: dict[str, dict[str, str]] = {}
    with progress(f"loading {given.run}") as shown:
        photos = Photos(given.photos, given.every, given.out, shown)
        params, network, weights = applying.chosen(given)
        device = applying.prepare(params, network.dataset, given.device)
        model = network.load(weights).to(device)
        shown.now("predicting", photos.expected)
        for name, made in predicted(network, model, photos, device, given):
            written[name] = {"photo": str(photos.origins[name]), **{key: str(path) for key, path in made.items()}}
            if not given.json:
                shown.result(str(made["panel"]))
            shown.step()
    if given.json:
        print_json(written)
    return int(photos.failed)


def predicted(
    network: Network, model: nn.Module, photos: Photos, device: torch.device, given: argparse.Namespace
) -> Iterator[tuple[str, dict[str, Path]]]:
    """Write every photo's files; its name and, by task and "panel", where they are."""
    from mtinet.evaluation import prediction_files
    from mtinet.evaluation.prediction import predictions
    from mtinet.reporting.classes import classes_of
    from mtinet.reporting.side_by_side import side_by_side

    classes, box = classes_of(network.dataset), (network.height, network.width)
    found = predictions(model, photos, box, network.tasks, network.auxiliary, device, given.batch)
    for name, photo, by_task in found:
        made = {task: prediction_files.write(given.out, name, task, array) for task, array in by_task.items()}
        made["panel"] = given.out / "panels" / f"{name}.png"
        path = photos.origins[name]
        title = f"{path.name if path.stem == name else name}: {network.title}"
        side_by_side(title, photo, by_task, made["panel"], classes, tuple(network.auxiliary))
        yield name, made


class Photos:
    """Name and pixels of all photos and frames, read when they are needed, one pass only.

    origins: name -> file, of those read so far. failed: whether one could not be read, which is said and left out.
    expected: how many there may be, None where a video does not say it.
    """

    def __init__(self, places: Sequence[Path], every: int, out: Path, shown: Progress) -> None:
        from mtinet.data.photos import photos_in
        from mtinet.data.videos import frame_count, is_frame, is_video

        videos = [path for path in places if path.is_file() and is_video(path)]
        self.videos = {path.stem: path for path in videos}
        if len(self.videos) < len(videos):
            raise UserError(f"found videos of one name among {', '.join(map(str, videos))}: predict them one by one")
        self.photos = photos_in([path for path in places if path not in videos], but=out)
        taken = [name for name in self.photos if any(is_frame(name, stem) for stem in self.videos)]
        if taken:
            raise UserError(f"{self.photos[taken[0]]} has the name of a video's frame: predict it by itself")
        frames = [frame_count(path, every) for path in self.videos.values()]
        self.expected = None if None in frames else len(self.photos) + sum(filter(None, frames))
        self.every, self.shown = every, shown
        self.origins: dict[str, Path] = {}
        self.failed = False

    def __iter__(self) -> Iterator[tuple[str, NDArray[np.uint8]]]:
        from mtinet.data.photos import read_photo
        from mtinet.data.videos import frames

        for name, path in self.photos.items():
            with self.said():
                pixels = read_photo(path)
                self.origins[name] = path
                yield name, pixels
            if name not in self.origins:
                self.shown.step()
        for path in self.videos.values():
            with self.said():
                for name, pixels in frames(path, self.every):
                    self.origins[name] = path
                    yield name, pixels

    @contextlib.contextmanager
    def said(self) -> Iterator[None]:
        """Says what cannot be read, and goes on."""
        try:
            yield
        except UserError as error:
            self.shown.error(f"ERROR: {error}")
            self.failed = True
