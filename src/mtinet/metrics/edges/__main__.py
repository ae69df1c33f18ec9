"""python -m mtinet.metrics.edges PREDICTIONS TRUTHS: odsF, oisF and AP of a folder of edge maps.

Files belong together by name. Predictions: 8-bit greyscale PNG (255 * probability) or .npy (0..1). Ground truth:
boundaries as .png or .npy (thinned here), PASCAL-Context's or BSDS500's .mat, or label maps with --labels.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections import Counter
from functools import partial
from pathlib import Path
from typing import get_args

import numpy as np
from rich.console import Console
from rich.progress import Progress, TaskID

from mtinet import files
from mtinet.errors import UserError
from mtinet.metrics.edges.aggregation import Flavour, summarize
from mtinet.metrics.edges.folders import count_folder
from mtinet.metrics.edges.protocols import PROTOCOLS, protocol


def arguments(given: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m mtinet.metrics.edges", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("predictions", type=Path)
    parser.add_argument("truths", type=Path)
    parser.add_argument(
        "--protocol", choices=PROTOCOLS, default="released",
        help="released: >= at .01 .. .99; astmt: non-maximum suppression (experimental), > at .001, .01 .. .999",
    )  # fmt: skip
    parser.add_argument("--flavour", choices=get_args(Flavour), default="seism", help="rules of aggregation")
    parser.add_argument("--max-dist", type=float, default=0.0075, help="share of the diagonal; NYUD: 0.011")
    parser.add_argument("--labels", action="store_true", help="ground truth .png and .npy are label maps")
    parser.add_argument("--list", type=Path, help="file with the names to score, one per line; default: all")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="processes; default: all cores")
    parser.add_argument("--output", type=Path, help="write scores, curve and conditions to this .json")
    parser.add_argument("--counts", type=Path, help="write the counts of every image to this .npz")
    return parser.parse_args(given)


def main(given: list[str] | None = None) -> int:
    options = arguments(given)
    try:
        score(options)
    except UserError as error:
        for line in str(error).splitlines():
            print(f"ERROR: {line}", file=sys.stderr)
        return 1
    return 0


def score(options: argparse.Namespace) -> None:
    """Count, summarize, print and write."""
    for path in filter(None, (options.output, options.counts)):
        check_writable(path)
    names, counts = counted(options)
    thresholds = protocol(options.protocol).thresholds
    scores = summarize(counts, thresholds, options.flavour)
    print(
        f"odsF {scores['odsF']:.4f} (threshold {scores['odsT']:g})  oisF {scores['oisF']:.4f}  AP {scores['AP']:.4f}"
        f"  {len(names)} images, {options.protocol}, {options.flavour}, max_dist {options.max_dist:g}"
    )
    if options.output:
        conditions = {"protocol": options.protocol, "flavour": options.flavour, "max_dist": options.max_dist}
        files.write_json(options.output, {"images": len(names), **conditions, **scores})
    if options.counts:
        with files.replacing(options.counts) as temporary, temporary.open("wb") as stream:
            np.savez_compressed(stream, ids=np.array(names), counts=counts, thresholds=thresholds)


def check_writable(path: Path) -> None:
    """Raise UserError now, not after hours of counting, where a result could not be written."""
    try:
        with files.replacing(path.with_name(f"{path.name}.test")) as temporary:
            temporary.touch()
        path.with_name(f"{path.name}.test").unlink()
        if path.is_dir():
            raise IsADirectoryError(0, "is a folder")
    except OSError as error:
        raise UserError(f"{path}: cannot be written ({error.strerror or error}), expected the name of a file") from None


def counted(options: argparse.Namespace) -> tuple[list[str], np.ndarray]:
    """Ids and counts of the folders' images, with a progress bar on stderr."""
    if options.workers < 1:
        raise UserError(f"--workers {options.workers}, expected at least 1")
    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        return count_folder(
            options.predictions, options.truths, protocol_name=options.protocol, max_dist=options.max_dist,
            ids=listed(options.list), labels=options.labels, workers=options.workers,
            progress=partial(show, bar, bar.add_task("images", total=None)),
        )  # fmt: skip


def show(bar: Progress, task: TaskID, done: int, total: int) -> None:
    """Move the bar."""
    bar.update(task, completed=done, total=total)


def listed(path: Path | None) -> list[str] | None:
    """The names in a list file, without empty lines; None without a file."""
    if path is None:
        return None
    try:
        names = [line.strip() for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UserError(f"{path}: {reason}, expected a text file with one image name per line") from None
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise UserError(f"{path}: {', '.join(twice[:3])} named twice, expected every image once")
    return names


if __name__ == "__main__":
    sys.exit(main())
