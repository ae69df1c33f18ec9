"""The one declaration of all stages. dvc.yaml is written from it (`make pipeline`), the Snakefile loops over it.

Strings may hold placeholders: `{study}` (the study of the rule's dataset), `{study_nyud}` and the like (that of
another), `{scale}`, and the rule's wildcards, one per entry of its `matrix`. Every stage item is one command; its code
dependencies are read off the imports.
"""

from __future__ import annotations

from pathlib import Path

from mtinet import paths
from mtinet.tasks import registry
from pipeline.dependencies import (
    BACKBONES,
    STUDY,
    TEACHERS_METHOD,
    code_of,
    declared,
    drawn_experiments,
    exact_folders,
    experiment_keys,
    figures,
    folders_of,
    has_resources,
    layout_module,
    layouts,
    loss_modules,
    metric_modules,
    metric_params,
    raw_folders,
    shown_experiments,
    study_params,
    task_entries,
    taught,
    teacher_losses,
    teacher_modules,
)
from pipeline.rule import Rule, out

OVERVIEWS = ("table1", "audit")
TRAINING = ("input", "epochs", "epochs_of", "batch_size", "optimizer", "lr_factor", "augmentation", "pretrained")


def check(dataset: str) -> Rule:
    methods = declared()["experiments"].get(dataset, {})
    return Rule(
        "check",
        dataset,
        inputs=(),
        outputs=(out(paths.checked(STUDY, dataset)),),
        params=(f"{paths.PARAMS}:", "src/mtinet/tasks.yaml:"),
        code=code_of(
            "check",
            layout_module(dataset),
            *BACKBONES,
            *(f"src/mtinet/models/{method}.py" for method in methods),
            *((*teacher_modules(), *teacher_losses(dataset)) if taught(dataset) else ()),
        ),
    )


def dataset_rule(dataset: str) -> Rule:
    return Rule(
        "dataset",
        dataset,
        inputs=(paths.checked(STUDY, dataset),),
        outputs=(
            *(out(folder) for folder in (*raw_folders(dataset), *exact_folders(dataset))),
            out(paths.card(STUDY, dataset)),
        ),
        params=(*study_params(dataset), f"scales.{{scale}}.{dataset}.scenes", f"datasets.{dataset}.archive"),
        code=code_of("dataset", layout_module(dataset), f"src/mtinet/data/{dataset}_scenes.py"),
        threads=2,
    )


def teach(dataset: str, task: str) -> Rule:
    """A rule per task, not a matrix: what a teacher learns from differs, and with it inputs and code."""
    source, key = taught(dataset)[task]["trained"]["learns_from"], f"teachers.{dataset}.{task}"
    other = source != "scenes"
    study = f"{{study_{source}}}"
    return Rule(
        "teach",
        dataset,
        inputs=(
            paths.checked(STUDY, dataset),
            *((*raw_folders(source, study), paths.card(study, source)) if other else ()),
        ),
        outputs=(out(paths.teacher(STUDY, dataset, task)),),
        params=(
            *study_params(dataset),
            *((f"study.source.{source}",) if other else ()),
            "compute",
            *(f"{key}.{name}" for name in ("kind", "trained", "budgets.{scale}")),
            f"datasets.{dataset}.tasks.{task}",
            f"src/mtinet/tasks.yaml:{task}",
        ),
        code=code_of(
            "teach",
            *({layout_module(dataset), layout_module(source)} if other else {layout_module(dataset)}),
            *(() if other else (f"src/mtinet/data/{dataset}_scenes.py",)),
            *BACKBONES,
            f"src/mtinet/models/{TEACHERS_METHOD}.py",
            f"src/mtinet/losses/{registry()[task].loss}.py",
        ),
        arguments=(f"--task {task}",),
        method=task,
        uses_gpu=True,
        threads="compute.threads",
    )


def distill(dataset: str) -> Rule:
    tasks = taught(dataset)
    return Rule(
        "distill",
        dataset,
        inputs=(
            *raw_folders(dataset),
            paths.card(STUDY, dataset),
            *(paths.teacher(STUDY, dataset, task) for task in tasks),
        ),
        outputs=(out(paths.distilled(STUDY, dataset)),),
        params=(
            *study_params(dataset),
            *(("compute",) if tasks else ()),
            *(f"teachers.{dataset}.{task}.{key}" for task in tasks for key in ("kind", "onnx")),
            *(f"src/mtinet/tasks.yaml:{task}" for task in tasks),
        ),
        code=code_of("distill", layout_module(dataset), *(teacher_modules() if tasks else ())),
        uses_gpu=bool(tasks),
        threads=2,
    )


