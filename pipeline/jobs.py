"""The stages in portions that may run side by side, each with what must come before it and about what it costs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from mtinet.config import Params
from pipeline.code_digests import stage_name
from pipeline.dependencies import layouts, shown, taught
from pipeline.matrix import dvc_name, items
from pipeline.rule import Rule

# About how much longer a step takes than a single-task network's on HRNet-18, measured at laptop scale on one core.
# They order the jobs (the longest first) and weight the time that is said to be left; no result depends on them.
BACKBONES = {"fpn/resnet18": 1.3, "fpn/resnet50": 4.0, "timm/hrnet_w48": 6, "dlv3/resnet26": 3.0, "dlv3/resnet50": 4.5}
METHODS = {"multi_task": 1.7, "pad_net": 4.5, "mti_net": 3.5, "astmt": 5.0}
START = 30.0  # of a run's two processes, in such steps
OTHERS = 100.0  # anything but a run, in such steps
PRETRAINING = 1500.0  # a backbone's training on all tasks, with its pictures
WITHOUT_RUNS = ("affinity", "architecture", "overview")


@dataclass(frozen=True)
class Job:
    """Stages by their names in DVC, in the order of their needs; `after` names jobs; `run` where it trains."""

    name: str
    stages: tuple[str, ...]
    after: frozenset[str]
    cost: float
    run: bool = False


def jobs(params: Params, rules: Sequence[Rule]) -> list[Job]:
    """All portions, those to be started first first: a data set, the first table's runs, the other runs by length."""
    return [job for dataset in params.experiments for job in jobs_of(params, dataset, rules)]


def jobs_of(params: Params, dataset: str, rules: Sequence[Rule]) -> list[Job]:
    """One dataset's portions: data, teachers, pre-trained backbones, runs and tables, and what needs all of them."""
    own = [rule for rule in rules if rule.dataset == dataset]
    raw, packed = f"{dataset} data", f"{dataset} packed"
    teachers = {f"{dataset} teacher of {rule.method}": rule for rule in own if rule.stage == "teach"}
    sources = [entry["trained"]["learns_from"] for entry in taught(dataset).values()]
    others = {f"{source} data" for source in sources if source in params.experiments}
    before = [Job(raw, (stage_name(dataset), *names(own, "check", "dataset")), frozenset(), OTHERS)]
    before += [Job(name, names([rule]), frozenset({raw, *others}), OTHERS) for name, rule in teachers.items()]
    trained = {f"{dataset} pre-training of {name.partition('@')[2]}": name for name in names(own, "pretrain")}
    before.append(Job(packed, names(own, "distill", "prepare", "blind"), frozenset({raw, *teachers}), OTHERS))
    # They need no packed data, but neither would they be needed before, and the first table of all would wait for them.
    before += [Job(name, (stage,), frozenset({packed}), PRETRAINING) for name, stage in trained.items()]
    ahead, later = tables_of(dataset, own, runs_of(params, dataset, own, frozenset({packed, *trained})))
    apart = Job(f"{dataset} labels and networks", names(own, *WITHOUT_RUNS), frozenset({packed}), OTHERS)
    found = [*before, *ahead, apart, *later]
    rest = names(rule for rule in own if not {dvc_name(rule, item) for item in items(rule)} <= made(found))
    return [*found, Job(f"{dataset} figures and report", rest, frozenset(job.name for job in found), OTHERS)]


def made(found: Iterable[Job]) -> set[str]:
    """The stages of some jobs."""
    return {stage for job in found for stage in job.stages}


def names(rules: Iterable[Rule], *stages: str) -> tuple[str, ...]:
    """The rules' jobs as DVC calls them; of some stages only, in the order of the rules."""
    return tuple(dvc_name(rule, item) for rule in rules if not stages or rule.stage in stages for item in items(rule))


def runs_of(params: Params, dataset: str, rules: Sequence[Rule], after: frozenset[str]) -> dict[tuple[str, str], Job]:
    """(Experiment, seed) -> training and evaluation."""
    stages: dict[tuple[str, str], list[str]] = {}
    for rule in rules:
        for item in items(rule) if rule.stage in ("train", "evaluate") else []:
            stages.setdefault((item["exp"], item["seed"]), []).append(dvc_name(rule, item))
    return {
        (name, seed): Job(f"{dataset} {name} seed {seed}", tuple(found), after, cost(params, dataset, name), run=True)
        for (name, seed), found in stages.items()
    }


def cost(params: Params, dataset: str, name: str) -> float:
    """About how long a run takes, in steps of a single-task network on HRNet-18."""
    method, experiment = params.experiment(dataset, name)
    scale = params.scale(dataset)
    steps = scale.epochs_for(experiment.backbone) * (scale.scenes.train // scale.batch_size)
    return START + steps * BACKBONES.get(experiment.backbone, 1.0) * METHODS.get(method, 1.0)


def tables_of(dataset: str, rules: Sequence[Rule], runs: dict[tuple[str, str], Job]) -> tuple[list[Job], list[Job]]:
    """The first table's runs and that table; the other runs, the longest first, and the other tables."""
    tables = []
    for name, layout in layouts(dataset).items():
        behind = [job for (experiment, _), job in runs.items() if experiment in shown(layout)]
        stages = tuple(dvc_name(rule, {}) for rule in rules if rule.table == name)
        tables.append((Job(f"{dataset} {name}", stages, frozenset(job.name for job in behind), OTHERS), behind))
    ahead, ready = tables[:1], tables[1:]
    soon = [job for _, behind in ahead for job in longest_first(behind)]
    later = longest_first(job for job in runs.values() if job not in soon)
    return [*soon, *(job for job, _ in ahead)], [*later, *(job for job, _ in ready)]


def longest_first(found: Iterable[Job]) -> list[Job]:
    return sorted(found, key=lambda job: -job.cost)


def due(found: Sequence[Job], changed: Iterable[str]) -> list[Job]:
    """The jobs with a changed stage, and all that come after one of them."""
    stages = set(changed)
    stale = {job.name for job in found if stages.intersection(job.stages)}
    while further := {job.name for job in found if job.after & stale} - stale:
        stale |= further
    return [job for job in found if job.name in stale]
