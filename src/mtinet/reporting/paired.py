"""Intervals of the change of one number between two revisions, paired over the same test images; no torch.

Both revisions are drawn with the same images in every replicate (see uncertainty.py), so that images that are hard
for both do not widen the interval. What training again with another seed would change is not in it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mtinet import metrics
from mtinet.evaluation import uncertainty
from mtinet.evaluation.uncertainty import MARK, Samples, Statistics
from mtinet.reporting.cell_changes import STEPS, Place
from mtinet.reporting.layouts import DELTA, EXACT
from mtinet.studies.intervals import Floats, Interval, percentile


class Unpaired(Exception):
    """Why there is no paired interval, in a few words."""


@dataclass
class Results:
    """The results behind a table at one revision.

    comparison: its file. statistics(experiment, seed): those of every image, None where they cannot be had.
    images(experiment, seed): the digest of the images that were scored. references: sets of single-task runs.
    """

    comparison: Mapping[str, Any]
    statistics: Callable[[str, int], Statistics | None]
    images: Callable[[str, int], str | None]
    settings: metrics.Settings
    references: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    known: dict[str, Samples] = field(default_factory=dict)

    def samples(self, name: str) -> Samples:
        """The experiment's metrics in every replicate; Unpaired where its statistics are not there."""
        if name not in self.known:
            entry = self.entry(name)
            seeds = entry.get("seeds", [])  # an earlier revision's file may say less
            found = uncertainty.sampled({name: entry["tasks"]}, {name: seeds}, self.statistics, self.settings)
            if name not in found:
                raise Unpaired("no statistics per image at hand")
            self.known[name] = found[name]
        return self.known[name]

    def exact_samples(self, name: str) -> Samples:
        """The same with the scores against exact labels in the place of those against a teacher's."""
        entries = self.comparison["experiments"].values()
        tasks = {uncertainty.main_task(key) for entry in entries for key in entry.get("exact") or {}}
        return uncertainty.exactly(self.samples(name), tasks)

    def entry(self, name: str) -> Mapping[str, Any]:
        entry: Mapping[str, Any] | None = self.comparison["experiments"].get(name)
        if entry is None:
            raise Unpaired("not measured")
        return entry

    def scored_on(self, names: Sequence[str]) -> set[str | None]:
        """The digests of the images that the experiments were scored on."""
        return {self.images(name, seed) for name in names for seed in self.entry(name).get("seeds", [])}


def interval(before: tuple[Results, Place], after: tuple[Results, Place]) -> Interval:
    """The 95 % interval of a cell's change, in the units shown. Raises Unpaired where there can be none."""
    old, new = (behind(*side) for side in (before, after))
    images = before[0].scored_on(old) | after[0].scored_on(new)
    if None in images:
        raise Unpaired("no record of the test images")
    if len(images) > 1:
        raise Unpaired("other test images")
    found = percentile(replicates(*after) - replicates(*before))
    if found is None:
        raise Unpaired("not defined in every resample")
    scale = after[1].column.scale
    return found[0] * scale, found[1] * scale


def behind(results: Results, place: Place) -> list[str]:
    """The experiments behind a cell: its own, and for delta_m those that it is relative to."""
    if place.column.metric == DELTA:
        return [single(place), *(name for name in relative_to(results, place).values() if name)]
    return [source(results, place)[0]]


def replicates(results: Results, place: Place) -> Floats:
    """A cell's number in every replicate, in the units of the statistics."""
    if place.column.metric == DELTA:
        baseline = relative_to(results, place)
        samples = results.exact_samples if place.column.of == "exact" else results.samples
        others = {name: samples(name) for name in baseline.values() if name}
        found = uncertainty.delta_m_samples(samples(single(place)), baseline, others, place.row.stride)
    else:
        name, key = source(results, place)
        found = results.samples(name).get(key, {}).get(place.column.metric)
    if found is None:
        raise Unpaired("not resampled")
    return found


def single(place: Place) -> str:
    """The experiment whose delta_m a cell shows; that of the single-task runs is 0 by definition."""
    if place.row.single is None:
        raise Unpaired("0 by definition")
    return place.row.single


def relative_to(results: Results, place: Place) -> dict[str, str | None]:
    """Task -> the single-task experiment that a cell's delta_m is relative to."""
    entry = results.entry(single(place))
    if place.column.against:
        reference = results.references.get(place.column.against, {})
        return {task: reference.get(task) for task in entry["tasks"]}
    return dict(entry.get("baseline") or {})


def source(results: Results, place: Place) -> tuple[str, str]:
    """The experiment behind a cell that shows a metric, and the metric's key among its statistics."""
    row, column = place.row, place.column
    name = row.single or row.runs.get(column.task)
    if column.of == "resources" or column.metric == STEPS.metric:
        raise Unpaired("counted, not sampled")
    if name is None:
        raise Unpaired("no run behind it")
    mark = MARK if column.of in EXACT.values() else ""
    if column.of in ("baseline", "baseline exact"):
        name = (results.entry(name).get("baseline") or {}).get(column.task)
        if name is None:
            raise Unpaired("no single-task run")
        return name, f"{column.task}{mark}"
    return name, f"{column.task if row.stride is None else f'{column.task}@{row.stride}'}{mark}"
