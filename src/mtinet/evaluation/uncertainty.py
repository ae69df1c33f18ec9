"""95 % intervals of a table's metrics, of their differences from the single-task runs, and of delta_m; no torch.

All runs see the same draws of images (see studies/intervals.py), so that differences and delta_m are paired.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TypeVar

import numpy as np

from mtinet import metrics
from mtinet.studies.intervals import Floats, Interval, delta_m_replicated, percentile, replicated, resamples
from mtinet.tasks import task

REPLICATES, SEED = 1000, 0
MARK = "!exact"  # in the statistics' keys: against exact labels
Samples = dict[str, dict[str, Floats]]  # "seg", "seg@4", "normals!exact" or "normals@4!exact" -> metric -> [replicates]
Statistics = Mapping[str, Floats]
Score = TypeVar("Score")


def sampled(
    tasks: Mapping[str, Sequence[str]],
    seeds: Mapping[str, Sequence[int]],
    read: Callable[[str, int], Statistics | None],
    settings: metrics.Settings | None = None,
) -> dict[str, Samples]:
    """Per experiment the metrics of its main tasks in every replicate, averaged over its seeds.

    tasks, seeds: by experiment, seeds those with a metrics file. read(experiment, seed) gives the per-image
    statistics; an experiment that lacks any of its files has no samples. UserError: see `replicated`.
    """
    draws = None
    found: dict[str, Samples] = {}
    for name, names in tasks.items():
        given = [read(name, seed) for seed in seeds[name]]
        runs = [run for run in given if run is not None]
        if not runs or len(runs) < len(given):
            continue
        if draws is None:
            draws = resamples(len(next(iter(runs[0].values()))), REPLICATES, SEED)
        found[name] = {
            key: replicated(main_task(key), [run[key] for run in runs], draws, settings)
            for key in runs[0]
            if is_sampled(key, names)
        }
    return found


def main_task(key: str) -> str:
    """The task of "seg", "seg@4", "normals!exact" or "normals@4!exact"."""
    return key.removesuffix(MARK).partition("@")[0]


def exactly(found: Mapping[str, Score], tasks: Collection[str]) -> dict[str, Score]:
    """`found` with what stands against exact labels in the place of what stands against a teacher's, for `tasks`.

    Where they lack such, nothing takes its place: the two must not be mixed.
    """
    own = {key: f"{key}{MARK}" if main_task(key) in tasks else key for key in found if not key.endswith(MARK)}
    return {key: found[entry] for key, entry in own.items() if entry in found}


def is_sampled(key: str, tasks: Sequence[str]) -> bool:
    """Whether a key is of a main task; of costly metrics initial predictions hold a stand-in and have none."""
    name = main_task(key)
    return name in tasks and not ("@" in key and metrics.is_costly(name))


def intervals(samples: Samples | None) -> dict[str, dict[str, Interval | None]] | None:
    """Key -> metric -> interval; None without samples."""
    if samples is None:
        return None
    return {key: {name: percentile(values) for name, values in found.items()} for key, found in samples.items()}


def differences(
    samples: Samples | None, baseline: Mapping[str, str | None], others: Mapping[str, Samples]
) -> dict[str, dict[str, Interval | None]]:
    """Task -> metric -> interval of the run's metric minus its single-task run's, paired."""
    found: dict[str, dict[str, Interval | None]] = {}
    for name, other in baseline.items():
        own, base = (samples or {}).get(name), others.get(other or "", {}).get(name)
        if own is not None and base is not None and samples is not others.get(other or ""):
            found[name] = {key: percentile(own[key] - base[key]) for key in own}
    return found


def delta_m_interval(
    samples: Samples | None,
    baseline: Mapping[str, str | None],
    others: Mapping[str, Samples],
    stride: int | None = None,
) -> Interval | None:
    """The interval of delta_m of the tasks of `baseline`, of initial predictions where a stride is given."""
    found = delta_m_samples(samples, baseline, others, stride)
    return None if found is None else percentile(found)


def delta_m_samples(
    samples: Samples | None,
    baseline: Mapping[str, str | None],
    others: Mapping[str, Samples],
    stride: int | None = None,
) -> Floats | None:
    """delta_m in every replicate; None where a task has no samples."""
    suffix = "" if stride is None else f"@{stride}"
    own = figures({name: (samples or {}).get(f"{name}{suffix}") for name in baseline})
    base = figures({name: others.get(other or "", {}).get(name) for name, other in baseline.items()})
    return None if own is None or base is None else delta_m_replicated(own, base)


def figures(found: Mapping[str, Mapping[str, Floats] | None]) -> dict[str, Floats] | None:
    """The paper's figure of every task; None where one is missing or undefined throughout."""
    values = {name: entry.get(task(name).metric) for name, entry in found.items() if entry is not None}
    known = {name: value for name, value in values.items() if value is not None and not np.isnan(value).all()}
    return known if known and len(known) == len(found) else None
