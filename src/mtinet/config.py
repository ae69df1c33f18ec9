"""Typed, strict view of params.yaml: unknown keys and wrong types are errors that name the key's path."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError, model_validator

from mtinet import paths
from mtinet.errors import UserError
from mtinet.mistakes import UniqueKeys, known, problem
from mtinet.tasks import registry

# Bounds far beyond any sensible value: what passes them must not end in a library's overflow hours later.
Positive = Annotated[int, Field(gt=0, le=10**8)]
Threads = Annotated[int, Field(gt=0, le=1024)]
Processes = Annotated[int, Field(gt=0, le=1024)]
Side = Annotated[int, Field(gt=0, le=16384, multiple_of=32)]
Pixels = Annotated[int, Field(ge=32, le=16384)]
Seed = Annotated[int, Field(ge=0, lt=2**32)]
Rate = Annotated[float, Field(gt=0, le=1e30)]  # products of two stay finite
Decay = Annotated[float, Field(ge=0, le=1e30)]
# Names become folders, parts of commands and of keys that are separated by dots.
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*$", max_length=64)]
Url = Annotated[str, Field(pattern=r"^(https?|file)://\S+$")]
Source = Literal["scenes", "archive"]
SCENES = "scenes"


class Strict(BaseModel):
    """Base of every section: no unknown keys, no silent conversions, no number that is infinite or none."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


class Study(Strict):
    scale: Name
    source: dict[Name, Source]


class Compute(Strict):
    threads: Threads
    processes: Processes = 1
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    device: Literal["auto", "cpu", "cuda"]


class SceneSet(Strict):
    """Size of a rendered data set: images per split, pixels of the stored images, seed.

    All images are of one height and width, or of varying shape with a common longest side.
    """

    train: Positive
    val: Positive
    height: Pixels | None = None
    width: Pixels | None = None
    longest: Pixels | None = None
    seed: Seed

    @model_validator(mode="after")
    def one_kind_of_size(self) -> SceneSet:
        given = {name for name in ("height", "width", "longest") if getattr(self, name) is not None}
        if given not in ({"height", "width"}, {"longest"}):
            raise ValueError(f"sizes images by {sorted(given)}, expected height and width, or longest alone")
        return self


class InputSize(Strict):
    height: Side
    width: Side


class Augmentation(Strict):
    """Flip, and a zoom into the centre by one of some factors (NYUD-v2) or a warp (PASCAL).

    A warp rotates about the centre by U(-rotation, rotation) degrees and enlarges by U(scale[0], scale[1]);
    `borders` says what labels are beyond the image's border.
    """

    zoom: Annotated[list[Annotated[float, Field(ge=1, le=100)]], Field(min_length=1)] | None = None
    rotation: Annotated[float, Field(ge=0, le=180)] | None = None
    scale: Annotated[list[Annotated[float, Field(gt=0, le=100)]], Field(min_length=2, max_length=2)] | None = None
    borders: Literal["ignored", "zero"] | None = None
    flip: bool

    @model_validator(mode="after")
    def zoom_or_warp(self) -> Augmentation:
        given = {name for name in ("zoom", "rotation", "scale", "borders") if getattr(self, name) is not None}
        if given not in ({"zoom"}, {"rotation", "scale", "borders"}):
            raise ValueError(f"augments by {sorted(given)}, expected zoom alone, or rotation, scale and borders")
        if self.scale is not None and self.scale[0] > self.scale[1]:
            raise ValueError(f"scale {self.scale} ends below its beginning")
        return self


class Optimizer(Strict):
    """What trains all experiments of a scale in the place of their own optimiser and initial learning rate."""

    kind: Literal["adam", "sgd"]
    lr: Rate


class Scale(Strict):
    """How much of one dataset is trained: see `scales` in params.yaml."""

    scenes: SceneSet
    input: InputSize
    epochs: Positive
    epochs_of: dict[str, Positive]
    batch_size: Positive
    optimizer: Optimizer | None
    lr_factor: Rate
    augmentation: Augmentation
    pretrained: str | dict[str, str]

    @model_validator(mode="after")
    def enough_images(self) -> Scale:
        """The last incomplete batch is dropped, so that one batch at least must be complete."""
        if self.batch_size > self.scenes.train:
            raise ValueError(f"batch_size: found {self.batch_size}, expected at most scenes.train, {self.scenes.train}")
        return self

    def epochs_for(self, backbone: str) -> int:
        """Epochs that experiments on `backbone` get: their own number where `epochs_of` gives one."""
        return self.epochs_of.get(backbone, self.epochs)

    def pretrained_for(self, backbone: str) -> str:
        """ImageNet weights of `backbone`: none, hub, or path and digest of a state dict."""
        return self.pretrained if isinstance(self.pretrained, str) else self.pretrained.get(backbone, "none")


class Limits(Strict):
    """What an archive may unpack to: far beyond the paper's, since a tampered one could fill the disk."""

    files: Positive = 500_000
    gigabytes: Annotated[float, Field(gt=0, le=10**6)] = 200.0


