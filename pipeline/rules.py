"""The one declaration of all stages. dvc.yaml is written from it (`make pipeline`), the Snakefile loops over it.

Strings may hold placeholders: `{study}` (the study of the rule's dataset), `{study_nyud}` and the like (that of
another), `{scale}`, and the rule's wildcards, one per entry of its `matrix`. Every stage item is one command; its code
dependencies are read off the imports.
"""

from __future__ import annotations

from mtinet import paths
from mtinet.tasks import registry
from pipeline.dependencies import (
    BACKBONES,
    EXPERIMENTS,
    PRETRAININGS_METHOD,
    SCENES,
    SECTIONS,
    STUDY,
    TEACHERS_METHOD,
    code_of,
    declared,
    exact_folders,
    figures,
    growing,
    kinds,
    layout_module,
    layout_params,
    layouts,
    learnt_from,
    loss_modules,
    measured,
    metric_modules,
    metric_params,
    own_folder,
    pretrainings,
    raw_folders,
    related,
    run_sections,
    scenes_modules,
    seeds_key,
    study_params,
    task_entries,
    taught,
    teacher_losses,
    teacher_modules,
    trained_teachers,
)
from pipeline.reporting import (
    affinity,
    architecture,
    claims,
    compare,
    figure,
    growth,
    latency,
    overview,
    report,
    resources,
    resources_of,
    table,
    track,
)
from pipeline.rule import Rule, out

ONE_PROCESS = ("compute.threads", "compute.device")  # what stages that share their work with none take of `compute`
TRAINING = ("input", "epochs", "epochs_of", "batch_size", "optimizer", "lr_factor", "augmentation", "pretrained")


def check(dataset: str) -> Rule:
    methods = dict.fromkeys(method for section in SECTIONS for method in declared().get(section, {}).get(dataset, {}))
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
        inputs=(paths.checked(STUDY, dataset), *own_folder(dataset)),
        outputs=(
            *(out(folder) for folder in (*raw_folders(dataset), *exact_folders(dataset))),
            out(paths.card(STUDY, dataset)),
        ),
        params=(
            *study_params(dataset),
            *(layout_params(dataset) or (f"scales.{{scale}}.{dataset}.scenes",)),
            f"datasets.{dataset}.archive",
            *kinds(dataset),
        ),
        code=code_of("dataset", layout_module(dataset), *scenes_modules(dataset)),
        threads=2,
    )


def teach(dataset: str, task: str) -> Rule:
    """A rule per task, not a matrix: what a teacher learns from differs, and with it inputs and code."""
    source, key = trained_teachers(dataset)[task]["trained"]["learns_from"], f"teachers.{dataset}.{task}"
    other = source != SCENES
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
            *ONE_PROCESS,
            "compute.precision",
            *(name for name in kinds(dataset) if name == f"{key}.kind"),
            *(f"{key}.{name}" for name in ("trained", "budgets.{scale}")),
            f"datasets.{dataset}.tasks.{task}",
            f"src/mtinet/tasks.yaml:{task}",
        ),
        code=code_of(
            "teach",
            *({layout_module(dataset), layout_module(source)} if other else {layout_module(dataset)}),
            *(() if other else scenes_modules(dataset)),
            *BACKBONES,
            f"src/mtinet/models/{TEACHERS_METHOD}.py",
            f"src/mtinet/losses/{registry()[task].loss}.py",
        ),
        arguments=(f"--task {task}",),
        method=task,
        uses_gpu=True,
        threads="compute.threads",
    )


def pretrain(dataset: str) -> Rule:
    entry = f"pretraining.{dataset}.{{name}}"
    return Rule(
        "pretrain",
        dataset,
        inputs=(paths.checked(STUDY, dataset),),
        outputs=(out(paths.pretrained(STUDY, dataset, "{name}")),),
        params=(
            *study_params(dataset),
            *ONE_PROCESS,
            "compute.precision",
            *(f"{entry}.{key}" for key in ("backbone", "lr", "weight_decay", "seed", "budgets.{scale}")),
            f"scales.{{scale}}.{dataset}.pretrained",
            f"datasets.{dataset}.tasks",
            *task_entries(dataset),
        ),
        code=code_of(
            "pretrain",
            layout_module(dataset),
            *scenes_modules(dataset),
            *BACKBONES,
            f"src/mtinet/models/{PRETRAININGS_METHOD}.py",
            *loss_modules(dataset),
        ),
        arguments=("--name {name}",),
        matrix={"name": f"pretraining.{dataset}"},
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
            *(paths.teacher(STUDY, dataset, task) for task in trained_teachers(dataset)),
        ),
        outputs=(out(paths.distilled(STUDY, dataset)),),
        params=(
            *study_params(dataset),
            *layout_params(dataset),
            *(ONE_PROCESS if tasks else ()),
            *kinds(dataset),
            *(f"teachers.{dataset}.{task}.onnx" for task, teacher in tasks.items() if "onnx" in teacher),
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
        params=(
            *study_params(dataset),
            *(layout_params(dataset) or (f"datasets.{dataset}.tasks",)),
            *task_entries(dataset),
        ),
        code=code_of("prepare", layout_module(dataset)),
        threads=2,
    )


