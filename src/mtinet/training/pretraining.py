"""Backbones that experiments begin with, where a scale says `pretrained: scenes`: trained on all of a dataset's tasks
at once, on pictures rendered for that alone. The paper's are trained on ImageNet, which is not everywhere at hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mtinet import files, paths, stage
from mtinet.config import SCENES, Params
from mtinet.data import apart, scene_set
from mtinet.data.layouts import layout
from mtinet.data.packed import PackedSplit
from mtinet.errors import UserError
from mtinet.models.backbones import WHOLE
from mtinet.training import beforehand, loop
from mtinet.training.beforehand import Learner

METHOD = "multi_task"


def pretrain(params: Params, dataset: str, name: str, folder: Path) -> list[Path]:
    """Train the backbone that is declared as `name` and write it, with its manifest, into `folder`.

    Returns the unfinished work, pictures and checkpoints, which may go when `folder` is published.
    """
    declared = params.pretraining[dataset][name]
    budget = declared.budgets[params.study.scale]
    layout(dataset)
    scene_set.renderer(dataset)  # imported by name, so that its code is part of the key of unfinished work
    scenes = beforehand.pictures(budget, declared.seed)
    tasks = [*params.datasets[dataset].tasks]
    key = {"scenes": scenes.model_dump(), "tasks": tasks, "code": stage.code_hash(stage.code_files())}
    work = paths.unfinished("pretrain-data", files.digest_of(key | {"dataset": dataset, "name": name}))
    if not (work / "packed").exists():
        apart.pack(dataset, tasks, scenes, work, stage.cores())
    split = PackedSplit(work / "packed")
    learner = Learner(
        name=f"pretraining-{name}",
        method=METHOD,
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


def reason_for_none(params: Params, dataset: str, name: str) -> dict[str, Any] | None:
    """What stands in a manifest without weights: None when experiments begin with them at this scale."""
    if name not in params.pretraining.get(dataset, {}):
        raise UserError(f"no entry '{name}' under pretraining.{dataset} in {paths.PARAMS}")
    used = params.scale(dataset).pretrained_for(params.pretraining[dataset][name].backbone)
    return None if used == SCENES else {"kind": used.partition("#")[0]}