class Archive(Strict):
    """Where an archive comes from: the first of path, url and google_drive that is set, and then the mirrors."""

    path: Annotated[str, Field(min_length=1)] | None
    url: Url | None
    google_drive: Annotated[str, Field(pattern=r"^[\w-]+$")] | None
    mirrors: list[Url] = []
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")] | None
    limits: Limits = Limits()


class DatasetTask(Strict):
    """A task as a dataset labels it; `classes` exactly where the registry leaves the channels open."""

    classes: Positive | None = None
    weight: Annotated[float, Field(ge=0, le=10**6)]


class EdgeBenchmark(Strict):
    """How edges are scored: see mtinet/metrics/edges. max_dist is a share of the image's diagonal."""

    max_dist: Annotated[float, Field(gt=0, lt=1)]
    protocol: Literal["released", "astmt"]
    flavour: Literal["seism", "bsds"]


class Dataset(Strict):
    archive: Archive
    tasks: dict[Name, DatasetTask]
    edges: EdgeBenchmark | None = None

    def metric_settings(self) -> dict[str, dict[str, Any]]:
        """The sections that statistics modules take, as plain data."""
        return {"edges": self.edges.model_dump()} if self.edges else {}


class Experiment(Strict):
    """One row's training: `tasks` are scored, `auxiliary` ones live in the front-end only (section 2.5)."""

    backbone: Annotated[str, Field(pattern=r"^[a-z0-9_]+/[\w.-]+$")]
    tasks: Annotated[list[str], Field(min_length=1)]
    auxiliary: list[str]
    optimizer: Literal["adam", "sgd"]
    lr: Rate
    weight_decay: Decay
    options: dict[Name, JsonValue]


class TrainedTeacher(Strict):
    """A single-task network that the stage teach trains, on another dataset's raw labels or on pictures of its own.

    learns_from: a dataset whose training images it sees, or "scenes": pictures rendered for it from `seed`.
    """

    learns_from: str
    backbone: Annotated[str, Field(pattern=r"^[a-z0-9_]+/[\w.-]+$")]
    lr: Rate
    weight_decay: Decay
    seed: Seed


class TeachingBudget(Strict):
    """What a trained teacher gets at one scale: `steps` at least, to whole epochs.

    images, longest: number and longer side in pixels of the pictures rendered for it, where it learns from such.
    """

    images: Positive | None = None
    longest: Pixels | None = None
    input: InputSize
    steps: Positive
    batch_size: Positive
    pretrained: str


class PixelSize(Strict):
    height: Positive
    width: Positive


class OnnxTeacher(Strict):
    """A network in an ONNX file: float32 [1, 3, height, width] to [1, C, h, w].

    file: its path with "#sha256=<digest>" behind. mean, std: of the channels in 0..1, in the order of `colours`.
    output: its name, None for the first. activation: what turns the output into a probability, or ("centred", 2x - 1)
    vectors stored in 0..1 into vectors. channels: those of the output, from 0, that are x (right), y (up) and z
    (towards the viewer) of a normal in camera coordinates, each with its sign; of saliency the one channel.
    """

    file: str
    input: PixelSize
    colours: Literal["rgb", "bgr"]
    mean: Annotated[list[float], Field(min_length=3, max_length=3)]
    std: Annotated[list[Annotated[float, Field(gt=0)]], Field(min_length=3, max_length=3)]
    output: str | None
    activation: Literal["none", "sigmoid", "softmax", "centred"]
    channels: Annotated[list[Annotated[str, Field(pattern=r"^[+-]\d+$")]], Field(min_length=1)]


class Teacher(Strict):
    """What predicts a task's labels where the source lacks them; see `teachers` in params.yaml."""

    kind: Literal["trained", "onnx"]
    trained: TrainedTeacher
    budgets: dict[Name, TeachingBudget]
    onnx: OnnxTeacher | None

    @model_validator(mode="after")
    def budgets_fit(self) -> Teacher:
        """Pictures are sized exactly where they are rendered, and make one batch at least."""
        renders = self.trained.learns_from == SCENES
        for scale, budget in self.budgets.items():
            given = [name for name in ("images", "longest") if getattr(budget, name) is not None]
            if given != (["images", "longest"] if renders else []):
                wanted = "images and longest, the pictures to render" if renders else "neither images nor longest"
                raise ValueError(f"budgets.{scale}: found {given}, expected {wanted}")
            if budget.images is not None and budget.batch_size > budget.images:
                raise ValueError(f"budgets.{scale}: batch_size {budget.batch_size} exceeds images {budget.images}")
        if self.kind == "onnx" and self.onnx is None:
            raise ValueError("kind is onnx, but its section 'onnx' is null: declare the file there")
        return self


class Affinity(Strict):
    """How pixel affinities are measured: see mtinet/studies/affinity.py."""

    kernel: Annotated[int, Field(ge=3)]
    dilations: Annotated[list[Positive], Field(min_length=1)]
    depth_threshold: Annotated[float, Field(gt=0, lt=1)]
    normals_threshold: Annotated[float, Field(gt=0, lt=180)]
    edge_rule: Literal["equal", "between"]
    tasks: dict[str, Annotated[list[str], Field(min_length=2)]]

    @model_validator(mode="after")
    def sound(self) -> Affinity:
        if self.kernel % 2 == 0:
            raise ValueError(f"kernel: found {self.kernel}, expected an odd number, so that it has a centre")
        if sorted(set(self.dilations)) != self.dilations:
            raise ValueError(f"dilations: found {self.dilations}, expected them rising, each once")
        for dataset, names in self.tasks.items():
            if len(set(names)) != len(names):
                raise ValueError(f"tasks.{dataset}: found {names}, expected no task twice")
        return self


