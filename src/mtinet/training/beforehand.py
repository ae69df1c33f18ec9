"""Trainings before the experiments, of teachers and of backbones: by the same loop, with a budget of steps."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from mtinet import files, paths
from mtinet.config import Augmentation, Budget, Experiment, Params, SceneSet
from mtinet.data.packed import PackedSplit
from mtinet.errors import UserError
from mtinet.training import checkpoints, loop, provenance
from mtinet.training.run import Run

AUGMENTATION = Augmentation(zoom=[1.0], flip=True)
MANIFEST = "manifest.json"


@dataclass(frozen=True)
class Learner:
    """What is trained: a network of `method` on `backbone`, for `tasks` of a dataset; `where` it is declared."""

    name: str
    method: str
    backbone: str
    tasks: Sequence[str]
    lr: float
    weight_decay: float
    seed: int
    where: str


def run_of(params: Params, dataset: str, learner: Learner, budget: Budget, images: int) -> Run:
    """The training as the loop takes it, Adam in whole epochs with the declared steps at least.

    UserError where there are too few images for one batch.
    """
    if images < budget.batch_size:
        raise UserError(
            f"{images} images to learn {', '.join(learner.tasks)} from, expected a batch of {budget.batch_size};"
            f" lower {learner.where}.budgets.{params.study.scale}.batch_size in {paths.PARAMS}"
        )
    scale = {
        "input": budget.input,
        "epochs": math.ceil(budget.steps / (images // budget.batch_size)),
        "epochs_of": {},
        "batch_size": budget.batch_size,
        "optimizer": None,
        "lr_factor": 1.0,
        "augmentation": AUGMENTATION,
        "pretrained": budget.pretrained,
    }
    tasks = params.datasets[dataset].tasks
    alone = len(learner.tasks) == 1
    return Run(
        study=params.study_name(dataset),
        dataset=dataset,
        method=learner.method,
        name=learner.name,
        seed=learner.seed,
        experiment=Experiment(
            backbone=learner.backbone, tasks=[*learner.tasks], auxiliary=[], optimizer="adam", lr=learner.lr,
            weight_decay=learner.weight_decay, options={},
        ),
        scale=params.scale(dataset).model_copy(update=scale),
        threads=params.compute.threads,
        precision=params.compute.precision,
        channels={task: params.channels(dataset, task) for task in learner.tasks},
        loss_weights={task: 1.0 if alone else tasks[task].weight for task in learner.tasks},
    )  # fmt: skip


def pictures(budget: Budget, seed: int) -> SceneSet:
    """The pictures that a budget has rendered; of the set's two splits only the training split is."""
    assert budget.images is not None
    sizes = {"height": budget.height, "width": budget.width, "longest": budget.longest}
    return SceneSet(train=budget.images, val=1, **sizes, seed=seed)


def learn(run: Run, split: PackedSplit, device: torch.device, kept: str, weights: Path, kind: str) -> Path:
    """Train, going on where an interrupted attempt was, and write the weights of the network's part `kept` (all of it
    where empty), and beside them the manifest, whose "kind" is `kind`; the same bytes each time on a CPU.

    Returns the folder of the checkpoints, which may go when the weights are published.
    """
    loop.check(run)  # imports the network and the losses, whose code belongs to the run's origin
    origin = provenance.Origin.of(run, split, device)
    unfinished = paths.unfinished(run.name, origin.key)
    steps = run.epochs * (len(split) // run.scale.batch_size)

    def report(row: dict[str, float]) -> None:
        print(f"{run.name}: {row['steps']:.0f} of {steps} steps, loss {row['loss']:.4f}", flush=True)

    model, history = loop.train(run, split, unfinished, device, report)
    checkpoints.publish_weights(weights, model.get_submodule(kept))
    losses = [round(row["loss"], 6) for row in history]
    manifest = {"kind": kind, "losses": losses, **provenance.manifest(origin, history, weights)}
    files.write_json(weights.parent / MANIFEST, manifest)
    return unfinished
