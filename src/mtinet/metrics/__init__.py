"""Metrics without torch: one module per kind of statistics named in tasks.yaml.

Each module has `per_image`, the sufficient statistics of one image, and `summarize`, which takes those of a
whole set, [N, ...], and gives the set's metrics. Resampling rows before `summarize` is all a bootstrap needs.
A module that names a section SETTINGS takes that section of the dataset's entry in params.yaml as keyword
arguments; one that names a module CHEAP has that as its stand-in for predictions that are only watched.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from math import isnan
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtinet.tasks import task

Settings = Mapping[str, Mapping[str, Any]]  # section -> its keys


def module(name: str, *, cheap: bool = False) -> ModuleType:
    """The statistics module of the task `name`, imported by name so that a new task touches no old file."""
    found = import_module(f"mtinet.metrics.{task(name).statistics}")
    stand_in: ModuleType = getattr(found, "CHEAP", found) if cheap else found
    return stand_in


def is_costly(name: str) -> bool:
    """Whether the statistics of task `name` take so long that they have a stand-in."""
    return module(name) is not module(name, cheap=True)


def per_image(
    name: str,
    prediction: NDArray,
    target: NDArray,
    classes: int | None = None,
    settings: Settings | None = None,
    *,
    cheap: bool = False,
) -> NDArray[np.float64]:
    """Statistics of one image of task `name`; `classes` where the registry leaves the channels open."""
    options = {} if task(name).channels is not None else {"classes": classes}
    chosen = module(name, cheap=cheap)
    statistics: NDArray[np.float64] = chosen.per_image(prediction, target, **options, **own(chosen, settings))
    return statistics


def summarize(
    name: str, statistics: NDArray[np.float64], settings: Settings | None = None, *, cheap: bool = False
) -> dict[str, float | None]:
    """Dataset-level metrics of task `name` from statistics [N, ...]; None where nothing was valid.

    (The modules say NaN there, which JSON does not have.) Without `settings` a module's defaults hold.
    """
    chosen = module(name, cheap=cheap)
    metrics: dict[str, float] = chosen.summarize(statistics, **own(chosen, settings))
    return {key: None if isnan(value) else value for key, value in metrics.items()}


def own(chosen: ModuleType, settings: Settings | None) -> dict[str, Any]:
    """The settings that concern a module."""
    section: str = getattr(chosen, "SETTINGS", "")
    return dict(settings[section]) if settings and section in settings else {}
