"""Training losses, one module per loss named in tasks.yaml, and their sum over final and initial predictions.

Every loss is a mean over the valid pixels of the whole batch; a batch without any gives 0 with a gradient of
zeros, never NaN. Targets may carry a singleton channel dimension, [B, 1, H, W] for [B, H, W].

A module has `sums`, from an output and its target to sums and numbers of pixels (of the same shape), and
`combine`, from both to the scalar loss, linear in the sums: a batch in several parts needs the counts of all.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from types import ModuleType
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from mtinet.errors import UserError
from mtinet.tasks import task


class Predictions(Protocol):
    """What a model returns: `final[task]` and `initial[stride][task]`, all [B, C, h, w]."""

    @property
    def final(self) -> Mapping[str, Tensor]: ...

    @property
    def initial(self) -> Mapping[int, Mapping[str, Tensor]]: ...


def module(name: str) -> ModuleType:
    """The loss module of the task `name`, imported by name so that a new loss touches no old file.

    Raises UserError for an unknown task or an unknown loss.
    """
    loss = task(name).loss
    try:
        return import_module(f"{__name__}.{loss}")
    except ModuleNotFoundError:
        raise UserError(
            f"task '{name}' in tasks.yaml: unknown loss '{loss}', expected a module of mtinet/losses"
        ) from None


def loss_of(name: str) -> Callable[[Tensor, Tensor], Tensor]:
    """The loss of the task `name` as a function of output and target; raises as `module` does."""
    found = module(name)

    def loss(output: Tensor, target: Tensor) -> Tensor:
        combined: Tensor = found.combine(*found.sums(output, target))
        return combined

    return loss


def total_loss(
    predictions: Predictions, targets: Mapping[str, Tensor], weights: Mapping[str, float]
) -> tuple[Tensor, dict[str, Tensor]]:
    """The training objective: weighted losses of the final and of all initial predictions, summed.

    Initial predictions of every scale (deep supervision) are brought bilinearly to the target's size and
    count with the same task weights as the final ones, unscaled (section 3.1).

    Returns the scalar total and the detached, unweighted parts: "seg" for a final prediction, "seg@4" for
    the initial one at stride 4. `targets` and `weights` hold an entry for every predicted task.
    """
    parts = {name: loss_of(name)(output, targets[name]) for name, output in predictions.final.items()}
    total = sum((weights[name] * part for name, part in parts.items()), torch.zeros(()))
    for stride, outputs in predictions.initial.items():
        for name, output in outputs.items():
            size = targets[name].shape[-2:]
            full = F.interpolate(output, size=size, mode="bilinear", align_corners=False)
            part = loss_of(name)(full, targets[name])
            total = total + weights[name] * part
            parts[f"{name}@{stride}"] = part
    return total, {key: part.detach() for key, part in parts.items()}
