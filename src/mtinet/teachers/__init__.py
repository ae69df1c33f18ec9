"""Teachers: what predicts labels that the archive of a dataset has as predictions, where a source lacks them.

A kind of teacher is a module of this package, named as `kind` in params.yaml and imported by that name: `trained`,
a network that the stage teach trains, or `onnx`, a network in a file of the user's. The kind `archive`, the default
with the source archive, says that its own labels are taken; it has no module.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, Protocol, cast

import numpy as np
from numpy.typing import NDArray

from mtinet import paths
from mtinet.config import Compute, Params, Teacher
from mtinet.data.layouts import layout
from mtinet.errors import UserError

ARCHIVE: Literal["archive"] = "archive"
# From an image uint8 [H, W, 3] to the label of its size, as the layout's `write_label` takes it.
Predictor = Callable[[NDArray[np.uint8]], NDArray[Any]]


class Kind(Protocol):
    """What a module of this package offers. Both functions raise UserError for what the user can put right."""

    def check(self, teacher: Teacher, task: str, scale: str) -> None:
        """Find fault with the declaration, without training anything."""

    def load(self, teacher: Teacher, task: str, folder: Path, compute: Compute) -> Predictor:
        """The teacher, ready to predict; `folder` is what the stage teach published."""


def kind_of(teacher: Teacher) -> Kind:
    """The module of the teacher's kind."""
    return cast(Kind, importlib.import_module(f"{__name__}.{teacher.kind}"))


def needed(params: Params, dataset: str) -> tuple[str, ...]:
    """The tasks that a teacher must label: with the source archive those whose teacher is declared as another kind."""
    taught = layout(dataset).ARCHIVE.taught
    return taught if params.study.source[dataset] == "scenes" else anew(params, dataset)


def anew(params: Params, dataset: str) -> tuple[str, ...]:
    """The tasks whose labels the archive ships as predictions, and which are predicted again; none with scenes."""
    if params.study.source[dataset] == "scenes":
        return ()
    declared = params.teachers_of(dataset)
    return tuple(task for task in layout(dataset).ARCHIVE.taught if task in declared and declared[task].kind != ARCHIVE)


def distilled(params: Params, dataset: str) -> dict[str, Teacher]:
    """Task -> its teacher, for tasks whose labels are predictions; the archive's own need no declaration."""
    declared, own = params.teachers_of(dataset), params.datasets[dataset]
    published = params.study.source[dataset] == "archive" and own.layout is None
    shipped = [task for task in layout(dataset).ARCHIVE.taught if task in own.tasks] if published else []
    return {task: Teacher(kind=ARCHIVE) for task in shipped} | declared


def check(params: Params, dataset: str) -> None:
    """Raise UserError, naming the key, unless every teacher that `dataset` needs is declared and can be had."""
    for task in needed(params, dataset):
        teacher = declared(params, dataset, task)
        try:
            kind_of(teacher).check(teacher, task, params.study.scale)
        except UserError as error:
            raise UserError(f"teachers.{dataset}.{task}.{teacher.kind}: {error}") from None


def declared(params: Params, dataset: str, task: str) -> Teacher:
    """The teacher of a task that the source does not label; UserError where params.yaml has none that predicts."""
    try:
        teacher = params.teachers_of(dataset)[task]
    except KeyError:
        raise UserError(
            f"no labels for '{task}' in the rendered scenes of {dataset}, and no teacher to predict them; declare"
            f" teachers.{dataset}.{task} in {paths.PARAMS}, or set study.source.{dataset} to archive, which has them"
        ) from None
    if teacher.kind == ARCHIVE:
        raise UserError(
            f"teachers.{dataset}.{task}.kind: found archive, but study.source.{dataset} is scenes, and rendered scenes"
            " ship no such labels; expected trained or onnx, or the source archive"
        )
    return teacher


def predictor(params: Params, dataset: str) -> Callable[[str, str], NDArray[Any]]:
    """What labels.write_taught takes: from task and image id to the label that the task's teacher predicts."""
    data, study = layout(dataset), params.study_name(dataset)
    raw = paths.raw(study, dataset)
    loaded = {}
    for task in needed(params, dataset):
        teacher = declared(params, dataset, task)
        loaded[task] = kind_of(teacher).load(teacher, task, paths.teacher(study, dataset, task), params.compute)
    return lambda task, image_id: loaded[task](data.read_image(raw, image_id))
