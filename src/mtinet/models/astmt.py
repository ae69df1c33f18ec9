"""ASTMT [29], with which Tables 5 and 7b compare: one shared network, a forward pass per task.

Encoder: every residual block has, per task, its own norms, a 1x1 adapter in parallel to the 3x3 convolution, and
squeeze-and-excitation before the addition; the stem is shared. Decoder: the backbone's, its convolutions shared,
its norms and adapters per task, and a 1x1 predictor per task. Adversary: see adversary.py.

    dlv3/*  ASTMT's own network. The low-level features of its decoder are gated per task.
    fpn/*   the row R50-FPN of Table 5. The paper does not say what was combined how; here the residual blocks are
            ASTMT's, the pyramid is shared, and the semantic branch of panoptic FPN takes the decoder's place.

Training: the tasks of a batch step one after the other. A step touches the shared parameters and the task's own.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast

import torch
from torch import Tensor, nn

from mtinet.errors import UserError
from mtinet.models.adversary import Discriminator, adversarial_loss, reversal_factor
from mtinet.models.backbones import Backbone, dlv3, fpn
from mtinet.models.blocks import resize
from mtinet.models.deeplab import LOW_LEVEL, DeepLabHead
from mtinet.models.interface import BaseOptions, Predictions, check_interaction, refuse_auxiliary
from mtinet.models.procedure import LossFunction, Procedure, Progress
from mtinet.models.task_specific import ActiveTask, PerTask, gates, specialise, specialise_blocks

LIBRARIES = {"dlv3": dlv3, "fpn": fpn}
REDUCTION, LOW_LEVEL_REDUCTION = 16, 4
ADVERSARIAL_SHARE = 0.01
DISCRIMINATOR_LR_FACTOR = 10.0


@dataclass(frozen=True)
class Options(BaseOptions):
    """Switches of ASTMT; all of them matter in training only.

    discriminator: size of its first convolution: 1x1, used on PASCAL, or 3x3, used on NYUD-v2.
    schedule: poly, the decay that ASTMT announces, or constant: as released the decay never takes effect.
    momentum: kept, as usual, or restarted at every epoch, as released.
    """

    discriminator: Literal["1x1", "3x3"] = "1x1"
    schedule: Literal["poly", "constant"] = "poly"
    momentum: Literal["kept", "restarted"] = "kept"

    def check_tasks(self, method: str, tasks: Collection[str], auxiliary: Collection[str]) -> None:
        refuse_auxiliary(method, auxiliary)
        check_interaction(method, tasks, auxiliary)

    def check_backbone(self, backbone: str) -> None:
        library, _, name = backbone.partition("/")
        if library not in LIBRARIES:
            raise UserError(
                f"astmt: found backbone {backbone}, expected one of the libraries {', '.join(LIBRARIES)}: its"
                " task-specific parts belong into torchvision's residual blocks"
            )
        LIBRARIES[library].check(name)


class Net(nn.Module):
    """One network for all tasks, of which the active task's parts are used."""

    def __init__(
        self, backbone: Backbone, tasks: Mapping[str, int], auxiliary: Mapping[str, int], options: Options
    ) -> None:
        super().__init__()
        self.options = options
        self.active = ActiveTask(tasks)
        self.backbone = backbone
        specialise_blocks(backbone.body, self.active, REDUCTION)
        self.decoder = backbone.decoder(backbone.channels, 1)
        width = cast(nn.Conv2d, self.decoder.predictor).in_channels
        self.decoder.predictor = nn.Identity()
        specialise(self.decoder, self.active)
        if isinstance(self.decoder, DeepLabHead):
            self.decoder.low_level.append(gates(LOW_LEVEL, LOW_LEVEL_REDUCTION, self.active))
        self.predictors = PerTask(self.active, lambda task: nn.Conv2d(width, tasks[task], 1))
        self.discriminator = Discriminator(width, len(tasks), int(options.discriminator[0]))

    def forward(self, images: Tensor) -> Predictions:
        """All tasks, one forward pass after the other."""
        final = {task: self.predict(task, images)[0] for task in self.active.tasks}
        return Predictions(final=final, initial={})

    def predict(self, task: str, images: Tensor) -> tuple[Tensor, Tensor]:
        """The prediction [B, C_task, H, W] of `task`, and the decoder's features [B, C, H/4, W/4] behind it."""
        self.active.name = task
        features: Tensor = self.decoder(self.backbone(images))
        return resize(self.predictors(features), images), features


@dataclass(frozen=True)
class Objective:
    """The loss of one task on one batch: total, scalar with a graph, and its detached parts."""

    total: Tensor
    task: Tensor
    adversary: Tensor


def objective(
    net: Net,
    task: str,
    batch: Mapping[str, Tensor],
    loss: LossFunction,
    factor: float,
    totals: Callable[[Sequence[Tensor]], Sequence[Tensor]] = list,
) -> Objective:
    """0.99 times the weighted loss of `task` plus 0.01 times the discriminator's on the loss' gradient.

    The gradient is taken with respect to the decoder's features and differentiated again. `factor` is that of
    the reversal; totals: see procedure.py.
    """
    prediction, features = net.predict(task, batch["image"])
    weighted, parts = loss(Predictions(final={task: prediction}, initial={}), batch)
    (gradient,) = torch.autograd.grad(weighted, features, create_graph=True)
    label = net.active.tasks.index(task)
    adversary = adversarial_loss(net.discriminator, gradient, label, factor, totals)
    total = (1 - ADVERSARIAL_SHARE) * weighted + ADVERSARIAL_SHARE * adversary
    return Objective(total, parts[task], adversary.detach())


class Training(Procedure):
    """The tasks step in sequence; learning rates differ between shared, task-specific and adversary's parameters."""

    net: Net
    one_pass = False

    def parameter_groups(self) -> list[dict[str, Any]]:
        """Task-specific parameters, which every batch moves once, at T times the rate of the shared ones, which it
        moves T times; the discriminator at 10 times."""
        judge = [*self.net.discriminator.parameters()]
        own = [each for part in self.net.modules() if isinstance(part, PerTask) for each in part.parameters()]
        apart = {id(parameter) for parameter in [*judge, *own]}
        shared = [parameter for parameter in self.net.parameters() if id(parameter) not in apart]
        return [
            {"params": shared, "lr_factor": 1.0},
            {"params": own, "lr_factor": float(len(self.net.active.tasks))},
            {"params": judge, "lr_factor": DISCRIMINATOR_LR_FACTOR},
        ]

    def learning_rate(self, initial: float, progress: Progress) -> float:
        return initial if self.net.options.schedule == "constant" else super().learning_rate(initial, progress)

    def begin_epoch(self, optimizer: torch.optim.Optimizer) -> None:
        if self.net.options.momentum == "restarted":
            optimizer.state.clear()

    def step(
        self, optimizer: torch.optim.Optimizer, batch: Mapping[str, Tensor], loss: LossFunction, progress: Progress
    ) -> dict[str, float]:
        """One step per task. "loss" is the sum of the tasks' totals, "adversary" the discriminator's mean loss."""
        factor = reversal_factor(progress.epoch, progress.epochs)
        tasks = self.net.active.tasks
        values = {"loss": 0.0, **dict.fromkeys(tasks, 0.0), "adversary": 0.0}
        for task in tasks:
            found = objective(self.net, task, batch, loss, factor, self.totals)
            optimizer.zero_grad(set_to_none=True)
            found.total.backward()
            optimizer.step()
            values["loss"] += found.total.item()
            values[task] = found.task.item()
            values["adversary"] += found.adversary.item() / len(tasks)
        return values
