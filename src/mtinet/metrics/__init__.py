"""Metrics without torch: one module per kind of statistics named in tasks.yaml.

Each module has `per_image`, the sufficient statistics of one image, and `summarize`, which takes those of a
whole set, [N, ...], and gives the set's metrics. Resampling rows before `summarize` is all a bootstrap needs.
"""

from __future__ import annotations

from importlib import import_module
from math import isnan
from types import ModuleType

import numpy as np
from numpy.typing import NDArray

from mtinet.tasks import task


def module(name: str) -> ModuleType:
    """The statistics module of the task `name`, imported by name so that a new task touches no old file."""
    return import_module(f"mtinet.metrics.{task(name).statistics}")


def per_image(
    name: str, prediction: NDArray, target: NDArray, classes: int | None = None
) -> NDArray[np.float64]:
    """Statistics of one image of task `name`; `classes` where the registry leaves the channels open."""
    options = {} if task(name).channels is not None else {"classes": classes}
    statistics: NDArray[np.float64] = module(name).per_image(prediction, target, **options)
    return statistics


def summarize(name: str, statistics: NDArray[np.float64]) -> dict[str, float | None]:
    """Dataset-level metrics of task `name` from statistics [N, ...]; None where nothing was valid.

    (The modules say NaN there, which JSON does not have.)
    """
    metrics: dict[str, float] = module(name).summarize(statistics)
    return {key: None if isnan(value) else value for key, value in metrics.items()}