class Params(Strict):
    """The whole of params.yaml."""

    study: Study
    seeds: Annotated[list[Seed], Field(min_length=1)]
    compute: Compute
    scales: dict[Name, dict[Name, Scale]]
    datasets: dict[Name, Dataset]
    teachers: dict[Name, dict[Name, Teacher]] = {}
    affinity: Affinity
    experiments: dict[Name, dict[Name, dict[Name, Experiment]]]

    @model_validator(mode="after")
    def consistent(self) -> Params:
        """Names used in one section exist in the other, and experiment names are unique per dataset."""
        known("study.scale", self.study.scale, self.scales)
        for dataset in self.datasets:
            known("study.source", dataset, self.study.source, "a source for")
            for scale, sets in self.scales.items():
                known(f"scales.{scale}", dataset, sets, "an entry for")
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
        for dataset, methods in self.experiments.items():
            known("experiments", dataset, self.datasets)
            self._check_processes(dataset)
            self._check_experiments(dataset, methods)
            self._check_backbones(dataset, methods)
        if len(set(self.seeds)) != len(self.seeds):
            raise ValueError(f"seeds: {self.seeds} names a seed twice")
        return self

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
        for scale in self.scales:
            known(f"{where}.budgets", scale, teacher.budgets, "an entry for")
        learnt = teacher.trained.learns_from
        if learnt != SCENES:
            others = {name: found.tasks for name, found in self.datasets.items() if name != dataset}
            known(f"{where}.trained.learns_from", learnt, [*others, SCENES])
            known(f"{where}.trained.learns_from: {learnt}", task, others[learnt], "the task")
        for scale, sets in self.scales.items():
            if learnt == SCENES and sets[dataset].scenes.seed == teacher.trained.seed:
                raise ValueError(
                    f"{where}.trained.seed: {teacher.trained.seed} is also that of scales.{scale}.{dataset}.scenes,"
                    " whose pictures the teacher must not learn from; choose another"
                )

    def _check_experiments(self, dataset: str, methods: dict[str, dict[str, Experiment]]) -> None:
        seen: dict[str, str] = {}
        for method, experiments in methods.items():
            for name, experiment in experiments.items():
                where = f"experiments.{dataset}.{method}.{name}"
                if name in seen:
                    raise ValueError(f"{where}: the name is taken under experiments.{dataset}.{seen[name]}")
                seen[name] = method
                for key in ("tasks", "auxiliary"):
                    for task in getattr(experiment, key):
                        known(f"{where}.{key}", task, self.datasets[dataset].tasks)
                both = [*experiment.tasks, *experiment.auxiliary]
                if len(set(both)) != len(both):
                    raise ValueError(f"{where}: a task is named twice in tasks and auxiliary {both}")

    def _check_backbones(self, dataset: str, methods: dict[str, dict[str, Experiment]]) -> None:
        """Weights and epochs are named for backbones in use only: those of a misspelt one would silently go."""
        used = sorted({one.backbone for experiments in methods.values() for one in experiments.values()})
        for scale, sets in self.scales.items():
            given = sets[dataset].pretrained
            for backbone in given if isinstance(given, dict) else ():
                known(f"scales.{scale}.{dataset}.pretrained", backbone, used)
            for backbone in sets[dataset].epochs_of:
                known(f"scales.{scale}.{dataset}.epochs_of", backbone, used)

    def study_name(self, dataset: str) -> str:
        """`<source>-<scale>`: the folder under runs/ and reports/ that results of `dataset` go to."""
        return f"{self.study.source[dataset]}-{self.study.scale}"

    def scale(self, dataset: str) -> Scale:
        """The chosen scale's entry for `dataset`."""
        return self.scales[self.study.scale][dataset]

    def channels(self, dataset: str, task: str) -> int:
        """Channels of the network's output for `task` on `dataset`."""
        return self.datasets[dataset].tasks[task].classes or registry()[task].channels or 0

    def runs(self, dataset: str) -> list[tuple[str, int]]:
        """Experiment and seed of every run that is declared for `dataset`, in the order of the file."""
        return [(name, seed) for name in self.names(dataset) for seed in self.seeds]

    def names(self, dataset: str) -> list[str]:
        """The experiments that are declared for `dataset`, in the order of the file."""
        return [name for experiments in self.experiments.get(dataset, {}).values() for name in experiments]

    def experiment(self, dataset: str, name: str) -> tuple[str, Experiment]:
        """Method and declaration of the experiment `name`; raises UserError when it is not declared."""
        methods = self.experiments.get(dataset, {})
        for method, experiments in methods.items():
            if name in experiments:
                return method, experiments[name]
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
