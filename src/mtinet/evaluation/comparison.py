"""Every experiment's metrics over its seeds, and delta_m against the single-task runs; no torch."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from math import isnan
from statistics import fmean, stdev
from typing import Any

from mtinet import teachers
from mtinet.config import Experiment, Params
from mtinet.errors import UserError
from mtinet.evaluation import uncertainty
from mtinet.evaluation.uncertainty import Samples, Statistics
from mtinet.metrics.delta_m import delta_m
from mtinet.studies.intervals import Interval
from mtinet.tasks import task

Metrics = dict[str, dict[str, float | None]]
Runs = dict[int, dict[str, Any]]  # seed -> metrics file
SINGLE = ("single_task", "single_task_dlv3")  # one task each; on the dilated backbones a group of its own
KINDS = {"metrics": "tasks", "auxiliary_metrics": "auxiliary", "initial": "initial"}


def compare(
    params: Params,
    dataset: str,
    names: Sequence[str],
    read: Callable[[str, int], dict[str, Any] | None],
    statistics: Callable[[str, int], Statistics | None] = lambda name, seed: None,
    references: Mapping[str, Mapping[str, str]] | None = None,
) -> dict[str, Any]:
    """The experiments `names` of `dataset` side by side, missing ones included; baselines are found among them.

    read(experiment, seed) gives a run's metrics file, None where there is none, statistics(experiment, seed) its
    statistics per image; without them there are no intervals. references: named sets of single-task experiments,
    by task. Returns "dataset", "study", "seeds", "distilled" (tasks whose labels are a teacher's, and its kind) and
    "experiments"; per experiment:
      method, backbone, tasks, auxiliary   as declared
      labels                               own or shuffled, of a control; absent otherwise
      seeds, missing_seeds                 with and without a metrics file
      steps, epochs                        of training, None without a run
      metrics, auxiliary_metrics, initial  task (or "seg@4") -> metric -> mean over seeds; None without a run
      exact                                task (or "normals@4") -> the same against exact labels; absent without such
      std                                  of `metrics` over seeds (n - 1); None with fewer than two
      baseline                             main task -> its single-task experiment on this backbone, or None
      delta_m, delta_m_std                 of the mean metrics, in %; its std over seeds; None if not defined
      intervals                            "seg", "seg@4", "normals!exact", "normals@4!exact" -> metric -> 95 % interval
      differences                          main task -> metric -> interval of the run's minus its baseline's
      delta_m_interval                     of delta_m
      initial_delta_m                      stride -> {delta_m, interval} of the initial predictions
      against                              reference -> {delta_m, interval} relative to that set
      exact_gains                          the five entries on delta_m, of distilled tasks by the scores against exact
                                           labels on both sides; absent where no main task has such
    Raises UserError when a file belongs to another run, or when runs of one experiment differ in steps.
    """
    declared = {
        name: (method, experiment)
        for method, experiments in params.methods(dataset).items()
        for name, experiment in experiments.items()
        if name in names
    }
    runs = {name: runs_of(dataset, name, params.seeds_of(dataset, name), read) for name in declared}
    seeds = {name: list(found) for name, found in runs.items()}
    tasks = {name: experiment.tasks for name, (_, experiment) in declared.items()}
    samples = uncertainty.sampled(tasks, seeds, statistics, params.datasets[dataset].metric_settings())
    known = exactly_known(runs)
    exact = (
        {name: {seed: seen_exactly(run, known) for seed, run in found.items()} for name, found in runs.items()},
        {name: uncertainty.exactly(found, known) for name, found in samples.items()},
    )
    rows = {}
    for name, (method, experiment) in declared.items():
        baseline = baseline_of(experiment, declared)
        rows[name] = {
            "method": method,
            "backbone": experiment.backbone,
            "tasks": experiment.tasks,
            "auxiliary": experiment.auxiliary,
            **({"labels": experiment.labels} if params.is_control(dataset, name) else {}),
            **seeds_and_steps(dataset, name, runs[name], params.seeds_of(dataset, name)),
            **aggregated(list(runs[name].values())),
            "baseline": baseline,
            "intervals": uncertainty.intervals(samples.get(name)),
            "differences": uncertainty.differences(samples.get(name), baseline, samples),
            **all_gains(name, baseline, runs, samples, references or {}),
            **({"exact_gains": all_gains(name, baseline, *exact, references or {})} if known & {*baseline} else {}),
        }
    return {
        "dataset": dataset,
        "study": params.study_name(dataset),
        "seeds": params.seeds,
        "distilled": distilled(params, dataset),
        "experiments": rows,
    }


def distilled(params: Params, dataset: str) -> dict[str, str]:
    """Task -> kind of its teacher, for tasks whose labels are predictions; archive: it ships them so."""
    return {name: str(teacher.kind) for name, teacher in teachers.distilled(params, dataset).items()}


def exactly_known(runs: Mapping[str, Runs]) -> set[str]:
    """The tasks that any run is scored on against exact labels beside a teacher's."""
    return {
        uncertainty.main_task(key) for found in runs.values() for run in found.values() for key in run.get("exact", {})
    }


def seen_exactly(run: Mapping[str, Any], tasks: Collection[str]) -> dict[str, Any]:
    """A metrics file in which the scores of `tasks` are those against exact labels, absent where it has none."""
    exact = {f"{key}{uncertainty.MARK}": found for key, found in run.get("exact", {}).items()}
    return {
        **run,
        **{kind: uncertainty.exactly({**run.get(kind, {}), **exact}, tasks) for kind in ("tasks", "initial")},
    }


def all_gains(
    name: str,
    baseline: Mapping[str, str | None],
    runs: Mapping[str, Runs],
    samples: Mapping[str, Samples],
    references: Mapping[str, Mapping[str, str]],
) -> dict[str, Any]:
    """All entries on delta_m of one experiment, whose main tasks are those of `baseline`."""
    own, tasks = list(runs[name].values()), list(baseline)
    means = {other: mean_of("tasks", list(found.values())) for other, found in runs.items()}
    return {
        **gains(tasks, own, means[name], baseline, means),
        "delta_m_interval": delta_interval(baseline, name, samples),
        "initial_delta_m": flows(own, baseline, means, name, samples),
        "against": {
            key: relative(tasks, means[name], reference, means, name, samples) for key, reference in references.items()
        },
    }


def delta_interval(
    baseline: Mapping[str, str | None], name: str, samples: Mapping[str, Samples], stride: int | None = None
) -> Interval | None:
    """The interval of delta_m; none for what delta_m is relative to, where it is 0 by definition."""
    if set(baseline.values()) == {name} and stride is None:
        return None
    return uncertainty.delta_m_interval(samples.get(name), baseline, samples, stride)


def relative(
    tasks: Sequence[str],
    mean: Metrics | None,
    reference: Mapping[str, str],
    means: Mapping[str, Metrics | None],
    name: str,
    samples: Mapping[str, Samples],
) -> dict[str, Any]:
    """delta_m and its interval against a declared set of single-task runs; None where the set lacks a task."""
    chosen = {task_name: reference.get(task_name) for task_name in tasks}
    value = gains(tasks, [], mean, chosen, means)["delta_m"]
    return {"delta_m": value, "interval": delta_interval(chosen, name, samples)}


def flows(
    runs: Sequence[Mapping[str, Any]],
    baseline: Mapping[str, str | None],
    means: Mapping[str, Metrics | None],
    name: str,
    samples: Mapping[str, Samples],
) -> dict[str, dict[str, Any]]:
    """delta_m of the initial predictions at every stride that all main tasks have (Table 4)."""
    initial = mean_of("initial", runs) or {}
    strides = sorted({int(key.partition("@")[2]) for key in initial})
    found = {}
    for stride in strides:
        own = {task_name: initial.get(f"{task_name}@{stride}", {}) for task_name in baseline}
        value = gains(list(baseline), [], own, baseline, means)["delta_m"]
        found[str(stride)] = {"delta_m": value, "interval": delta_interval(baseline, name, samples, stride)}
    return found


def runs_of(
    dataset: str, name: str, seeds: Sequence[int], read: Callable[[str, int], dict[str, Any] | None]
) -> dict[int, dict[str, Any]]:
    """The metrics files that are there, by seed; raises UserError when one belongs to another run."""
    runs = {}
    for seed in seeds:
        content = read(name, seed)
        if content is None:
            continue
        found, expected = [content[key] for key in ("dataset", "experiment", "seed")], [dataset, name, seed]
        if found != expected:
            raise UserError(f"the metrics file of {expected} is by its content of {found}; evaluate it again")
        runs[seed] = content
    return runs


def baseline_of(experiment: Experiment, declared: Mapping[str, tuple[str, Experiment]]) -> dict[str, str | None]:
    """The single-task experiment on the same backbone for every main task, the first declared; or None."""
    return {
        name: next(
            (
                other
                for other, (method, candidate) in declared.items()
                if method in SINGLE and candidate.backbone == experiment.backbone and candidate.tasks == [name]
            ),
            None,
        )
        for name in experiment.tasks
    }


def seeds_and_steps(
    dataset: str, name: str, runs: Mapping[int, Mapping[str, Any]], seeds: Sequence[int]
) -> dict[str, Any]:
    """Which seeds are there, and the training steps and epochs that all of them took."""
    missing = [seed for seed in seeds if seed not in runs]
    result: dict[str, Any] = {"seeds": list(runs), "missing_seeds": missing}
    for key in ("steps", "epochs"):
        values = sorted({run[key] for run in runs.values()})
        if len(values) > 1:
            raise UserError(
                f"runs of experiments.{dataset}.{name} took {values} {key}, expected the same for every seed;"
                " train and evaluate it again"
            )
        result[key] = values[0] if values else None
    return result


def aggregated(runs: Sequence[Mapping[str, Any]]) -> dict[str, Metrics | None]:
    """Means of all kinds of metrics over the runs, and the standard deviation of the main tasks'."""
    means = {key: mean_of(kind, runs) for key, kind in KINDS.items()}
    if any("exact" in run for run in runs):
        means["exact"] = mean_of("exact", runs)
    return {**means, "std": over(runs, "tasks", stdev) if len(runs) > 1 else None}


def mean_of(kind: str, runs: Sequence[Mapping[str, Any]]) -> Metrics | None:
    """Means over the runs of one kind of metrics ("tasks", "auxiliary", "initial"); None without runs."""
    return over(runs, kind, fmean) if runs else None


def over(runs: Sequence[Mapping[str, Any]], kind: str, statistic: Callable[[list[float]], float]) -> Metrics:
    """`statistic` of every metric over the runs; None for a metric that any run lacks."""
    first = runs[0].get(kind, {})
    values = {
        key: {metric: [run.get(kind, {}).get(key, {}).get(metric) for run in runs] for metric in first[key]}
        for key in first
    }
    return {
        key: {metric: statistic(column) if complete(column) else None for metric, column in columns.items()}
        for key, columns in values.items()
    }


def complete(column: Sequence[float | None]) -> bool:
    return all(value is not None and not isnan(value) for value in column)


def gains(
    tasks: Sequence[str],
    runs: Sequence[Mapping[str, Any]],
    mean: Metrics | None,
    baseline: Mapping[str, str | None],
    means: Mapping[str, Metrics | None],
) -> dict[str, float | None]:
    """delta_m of the mean metrics against the baselines' means, and its spread over the runs."""
    reference = {name: figure(name, means.get(baseline[name] or "")) for name in tasks}
    single = [delta_m({name: figure(name, run["tasks"]) for name in tasks}, reference) for run in runs]
    known = [value for value in single if value is not None]
    return {
        "delta_m": delta_m({name: figure(name, mean) for name in tasks}, reference),
        "delta_m_std": stdev(known) if len(known) == len(runs) > 1 else None,
    }


def figure(name: str, metrics: Mapping[str, Mapping[str, float | None]] | None) -> float | None:
    """The paper's figure for the task `name` among `metrics`, None where it is missing."""
    return (metrics or {}).get(name, {}).get(task(name).metric)
