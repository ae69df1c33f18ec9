"""One run: everything that determines its result, as plain data that can be hashed and written down."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from mtinet import files, paths
from mtinet.config import Experiment, Params, Scale
from mtinet.errors import UserError
from mtinet.models.backbones import WHOLE
from mtinet.tasks import task


def no_pretraining() -> None:
    """No entry under `pretraining`."""


@dataclass(frozen=True)
class Run:
    """One experiment of one dataset under one seed, at the study's scale.

    begins_with: gives the entry under `pretraining` in params.yaml whose backbone it begins with, None for none. A
        function, since only the training looks that up: a stage that scores depends on none of those parameters.
    """

    study: str
    dataset: str
    method: str
    name: str
    seed: int
    experiment: Experiment
    scale: Scale
    threads: int
    channels: dict[str, int]
    loss_weights: dict[str, float]
    processes: int = 1
    precision: str = "auto"
    begins_with: Callable[[], str | None] = field(default=no_pretraining, compare=False)

    @classmethod
    def of(cls, params: Params, dataset: str, experiment_name: str, seed: int) -> Run:
        """The run that params.yaml declares; raises UserError when it declares no such experiment."""
        method, experiment = params.experiment(dataset, experiment_name)
        tasks = params.datasets[dataset].tasks
        used = [*experiment.tasks, *experiment.auxiliary]
        return cls(
            study=params.study_name(dataset),
            dataset=dataset,
            method=method,
            name=experiment_name,
            seed=seed,
            experiment=experiment,
            scale=params.scale(dataset),
            threads=params.compute.threads,
            channels={name: params.channels(dataset, name) for name in used},
            loss_weights={name: tasks[name].weight for name in used},
            processes=params.compute.processes,
            precision=params.compute.precision,
            begins_with=partial(params.pretraining_of, dataset, experiment.backbone),
        )

    @property
    def tasks(self) -> list[str]:
        """All tasks that are trained: main, then auxiliary."""
        return [*self.experiment.tasks, *self.experiment.auxiliary]

    @property
    def optimizer(self) -> str:
        """adam or sgd: the experiment's, unless the scale puts one in its place."""
        return self.scale.optimizer_for(self.experiment)[0]

    @property
    def learning_rate(self) -> float:
        """Initial learning rate: the optimiser's times the scale's factor."""
        return self.scale.optimizer_for(self.experiment)[1]

    @property
    def epochs(self) -> int:
        """How often the training images, or the part of them that is seen at all, are seen."""
        return math.ceil(self.scale.epochs_for(self.experiment.backbone))

    @property
    def passes(self) -> int | float:
        """`epochs` as they are declared: below 1 for a part of the training images, seen once."""
        return self.scale.epochs_for(self.experiment.backbone)

    @property
    def pretrained(self) -> str:
        """Initial weights of the backbone: none, hub, path and digest of a state dict, or scenes."""
        return self.scale.pretrained_for(self.experiment.backbone)

    @property
    def pretrained_backbone(self) -> Path | None:
        """What the stage pretrain publishes for this run; None where it begins with other weights."""
        name = self.begins_with()
        return None if name is None else paths.pretrained(self.study, self.dataset, name) / WHOLE

    def initial_weights(self) -> str:
        """`pretrained` as mtinet.models.build takes it: instead of scenes the file that the stage pretrain published.

        Raises UserError when it is not there.
        """
        path = self.pretrained_backbone
        if path is None:
            return self.pretrained
        if not path.exists():
            raise UserError(f"no weights at {path}: run the stage pretrain for '{self.begins_with()}' first")
        return f"{path}#sha256={files.digest_of_file(path)}"

    @property
    def location(self) -> tuple[str, str, str, int]:
        """What the functions of mtinet.paths take to name this run's files."""
        return self.study, self.dataset, self.name, self.seed

    def config(self) -> dict[str, Any]:
        """Everything in params.yaml that determines the result, as plain data."""
        scale = self.scale.model_dump(exclude={"scenes", "epochs_of"}, exclude_none=True)
        scale |= {"epochs": self.passes, "pretrained": self.pretrained}
        unsaid = {"labels"} if self.experiment.labels == "own" else set()
        return {
            "dataset": self.dataset,
            "method": self.method,
            "experiment": self.experiment.model_dump(exclude=unsaid),
            "scale": scale,
            "channels": self.channels,
            "loss_weights": self.loss_weights,
            "registry": {name: dataclasses.asdict(task(name)) for name in self.tasks},
            "threads": self.threads,
            "processes": self.processes,
            "precision": self.precision,
            "seed": self.seed,
        }
