"""The rules of what is shown: readings of labels, of networks and of evaluated runs, and the report made of them."""

from __future__ import annotations

from pathlib import Path

from mtinet import paths
from pipeline.dependencies import (
    BACKBONES,
    STUDY,
    classes_module,
    code_of,
    drawn_experiments,
    experiment_keys,
    figures,
    floor_of,
    folders_of,
    growing,
    has_resources,
    kinds,
    layout_module,
    layout_params,
    layouts,
    loss_modules,
    measured,
    metric_modules,
    metric_params,
    pretraining_params,
    related,
    run_methods,
    run_params,
    shown_experiments,
    study_params,
    switches,
    table_entry,
    table_files,
    task_entries,
    taught,
)
from pipeline.rule import Rule, out

OVERVIEWS = ("table1", "audit")


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
            *switches(dataset),
            *shown_experiments(dataset, name),
            table_entry(name),
            *metric_params(dataset),
            *kinds(dataset),
            *task_entries(dataset),
        ),
        code=code_of("compare", layout_module(dataset), *metric_modules(dataset)),
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
        params=(
            *study_params(dataset),
            "seeds",
            *run_params(dataset),
            *(f"{file}:" for file in table_files()),
            *task_entries(dataset),
        ),
        code=(*code_of("track"), "src/mtinet/reporting/timings.html"),
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
            *switches(dataset),
            *keys,
            table_entry(name),
            *task_entries(dataset),
        ),
        code=code_of("resources", *BACKBONES, *(f"src/mtinet/models/{method}.py" for method in methods)),
        arguments=(f"--name {name}",),
        table=name,
    )


def resources_of(dataset: str, name: str) -> tuple[Path, ...]:
    """The counts that a table reads, where it shows any, and what was measured, where the study has that."""
    if not has_resources(layouts(dataset)[name]):
        return ()
    return (paths.resources(STUDY, name), *((paths.latency(STUDY, dataset),) if measured(dataset) else ()))


def latency(dataset: str) -> Rule:
    """Measured at the study's own size of input: unlike counts, that of the paper may not fit the machine."""
    names = [name for name, layout in layouts(dataset).items() if has_resources(layout)]
    keys = tuple(dict.fromkeys(key for name in names for key in shown_experiments(dataset, name)))
    methods = {key.split(".")[2] for key in keys} | set(growing(dataset).get("methods", {})) - {"cross_stitch"}
    return Rule(
        "latency",
        dataset,
        inputs=(paths.packed(STUDY, dataset, "train"),),
        outputs=(out(paths.latency(STUDY, dataset), git=True),),
        params=(
            *study_params(dataset),
            "study.latency",
            "compute",
            "seeds",
            f"scales.{{scale}}.{dataset}",
            f"datasets.{dataset}.tasks",
            *run_params(dataset),
            *(f"{file}:" for file in table_files()),
            "pipeline/growth.yaml:",
            *task_entries(dataset),
        ),
        code=code_of(
            "latency",
            *BACKBONES,
            *(f"src/mtinet/models/{method}.py" for method in sorted(methods)),
            *loss_modules(dataset),
        ),
        uses_gpu=True,
        threads="compute.threads",
    )


def floor(dataset: str, name: str) -> tuple[Path, ...]:
    """The comparison of the controls, which a table's notes quote; the table of the controls quotes nothing."""
    table_name = floor_of(dataset)
    return () if table_name in (None, name) else (paths.comparison(STUDY, str(table_name)),)


def claims(dataset: str) -> Rule:
    return Rule(
        "claims",
        dataset,
        inputs=(
            paths.metrics_folder(STUDY, dataset),
            paths.statistics_folder(STUDY, dataset),
            paths.manifests_folder(STUDY, dataset),
        ),
        outputs=(
            out(paths.claims(STUDY, dataset), git=True),
            *(out(paths.table(STUDY, f"{dataset}-claims", suffix), git=True) for suffix in ("md", "csv", "tex")),
        ),
        params=(
            *study_params(dataset),
            "compute",
            "seeds",
            f"scales.{{scale}}.{dataset}",
            *pretraining_params(dataset),
            *run_params(dataset),
            f"pipeline/claims.yaml:{dataset}",
            *metric_params(dataset),
            *task_entries(dataset),
        ),
        code=code_of("claims", layout_module(dataset), *metric_modules(dataset)),
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
            *switches(dataset),
            *(f"{entry}.{key}" for entry in experiment_keys(dataset).values() for key in ("backbone", "tasks")),
            *(f"{file}:" for file in table_files()),
            "pipeline/published.yaml:",
            "src/mtinet/tasks.yaml:",
        ),
        code=code_of("overview", layout_module(dataset)),
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
            *floor(dataset, name),
            paths.blind(STUDY, dataset),
            *folders_of(paths.manifests_folder(STUDY, dataset), dataset, name),
        ),
        outputs=tuple(out(paths.table(STUDY, name, suffix), git=True) for suffix in ("md", "csv", "tex")),
        params=(
            *study_params(dataset),
            *(("study.latency",) if has_resources(layouts(dataset)[name]) else ()),
            "compute",
            "seeds",
            f"scales.{{scale}}.{dataset}",
            *pretraining_params(dataset),
            *switches(dataset),
            *shown_experiments(dataset, name),
            table_entry(name),
            "pipeline/published.yaml:",
            *task_entries(dataset),
        ),
        code=code_of("table"),
        arguments=(f"--name {name}",),
        table=name,
    )


