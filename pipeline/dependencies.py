"""What stages depend on: code read off their imports, entries of params.yaml, of the task registry and of tables."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from mtinet import files, paths
from mtinet.data.layouts import layout
from mtinet.reporting import layouts as layouts_module
from mtinet.reporting.captions import drawable, experiments_of, figures_of
from mtinet.tasks import registry
from pipeline.imports import imported_files

ROOT = Path(__file__).resolve().parents[1]
STUDY = "{study}"
SCENES = "scenes"  # as mtinet.config has it, whose import would cost every start of Snakemake a quarter of a second

EXPERIMENTS, CONTROLS = "experiments", "controls"
ON_DEMAND = ("readings", CONTROLS)
SECTIONS = (EXPERIMENTS, *ON_DEMAND)
SWITCHES = tuple(f"study.{section}" for section in ON_DEMAND)
TEACHERS_METHOD, PRETRAININGS_METHOD = "single_task", "multi_task"
# Imported by the name in an experiment's `backbone`. All runs depend on these, since a DVC matrix cannot vary
# its dependencies: experiments on a further library go into a method group of their own, whose module imports
# that library (single_task_dlv3, astmt).
BACKBONES = tuple(f"src/mtinet/models/backbones/{name}.py" for name in ("__init__", "timm", "fpn"))


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


def in_folders(dataset: str) -> bool:
    """Whether the dataset is one of the user's own, whose layout params.yaml declares."""
    return declared()["datasets"][dataset].get("layout") is not None


def layout_module(dataset: str) -> str:
    """The dataset's on-disk layout, imported by its name."""
    return "src/mtinet/data/folders.py" if in_folders(dataset) else f"src/mtinet/data/{dataset}.py"


def classes_module(dataset: str) -> str:
    """Names and colours of the dataset's classes."""
    return layout_module(dataset) if in_folders(dataset) else f"src/mtinet/data/{dataset}_classes.py"


def scenes_modules(dataset: str) -> tuple[str, ...]:
    """What renders its scenes."""
    return () if in_folders(dataset) else (f"src/mtinet/data/{dataset}_scenes.py",)


def layout_params(dataset: str, *others: str) -> tuple[str, ...]:
    """What a layout in folders is made of, and which of the `others` its declaration has."""
    if not in_folders(dataset):
        return ()
    own = declared()["datasets"][dataset]
    return tuple(f"datasets.{dataset}.{key}" for key in ("layout", "tasks", *(key for key in others if key in own)))


def own_folder(dataset: str) -> tuple[Path, ...]:
    """Where the user's own images are: DVC looks for changes there."""
    place = declared()["datasets"][dataset]["archive"].get("path") if in_folders(dataset) else None
    return (Path(place).expanduser(),) if place else ()


def related(dataset: str) -> tuple[str, ...]:
    """The tasks whose affinity is measured; none where they are not declared."""
    return tuple(declared()["affinity"]["tasks"].get(dataset, ()))


def raw_folders(dataset: str, study: str = STUDY) -> tuple[Path, ...]:
    """What the stage dataset fills, folder by folder: others live beside them."""
    return tuple(paths.raw(study, dataset) / folder for folder in layout(dataset).RAW_FOLDERS)


def exact_folders(dataset: str) -> tuple[Path, ...]:
    """The folder of exactly known labels, where the dataset has such."""
    return (paths.exact(STUDY, dataset),) if layout(dataset).EXACT else ()


def taught(dataset: str) -> dict[str, Any]:
    """Task -> declaration of the dataset's teachers."""
    found: dict[str, Any] = declared().get("teachers", {}).get(dataset, {})
    return found


def kinds(dataset: str) -> tuple[str, ...]:
    """The keys of the kinds of the dataset's teachers, of those that declare one."""
    return tuple(f"teachers.{dataset}.{task}.kind" for task, teacher in taught(dataset).items() if "kind" in teacher)


def trained_teachers(dataset: str) -> dict[str, Any]:
    """Those of them that declare a network to train, whether that or another kind is chosen."""
    return {task: teacher for task, teacher in taught(dataset).items() if teacher.get("trained")}


def learnt_from() -> tuple[str, ...]:
    """The datasets without experiments whose raw data teachers of those with experiments learn from."""
    experiments = declared()["experiments"]
    sources = [teacher["trained"]["learns_from"] for name in experiments for teacher in trained_teachers(name).values()]
    return tuple(dict.fromkeys(name for name in sources if name != SCENES and name not in experiments))


def run_methods(dataset: str) -> dict[str, dict[str, str]]:
    """Method -> name -> key in params.yaml of what is run: experiments, and readings where the study has them."""
    found: dict[str, dict[str, str]] = {}
    for section in run_sections():
        for method, experiments in declared().get(section, {}).get(dataset, {}).items():
            key = f"{section}.{dataset}.{method}"
            found.setdefault(method, {}).update({name: f"{key}.{name}" for name in experiments})
    return found


def run_sections() -> tuple[str, ...]:
    """The sections of params.yaml that declare what is run."""
    return (EXPERIMENTS, *(section for section in ON_DEMAND if declared()["study"].get(section)))


def seeds_key(section: str) -> str:
    """The key in params.yaml of the seeds that a section's experiments are run under."""
    return "control_seeds" if section == CONTROLS else "seeds"


