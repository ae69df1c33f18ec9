"""The sections of params.yaml on what is trained before the experiments: teachers of labels, and backbones."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from mtinet.config.sections import SCENES, Backbone, Decay, InputSize, Name, Pixels, Positive, Rate, Seed, Strict

FEWEST_STEPS = 6  # of a teacher, at every scale: fewer would distil labels from a network that has learnt nothing


class Budget(Strict):
    """What a training before the experiments gets at one scale: `steps` at least, to whole epochs.

    images, and longest, or height and width: number and size in pixels of the pictures rendered for it, where it learns
    from such: sized as the dataset's own, of varying shape with a common longest side, or all of one size.
    """

    images: Positive | None = None
    height: Pixels | None = None
    width: Pixels | None = None
    longest: Pixels | None = None
    input: InputSize
    steps: Positive
    batch_size: Positive
    pretrained: str

    def fits(self, renders: bool) -> None:
        """Raise ValueError unless pictures are sized exactly where they are rendered, and make one batch at least."""
        given = [name for name in ("images", "height", "width", "longest") if getattr(self, name) is not None]
        if given not in ([["images", "longest"], ["images", "height", "width"]] if renders else [[]]):
            rendered = "images and longest, or images, height and width: the pictures to render"
            raise ValueError(f"found {given}, expected {rendered if renders else 'neither images nor their size'}")
        if self.images is not None and self.batch_size > self.images:
            raise ValueError(f"batch_size {self.batch_size} exceeds images {self.images}")


class TrainedTeacher(Strict):
    """A single-task network that the stage teach trains, on another dataset's raw labels or on pictures of its own.

    learns_from: a dataset whose training images it sees, or "scenes": pictures rendered for it from `seed`.
    """

    learns_from: str
    backbone: Backbone
    lr: Rate
    weight_decay: Decay
    seed: Seed


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
    """Where a task's predicted labels come from; see `teachers` in params.yaml.

    kind: archive, the labels that the archive ships; or what predicts them, in the place of those too; None: archive
    with the source archive, trained with scenes.
    """

    kind: Literal["archive", "trained", "onnx"] | None = None
    trained: TrainedTeacher | None = None
    budgets: dict[Name, Budget] = {}  # noqa: RUF012  (pydantic copies defaults)
    onnx: OnnxTeacher | None = None

    @model_validator(mode="after")
    def sections_fit(self) -> Teacher:
        """The kind has its section, pictures are sized exactly where they are rendered and make one batch at least."""
        if self.kind in ("trained", "onnx") and getattr(self, self.kind) is None:
            what = {"trained": "the network", "onnx": "the file"}[self.kind]
            raise ValueError(f"kind is {self.kind}, but its section '{self.kind}' is null: declare {what} there")
        if self.trained is not None:
            check_budgets(self.budgets, self.trained.learns_from == SCENES)
        elif self.budgets:
            raise ValueError("budgets: found some, but no 'trained' that they are for; expected both or neither")
        for scale, budget in self.budgets.items():
            if budget.steps < FEWEST_STEPS:
                raise ValueError(f"budgets.{scale}.steps: found {budget.steps}, expected at least {FEWEST_STEPS}")
        return self


class Pretraining(Strict):
    """A backbone's training on all tasks of a dataset at once, on pictures rendered for it alone from `seed`.

    It stands in for ImageNet's where a scale says `pretrained: scenes` of the backbone. `heads`: own (the paper's of
    multi-task learning) or linear.
    """

    backbone: Backbone
    heads: Literal["own", "linear"]
    lr: Rate
    weight_decay: Decay
    seed: Seed
    budgets: dict[Name, Budget]

    @model_validator(mode="after")
    def budgets_fit(self) -> Pretraining:
        check_budgets(self.budgets, renders=True)
        return self


def check_budgets(budgets: dict[str, Budget], renders: bool) -> None:
    """Raise ValueError, naming the scale, for a budget that does not fit what is learnt from."""
    for scale, budget in budgets.items():
        try:
            budget.fits(renders)
        except ValueError as error:
            raise ValueError(f"budgets.{scale}: {error}") from None
