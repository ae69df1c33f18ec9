"""The way of the data beside a plain loader: python -m benchmarks.data_path; writes reports/benchmarks/data_path.csv.

`batch`: one batch of NYUD's image and four labels, augmented: from a packed split as the training loop makes it, and
from the archive's files as a plain dataset does (Pillow, OpenCV), in the loop's own process and by a DataLoader with
two workers. `waiting`: the share of training's time in which it waits for them.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from functools import partial
from typing import Any

import torch

from benchmarks import frames, harness, networks, plain, workers
from benchmarks.harness import Plan, Row, Way
from benchmarks.networks import Scale
from benchmarks.training import LITTLE, PRECISIONS, WORKERS
from benchmarks.workers import OURS, SPINNING_LITTLE
from mtinet import stage
from mtinet.config import Augmentation, SceneSet
from mtinet.training import batches

NETWORK = "hrnet18-mti-ne"  # all four tasks
BATCHES = {"laptop": 24, "paper": 8}  # of one repetition: many beside those that a loader has in advance
COUNTED = 10  # steps of one repetition, whose waiting is watched
PAPER_AUGMENTATION = Augmentation(zoom=[1.0, 1.2, 1.5], flip=True)


def measure(quick: bool) -> list[Row]:
    """All lines."""
    torch.set_num_threads(1)
    cases: list[tuple[str, Scale, SceneSet]] = [("laptop", networks.LAPTOP, frames.LAPTOP)]
    if not quick:
        cases.append(("paper", networks.PAPER, frames.PAPER))
    found: list[Row] = []
    for name, scale, scenes in cases:
        found += loading(name, scale, scenes, quick)
    return found + waiting(quick)


def loading(name: str, scale: Scale, scenes: SceneSet, quick: bool) -> list[Row]:
    """Seconds for some batches, nothing else going on."""
    run = networks.run_of(NETWORK, scale, 1, "float32")
    augmentation = PAPER_AUGMENTATION if name == "paper" else run.scale.augmentation
    run = networks.with_augmentation(run, augmentation)
    count = 4 if quick else BATCHES[name]
    size = (scale.height, scale.width)
    files = plain.Frames(frames.made(scenes) / "raw", run.tasks, size, augmentation.zoom or [1.0], 10 * scale.images)
    split = frames.packed(scenes, "train", scale.images)
    streams: dict[str, tuple[Iterator[Any], int]] = {
        "plain": (plain.batches(files, scale.batch, WORKERS), WORKERS),
        "plain, no workers": (plain.batches(files, scale.batch, 0), 0),
        "ours": (endless(run, split), 0),
    }
    ways = {
        way: Way(partial(taken, stream, count, loaders), count * scale.batch, {"processes": loaders or 1, "threads": 1})
        for way, (stream, loaders) in streams.items()
    }
    plan = harness.QUICK if quick else Plan(repetitions=9, warm_up=1, seconds=8)
    shared = {"device": "cpu", "batch": scale.batch, "height": scale.height, "width": scale.width}
    note = f"stored at {scenes.height}x{scenes.width}, image and {len(run.tasks)} labels"
    return harness.compared(f"batch {name}", ways, plan, note=note, **shared)[0]


def endless(run: Any, split: Any) -> Iterator[Any]:
    """Epoch after epoch of the training loop's batches."""
    number = 0
    while True:
        yield from batches.epoch(run, split, number)
        number += 1


def taken(stream: Iterator[Any], count: int, loaders: int) -> float:
    """Seconds for so many batches, once those that the loader's workers had made in advance are used up.

    The workers are left alone afterwards until they are ahead again: their work must not fall on the next way.
    """
    for _ in range(loaders * plain.AHEAD):
        next(stream)
    began = time.perf_counter()
    for _ in range(count):
        next(stream)
    seconds = time.perf_counter() - began
    if loaders:
        time.sleep(seconds * loaders * plain.AHEAD / count + 0.1)
    return seconds


def waiting(quick: bool) -> list[Row]:
    """The share of an epoch that a training process waits for its batches."""
    count = 2 if quick else COUNTED
    found: list[Row] = []
    networks_of_it = ("hrnet18-mtl",) if quick else ("hrnet18-single-depth", NETWORK)
    with workers.started(("plain", SPINNING_LITTLE), ("ours", OURS)) as (theirs, ours):
        for network in networks_of_it:
            theirs.build("float32", network, networks.LAPTOP, 0, "float32")
            shares: dict[str, list[float]] = {}
            ways = {LITTLE: watched(shares, LITTLE, theirs, count, "float32", WORKERS)}
            for precision in PRECISIONS:
                ours.build(precision, network, networks.LAPTOP, 1, precision)
                ways[f"ours, {precision}"] = watched(shares, f"ours, {precision}", ours, count, precision, 0)
            plan = harness.QUICK if quick else Plan(repetitions=3, warm_up=1, seconds=8, least=1)
            times = harness.interleaved(ways, plan)
            lines = harness.rows(f"waiting {network}", ways, times, LITTLE, plan, device="cpu",
                                 batch=networks.LAPTOP.batch, height=64, width=96)  # fmt: skip
            for line in lines:
                told = shares[line["way"]][-len(times[line["way"]]) :]
                line["note"] = f"waits for data {100 * harness.median(told):.1f} % of the time"
            found += lines
            theirs.ask("forget")
            ours.ask("forget")
    return found


def watched(
    shares: dict[str, list[float]], name: str, worker: workers.Worker, count: int, precision: str, loaders: int
) -> Way:
    """An epoch's steps, that also notes which share of its time went by in waiting."""

    def run() -> float:
        told = worker.ask("epoch", name=precision, count=count, workers=loaders)
        shares.setdefault(name, []).append(told["waited"] / told["seconds"])
        return float(told["seconds"])

    threads = stage.cores() if name == LITTLE else 1
    return Way(run, count * networks.LAPTOP.batch, {"precision": precision, "threads": threads, "processes": 1})


if __name__ == "__main__":
    harness.main("data_path", __doc__, measure)
