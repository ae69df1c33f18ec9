"""Evaluation beside a plain one: python -m benchmarks.evaluation; writes reports/benchmarks/evaluation.csv.

`metric`: one image and task, prediction at hand. `scoring`: networks on validation frames, with everything from the
packed split to the statistics; plain writes the predictions to files and reads them back. `share`: how much of a run at
laptop scale, training and evaluation, goes into the latter.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage

from benchmarks import frames, harness, networks, plain_scoring
from benchmarks.edge_maps import soft_map
from benchmarks.harness import ROOT, Plan, Row, Way
from benchmarks.trainer import Ours
from mtinet import config, metrics
from mtinet.config import SceneSet
from mtinet.evaluation import scoring
from mtinet.paths import PARAMS

NETWORKS = ("hrnet18-single-depth", "hrnet18-mti-ne")
STEPS, EPOCHS = 28, 3  # of a run at laptop scale
IMAGES = 72  # of its validation split
COUNTED_STEPS, COUNTED_IMAGES = 14, 24  # of these, from which all are reckoned
CLASSES = {"seg": 40, "depth": 1, "normals": 3, "edge": 1}
CPU = torch.device("cpu")


def measure(quick: bool) -> list[Row]:
    """All lines."""
    torch.set_num_threads(1)
    settings = config.load(ROOT / PARAMS).datasets["nyud"].metric_settings()
    found: list[Row] = []
    for scenes in (frames.LAPTOP,) if quick else (frames.LAPTOP, frames.PAPER):
        found += per_metric(scenes, settings, quick)
    for network in NETWORKS[:1] if quick else NETWORKS:
        found += scores(network, settings, quick)
    return found


# One metric ---------------------------------------------------------------------------------------------------


def per_metric(scenes: SceneSet, settings: Any, quick: bool) -> Iterator[Row]:
    """Seconds per image of every task's statistics."""
    split = frames.packed(scenes, "val")
    for task in CLASSES:
        target = np.array(split.label(task, 0))
        prediction = guessed(task, target, np.array(split.label("seg", 0)))
        counts: dict[str, NDArray[Any]] = {}
        ways = {
            "plain": noting(counts, "plain", partial(plain_scoring.METRICS[task], prediction, target)),
            "ours": noting(
                counts, "ours", partial(metrics.per_image, task, prediction, target, CLASSES[task], settings)
            ),
        }
        slow = task == "edge"
        plan = (
            harness.QUICK
            if quick
            else Plan(repetitions=3 if slow else 15, warm_up=0 if slow else 2, seconds=2, least=1)
        )
        shared = {"device": "cpu", "batch": 1, "height": scenes.height, "width": scenes.width, "threads": 1}
        yield from harness.compared(f"metric {task}", ways, plan, **shared)[0]
        agree(task, counts["ours"], counts["plain"])


def noting(counts: dict[str, NDArray[Any]], name: str, count: Callable[[], NDArray[Any]]) -> Way:
    """A way that also keeps what it counted."""

    def run() -> None:
        counts[name] = count()

    return Way(run)


def guessed(task: str, target: NDArray[Any], seg: NDArray[Any]) -> NDArray[Any]:
    """A prediction as a fair network makes it: the truth with smooth errors."""
    random = np.random.default_rng(0)
    noise = ndimage.gaussian_filter(random.normal(size=target.shape[:2]), 4)
    noise = noise / noise.std()
    if task == "seg":
        return np.where((noise > 1) | (target == 255), np.uint8(7), target)
    if task == "depth":
        return np.maximum(target * (1 + 0.2 * noise), 0.1).astype(np.float32)
    if task == "normals":
        return (target + 0.3 * noise[..., None]).astype(np.float32)
    # Thresholds are hundredths and values of PNGs 255ths: both ways must not differ in the last bit of a quotient.
    return (soft_map(seg, 0) / 255 + 1e-4).clip(0, 1).astype(np.float32)


def agree(task: str, ours: NDArray[Any], theirs: NDArray[Any]) -> None:
    """Raise ValueError unless both ways count the same."""
    mine = ours[0] if task == "edge" else ours
    if not np.allclose(mine, theirs, rtol=1e-4):
        raise ValueError(f"{task}: ours counts {mine.ravel()[:6]}, the plain way {theirs.ravel()[:6]}")


# A network on a split -----------------------------------------------------------------------------------------


def scores(network: str, settings: Any, quick: bool) -> list[Row]:
    """Scoring beside the plain way, and its share of a run's time."""
    trainer = Ours(network, networks.LAPTOP, 1, "float32", CPU)
    run = trainer.run
    split = frames.packed(frames.LAPTOP, "val", 6 if quick else 12)
    size = (networks.LAPTOP.height, networks.LAPTOP.width)
    tasks, auxiliary = run.experiment.tasks, run.experiment.auxiliary

    def ours(of: Any = split) -> None:
        scoring.score(
            trainer.procedure.net, of, main=tasks, auxiliary=auxiliary, classes=run.channels, size=size,
            batch_size=networks.LAPTOP.batch, device=CPU, settings=settings, workers=1,
        )  # fmt: skip

    def theirs() -> None:
        with tempfile.TemporaryDirectory() as folder:
            net = trainer.procedure.net
            for _ in plain_scoring.scored(net, split, tasks, auxiliary, size, networks.LAPTOP.batch, Path(folder)):
                pass

    ways = {"plain": Way(theirs, len(split)), "ours": Way(ours, len(split))}
    costly = any(metrics.is_costly(name) for name in run.tasks)
    plan = harness.QUICK if quick else Plan(repetitions=5, warm_up=0 if costly else 1, seconds=5, least=1)
    shared = {"device": "cpu", "batch": networks.LAPTOP.batch, "height": frames.LAPTOP.height,
              "width": frames.LAPTOP.width, "precision": "float32", "threads": 1}  # fmt: skip
    found = harness.compared(f"scoring {network}", ways, plan, **shared)[0]
    return [*found, share(network, trainer, ours, quick)]


def share(network: str, trainer: Ours, score: Callable[[Any], None], quick: bool) -> Row:
    """The evaluation's share of training and evaluation, in the precision that the loop chooses."""
    part = frames.packed(frames.LAPTOP, "val", 6 if quick else COUNTED_IMAGES)
    counted = 2 if quick else COUNTED_STEPS
    trainer = Ours(network, networks.LAPTOP, 1, "auto", CPU)
    stream = trainer.batches(0)
    trainer.step(next(stream))
    began = time.perf_counter()
    for _ in range(counted):
        trainer.step(next(stream))
    training = (time.perf_counter() - began) / counted * STEPS * EPOCHS
    began = time.perf_counter()
    score(part)
    evaluating = (time.perf_counter() - began) / len(part) * IMAGES
    return harness.row(
        case=f"share {network}", way="ours", device="cpu", precision="auto", threads=1, repetitions=1,
        batch=networks.LAPTOP.batch, median_s=evaluating, images_per_s=IMAGES / evaluating,
        height=frames.LAPTOP.height, width=frames.LAPTOP.width,
        note=f"{100 * evaluating / (evaluating + training):.0f} % of a run: {IMAGES} images scored,"
        f" {STEPS * EPOCHS} steps trained in {training:.0f} s (reckoned from {len(part)} and {counted})",
    )  # fmt: skip


if __name__ == "__main__":
    harness.main("evaluation", __doc__, measure)
