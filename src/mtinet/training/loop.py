"""The training loop: one model, one optimiser, the method's procedure; the last epoch is the result."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import nn

from mtinet import losses, models
from mtinet.data.packed import PackedSplit
from mtinet.errors import UserError
from mtinet.losses import total_loss
from mtinet.models.procedure import LossFunction, Procedure, Progress
from mtinet.paths import PARAMS
from mtinet.training import batches, checkpoints
from mtinet.training.run import Run

CHECKPOINT_EVERY_SECONDS = 10.0
SGD_MOMENTUM = 0.9

History = list[dict[str, float]]


def prepare_torch(run: Run) -> None:
    """Fix what changes the bytes of a result: threads, algorithms, precision, and the seed of the initial weights.

    On a CPU that makes the bytes the same each time. On a GPU some operations (the gradients of bilinear
    upsampling and of the cross-entropy) have no deterministic version; torch warns of each.
    """
    torch.set_num_threads(run.threads)
    torch.use_deterministic_algorithms(True, warn_only=True)
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
    models.check_backbone(run.experiment.backbone, options=options)


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
    """Adam or SGD with momentum 0.9, as the experiment declares (section A.2), for a procedure's groups."""
    decay = run.experiment.weight_decay
    if run.experiment.optimizer == "adam":
        return torch.optim.Adam(groups, lr=run.learning_rate, weight_decay=decay, fused=True)
    return torch.optim.SGD(groups, lr=run.learning_rate, momentum=SGD_MOMENTUM, weight_decay=decay)


def train(
    run: Run,
    split: PackedSplit,
    folder: Path,
    device: torch.device,
    on_epoch: Callable[[dict[str, float]], None],
) -> tuple[nn.Module, History]:
    """Train `run` on `split`, continuing from the checkpoint in `folder` if there is one.

    Returns the model after the last epoch and one row per epoch: epoch, steps, lr, loss, and each part's mean.
    `on_epoch` gets every row, those before an interruption included. Raises UserError when a loss is not finite.
    """
    if batches.steps_per_epoch(run, len(split)) == 0:
        raise UserError(
            f"{run.dataset} {run.name}: batch_size is {run.scale.batch_size}, expected at most the {len(split)}"
            f" training images; lower it under scales in {PARAMS}"
        )
    prepare_torch(run)
    # Convolutions on channels-last tensors are a third faster on a CPU, and on a GPU with tensor cores too.
    model = build_model(run, run.pretrained).to(device)
    model = model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    procedure = models.procedure(run.method, model)
    optimizer = optimizer_of(run, procedure.parameter_groups())
    history = resume(folder, model, optimizer)
    for row in history:
        on_epoch(row)
    saved = time.monotonic()
    for number in range(len(history), run.epochs):
        history.append(train_epoch(run, split, procedure, optimizer, number, device))
        on_epoch(history[-1])
        if time.monotonic() - saved > CHECKPOINT_EVERY_SECONDS:
            state = {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "history": history}
            checkpoints.save(folder, state)
            saved = time.monotonic()
    return model, history


def resume(folder: Path, model: nn.Module, optimizer: torch.optim.Optimizer) -> History:
    """Load an earlier attempt's state, if any, and return its history.

    Nothing in a step draws from torch's generator, batches depend on (seed, epoch), and procedures have no state
    of their own: model, optimiser and the number of epochs are the whole state.
    """
    state: dict[str, Any] | None = checkpoints.load(folder)
    if state is None:
        return []
    model.load_state_dict(state["model"])
    optimizer.load_state_dict(state["optimizer"])
    return list(state["history"])


def train_epoch(
    run: Run,
    split: PackedSplit,
    procedure: Procedure,
    optimizer: torch.optim.Optimizer,
    number: int,
    device: torch.device,
) -> dict[str, float]:
    """One pass over the split; returns the epoch's row of the history."""
    procedure.net.train()
    procedure.begin_epoch(optimizer)
    steps = batches.steps_per_epoch(run, len(split))
    sums: dict[str, float] = {}
    for index, batch in enumerate(batches.epoch(run, split, number)):
        progress = Progress(number, run.epochs, number * steps + index, run.epochs * steps)
        rate = procedure.learning_rate(run.learning_rate, progress)
        for group in optimizer.param_groups:
            group["lr"] = rate * group["lr_factor"]
        targets = {key: value.to(device) for key, value in batch.items()}
        targets["image"] = targets["image"].contiguous(memory_format=torch.channels_last)
        values = procedure.step(optimizer, targets, loss_function(run), progress)
        require_finite(run, values, progress.step)
        for part, value in values.items():
            sums[part] = sums.get(part, 0.0) + value
    means = {part: total / steps for part, total in sums.items()}
    return {"epoch": number + 1, "steps": (number + 1) * steps, "lr": rate, **means}


def loss_function(run: Run) -> LossFunction:
    """The run's training objective, with its loss weights."""
    return lambda predictions, targets: total_loss(predictions, targets, run.loss_weights)


def require_finite(run: Run, values: dict[str, float], step: int) -> None:
    """Raise UserError naming the parts of a step's loss that are not finite."""
    odd = [part for part, value in values.items() if not math.isfinite(value) and part != "loss"]
    if odd or not math.isfinite(values["loss"]):
        raise UserError(
            f"{run.dataset} {run.name} seed {run.seed}: loss of {', '.join(odd) or 'their sum'} is not finite at step "
            f"{step + 1}, expected a number; lower its lr ({run.learning_rate:g}) or check its labels"
        )
