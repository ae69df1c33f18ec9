"""How teachers of the kind `trained` come about: labels that are true by construction, and the ordinary training loop.

What a teacher learns from is packed from raw data into unfinished work, whatever the state of later stages: the
training images of another dataset, whose test images it never sees, or pictures rendered for it alone with exact
labels.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mtinet import files, paths, stage
from mtinet.config import SCENES, Params, TrainedTeacher
from mtinet.data import apart, cards, labels, packing, scene_set
from mtinet.data.layouts import distilling, layout
from mtinet.data.packed import PackedSplit
from mtinet.teachers import anew, declared
from mtinet.teachers.trained import METHOD, WEIGHTS, section
from mtinet.training import beforehand, loop
from mtinet.training.beforehand import Learner


def teach(params: Params, dataset: str, task: str, folder: Path) -> list[Path]:
    """Train the teacher of a task and write its weights and manifest into `folder`; the same bytes on a CPU.

    Returns the unfinished work, pictures and checkpoints, which may go when `folder` is published.
    """
    teacher = declared(params, dataset, task)
    budget = teacher.budgets[params.study.scale]
    prepare_imports(section(teacher), dataset, task)
    work = paths.unfinished("teach-data", files.digest_of(made_of(params, dataset, task)))
    if not (work / "packed").exists():
        pack(params, dataset, task, work)
    split = PackedSplit(work / "packed")
    run = beforehand.run_of(params, dataset, learner_of(params, dataset, task), budget, len(split))
    device = loop.device_of(params.compute.device)
    return [beforehand.learn(run, split, device, "", folder / WEIGHTS, str(teacher.kind)), work]


def prepare_imports(trained: TrainedTeacher, dataset: str, task: str) -> None:
    """Import by name what the teacher is made of, so that its code is part of the keys of unfinished work."""
    layout(dataset if trained.learns_from == SCENES else trained.learns_from)
    if trained.learns_from == SCENES:
        scene_set.renderer(dataset)


def made_of(params: Params, dataset: str, task: str) -> dict[str, Any]:
    """All that determines the packed images and labels of a teacher."""
    teacher = declared(params, dataset, task)
    source, budget = section(teacher).learns_from, teacher.budgets[params.study.scale]
    code = stage.code_hash(stage.code_files())
    if source == SCENES:
        pictures = beforehand.pictures(budget, section(teacher).seed).model_dump()
        return {"dataset": dataset, "task": task, "code": code, **pictures}
    card = files.read_json(paths.card(params.study_name(source), source))
    return {"dataset": source, "task": task, "code": code, "digest": card["digest"]}


def learner_of(params: Params, dataset: str, task: str) -> Learner:
    """The teacher's training, as it is declared."""
    trained = section(declared(params, dataset, task))
    return Learner(
        name=f"teacher-{task}",
        method=METHOD,
        backbone=trained.backbone,
        tasks=[task],
        lr=trained.lr,
        weight_decay=trained.weight_decay,
        seed=trained.seed,
        where=f"teachers.{dataset}.{task}",
    )


# What it learns from ----------------------------------------------------------------------------------------


def pack(params: Params, dataset: str, task: str, work: Path) -> None:
    """Pack the images and labels that the teacher of a task learns from into `work`/packed."""
    teacher = declared(params, dataset, task)
    source = section(teacher).learns_from
    if source == SCENES:
        scenes = beforehand.pictures(teacher.budgets[params.study.scale], section(teacher).seed)
        apart.pack(dataset, [task], scenes, work, stage.cores())
        return
    study, data = params.study_name(source), layout(source)
    raw, card = paths.raw(study, source), files.read_json(paths.card(study, source))
    with distilling(source, anew(params, source)):
        cards.check_card(raw, card)
    ids = data.split_ids(raw, "train")
    if task in labels.tasks_of(card, "derived"):
        for name in ids:
            labels.derive(raw, task, name, work / "derived", data)
    packing.pack(raw, work / "derived", ids, [task], work / "packed", layout=data)
