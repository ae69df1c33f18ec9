"""The sections of params.yaml that say what is trained on what, how long, and where data come from."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, model_validator

# Bounds far beyond any sensible value: what passes them must not end in a library's overflow hours later.
Positive = Annotated[int, Field(gt=0, le=10**8)]
Part = Annotated[float, Field(gt=0, lt=1)]
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
Backbone = Annotated[str, Field(pattern=r"^[a-z0-9_]+/[\w.-]+$")]
Source = Literal["scenes", "archive"]
SCENES = "scenes"
FOLDERS = "folders"


class Strict(BaseModel):
    """Base of every section: no unknown keys, no silent conversions, no number that is infinite or none."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


class Study(Strict):
    """readings: whether the alternatives to the paper's reading count among the experiments that are run; controls:
    whether those do that say what noise and chance make; latency: whether networks' time and memory are measured.
    """

    scale: Name
    readings: bool = False
    controls: bool = False
    latency: bool = False
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
    """How much of one dataset is trained: see `scales` in params.yaml. A data set in folders has no scenes."""

    scenes: SceneSet | None = None
    input: InputSize
    epochs: Positive
    epochs_of: dict[str, Positive | Part]
    batch_size: Positive
    optimizer: Optimizer | None
    lr_factor: Rate
    augmentation: Augmentation
    pretrained: str | dict[str, str]

    @model_validator(mode="after")
    def enough_images(self) -> Scale:
        """The last incomplete batch is dropped, so that one batch at least must be complete."""
        if self.scenes is not None and self.batch_size > self.scenes.train:
            raise ValueError(f"batch_size: found {self.batch_size}, expected at most scenes.train, {self.scenes.train}")
        for backbone, epochs in self.epochs_of.items():
            if self.scenes is not None and self.images_seen(backbone, self.scenes.train) < self.batch_size:
                raise ValueError(
                    f"epochs_of.{backbone}: found {epochs}, expected {self.batch_size / self.scenes.train:.3g} or more,"
                    f" for one batch of batch_size {self.batch_size} from scenes.train, {self.scenes.train}"
                )
        return self

    def images_seen(self, backbone: str, images: int) -> int:
        """How many of the training images an epoch on `backbone` has: all, or a part where epochs are below 1."""
        return round(images * min(1, self.epochs_for(backbone)))

    def epochs_for(self, backbone: str) -> int | float:
        """Epochs that experiments on `backbone` get: their own number where `epochs_of` gives one.

        Below 1 it is the part of the training images that is seen at all, once.
        """
        return self.epochs_of.get(backbone, self.epochs)

    def optimizer_for(self, experiment: Experiment) -> tuple[str, float]:
        """What trains an experiment, its own optimiser or the scale's, and the initial learning rate after all."""
        kind, lr = (
            (experiment.optimizer, experiment.lr)
            if self.optimizer is None
            else (
                self.optimizer.kind,
                self.optimizer.lr,
            )
        )
        return kind, lr * self.lr_factor

    def pretrained_for(self, backbone: str) -> str:
        """Initial weights of `backbone`: none, hub, path and digest of a state dict, or scenes: see `pretraining`."""
        return self.pretrained if isinstance(self.pretrained, str) else self.pretrained.get(backbone, "none")


class Limits(Strict):
    """What an archive may unpack to: far beyond the paper's, since a tampered one could fill the disk."""

    files: Positive = 500_000
    gigabytes: Annotated[float, Field(gt=0, le=10**6)] = 200.0


class Archive(Strict):
    """Where an archive comes from: the first of path, url and google_drive that is set, and then the mirrors."""

    path: Annotated[str, Field(min_length=1)] | None = None
    url: Url | None = None
    google_drive: Annotated[str, Field(pattern=r"^[\w-]+$")] | None = None
    mirrors: list[Url] = []
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")] | None = None
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
    """layout: null for a data set whose layout is a module of mtinet/data; folders: images and labels of one's own, see
    mtinet/data/folders.py. names: what its classes are called in figures.
    """

    layout: Literal["folders"] | None = None
    archive: Archive
    tasks: dict[Name, DatasetTask]
    names: dict[Name, list[str]] = {}
    edges: EdgeBenchmark | None = None

    @model_validator(mode="after")
    def names_fit(self) -> Dataset:
        """A name for every class of the tasks that have names, and only where no module has them."""
        for task, names in self.names.items():
            wanted = self.tasks[task].classes if task in self.tasks and self.layout == FOLDERS else None
            if len(names) != (wanted or 0):
                raise ValueError(f"names.{task}: found {len(names)} names, expected those of {wanted or 'no'} classes")
        return self

    def metric_settings(self) -> dict[str, dict[str, Any]]:
        """The sections that statistics modules take, as plain data."""
        return {"edges": self.edges.model_dump()} if self.edges else {}


class Experiment(Strict):
    """One row's training: `tasks` are scored, `auxiliary` ones live in the front-end only (section 2.5).

    weights: those that are kept, of the last epoch or of the best one on the validation images, which chooses on
    what is scored. labels: its own, or those of other training images (shuffled), a negative control.
    """

    backbone: Backbone
    tasks: Annotated[list[str], Field(min_length=1)]
    auxiliary: list[str]
    optimizer: Literal["adam", "sgd"]
    lr: Rate
    weight_decay: Decay
    options: dict[Name, JsonValue]
    weights: Literal["last", "best"] = "last"
    labels: Literal["own", "shuffled"] = "own"


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