def prepare(dataset: str) -> Rule:
    return Rule(
        "prepare",
        dataset,
        inputs=(
            *raw_folders(dataset),
            *exact_folders(dataset),
            paths.card(STUDY, dataset),
            paths.distilled(STUDY, dataset),
        ),
        outputs=tuple(out(paths.packed(STUDY, dataset, split)) for split in ("train", "val")),
        params=(*study_params(dataset), f"datasets.{dataset}.tasks", *task_entries(dataset)),
        code=code_of("prepare", layout_module(dataset)),
        threads=2,
    )


def train(dataset: str, method: str) -> Rule:
    location = (STUDY, dataset, "{exp}", "{seed}")
    curve = (("x", "steps"), ("y", "loss"))
    return Rule(
        "train",
        dataset,
        inputs=(paths.packed(STUDY, dataset, "train"),),
        outputs=(
            out(paths.weights(*location)),
            out(paths.manifest(*location), git=True),
            out(paths.history(*location), git=True, plot=curve),
        ),
        params=(
            *study_params(dataset),
            "compute",
            *(f"scales.{{scale}}.{dataset}.{key}" for key in TRAINING),
            f"datasets.{dataset}.tasks",
            f"experiments.{dataset}.{method}.{{exp}}",
            *task_entries(dataset),
        ),
        code=code_of("train", *BACKBONES, f"src/mtinet/models/{method}.py", *loss_modules(dataset)),
        arguments=("--experiment {exp}", "--seed {seed}"),
        method=method,
        matrix={"exp": f"experiments.{dataset}.{method}", "seed": "seeds"},
        uses_gpu=True,
        threads="compute.threads",
    )


def evaluate(dataset: str, method: str) -> Rule:
    location = (STUDY, dataset, "{exp}", "{seed}")
    return Rule(
        "evaluate",
        dataset,
        inputs=(paths.packed(STUDY, dataset, "val"), paths.weights(*location), paths.manifest(*location)),
        outputs=(
            out(paths.metrics(*location), git=True, metric=True),
            out(paths.statistics(*location)),
            out(paths.examples(*location)),
        ),
        params=(
            *study_params(dataset),
            "compute",
            f"scales.{{scale}}.{dataset}.input",
            f"scales.{{scale}}.{dataset}.batch_size",
            f"datasets.{dataset}.tasks",
            *metric_params(dataset),
            f"experiments.{dataset}.{method}.{{exp}}",
            *task_entries(dataset),
        ),
        code=code_of("evaluate", *BACKBONES, f"src/mtinet/models/{method}.py", *metric_modules(dataset)),
        arguments=("--experiment {exp}", "--seed {seed}"),
        method=method,
        matrix={"exp": f"experiments.{dataset}.{method}", "seed": "seeds"},
        uses_gpu=True,
        threads="compute.threads",
    )


def blind(dataset: str) -> Rule:
    return Rule(
        "blind",
        dataset,
        inputs=tuple(paths.packed(STUDY, dataset, split) for split in ("train", "val")),
        outputs=(out(paths.blind(STUDY, dataset), git=True, metric=True),),
        params=(
            *study_params(dataset),
            "compute",
            f"datasets.{dataset}.tasks",
            *metric_params(dataset),
            *task_entries(dataset),
        ),
        code=code_of("blind", *metric_modules(dataset)),
        threads="compute.threads",
    )


def affinity(dataset: str) -> Rule:
    settings = ("kernel", "dilations", "depth_threshold", "normals_threshold", "edge_rule", f"tasks.{dataset}")
    return Rule(
        "affinity",
        dataset,
        inputs=(paths.packed(STUDY, dataset, "val"),),
        outputs=(out(paths.affinity(STUDY, dataset), git=True),),
        params=(*study_params(dataset), *(f"affinity.{key}" for key in settings), *task_entries(dataset)),
        code=code_of("affinity"),
    )


def compare(dataset: str, name: str) -> Rule:
    return Rule(
        "compare",
        dataset,
        inputs=(
            *folders_of(paths.metrics_folder(STUDY, dataset), dataset, name),
            *folders_of(paths.statistics_folder(STUDY, dataset), dataset, name),
        ),
        outputs=(out(paths.comparison(STUDY, name), git=True, metric=True),),
        params=(
            *study_params(dataset),
            "seeds",
            *shown_experiments(dataset, name),
            f"pipeline/tables.yaml:{name}",
            *metric_params(dataset),
            *(f"teachers.{dataset}.{task}.kind" for task in taught(dataset)),
            *task_entries(dataset),
        ),
        code=code_of("compare", *metric_modules(dataset)),
        arguments=(f"--name {name}",),
        table=name,
    )


