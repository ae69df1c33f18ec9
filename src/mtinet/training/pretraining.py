"""Backbones that experiments begin with, where a scale says `pretrained: scenes`: trained on all of a dataset's tasks
at once, on pictures rendered for that alone. The paper's are trained on ImageNet, which is not everywhere at hand."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mtinet import files, locks, paths, stage
from mtinet.config import SCENES, Params, SceneSet
from mtinet.data import apart, scene_set
from mtinet.data.layouts import layout
from mtinet.data.packed import PackedSplit
from mtinet.errors import UserError
from mtinet.models.backbones import WHOLE
from mtinet.training import beforehand, loop
from mtinet.training.beforehand import Learner

METHODS = {"own": "multi_task", "linear": "linear_heads"}


def pretrain(params: Params, dataset: str, name: str, folder: Path) -> list[Path]:
    """Train the backbone that is declared as `name` and write it, with its manifest, into `folder`.

    Returns the unfinished work, pictures and checkpoints: for `clear`, when `folder` is published.
    """
    declared = params.pretraining[dataset][name]
    budget = declared.budgets[params.study.scale]
    layout(dataset)
    scene_set.renderer(dataset)  # imported by name, so that its code is part of the key of unfinished work
    scenes = scenes_of(params, dataset, name)
    tasks = [*params.datasets[dataset].tasks]
    key = {"scenes": scenes.model_dump(), "tasks": tasks, "code": stage.code_hash(stage.code_files())}
    work = paths.unfinished("pretrain-data", files.digest_of(key | {"dataset": dataset}))
    with locks.writing(work):  # another backbone may learn from the same pictures: the first one renders them
        if not (work / "packed").exists():
            apart.pack(dataset, tasks, scenes, work, stage.cores())
        split = PackedSplit(work / "packed")
    learner = Learner(
        name=f"pretraining-{name}",
        method=METHODS[declared.heads],
        backbone=declared.backbone,
        tasks=tasks,
        lr=declared.lr,
        weight_decay=declared.weight_decay,
        seed=declared.seed,
        where=f"pretraining.{dataset}.{name}",
    )
    run = beforehand.run_of(params, dataset, learner, budget, len(split))
    device = loop.device_of(params.compute.device)
    return [beforehand.learn(run, split, device, "backbone", folder / WHOLE, SCENES), work]


def scenes_of(params: Params, dataset: str, name: str) -> SceneSet:
    """The pictures that a backbone is trained on."""
    declared = params.pretraining[dataset][name]
    return beforehand.pictures(declared.budgets[params.study.scale], declared.seed)


def clear(params: Params, dataset: str, name: str, unfinished: Sequence[Path]) -> None:
    """Remove what `pretrain` left; its pictures only where no other backbone is being trained on them."""
    *own, work = unfinished
    for path in own:
        files.remove(path)
    alike = [
        paths.pretrained(params.study_name(dataset), dataset, other)
        for other in params.pretraining[dataset]
        if other != name and scenes_of(params, dataset, other) == scenes_of(params, dataset, name)
    ]
    with locks.writing(work):  # whoever comes now either has them or waits, and renders them anew
        if not any(map(locks.at_work, alike)):
            files.remove(work)


def reason_for_none(params: Params, dataset: str, name: str) -> dict[str, Any] | None:
    """What stands in a manifest without weights: None when experiments begin with them at this scale."""
    if name not in params.pretraining.get(dataset, {}):
        raise UserError(f"no entry '{name}' under pretraining.{dataset} in {paths.PARAMS}")
    used = params.scale(dataset).pretrained_for(params.pretraining[dataset][name].backbone)
    return None if used == SCENES else {"kind": used.partition("#")[0]}