def architecture(dataset: str) -> Rule:
    methods = run_methods(dataset)
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
            *switches(dataset),
            *(f"{entry}.{key}" for entry in experiment_keys(dataset).values() for key in keys),
            *task_entries(dataset),
        ),
        code=code_of("architecture", *BACKBONES, *(f"src/mtinet/models/{method}.py" for method in methods)),
    )


def growth(dataset: str) -> Rule:
    """Counted at the paper's size of input, as the resources are; rests on no run."""
    methods = [name for name in growing(dataset)["methods"] if name != "cross_stitch"]  # which is no module
    return Rule(
        "growth",
        dataset,
        inputs=(paths.checked(STUDY, dataset),),
        outputs=(out(paths.growth(STUDY, dataset), git=True),),
        params=(
            *study_params(dataset),
            f"scales.paper.{dataset}.input",
            f"pipeline/growth.yaml:{dataset}",
        ),
        code=code_of("growth", *BACKBONES, *(f"src/mtinet/models/{method}.py" for method in methods)),
    )


def figure(dataset: str, name: str) -> Rule:
    """A rule per figure, not a matrix: what they are drawn from differs."""
    inputs, params = drawn_from(dataset, name)
    return Rule(
        "figure",
        dataset,
        inputs=inputs,
        outputs=tuple(out(paths.figure(STUDY, f"{dataset}-{name}", suffix)) for suffix in ("png", "svg")),
        params=(*study_params(dataset), *params, *layout_params(dataset, "names"), *task_entries(dataset)),
        code=code_of("figure", classes_module(dataset)),
        arguments=(f"--name {name}",),
        method=name,
    )


def drawn_from(dataset: str, name: str) -> tuple[tuple[Path, ...], tuple[str, ...]]:
    """Inputs and parameters of a figure."""
    experiments, structure = run_params(dataset), paths.architecture(STUDY, dataset)
    if name in ("panel", "methods"):
        drawn, folder = drawn_experiments(dataset, name), paths.examples_folder(STUDY, dataset)
        panel = f"pipeline/figures.yaml:{dataset}.{name}"
        return tuple(folder / experiment for experiment in drawn), (*switches(dataset), "seeds", *drawn.values(), panel)
    if name == "curves":
        return (paths.histories_folder(STUDY, dataset), paths.levels(STUDY, dataset)), ("seeds", *experiments)
    if name in ("deltas", "costs"):
        comparisons = tuple(paths.comparison(STUDY, table_name) for table_name in layouts(dataset))
        counted = (structure,) if name == "costs" else ()
        return (*comparisons, *counted), (*experiments, *(f"{file}:" for file in table_files()))
    if name == "growth":
        times = (paths.latency(STUDY, dataset),) if measured(dataset) else ()
        return (paths.growth(STUDY, dataset), *times), ("study.latency",)
    others: dict[str, tuple[Path, tuple[str, ...]]] = {
        "sheet": (paths.packed(STUDY, dataset, "val"), ()),
        "patches": (paths.examples_folder(STUDY, dataset), ("seeds", *experiments, f"affinity.tasks.{dataset}")),
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
            *dict.fromkeys(path for name in names for path in resources_of(dataset, name)),
            paths.claims(STUDY, dataset),
            *(paths.table(STUDY, f"{dataset}-{name}", suffix) for name in OVERVIEWS for suffix in ("md", "csv", "tex")),
            paths.blind(STUDY, dataset),
            paths.manifests_folder(STUDY, dataset),
        ),
        outputs=(out(paths.page(STUDY, dataset)),),
        params=(
            *study_params(dataset),
            "study.latency",
            "compute",
            "seeds",
            f"scales.{{scale}}.{dataset}",
            *pretraining_params(dataset),
            f"datasets.{dataset}.tasks",
            *((f"affinity.tasks.{dataset}",) if related(dataset) else ()),
            *((f"teachers.{dataset}",) if taught(dataset) else ()),
            *run_params(dataset),
            *(f"{file}:" for file in table_files()),
            "pipeline/published.yaml:",
            f"pipeline/figures.yaml:{dataset}",
            "pipeline/growth.yaml:",
            "src/mtinet/tasks.yaml:",
        ),
        code=(*code_of("report"), "src/mtinet/reporting/template.html"),
    )