def track(dataset: str) -> Rule:
    return Rule(
        "track",
        dataset,
        inputs=(
            paths.metrics_folder(STUDY, dataset),
            paths.manifests_folder(STUDY, dataset),
            paths.histories_folder(STUDY, dataset),
        ),
        outputs=(out(paths.tracked(STUDY, dataset)),),
        params=(*study_params(dataset), "seeds", f"experiments.{dataset}"),
        code=code_of("track"),
    )


def resources(dataset: str, name: str) -> Rule:
    """Networks are counted at the paper's size whatever the study's: their counts rest on no run."""
    keys = shown_experiments(dataset, name)
    methods = dict.fromkeys(key.split(".")[2] for key in keys)
    return Rule(
        "resources",
        dataset,
        inputs=(paths.checked(STUDY, dataset),),
        outputs=(out(paths.resources(STUDY, name), git=True),),
        params=(
            *study_params(dataset),
            f"scales.paper.{dataset}.input",
            f"datasets.{dataset}.tasks",
            *keys,
            f"pipeline/tables.yaml:{name}",
            *task_entries(dataset),
        ),
        code=code_of("resources", *BACKBONES, *(f"src/mtinet/models/{method}.py" for method in methods)),
        arguments=(f"--name {name}",),
        table=name,
    )


def resources_of(dataset: str, name: str) -> tuple[Path, ...]:
    """The counts that a table reads, where it shows any."""
    return (paths.resources(STUDY, name),) if has_resources(layouts(dataset)[name]) else ()


def claims(dataset: str) -> Rule:
    return Rule(
        "claims",
        dataset,
        inputs=(paths.metrics_folder(STUDY, dataset), paths.statistics_folder(STUDY, dataset)),
        outputs=(
            out(paths.claims(STUDY, dataset), git=True),
            *(out(paths.table(STUDY, f"{dataset}-claims", suffix), git=True) for suffix in ("md", "csv", "tex")),
        ),
        params=(
            *study_params(dataset),
            "seeds",
            f"experiments.{dataset}",
            f"pipeline/claims.yaml:{dataset}",
            *metric_params(dataset),
            *task_entries(dataset),
        ),
        code=code_of("claims", *metric_modules(dataset)),
    )


def overview(dataset: str) -> Rule:
    """Tables that rest on no run: what the tasks' labels are, and the paper's delta_m against its own metrics."""
    return Rule(
        "overview",
        dataset,
        inputs=(paths.checked(STUDY, dataset),),
        outputs=tuple(
            out(paths.table(STUDY, f"{dataset}-{{name}}", suffix), git=True) for suffix in ("md", "csv", "tex")
        ),
        params=(
            *study_params(dataset),
            f"datasets.{dataset}.tasks",
            *((f"teachers.{dataset}",) if taught(dataset) else ()),
            f"experiments.{dataset}",
            "pipeline/tables.yaml:",
            "pipeline/published.yaml:",
            "src/mtinet/tasks.yaml:",
        ),
        code=code_of("overview"),
        arguments=("--name {name}",),
        matrix={"name": OVERVIEWS},
    )


def table(dataset: str, name: str) -> Rule:
    return Rule(
        "table",
        dataset,
        inputs=(
            paths.comparison(STUDY, name),
            *resources_of(dataset, name),
            paths.blind(STUDY, dataset),
            *folders_of(paths.manifests_folder(STUDY, dataset), dataset, name),
        ),
        outputs=tuple(out(paths.table(STUDY, name, suffix), git=True) for suffix in ("md", "csv", "tex")),
        params=(
            *study_params(dataset),
            "compute",
            "seeds",
            f"scales.{{scale}}.{dataset}",
            *shown_experiments(dataset, name),
            f"pipeline/tables.yaml:{name}",
            "pipeline/published.yaml:",
            *task_entries(dataset),
        ),
        code=code_of("table"),
        arguments=(f"--name {name}",),
        table=name,
    )


def architecture(dataset: str) -> Rule:
    methods = declared()["experiments"][dataset]
    # Not the learning rate and its like: they change no network.
    keys = ("backbone", "tasks", "auxiliary", "options")
    return Rule(
        "architecture",
        dataset,
        inputs=(paths.checked(STUDY, dataset),),
        outputs=(out(paths.architecture(STUDY, dataset), git=True),),
        params=(
            *study_params(dataset),
            f"scales.paper.{dataset}.input",
            f"datasets.{dataset}.tasks",
            *(f"{entry}.{key}" for entry in experiment_keys(dataset).values() for key in keys),
            *task_entries(dataset),
        ),
        code=code_of("architecture", *BACKBONES, *(f"src/mtinet/models/{method}.py" for method in methods)),
    )


