"""Typed, strict view of params.yaml: unknown keys and wrong types are errors that name the key's path."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import yaml
from pydantic import Field, ValidationError, model_validator

from mtinet import paths
from mtinet.config.learning import Budget, OnnxTeacher, Pretraining, Teacher, TrainedTeacher
from mtinet.config.sections import (
    FOLDERS,
    SCENES,
    Affinity,
    Archive,
    Augmentation,
    Compute,
    Dataset,
    Experiment,
    Limits,
    Name,
    Optimizer,
    Scale,
    SceneSet,
    Seed,
    Strict,
    Study,
)
from mtinet.errors import UserError
from mtinet.mistakes import UniqueKeys, known, problem
from mtinet.tasks import registry

__all__ = [
    "FOLDERS",
    "SCENES",
    "Archive",
    "Augmentation",
    "Budget",
    "Compute",
    "Experiment",
    "Limits",
    "OnnxTeacher",
    "Optimizer",
    "Params",
    "Pretraining",
    "Scale",
    "SceneSet",
    "Strict",
    "Teacher",
    "TrainedTeacher",
    "load",
]


Methods = dict[Name, dict[Name, Experiment]]
ON_DEMAND = ("readings", "controls")  # the sections that are run where `study` says so


class Params(Strict):
    """The whole of params.yaml."""

    study: Study
    seeds: Annotated[list[Seed], Field(min_length=1)]
    compute: Compute
    scales: dict[Name, dict[Name, Scale]]
    datasets: dict[Name, Dataset]
    teachers: dict[Name, dict[Name, Teacher]] = {}  # noqa: RUF012  (pydantic copies defaults)
    pretraining: dict[Name, dict[Name, Pretraining]] = {}  # noqa: RUF012
    affinity: Affinity
    experiments: dict[Name, Methods]
    readings: dict[Name, Methods] = {}  # noqa: RUF012
    control_seeds: Annotated[list[Seed], Field(min_length=2)] = [0, 1, 2]  # noqa: RUF012
    controls: dict[Name, Methods] = {}  # noqa: RUF012

    @model_validator(mode="after")
    def consistent(self) -> Params:
        """Names used in one section exist in the other, and experiment names are unique per dataset."""
        known("study.scale", self.study.scale, self.scales)
        for dataset in self.datasets:
            known("study.source", dataset, self.study.source, "a source for")
            for scale, sets in self.scales.items():
                known(f"scales.{scale}", dataset, sets, "an entry for")
            self._check_layout(dataset)
            for name in self.datasets[dataset].tasks:
                self._check_task(f"datasets.{dataset}.tasks", dataset, name)
            if "edge" in self.datasets[dataset].tasks and not self.datasets[dataset].edges:
                raise ValueError(f"datasets.{dataset}: lacks 'edges', how its task 'edge' is scored")
        for dataset, names in self.affinity.tasks.items():
            known("affinity.tasks", dataset, self.datasets)
            for name in names:
                known(f"affinity.tasks.{dataset}", name, self.datasets[dataset].tasks)
        for dataset, teachers in self.teachers.items():
            known("teachers", dataset, self.datasets)
            for name, teacher in teachers.items():
                known(f"teachers.{dataset}", name, self.datasets[dataset].tasks)
                self._check_teacher(f"teachers.{dataset}.{name}", dataset, name, teacher)
        for dataset, trainings in self.pretraining.items():
            known("pretraining", dataset, self.datasets)
            self._check_pretraining(dataset, trainings)
        for section in ("experiments", *ON_DEMAND):
            for dataset in getattr(self, section):
                known(section, dataset, self.datasets)
        for dataset in self.experiments:
            self._check_processes(dataset)
            self._check_experiments(dataset)
            self._check_backbones(dataset)
        for key, seeds in (("seeds", self.seeds), ("control_seeds", self.control_seeds)):
            if len(set(seeds)) != len(seeds):
                raise ValueError(f"{key}: {seeds} names a seed twice")
        return self

    def _check_layout(self, dataset: str) -> None:
        """Pictures are sized where they can be rendered, and nothing renders a data set in folders."""
        in_folders = self.datasets[dataset].layout == FOLDERS
        if in_folders and self.study.source[dataset] == SCENES:
            raise ValueError(f"study.source.{dataset}: found scenes, expected archive for a data set in folders")
        if in_folders and dataset in self.pretraining:
            raise ValueError(f"pretraining.{dataset}: a data set in folders has no rendered pictures to learn from")
        for scale, sets in self.scales.items():
            if not in_folders and sets[dataset].scenes is None:
                raise ValueError(f"scales.{scale}.{dataset}: lacks 'scenes', the pictures to render")

    def _check_processes(self, dataset: str) -> None:
        """Each process gets one image of every batch at least."""
        found, most = self.compute.processes, self.scale(dataset).batch_size
        if found > most:
            where = f"scales.{self.study.scale}.{dataset}.batch_size"
            raise ValueError(f"compute.processes: found {found}, expected at most {where}, {most}")

    def _check_task(self, where: str, dataset: str, name: str) -> None:
        known(where, name, registry())
        classes = self.datasets[dataset].tasks[name].classes
        if (classes is None) != (registry()[name].channels is not None):
            verb = "lacks" if classes is None else "has no use for"
            raise ValueError(f"{where}.{name}: {verb} 'classes', the number of its labels")

    def _check_teacher(self, where: str, dataset: str, task: str, teacher: Teacher) -> None:
        """It has a budget at every scale, labels to learn from, and sees none of the pictures that are scored."""
        if teacher.trained is None:
            if self.teachers_of(dataset)[task].kind == "trained":
                raise ValueError(f"{where}: kind is null, trained for scenes, but its section 'trained' is null")
            return
        self._check_budgets(where, dataset, teacher.budgets)
        learnt = teacher.trained.learns_from
        if learnt == SCENES:
            self._check_pictures(f"{where}.trained.seed", dataset, teacher.trained.seed)
            return
        others = {name: found.tasks for name, found in self.datasets.items() if name != dataset}
        known(f"{where}.trained.learns_from", learnt, [*others, SCENES])
        known(f"{where}.trained.learns_from: {learnt}", task, others[learnt], "the task")

    def _check_pretraining(self, dataset: str, trainings: dict[str, Pretraining]) -> None:
        """As teachers; and each backbone once, so that it is plain which weights a run begins with."""
        seen: dict[str, str] = {}
        for name, training in trainings.items():
            where = f"pretraining.{dataset}.{name}"
            self._check_budgets(where, dataset, training.budgets)
            self._check_pictures(f"{where}.seed", dataset, training.seed)
            if training.backbone in seen:
                raise ValueError(f"{where}.backbone: {training.backbone} is that of '{seen[training.backbone]}' too")
            seen[training.backbone] = name

    def _check_budgets(self, where: str, dataset: str, budgets: dict[str, Budget]) -> None:
        """A budget at every scale, whose pictures, where it has such, are sized in the way of the dataset's own."""
        for scale, sets in self.scales.items():
            known(f"{where}.budgets", scale, budgets, "an entry for")
            budget, scenes = budgets[scale], sets[dataset].scenes
            if budget.images is None or scenes is None or (budget.longest is None) == (scenes.longest is None):
                continue
            wrong, right = ("longest", "height and width") if budget.longest else ("height", "longest alone")
            raise ValueError(
                f"{where}.budgets.{scale}.{wrong}: sizes pictures in another way than scales.{scale}.{dataset}.scenes;"
                f" expected {right}"
            )

    def _check_pictures(self, where: str, dataset: str, seed: int) -> None:
        """What is rendered from `seed` is none of the pictures that the experiments see."""
        for scale, sets in self.scales.items():
            scenes = sets[dataset].scenes
            if scenes is not None and scenes.seed == seed:
                raise ValueError(
                    f"{where}: {seed} is also that of scales.{scale}.{dataset}.scenes, whose pictures must not be"
                    " learnt from; choose another"
                )

    def _check_experiments(self, dataset: str) -> None:
        seen: dict[str, str] = {}
        for where, _, experiment in self.declarations(dataset):
            place, _, name = where.rpartition(".")
            if name in seen:
                raise ValueError(f"{where}: the name is taken under {seen[name]}")
            seen[name] = place
            for key in ("tasks", "auxiliary"):
                for task in getattr(experiment, key):
                    known(f"{where}.{key}", task, self.datasets[dataset].tasks)
            both = [*experiment.tasks, *experiment.auxiliary]
            if len(set(both)) != len(both):
                raise ValueError(f"{where}: a task is named twice in tasks and auxiliary {both}")

    def _check_backbones(self, dataset: str) -> None:
        """Weights and epochs are named for backbones in use only: those of a misspelt one would silently go."""
        used = sorted({experiment.backbone for _, _, experiment in self.declarations(dataset)})
        for scale, sets in self.scales.items():
            given, where = sets[dataset].pretrained, f"scales.{scale}.{dataset}.pretrained"
            for backbone in given if isinstance(given, dict) else ():
                known(where, backbone, used)
            trained = [one.backbone for one in self.pretraining.get(dataset, {}).values()]
            for backbone in used:
                if sets[dataset].pretrained_for(backbone) == SCENES:
                    known(f"{where}: {SCENES}", backbone, trained, f"an entry under pretraining.{dataset} for")
            for backbone in sets[dataset].epochs_of:
                known(f"scales.{scale}.{dataset}.epochs_of", backbone, used)

    def study_name(self, dataset: str) -> str:
        """`<source>-<scale>`: the folder under runs/ and reports/ that results of `dataset` go to."""
        return f"{self.study.source[dataset]}-{self.study.scale}"

    def scale(self, dataset: str) -> Scale:
        """The chosen scale's entry for `dataset`."""
        return self.scales[self.study.scale][dataset]

    def pretraining_of(self, dataset: str, backbone: str) -> str | None:
        """The entry under `pretraining` that runs on `backbone` begin with at this scale; None: with none of them."""
        if self.scale(dataset).pretrained_for(backbone) != SCENES:
            return None
        return next(name for name, one in self.pretraining[dataset].items() if one.backbone == backbone)

    def teachers_of(self, dataset: str) -> dict[str, Teacher]:
        """The dataset's teachers by task, with the kind that the source chooses where they declare none."""
        default = {"kind": "trained" if self.study.source[dataset] == SCENES else "archive"}
        declared = self.teachers.get(dataset, {})
        return {name: found if found.kind else found.model_copy(update=default) for name, found in declared.items()}

    def channels(self, dataset: str, task: str) -> int:
        """Channels of the network's output for `task` on `dataset`."""
        return self.datasets[dataset].tasks[task].classes or registry()[task].channels or 0

    def runs(self, dataset: str) -> list[tuple[str, int]]:
        """Experiment and seed of every run that is declared for `dataset`, in the order of the file."""
        return [(name, seed) for name in self.names(dataset) for seed in self.seeds_of(dataset, name)]

    def seeds_of(self, dataset: str, name: str) -> list[int]:
        """The seeds that the experiment `name` is run under; controls have their own."""
        return self.control_seeds if self.is_control(dataset, name) else self.seeds

    def is_control(self, dataset: str, name: str) -> bool:
        """Whether `name` is one of the controls, and the study has them."""
        return self.study.controls and any(name in found for found in self.controls.get(dataset, {}).values())

    def declarations(self, dataset: str) -> Iterator[tuple[str, str, Experiment]]:
        """Key in params.yaml, method and declaration of all experiments, readings and controls, run or not."""
        for section in ("experiments", *ON_DEMAND):  # the later ones are read where a caller goes on to them only
            for method, experiments in getattr(self, section).get(dataset, {}).items():
                for name, experiment in experiments.items():
                    yield f"{section}.{dataset}.{method}.{name}", method, experiment

    def methods(self, dataset: str) -> Methods:
        """What is run on `dataset`, by method and name: its experiments, then readings and controls where the study has
        them."""
        found = {method: {**experiments} for method, experiments in self.experiments.get(dataset, {}).items()}
        for section in ON_DEMAND:
            if getattr(self.study, section):
                for method, experiments in getattr(self, section).get(dataset, {}).items():
                    found.setdefault(method, {}).update(experiments)
        return found

    def names(self, dataset: str) -> list[str]:
        """The experiments that are run on `dataset`, method by method."""
        return [name for experiments in self.methods(dataset).values() for name in experiments]

    def experiment(self, dataset: str, name: str) -> tuple[str, Experiment]:
        """Method and declaration of the experiment, reading or control `name`, run by the study or not.

        Raises UserError when it is not declared.
        """
        for key, method, experiment in self.declarations(dataset):
            if key.rpartition(".")[2] == name:
                return method, experiment
        raise UserError(f"no experiment '{name}' under experiments.{dataset} in {paths.PARAMS}")


def load(path: Path = paths.PARAMS) -> Params:
    """Read and check params.yaml; every problem is in the UserError, one per line of its message."""
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), Loader=UniqueKeys)
    except FileNotFoundError:
        raise UserError(f"no {path} here; run from the repository's root") from None
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror}); expected a file of YAML") from None
    except Exception as error:  # PyYAML's constructors raise whatever an odd scalar makes them stumble over
        reason = " ".join(str(error).split()) or type(error).__name__
        raise UserError(f"{path} is not valid YAML: {reason}") from None
    try:
        return Params.model_validate(content)
    except ValidationError as error:
        raise UserError("\n".join(f"{path}: {problem(item, Params)}" for item in error.errors())) from None
