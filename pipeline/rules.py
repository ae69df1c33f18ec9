"""The one declaration of all stages. dvc.yaml is written from it (`make pipeline`), the Snakefile loops over it.

Strings may hold placeholders: `{study}` (the study of the rule's dataset), `{study_nyud}` and the like (that of
another), `{scale}`, and the rule's wildcards, one per entry of its `matrix`. Every stage item is one command; its code
dependencies are read off the imports.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from mtinet import files, paths
from mtinet.data.layouts import layout
from mtinet.tasks import registry
from pipeline.imports import imported_files

ROOT = Path(__file__).resolve().parents[1]
STUDY = "{study}"
FIGURES = ("curves", "panel")
TRAINING = ("input", "epochs", "batch_size", "lr_factor", "augmentation", "pretrained")
# Imported by the name in an experiment's `backbone`. All runs depend on these, since a DVC matrix cannot vary
# its dependencies: experiments on a further library go into a method group of their own, whose module imports
# that library (single_task_dlv3, astmt).
TEACHERS_METHOD = "single_task"
BACKBONES = tuple(f"src/mtinet/models/backbones/{name}.py" for name in ("__init__", "timm", "fpn"))


@dataclass(frozen=True)
class Out:
    """An output; a path without suffix is a folder. `git`: kept in git instead of the DVC cache."""

    path: str
    git: bool = False
    metric: bool = False
    plot: tuple[tuple[str, str], ...] = ()

    @property
    def is_folder(self) -> bool:
        return not Path(self.path).suffix


@dataclass(frozen=True)
class Rule:
    """One stage: `matrix` maps each wildcard to a key of params.yaml (its keys or items) or to a list.

    `inputs` are files and folders that other rules write; `params` are keys of params.yaml, or
    "file:key" for another YAML file, or "file:" for all of it; `code` are the project's source files.
    """

    stage: str
    dataset: str
    inputs: tuple[Path | str, ...]
    outputs: tuple[Out, ...]
    params: tuple[str, ...]
    code: tuple[str, ...]
    arguments: tuple[str, ...] = ()
    method: str | None = None
    table: str | None = None
    matrix: dict[str, str | tuple[str, ...]] = field(default_factory=dict)
    uses_gpu: bool = False
    threads: str | int = 1

    @property
    def name(self) -> str:
        return "_".join(part for part in (self.stage, self.dataset, self.method, self.table) if part)

    @property
    def command(self) -> str:
        return " ".join(["python", f"stages/{self.stage}.py", f"--dataset {self.dataset}", *self.arguments])


def out(path: Path, **kinds: Any) -> Out:
    return Out(path.as_posix(), **kinds)


def code_of(stage: str, *by_name: str) -> tuple[str, ...]:
    """The project files that a stage imports, and those that it imports by name, with what they import."""
    return tuple(imported_files(ROOT, [f"stages/{stage}.py", *by_name]))


@cache
def declared() -> dict[str, Any]:
    """params.yaml as plain data."""
    content: dict[str, Any] = files.read_yaml(ROOT / paths.PARAMS)
    return content


def task_entries(dataset: str) -> tuple[str, ...]:
    """The entries of the task registry that stages of `dataset` depend on: its own tasks'."""
    return tuple(f"src/mtinet/tasks.yaml:{name}" for name in declared()["datasets"][dataset]["tasks"])


def metric_modules(dataset: str) -> list[str]:
    """The modules that turn predictions into statistics, imported by the name in the registry."""
    tasks = declared()["datasets"][dataset]["tasks"]
    return [f"src/mtinet/metrics/{registry()[name].statistics}.py" for name in tasks]


def loss_modules(dataset: str) -> list[str]:
    """The modules of the losses of the dataset's tasks, imported by the name in the registry."""
    tasks = declared()["datasets"][dataset]["tasks"]
    return [f"src/mtinet/losses/{registry()[name].loss}.py" for name in tasks]


def metric_params(dataset: str) -> tuple[str, ...]:
    """Sections of the dataset's entry that its metrics need, and no training does."""
    return tuple(f"datasets.{dataset}.{key}" for key in ("edges",) if key in declared()["datasets"][dataset])


def study_params(dataset: str) -> tuple[str, ...]:
    return (f"study.source.{dataset}", "study.scale")


def layout_module(dataset: str) -> str:
    """The dataset's on-disk layout, imported by its name."""
    return f"src/mtinet/data/{dataset}.py"


def raw_folders(dataset: str, study: str = STUDY) -> tuple[Path, ...]:
    """What the stage dataset fills, folder by folder: others live beside them."""
    return tuple(paths.raw(study, dataset) / folder for folder in layout(dataset).RAW_FOLDERS)


def exact_folders(dataset: str) -> tuple[Path, ...]:
    """The folder of exactly known labels, where the dataset has such."""
    return (paths.exact(STUDY, dataset),) if layout(dataset).EXACT else ()