def figure(dataset: str, name: str) -> Rule:
    """A rule per figure, not a matrix: what they are drawn from differs."""
    inputs, params = drawn_from(dataset, name)
    return Rule(
        "figure",
        dataset,
        inputs=inputs,
        outputs=tuple(out(paths.figure(STUDY, f"{dataset}-{name}", suffix)) for suffix in ("png", "svg")),
        params=(*study_params(dataset), *params, *task_entries(dataset)),
        code=code_of("figure", f"src/mtinet/data/{dataset}_classes.py"),
        arguments=(f"--name {name}",),
        method=name,
    )


def drawn_from(dataset: str, name: str) -> tuple[tuple[Path, ...], tuple[str, ...]]:
    """Inputs and parameters of a figure."""
    experiments, structure = f"experiments.{dataset}", paths.architecture(STUDY, dataset)
    if name in ("panel", "methods"):
        drawn, folder = drawn_experiments(dataset, name), paths.examples_folder(STUDY, dataset)
        panel = f"pipeline/figures.yaml:{dataset}.{name}"
        return tuple(folder / experiment for experiment in drawn), ("seeds", *drawn.values(), panel)
    if name in ("deltas", "costs"):
        comparisons = tuple(paths.comparison(STUDY, table_name) for table_name in layouts(dataset))
        counted = (structure,) if name == "costs" else ()
        return (*comparisons, *counted), (experiments, "pipeline/tables.yaml:")
    others: dict[str, tuple[Path, tuple[str, ...]]] = {
        "curves": (paths.histories_folder(STUDY, dataset), ("seeds", experiments)),
        "patches": (paths.examples_folder(STUDY, dataset), ("seeds", experiments, f"affinity.tasks.{dataset}")),
        "affinity": (paths.affinity(STUDY, dataset), ("pipeline/affinity.yaml:",)),
        "architecture": (structure, ()),
        "propagation": (structure, ()),
    }
    place, params = others[name]
    return (place,), params


def report(dataset: str) -> Rule:
    names = list(layouts(dataset))
    return Rule(
        "report",
        dataset,
        inputs=(
            *(paths.table(STUDY, name, suffix) for name in names for suffix in ("md", "csv", "tex")),
            *(
                paths.figure(STUDY, f"{dataset}-{name}", suffix)
                for name in figures(dataset)
                for suffix in ("png", "svg")
            ),
            *(paths.comparison(STUDY, name) for name in names),
            *(path for name in names for path in resources_of(dataset, name)),
            paths.claims(STUDY, dataset),
            *(paths.table(STUDY, f"{dataset}-{name}", suffix) for name in OVERVIEWS for suffix in ("md", "csv", "tex")),
            paths.blind(STUDY, dataset),
            paths.manifests_folder(STUDY, dataset),
        ),
        outputs=(out(paths.page(STUDY, dataset)),),
        params=(
            *study_params(dataset),
            "compute",
            "seeds",
            f"scales.{{scale}}.{dataset}",
            f"datasets.{dataset}.tasks",
            *((f"teachers.{dataset}",) if taught(dataset) else ()),
            f"experiments.{dataset}",
            "pipeline/tables.yaml:",
            "pipeline/published.yaml:",
            f"pipeline/figures.yaml:{dataset}",
            "src/mtinet/tasks.yaml:",
        ),
        code=(*code_of("report"), "src/mtinet/reporting/template.html"),
    )


def rules() -> list[Rule]:
    """All stages, in the order of the data's way: none for a dataset that no experiment uses."""
    result: list[Rule] = []
    for name, experiments in declared()["experiments"].items():
        methods = list(experiments)
        result += [check(name), dataset_rule(name), *(teach(name, task) for task in taught(name)), distill(name)]
        result += [prepare(name), blind(name), affinity(name)]
        for method in methods:
            result += [train(name, method), evaluate(name, method)]
        for table_name in layouts(name):
            result += [resources(name, table_name)] if resources_of(name, table_name) else []
            result += [compare(name, table_name), table(name, table_name)]
        result += [track(name), architecture(name), *(figure(name, figure_name) for figure_name in figures(name))]
        result += [claims(name), overview(name), report(name)] if layouts(name) else []
    return result