def train(dataset: str, section: str, method: str) -> Rule:
    """One rule for a method's experiments, one for its readings: what a matrix runs over stands in one place."""
    location = (STUDY, dataset, "{exp}", "{seed}")
    curve = (("x", "steps"), ("y", "loss"))
    return Rule(
        "train",
        dataset,
        inputs=(
            paths.packed(STUDY, dataset, "train"),
            *([paths.packed(STUDY, dataset, "val")] if chooses(section, dataset, method) else []),
            *(paths.pretrained(STUDY, dataset, name) for name in pretrainings(dataset)),
        ),
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
            f"{section}.{dataset}.{method}.{{exp}}",
            *task_entries(dataset),
        ),
        code=code_of("train", *BACKBONES, f"src/mtinet/models/{method}.py", *loss_modules(dataset)),
        arguments=("--experiment {exp}", "--seed {seed}"),
        method=method if section == EXPERIMENTS else f"{method}_{section}",
        matrix={"exp": f"{section}.{dataset}.{method}", "seed": seeds_key(section)},
        uses_gpu=True,
        threads="compute.threads",
        processes="compute.processes",
    )


def chooses(section: str, dataset: str, method: str) -> bool:
    """Whether a run keeps the weights of its best epoch on the validation images, which its training then reads."""
    return any(one.get("weights") == "best" for one in declared()[section][dataset][method].values())


def evaluate(dataset: str, section: str, method: str) -> Rule:
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
            f"{section}.{dataset}.{method}.{{exp}}",
            *task_entries(dataset),
        ),
        code=code_of("evaluate", *BACKBONES, f"src/mtinet/models/{method}.py", *metric_modules(dataset)),
        arguments=("--experiment {exp}", "--seed {seed}"),
        method=method if section == EXPERIMENTS else f"{method}_{section}",
        matrix={"exp": f"{section}.{dataset}.{method}", "seed": seeds_key(section)},
        uses_gpu=True,
        threads="compute.threads",
        processes="compute.processes",
    )


def blind(dataset: str) -> Rule:
    return Rule(
        "blind",
        dataset,
        inputs=tuple(paths.packed(STUDY, dataset, split) for split in ("train", "val")),
        outputs=(out(paths.blind(STUDY, dataset), git=True, metric=True),),
        params=(
            *study_params(dataset),
            *ONE_PROCESS,
            f"datasets.{dataset}.tasks",
            *metric_params(dataset),
            *task_entries(dataset),
        ),
        code=code_of("blind", *metric_modules(dataset)),
        threads="compute.threads",
    )


def levels(dataset: str) -> Rule:
    return Rule(
        "levels",
        dataset,
        inputs=(paths.packed(STUDY, dataset, "train"),),
        outputs=(out(paths.levels(STUDY, dataset), git=True),),
        params=(
            *study_params(dataset),
            "compute.threads",
            f"scales.{{scale}}.{dataset}.input",
            f"datasets.{dataset}.tasks",
            *task_entries(dataset),
        ),
        code=code_of("levels", *loss_modules(dataset)),
        threads="compute.threads",
    )


def rules() -> list[Rule]:
    """All stages, in the order of the data's way.

    Of a dataset without experiments there are none, or, where a teacher learns from it, those that make its raw data.
    """
    result: list[Rule] = []
    for name in learnt_from():
        result += [check(name), dataset_rule(name)]
    for name in declared()["experiments"]:
        result += [
            check(name),
            dataset_rule(name),
            *(teach(name, task) for task in trained_teachers(name)),
            distill(name),
        ]
        result += [prepare(name), blind(name), levels(name), *([affinity(name)] if related(name) else [])]
        result += [pretrain(name)] if pretrainings(name) else []
        for section in run_sections():
            for method in declared().get(section, {}).get(name, {}):
                result += [train(name, section, method), evaluate(name, section, method)]
        for table_name in layouts(name):
            result += [resources(name, table_name)] if resources_of(name, table_name) else []
            result.append(compare(name, table_name))
        result += [table(name, table_name) for table_name in layouts(name)]  # they quote the controls
        result += [growth(name)] if growing(name) else []
        result += [latency(name)] if measured(name) else []
        result += [track(name), architecture(name), *(figure(name, figure_name) for figure_name in figures(name))]
        result += [claims(name), overview(name), report(name)] if layouts(name) else []
    return result