def teacher_modules() -> tuple[str, ...]:
    """The kinds of teachers and the network of a trained one, imported by name."""
    kinds = (f"src/mtinet/teachers/{kind}.py" for kind in ("trained", "onnx"))
    return (*kinds, *BACKBONES, f"src/mtinet/models/{TEACHERS_METHOD}.py")


def teacher_losses(dataset: str) -> list[str]:
    """The modules of the losses that the dataset's teachers learn with."""
    return [f"src/mtinet/losses/{registry()[task].loss}.py" for task in taught(dataset)]


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


def taught(dataset: str) -> dict[str, Any]:
    """Task -> declaration of the dataset's teachers."""
    found: dict[str, Any] = declared().get("teachers", {}).get(dataset, {})
    return found


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


@cache
def layouts(dataset: str) -> dict[str, Any]:
    """The dataset's tables as pipeline/tables.yaml lays them out, in its order."""
    content = files.read_yaml(ROOT / "pipeline/tables.yaml")
    return {name: layout for name, layout in content.items() if layout["dataset"] == dataset}


def shown(layout: dict[str, Any]) -> list[str]:
    """The experiments behind a table: those of its rows, and baselines that it does not show."""
    rows = layout["rows"]
    names = [name for row in rows for name in (*row.get("runs", {}).values(), *([row["run"]] if "run" in row else []))]
    return list(dict.fromkeys([*names, *layout.get("baselines", ())]))


def shown_experiments(dataset: str, table: str) -> tuple[str, ...]:
    """The keys in params.yaml of the declared experiments behind a table."""
    names = shown(layouts(dataset)[table])
    methods = declared()["experiments"][dataset]
    return tuple(
        f"experiments.{dataset}.{method}.{name}" for method in methods for name in methods[method] if name in names
    )


def folders_of(place: Path, dataset: str, table: str) -> tuple[Path, ...]:
    """Per experiment behind a table its folder in `place`: whatever the seeds are."""
    return tuple(place / key.rpartition(".")[2] for key in shown_experiments(dataset, table))


def compare(dataset: str, name: str) -> Rule:
    return Rule(
        "compare",
        dataset,
        inputs=folders_of(paths.metrics_folder(STUDY, dataset), dataset, name),
        outputs=(out(paths.comparison(STUDY, name), git=True, metric=True),),
        params=(
            *study_params(dataset),
            "seeds",
            *shown_experiments(dataset, name),
            f"pipeline/tables.yaml:{name}",
            *task_entries(dataset),
        ),
        code=code_of("compare"),
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


def table(dataset: str, name: str) -> Rule:
    return Rule(
        "table",
        dataset,
        inputs=(
            paths.comparison(STUDY, name),
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


def figure(dataset: str) -> Rule:
    return Rule(
        "figure",
        dataset,
        inputs=(paths.examples_folder(STUDY, dataset), paths.histories_folder(STUDY, dataset)),
        outputs=tuple(out(paths.figure(STUDY, f"{dataset}-{{name}}", suffix)) for suffix in ("png", "svg")),
        params=(
            *study_params(dataset),
            "seeds",
            f"datasets.{dataset}.tasks",
            f"experiments.{dataset}",
            *task_entries(dataset),
        ),
        code=code_of("figure", f"src/mtinet/data/{dataset}_classes.py"),
        arguments=("--name {name}",),
        matrix={"name": FIGURES},
    )


def report(dataset: str) -> Rule:
    names = list(layouts(dataset))
    return Rule(
        "report",
        dataset,
        inputs=(
            *(paths.table(STUDY, name, suffix) for name in names for suffix in ("md", "csv", "tex")),
            *(paths.figure(STUDY, f"{dataset}-{name}", suffix) for name in FIGURES for suffix in ("png", "svg")),
            *(paths.comparison(STUDY, name) for name in names),
            paths.blind(STUDY, dataset),
            paths.manifests_folder(STUDY, dataset),
        ),
        outputs=(out(paths.page(STUDY)),),
        params=(
            *study_params(dataset),
            "compute",
            "seeds",
            f"scales.{{scale}}.{dataset}",
            f"experiments.{dataset}",
            "pipeline/tables.yaml:",
            "pipeline/published.yaml:",
            *task_entries(dataset),
        ),
        code=(*code_of("report"), "src/mtinet/reporting/template.html"),
    )


def rules() -> list[Rule]:
    """All stages, in the order of the data's way: none for a dataset that no experiment uses."""
    result: list[Rule] = []
    for name, experiments in declared()["experiments"].items():
        methods = list(experiments)
        result += [check(name), dataset_rule(name), *(teach(name, task) for task in taught(name)), distill(name)]
        result += [prepare(name), blind(name)]
        for method in methods:
            result += [train(name, method), evaluate(name, method)]
        for table_name in layouts(name):
            result += [compare(name, table_name), table(name, table_name)]
        result += [track(name)]
        result += [figure(name), report(name)] if layouts(name) else []
    return result
