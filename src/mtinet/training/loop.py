"""The training loop: one model, one optimiser, the method's procedure; the last epoch is the result, or the best."""

from __future__ import annotations

import contextlib
import itertools
import math
import os
import signal
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from mtinet import interruption, losses, models
from mtinet.compat import without_compiler
from mtinet.data.packed import PackedSplit
from mtinet.errors import Interrupted, UserError
from mtinet.losses import total_loss
from mtinet.models.interface import Predictions
from mtinet.models.procedure import LossFunction, Procedure, Progress
from mtinet.paths import PARAMS
from mtinet.training import batches, checkpoints, distributed, optimizers, precision
from mtinet.training.run import Run
from mtinet.training.selection import Selection, selection_of

History = list[dict[str, float]]


def prepare_torch(run: Run) -> None:
    """Fix what changes the bytes of a result: threads, algorithms, precision, and the seed of the initial weights.

    On a CPU that makes the bytes the same each time. On a GPU some operations (the gradients of bilinear
    upsampling and of the cross-entropy) have no deterministic version; torch warns of each.
    """
    torch.set_num_threads(run.threads)
    torch.set_deterministic_debug_mode("warn")  # use_deterministic_algorithms imports the compiler, two seconds
    # Memory that every operation fills itself need not be filled before: up to 4 % of a step on a CPU.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    # Without it the matrix products on a GPU differ from run to run; read when the first one is made.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    # float32 means float32: TF32, the default of convolutions, has the precision of 10 bits.
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cudnn.benchmark = False
    torch.manual_seed(run.seed)


def device_of(wanted: str) -> torch.device:
    """The device that `compute.device` means here; raises UserError for a GPU that is not there."""
    if wanted == "cuda" and not torch.cuda.is_available():
        raise UserError("compute.device is 'cuda' but torch finds no GPU here: set it to auto or cpu in params.yaml")
    return torch.device("cuda" if wanted != "cpu" and torch.cuda.is_available() else "cpu")


def check(run: Run) -> None:
    """Raise UserError when the run's method does not take its options or tasks, or its backbone is unknown.

    Imports both and the tasks' losses, so that their code counts in the run's key.
    """
    for name in run.tasks:
        losses.module(name)
    options = models.check_options(run.method, run.experiment.options, run.experiment.tasks, run.experiment.auxiliary)
    models.find_backbone(run.experiment.backbone, "none", options)


def build_model(run: Run, pretrained: str = "none") -> nn.Module:
    """The run's network with initial weights from the global generator."""
    return models.build(
        run.method,
        backbone=run.experiment.backbone,
        tasks={task: run.channels[task] for task in run.experiment.tasks},
        auxiliary={task: run.channels[task] for task in run.experiment.auxiliary},
        options=run.experiment.options,
        pretrained=pretrained,
    )


def optimizer_of(run: Run, groups: list[dict[str, Any]]) -> torch.optim.Optimizer:
    """The run's optimiser, for a procedure's groups."""
    return optimizers.optimizer_of(run.optimizer, groups, run.learning_rate, run.experiment.weight_decay)


@dataclass
class Position:
    """How far a run is: the rows of whole epochs; of the one begun, its batches and the sums of its losses."""

    history: History = field(default_factory=list)
    batch: int = 0
    sums: dict[str, float] = field(default_factory=dict)

    def add(self, values: Mapping[str, float], rate: float, steps: int) -> dict[str, float] | None:
        """Count a step of `steps` per epoch; returns the epoch's row when it was its last."""
        for part, value in values.items():
            self.sums[part] = self.sums.get(part, 0.0) + value
        self.batch += 1
        if self.batch < steps:
            return None
        epoch = len(self.history) + 1
        means = {part: total / steps for part, total in self.sums.items()}
        self.history.append({"epoch": epoch, "steps": epoch * steps, "lr": rate, **means})
        self.batch, self.sums = 0, {}
        return self.history[-1]