def run_params(dataset: str) -> tuple[str, ...]:
    """What stages depend on that look at all that is run."""
    sections = (section for section in run_sections() if dataset in declared().get(section, {}))
    return tuple(dict.fromkeys([*switches(dataset), *(f"{section}.{dataset}" for section in sections)]))


def switches(dataset: str) -> tuple[str, ...]:
    """What says which sections are run and under which seeds, beside `seeds`."""
    return (*SWITCHES, *(("control_seeds", f"{CONTROLS}.{dataset}") if floor_of(dataset) else ()))


def floor_of(dataset: str) -> str | None:
    """The table of the dataset's controls, whose numbers stand under all others; None where the study has none."""
    name = layouts_module.floor_of(dataset)
    return name if name in layouts(dataset) else None


def pretrainings(dataset: str) -> tuple[str, ...]:
    """The names of the backbones that are trained before the dataset's experiments, where a scale says so."""
    return tuple(declared().get("pretraining", {}).get(dataset, {}))


def pretraining_params(dataset: str) -> tuple[str, ...]:
    """What reports depend on that say what backbones began with."""
    return (f"pretraining.{dataset}",) if pretrainings(dataset) else ()


def teacher_modules() -> tuple[str, ...]:
    """The kinds of teachers and the network of a trained one, imported by name."""
    kinds = (f"src/mtinet/teachers/{kind}.py" for kind in ("trained", "onnx"))
    return (*kinds, *BACKBONES, f"src/mtinet/models/{TEACHERS_METHOD}.py")


def teacher_losses(dataset: str) -> list[str]:
    """The modules of the losses that the dataset's teachers learn with."""
    return [f"src/mtinet/losses/{registry()[task].loss}.py" for task in trained_teachers(dataset)]


@cache
def layouts(dataset: str) -> dict[str, Any]:
    """The dataset's tables as the files of tables lay them out, in their order."""
    content = {name: layout for file in table_files() for name, layout in laid_out(file).items()}
    return {name: layout for name, layout in content.items() if layout["dataset"] == dataset}


def table_files() -> tuple[str, ...]:
    """What lays out the study's tables: the paper's, and those of readings and controls where the study has such."""
    return ("pipeline/tables.yaml", *(f"pipeline/{section}.yaml" for section in run_sections()[1:]))


def table_entry(name: str) -> str:
    """The entry of a table in its file."""
    return next(f"{file}:{name}" for file in table_files() if name in laid_out(file))


@cache
def laid_out(file: str) -> dict[str, Any]:
    """The content of a file of tables; read once, not for every table in it."""
    content: dict[str, Any] = files.read_yaml(ROOT / file)
    return content


def shown(layout: dict[str, Any]) -> list[str]:
    """The experiments behind a table: those of its rows, and baselines that it does not show."""
    rows = layout["rows"]
    names = [name for row in rows for name in (*row.get("runs", {}).values(), *([row["run"]] if "run" in row else []))]
    references = [name for runs in layout.get("references", {}).values() for name in runs.values()]
    return list(dict.fromkeys([*names, *layout.get("baselines", ()), *references]))


def has_resources(layout: dict[str, Any]) -> bool:
    """Whether a column of the table shows what the networks cost."""
    return any(isinstance(column, dict) and column.get("of") == "resources" for column in layout["columns"])


def measured(dataset: str) -> bool:
    """Whether time and memory of the networks of the dataset's tables of resources are measured."""
    asked = bool(declared()["study"].get("latency"))
    return asked and any(has_resources(layout) for layout in layouts(dataset).values())


def shown_experiments(dataset: str, table: str) -> tuple[str, ...]:
    """The keys in params.yaml of the declared experiments behind a table."""
    names = shown(layouts(dataset)[table])
    return tuple(key for name, key in experiment_keys(dataset).items() if name in names)


@cache
def panels(dataset: str) -> dict[str, Any]:
    """The dataset's qualitative panels as pipeline/figures.yaml declares them."""
    found: dict[str, Any] = files.read_yaml(ROOT / "pipeline/figures.yaml").get(dataset, {})
    return found


def figures(dataset: str) -> tuple[str, ...]:
    """The names of the dataset's figures."""
    drawn = drawable(panels(dataset), experiment_keys(dataset))
    return figures_of(run_methods(dataset), drawn, bool(layouts(dataset)), related(dataset), bool(growing(dataset)))


@cache
def growing(dataset: str) -> dict[str, Any]:
    """The networks on the dataset's backbone whose costs are counted as tasks and scales get more; none: empty."""
    found: dict[str, Any] = files.read_yaml(ROOT / "pipeline/growth.yaml").get(dataset, {})
    return found


def drawn_experiments(dataset: str, panel: str) -> dict[str, str]:
    """Experiment -> its key in params.yaml, of those declared whose predictions a panel shows."""
    names = experiments_of(panels(dataset)[panel]["rows"])
    return {name: key for name, key in experiment_keys(dataset).items() if name in names}


def experiment_keys(dataset: str) -> dict[str, str]:
    """Experiment -> its key in params.yaml."""
    return {name: key for experiments in run_methods(dataset).values() for name, key in experiments.items()}


def folders_of(place: Path, dataset: str, table: str) -> tuple[Path, ...]:
    """Per experiment behind a table its folder in `place`: whatever the seeds are."""
    return tuple(place / key.rpartition(".")[2] for key in shown_experiments(dataset, table))
