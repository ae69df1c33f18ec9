"""Table 1: which tasks a dataset has and where their labels come from, from the registry and params.yaml."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mtinet.config import Params, Teacher
from mtinet.errors import UserError
from mtinet.reporting.plain import PlainTable
from mtinet.tasks import registry
from mtinet.teachers import distilled

NAMES = {"nyud": "NYUD-v2", "pascal": "PASCAL"}
PUBLISHED = "table1_tasks"


def labels_table(params: Params, dataset: str, published: Mapping[str, Any]) -> PlainTable:
    """The dataset's row of Table 1 as this study has it, and as the paper prints it; a column per task.

    Raises UserError when published.yaml lacks the dataset.
    """
    printed = published.get(PUBLISHED, {}).get(dataset)
    if printed is None:
        raise UserError(f"published.yaml has no entry {PUBLISHED}.{dataset}; add the dataset's row of Table 1")
    tasks = list(registry())
    name = NAMES.get(dataset, dataset)
    here = [source_of(params, dataset, task) for task in tasks]
    paper = [{True: "yes", False: "", "distilled": "yes*"}.get(printed.get(task, False), "") for task in tasks]
    return PlainTable(
        name=f"{dataset}-table1",
        title=f"Table 1: tasks and their labels, {name}",
        header=("Dataset", *(registry()[task].label for task in tasks)),
        rows=((f"{name}, this study", *here), (f"{name}, printed", *paper)),
        notes=tuple(notes(params, dataset)),
    )


def source_of(params: Params, dataset: str, task: str) -> str:
    """yes, yes* for distilled labels, in brackets for tasks that no experiment is scored on; empty without labels."""
    if task not in params.datasets[dataset].tasks:
        return ""
    word = "yes*" if task in distilled(params, dataset) else "yes"
    methods = params.methods(dataset).values()
    main = any(task in experiment.tasks for experiments in methods for experiment in experiments.values())
    return word if main else f"({word})"


def notes(params: Params, dataset: str) -> list[str]:
    """What the marks mean, and every teacher by name."""
    scenes = params.study.source[dataset] == "scenes"
    lines = ["In brackets: learnt as an auxiliary task only, not evaluated (section 3.1)."]
    for task, teacher in distilled(params, dataset).items():
        lines.append(f"* {registry()[task].label}: labels are predictions; teacher: {teacher_words(teacher)}.")
    lines.append(f"Other labels: {'known from the rendered scenes' if scenes else 'annotation of the archive'}.")
    return lines


def teacher_words(teacher: Teacher) -> str:
    """A teacher in words; its kind is chosen."""
    if teacher.kind == "trained" and teacher.trained is not None:
        what = teacher.trained
        return f"a {what.backbone} network trained here on {what.learns_from}"
    if teacher.kind == "onnx" and teacher.onnx is not None:
        return f"the ONNX network {str(teacher.onnx.file).partition('#')[0].rpartition('/')[2]}"
    return "the archive's own labels, distilled by its makers"