def train(
    run: Run,
    split: PackedSplit,
    folder: Path,
    device: torch.device,
    on_epoch: Callable[[dict[str, float]], None],
    validation: PackedSplit | None = None,
) -> tuple[nn.Module, History]:
    """Train `run` on `split`, continuing from the newest whole checkpoint in `folder` if there is one.

    Returns the model after the last epoch, or after the best one on `validation` where the run asks for it (only then
    are those images read), and one row per epoch: epoch, steps, lr, loss, and each part's mean.
    `on_epoch` gets every row, those before an interruption included. Raises UserError when a loss is not finite,
    and, with a checkpoint written, Interrupted after the step in which a scheduler's signal came. Of several
    processes that train together all call it and get the same; the first one reads and writes the checkpoints.
    """
    if batches.steps_per_epoch(run, len(split)) == 0:
        raise UserError(
            f"{run.dataset} {run.name}: batch_size is {run.scale.batch_size}, expected at most the"
            f" {batches.images_seen(run, len(split))} training images; lower it under scales in {PARAMS}"
        )
    prepare_torch(run)
    # Convolutions on channels-last tensors are a third faster on a CPU, and on a GPU with tensor cores too.
    model = distributed.shared(build_model(run, run.initial_weights()).to(device))
    model = model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    # Every step of torch's optimisers imports the compiler, to be left alone by it. DistributedDataParallel needs it.
    with contextlib.nullcontext() if distributed.active() else without_compiler():
        chosen = selection_of(run, validation, device)
        history = fit(run, split, model, chosen, checkpoints.Checkpoints(folder), device, on_epoch)
        chosen.apply(model)
    return model, history


def fit(
    run: Run,
    split: PackedSplit,
    model: nn.Module,
    chosen: Selection,
    kept: checkpoints.Checkpoints,
    device: torch.device,
    on_epoch: Callable[[dict[str, float]], None],
) -> History:
    """Take all steps that the checkpoints leave; see `train`."""
    per_epoch = batches.steps_per_epoch(run, len(split))
    procedure = models.procedure(run.method, model)
    optimizer = optimizer_of(run, procedure.parameter_groups())
    position = resume(kept, model, optimizer, chosen)
    distributed.share_gradients(procedure, optimizer)
    unseen = chosen.unseen(position.history)
    for row in position.history[: len(position.history) - len(unseen)]:
        on_epoch(row)
    with interruption.noted() as note:
        to_come = steps(run, split, procedure, optimizer, position, device)
        for ended in itertools.chain(unseen, to_come):
            if ended is not None and chosen.note(ended, model, lambda: any(distributed.largest(number_of(note)))):
                on_epoch(ended)
            done = len(position.history) * per_epoch + position.batch
            told, due = distributed.largest(number_of(note), distributed.rank() == 0 and kept.due())
            if told or due:
                require_finite_weights(run, model, done)
                if distributed.rank() == 0:
                    kept.save(done, state_of(model, optimizer, position, chosen))
            if told:
                distributed.largest(0)  # none leaves before the checkpoint is written
                raise Interrupted(
                    f"{run.dataset} {run.name} seed {run.seed}: {signal.Signals(told).name} arrived, left after step"
                    f" {done} of {run.epochs * per_epoch} with a checkpoint; the same command goes on there"
                )
    require_finite_weights(run, model, run.epochs * per_epoch)
    return position.history


def number_of(note: interruption.Note) -> int:
    """The signal's number, 0 where none arrived."""
    return signal.Signals[note.name] if note.name else 0


def state_of(
    model: nn.Module, optimizer: torch.optim.Optimizer, position: Position, chosen: Selection
) -> dict[str, Any]:
    """All that the steps to come depend on.

    The learning rate and ASTMT's gradient reversal follow from the step, a batch from (seed, epoch) and its place,
    procedures have no state of their own, weights are float32, and no loss is scaled.
    """
    return {
        "model": model.state_dict(),
        "optimizer": optimizer.state_dict(),
        "position": asdict(position),
        "selection": chosen.state,
        "random": checkpoints.random_states(),
    }


