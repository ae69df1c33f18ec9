"""One run: everything that determines its result, as plain data that can be hashed and written down."""

from __future__ import annotations

import dataclasses
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mtinet import files
from mtinet.config import Augmentation, Experiment, Params, Scale
from mtinet.tasks import task


@dataclass(frozen=True)
class Run:
    """One experiment of one dataset under one seed, at the study's scale."""

    study: str
    dataset: str
    method: str
    name: str
    seed: int
    experiment: Experiment
    scale: Scale
    augmentation: Augmentation
    threads: int
    channels: dict[str, int]
    loss_weights: dict[str, float]

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
            augmentation=params.augmentation[dataset],
            threads=params.compute.threads,
            channels={name: params.channels(dataset, name) for name in used},
            loss_weights={name: tasks[name].weight for name in used},
        )

    @property
    def tasks(self) -> list[str]:
        """All tasks that are trained: main, then auxiliary."""
        return [*self.experiment.tasks, *self.experiment.auxiliary]

    @property
    def learning_rate(self) -> float:
        """Initial learning rate: the experiment's times the scale's factor."""
        return self.experiment.lr * self.scale.lr_factor

    @property
    def location(self) -> tuple[str, str, str, int]:
        """What the functions of mtinet.paths take to name this run's files."""
        return self.study, self.dataset, self.name, self.seed

    def config(self) -> dict[str, Any]:
        """Everything in params.yaml that determines the result, as plain data."""
        scale = self.scale.model_dump(exclude={"scenes"})
        return {
            "dataset": self.dataset,
            "method": self.method,
            "experiment": self.experiment.model_dump(),
            "scale": scale,
            "augmentation": self.augmentation.model_dump(),
            "channels": self.channels,
            "loss_weights": self.loss_weights,
            "registry": {name: dataclasses.asdict(task(name)) for name in self.tasks},
            "threads": self.threads,
            "seed": self.seed,
        }


def code_hash() -> str:
    """SHA-256 over the project's source files that this process has imported, the stage's script included."""
    package = Path(__file__).resolve().parents[1]
    root = package.parents[1]
    names = (getattr(module, "__file__", None) for module in list(sys.modules.values()))
    loaded = {Path(name).resolve() for name in names if name}
    return files.digest_of_files((path for path in loaded if is_project_code(path, root)), root)


def is_project_code(path: Path, root: Path) -> bool:
    """Whether `path` lies in the library or among the stages of the repository at `root`."""
    return path.is_relative_to(root / "src") or path.is_relative_to(root / "stages")
