"""The files of a study that tables, figures and pages are made from, for the declared experiments only."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mtinet import files, paths
from mtinet.config import Params
from mtinet.reporting.conditions import Conditions
from mtinet.reporting.layouts import Layout, floor_of

if TYPE_CHECKING:
    import pandas as pd

MEASURED = (
    "Measured on {device}, threads: {threads}, input {height}x{width}, {layout}, {statistic}, torch {torch}. Latency:"
    " one image, {precision}; throughput: batches of {batch}, {precision}; training step: batches of {batch},"
    " {training_precision}; peak memory: of both together, of tensors on a GPU, of the whole process on a CPU. The"
    " first row's networks run one after the other."
)


def manifests(params: Params, dataset: str, names: Sequence[str]) -> list[dict[str, Any]]:
    """The manifests of all runs of the experiments `names` that are there."""
    study = params.study_name(dataset)
    places = [paths.manifest(study, dataset, name, seed) for name, seed in params.runs(dataset) if name in names]
    return [files.read_json(path) for path in places if path.exists()]


def conditions(params: Params, dataset: str, names: Sequence[str]) -> Conditions:
    """Under which conditions the numbers of the experiments `names` were measured."""
    return Conditions.of(params, dataset, names, manifests(params, dataset, names))


def resources(params: Params, dataset: str, layout: Layout) -> dict[str, Any] | None:
    """What the networks of a table cost, where it shows that: counted, and measured where the study has that.

    "convention" says what was counted, "measured" how it was measured; absent without.
    """
    if not layout.has_resources:
        return None
    study = params.study_name(dataset)
    found: dict[str, Any] = files.read_json(paths.resources(study, layout.name))
    if not params.study.latency:
        return found
    measured = files.read_json(paths.latency(study, dataset))
    for name, costs in found["experiments"].items():
        costs |= measured["experiments"].get(name, {})
    return found | {"measured": MEASURED.format(**measured["conditions"])}


def floor(params: Params, dataset: str, table: str) -> dict[str, Any] | None:
    """The comparison of the dataset's controls, for another table than theirs; None where the study has none."""
    name = floor_of(dataset)
    if not params.study.controls or dataset not in params.controls or table == name:
        return None
    found: dict[str, Any] = files.read_json(paths.comparison(params.study_name(dataset), name))
    return found


def histories(params: Params, dataset: str) -> dict[tuple[str, int], pd.DataFrame]:
    """Losses per epoch of all runs that are there."""
    import pandas as pd  # late: takes two seconds, and only the learning curves need it

    study = params.study_name(dataset)
    places = {run: paths.history(study, dataset, *run) for run in params.runs(dataset)}
    return {run: pd.read_csv(path) for run, path in places.items() if path.exists()}


def examples(params: Params, dataset: str, names: Collection[str] | None = None) -> dict[str, dict[str, Any]]:
    """Per experiment the examples of its first seed: see `read_examples`. Of the experiments `names`, None: all."""
    study = params.study_name(dataset)
    found = {}
    for name, seed in params.runs(dataset):
        path = paths.examples(study, dataset, name, seed)
        if names is not None and name not in names:
            continue
        if seed == params.seeds_of(dataset, name)[0] and path.exists():
            found[name] = read_examples(path)
    return found


def read_examples(path: Path) -> dict[str, Any]:
    """One run's examples: "ids" [K], and per image at its own size "images", "label_<task>", "prediction_<task>"."""
    with np.load(path, allow_pickle=False) as stored:
        sizes = stored["sizes"].tolist()
        return {key: stored[key] if key == "ids" else cropped(stored[key], sizes) for key in stored if key != "sizes"}


def cropped(arrays: NDArray, sizes: Sequence[tuple[int, int]]) -> list[NDArray]:
    """What the evaluation filled up to a common size, at each one's (height, width)."""
    return [array[:height, :width] for array, (height, width) in zip(arrays, sizes, strict=True)]
