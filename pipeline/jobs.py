"""The stages in portions that may run side by side, each with what must come before it and about what it costs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from mtinet import paths
from mtinet.config import Params
from mtinet.errors import UserError
from pipeline.code_digests import stage_name
from pipeline.dependencies import SCENES, floor_of, layouts, shown, trained_teachers
from pipeline.matrix import dvc_name, items
from pipeline.order import behind
from pipeline.rule import Rule, datasets_of

# About how much longer a step takes than a single-task network's on HRNet-18, measured at laptop scale on one core.
# They order the jobs (the longest first) and weight the time that is said to be left; no result depends on them.
BACKBONES = {"fpn/resnet18": 1.3, "fpn/resnet50": 4.0, "timm/hrnet_w48": 6, "dlv3/resnet26": 3.0, "dlv3/resnet50": 4.5}
METHODS = {"multi_task": 1.7, "pad_net": 4.5, "mti_net": 3.5, "astmt": 5.0}
HEADS = {"own": 2.0, "linear": 1.0}  # of pre-training, on all tasks
START = 30.0  # of a run's two processes, in such steps
OTHERS = 100.0  # anything but a run, in such steps
UNCOUNTED = 1000  # training images of a data set of one's own
BEFORE = ("check", "dataset", "teach", "distill", "prepare", "blind", "pretrain")


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
    found: list[Job] = []
    for dataset in datasets_of(rules):
        first_run = frozenset(job.name for job in [job for job in found if job.run][:1])
        found += jobs_of(params, dataset, rules, first_run)
    return found


def jobs_of(params: Params, dataset: str, rules: Sequence[Rule], begun: frozenset[str] = frozenset()) -> list[Job]:
    """One dataset's portions: data, pre-trained backbones, teachers, runs and tables, and what needs all of them.

    Backbones are long in training and wait for the jobs `begun`: before an earlier dataset's runs have begun, a core
    has nothing else to do for a moment, and the first table of all would wait for it.
    """
    own = [rule for rule in rules if rule.dataset == dataset]
    raw, packed = f"{dataset} data", f"{dataset} packed"
    teachers = {f"{dataset} teacher of {rule.method}": rule for rule in own if rule.stage == "teach"}
    sources = [entry["trained"]["learns_from"] for entry in trained_teachers(dataset).values()]
    others = {f"{source} data" for source in sources if source != SCENES}
    before = [Job(raw, (stage_name(dataset), *names(own, "check", "dataset")), frozenset(), OTHERS)]
    trained = {f"{dataset} pre-training of {name.partition('@')[2]}": name for name in names(own, "pretrain")}
    before += [
        Job(name, (stage,), frozenset({raw, *begun}), pretraining_cost(params, dataset, stage.partition("@")[2]))
        for name, stage in trained.items()
    ]
    before += [Job(name, names([rule]), frozenset({raw, *others}), OTHERS) for name, rule in teachers.items()]
    before.append(Job(packed, names(own, "distill", "prepare", "blind"), frozenset({raw, *teachers}), OTHERS))
    runs = runs_of(params, dataset, own, frozenset({packed, *trained}))
    # A data set of one's own has no tables; where the notes of all tables quote the controls, none can come first.
    first = "" if floor_of(dataset) else next(iter(layouts(dataset)), "")
    early = shown(layouts(dataset)[first]) if first else []
    soon = longest_first(job for (name, _), job in runs.items() if name in early)
    later = longest_first(job for job in runs.values() if job not in soon)
    rest = portions([rule for rule in own if rule.stage not in (*BEFORE, "train", "evaluate")], behind(own), first)
    ahead = Job(f"{dataset} {first or 'first table'}", rest["first table"], frozenset(job.name for job in soon), OTHERS)
    apart = Job(f"{dataset} labels and networks", rest["without runs"], frozenset({packed}), OTHERS)
    found = [*before, *soon, ahead, apart, *later]
    everything = frozenset(job.name for job in found)
    # Two at the end beside each other, or a core would be idle; then what reads both.
    ends = [Job(f"{dataset} {name}", rest[name], everything, OTHERS) for name in ("tables", "figures")]
    last = Job(f"{dataset} report", rest["report"], everything.union(job.name for job in ends), OTHERS)
    return [job for job in (*found, *ends, last) if job.stages]


def portions(rules: Sequence[Rule], reads: Mapping[str, frozenset[str]], first: str) -> dict[str, tuple[str, ...]]:
    """What is made of runs or beside them, by what it needs; `reads`: rule -> the rules that must come before it."""
    found: dict[str, list[Rule]] = {kind: [] for kind in ("first table", "without runs", "tables", "figures", "report")}
    for rule in rules:
        stages = {name.partition("_")[0] for name in reads[rule.name]}
        if rule.table and rule.table == first:
            found["first table"].append(rule)
        elif "train" not in stages:
            found["without runs"].append(rule)
        elif rule.table:
            found["tables"].append(rule)
        else:
            found["report" if "compare" in stages else "figures"].append(rule)
    return {kind: names(own) for kind, own in found.items()}


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
    images = scale.scenes.train if scale.scenes else UNCOUNTED
    steps = scale.epochs_for(experiment.backbone) * (images // scale.batch_size)
    return START + steps * BACKBONES.get(experiment.backbone, 1.0) * METHODS.get(method, 1.0)


def pretraining_cost(params: Params, dataset: str, name: str) -> float:
    """About how long a backbone is trained on all tasks, with its pictures, in the same steps."""
    declared = params.pretraining[dataset][name]
    budget = declared.budgets[params.study.scale]
    return OTHERS + budget.steps * BACKBONES.get(declared.backbone, 1.0) * HEADS[declared.heads]


def longest_first(found: Iterable[Job]) -> list[Job]:
    return sorted(found, key=lambda job: -job.cost)


def due(found: Sequence[Job], changed: Iterable[str]) -> list[Job]:
    """The jobs with a changed stage, and all that come after one of them."""
    stages = set(changed)
    stale = {job.name for job in found if stages.intersection(job.stages)}
    while further := {job.name for job in found if job.after & stale} - stale:
        stale |= further
    return [job for job in found if job.name in stale]


def of_run(params: Params, rules: Sequence[Rule], dataset: str, name: str, seeds: Iterable[int]) -> list[Job]:
    """The training and evaluation of one experiment, and whatever these need; UserError for another seed.

    They need what the rule of their method declares: all backbones that any experiment of the method begins with.
    """
    found = [job for each in datasets_of(rules) for job in jobs_of(params, each, rules)]
    after = {job.name: job.after for job in found}
    needed: set[str] = set()
    left = {f"{dataset} {name} seed {seed}" for seed in seeds}
    if unknown := left - set(after):
        raise UserError(f"no run {unknown.pop()}: {paths.PARAMS} declares {name} under other seeds")
    while left:
        needed |= left
        left = {other for job in left for other in after[job]} - needed
    return [job for job in found if job.name in needed]
