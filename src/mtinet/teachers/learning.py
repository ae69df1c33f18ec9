"""How teachers of the kind `trained` come about: labels that are true by construction, and the ordinary training loop.

What a teacher learns from is packed from raw data into unfinished work, whatever the state of later stages: the
training images of another dataset, whose test images it never sees, or pictures rendered for it alone with exact
labels.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from mtinet import files, paths, stage
from mtinet.config import SCENES, Augmentation, Experiment, Params, SceneSet, Teacher, TeachingBudget, TrainedTeacher
from mtinet.data import cards, formats, labels, packing, scene_set
from mtinet.data.layouts import EXACT_FOLDER, exact_path, layout
from mtinet.data.packed import PackedSplit
from mtinet.errors import UserError
from mtinet.teachers import declared
from mtinet.teachers.trained import MANIFEST, METHOD, WEIGHTS
from mtinet.training import checkpoints, loop, provenance
from mtinet.training.run import Run

AUGMENTATION = Augmentation(zoom=[1.0], flip=True)


def teach(params: Params, dataset: str, task: str, folder: Path) -> None:
    """Train the teacher of a task and write its weights and manifest into `folder`; the same bytes on a CPU."""
    teacher = declared(params, dataset, task)
    budget = teacher.budgets[params.study.scale]
    prepare_imports(teacher.trained, dataset, task)
    work = paths.unfinished("teach-data", files.digest_of(made_of(params, dataset, task)))
    if not (work / "packed").exists():
        pack(params, dataset, task, work)
    split = PackedSplit(work / "packed")
    run = run_of(params, dataset, task, len(split))
    device = loop.device_of(params.compute.device)
    loop.check(run)  # imports the network and the loss, whose code belongs to the run's origin
    origin = provenance.Origin.of(run, split, device)
    unfinished = paths.unfinished("teach", origin.key)

    def report(row: dict[str, float]) -> None:
        print(f"{run.name}: {row['steps']:.0f} of {budget.steps} steps, loss {row['loss']:.4f}", flush=True)

    model, history = loop.train(run, split, unfinished, device, report)
    checkpoints.publish_weights(folder / WEIGHTS, model)
    manifest = provenance.manifest(origin, history, folder / WEIGHTS)
    losses = [round(row["loss"], 6) for row in history]
    files.write_json(folder / MANIFEST, {"kind": teacher.kind, "losses": losses, **manifest})
    files.remove(unfinished)
    files.remove(work)


def prepare_imports(trained: TrainedTeacher, dataset: str, task: str) -> None:
    """Import by name what the teacher is made of, so that its code is part of the keys of unfinished work."""
    layout(dataset if trained.learns_from == SCENES else trained.learns_from)
    if trained.learns_from == SCENES:
        scene_set.renderer(dataset)


def made_of(params: Params, dataset: str, task: str) -> dict[str, Any]:
    """All that determines the packed images and labels of a teacher."""
    teacher = declared(params, dataset, task)
    source, budget = teacher.trained.learns_from, teacher.budgets[params.study.scale]
    code = stage.code_hash(stage.code_files())
    if source == SCENES:
        pictures = {"seed": teacher.trained.seed, "images": budget.images, "longest": budget.longest}
        return {"dataset": dataset, "task": task, "code": code, **pictures}
    card = files.read_json(paths.card(params.study_name(source), source))
    return {"dataset": source, "task": task, "code": code, "digest": card["digest"]}


def run_of(params: Params, dataset: str, task: str, images: int) -> Run:
    """The teacher's training as the loop takes it; UserError where there are too few images for one batch."""
    teacher = declared(params, dataset, task)
    budget, trained = teacher.budgets[params.study.scale], teacher.trained
    if images < budget.batch_size:
        raise UserError(
            f"{images} images to learn '{task}' from ({trained.learns_from}), expected a batch of {budget.batch_size};"
            f" lower teachers.{dataset}.{task}.budgets.{params.study.scale}.batch_size in {paths.PARAMS}"
        )
    return Run(
        study=params.study_name(dataset),
        dataset=dataset,
        method=METHOD,
        name=f"teacher-{task}",
        seed=trained.seed,
        experiment=Experiment(
            backbone=trained.backbone, tasks=[task], auxiliary=[], optimizer="adam", lr=trained.lr,
            weight_decay=trained.weight_decay, options={},
        ),
        scale=params.scale(dataset).model_copy(update=training_of(budget, images)),
        threads=params.compute.threads,
        precision=params.compute.precision,
        channels={task: params.channels(dataset, task)},
        loss_weights={task: 1.0},
    )  # fmt: skip


def training_of(budget: TeachingBudget, images: int) -> dict[str, Any]:
    """A teacher's budget in the terms of a scale: whole epochs with the declared steps at least."""
    return {
        "input": budget.input,
        "epochs": math.ceil(budget.steps / (images // budget.batch_size)),
        "epochs_of": {},
        "batch_size": budget.batch_size,
        "optimizer": None,
        "lr_factor": 1.0,
        "augmentation": AUGMENTATION,
        "pretrained": budget.pretrained,
    }


# What it learns from ----------------------------------------------------------------------------------------


def pack(params: Params, dataset: str, task: str, work: Path) -> None:
    """Pack the images and labels that the teacher of a task learns from into `work`/packed."""
    teacher = declared(params, dataset, task)
    source = teacher.trained.learns_from
    if source == SCENES:
        ids = render(teacher, dataset, task, params.study.scale, work / "pictures")
        packing.pack(work / "pictures", None, ids, [task], work / "packed", layout=layout(dataset))
        return
    study, data = params.study_name(source), layout(source)
    raw, card = paths.raw(study, source), files.read_json(paths.card(study, source))
    cards.check_card(raw, card)
    ids = data.split_ids(raw, "train")
    if task in labels.tasks_of(card, "derived"):
        for name in ids:
            labels.derive(raw, task, name, work / "derived", data)
    packing.pack(raw, work / "derived", ids, [task], work / "packed", layout=data)


def render(teacher: Teacher, dataset: str, task: str, scale: str, root: Path) -> list[str]:
    """Render the teacher's own pictures into `root`, those that are missing, with exact labels in the teacher's place.

    Returns their ids. Labels go through the archive's 8 bits.
    """
    budget, data = teacher.budgets[scale], layout(dataset)
    assert budget.images is not None
    # A scene set has a val split; of this one only the training split is rendered.
    scenes = SceneSet(train=budget.images, val=1, longest=budget.longest, seed=teacher.trained.seed)
    ids = scene_set.scene_ids(scenes, dataset)["train"]
    todo = [name for name in ids if not scene_set.complete(root, name, dataset)]
    for _ in scene_set.rendered(root, scenes, todo, stage.cores(), dataset):
        pass
    for name in ids:
        data.write_label(root, task, name, formats.read_array(exact_path(root / EXACT_FOLDER, task, name)))
    return ids