def resume(
    kept: checkpoints.Checkpoints, model: nn.Module, optimizer: torch.optim.Optimizer, chosen: Selection
) -> Position:
    """Load an earlier attempt's state, if any, and return how far it was."""
    state = distributed.from_first(kept.load() if distributed.rank() == 0 else None)
    if state is None:
        return Position()
    model.load_state_dict(state["model"])
    optimizer.load_state_dict(state["optimizer"])
    chosen.state = state["selection"]
    checkpoints.set_random_states(state["random"])
    return Position(**state["position"])


def steps(
    run: Run,
    split: PackedSplit,
    procedure: Procedure,
    optimizer: torch.optim.Optimizer,
    position: Position,
    device: torch.device,
) -> Iterator[dict[str, float] | None]:
    """Train from `position` on to the end; yields after every step, an epoch's row after its last one, else None."""
    per_epoch = batches.steps_per_epoch(run, len(split))
    share = distributed.share(run.scale.batch_size)
    while len(position.history) < run.epochs:
        epoch = len(position.history)
        procedure.net.train()
        if position.batch == 0:
            procedure.begin_epoch(optimizer)
        for batch in batches.epoch(run, split, epoch, position.batch, share):
            step = epoch * per_epoch + position.batch
            progress = Progress(epoch, run.epochs, step, run.epochs * per_epoch)
            rate = procedure.learning_rate(run.learning_rate, progress)
            values = train_step(run, procedure, optimizer, batch, rate, progress, device)
            yield position.add(values, rate, per_epoch)


def train_step(
    run: Run,
    procedure: Procedure,
    optimizer: torch.optim.Optimizer,
    batch: Mapping[str, Tensor],
    rate: float,
    progress: Progress,
    device: torch.device,
) -> dict[str, float]:
    """One batch at learning rate `rate`; returns the losses, UserError when one is not finite."""
    for group in optimizer.param_groups:
        group["lr"] = rate * group["lr_factor"]
    targets = {key: value.to(device) for key, value in batch.items()}
    targets["image"] = targets["image"].contiguous(memory_format=torch.channels_last)
    with precision.computing(precision.chosen(run.precision, device), device):
        values = procedure.step(optimizer, targets, loss_function(run, device), progress)
    values = distributed.summed(values)
    require_finite(run, values, progress.step)
    return values


def loss_function(run: Run, device: torch.device) -> LossFunction:
    """The run's training objective, with its loss weights, in float32."""

    def loss(predictions: Predictions, targets: Mapping[str, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
        with precision.exactly(device):
            return total_loss(precision.in_float32(predictions), targets, run.loss_weights, distributed.totals)

    return loss


def require_finite(run: Run, values: Mapping[str, float], step: int) -> None:
    """Raise UserError naming the tasks, and which of their predictions, whose loss at a step is not finite."""
    odd = [part for part, value in values.items() if not math.isfinite(value) and part != "loss"]
    if odd or not math.isfinite(values["loss"]):
        raise UserError(
            f"{run.dataset} {run.name} seed {run.seed}: loss of {named(odd) or 'their sum'} is not finite at step "
            f"{step + 1}, expected a number; lower its lr ({run.learning_rate:g}) or check its labels; the last"
            " checkpoint is kept"
        )


def named(parts: Iterable[str]) -> str:
    """Parts of a loss by task and prediction: "depth", "depth@32" -> "depth (final, initial at 1/32)"."""
    heads: dict[str, list[str]] = {}
    for part in parts:
        task, _, stride = part.partition("@")
        heads.setdefault(task, []).append(f"initial at 1/{stride}" if stride else "final")
    return ", ".join(f"{task} ({', '.join(places)})" for task, places in heads.items())


def require_finite_weights(run: Run, model: nn.Module, step: int) -> None:
    """Raise UserError when an update left a weight that is no number: it is neither kept nor published.

    A finite loss may have a gradient that is not; the loss shows it one step later only.
    """
    for name, value in model.state_dict().items():
        if not torch.isfinite(value).all():
            raise UserError(
                f"{run.dataset} {run.name} seed {run.seed}: weights of {name} are not finite after step {step},"
                f" expected numbers; lower its lr ({run.learning_rate:g}) or check its labels; the last"
                " checkpoint is kept"
            )
