"""Training losses, one module per loss named in tasks.yaml, and their sum over final and initial predictions.

Every loss is a mean over the valid pixels of the whole batch; a batch without any gives 0 with a gradient of
zeros, never NaN. Targets may carry a singleton channel dimension, [B, 1, H, W] for [B, H, W].

A module has `sums`, from an output and its target to sums and numbers of pixels (of the same shape), and
`combine`, from both to the scalar loss, linear in the sums: each part of a batch that is in several contributes its
sums over the counts of all of them, which `Totals` fetches, and the contributions add up to the loss of the batch.
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
from mtinet.losses.reduction import Totals, whole
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
    predictions: Predictions,
    targets: Mapping[str, Tensor],
    weights: Mapping[str, float],
    totals: Totals = whole,
) -> tuple[Tensor, dict[str, Tensor]]:
    """The training objective: weighted losses of the final and of all initial predictions, summed.

    Initial predictions of every scale (deep supervision) are brought bilinearly to the target's size and
    count with the same task weights as the final ones, unscaled (section 3.1).

    Returns the scalar total and the detached, unweighted parts: "seg" for a final prediction, "seg@4" for
    the initial one at stride 4. `targets` and `weights` hold an entry for every predicted task. Of a batch in
    several parts, whose counts `totals` adds up, all of these are one part's contributions.
    """
    outputs = {(name, name): output for name, output in predictions.final.items()}
    for stride, found in predictions.initial.items():
        outputs |= {(f"{name}@{stride}", name): full_size(output, targets[name]) for name, output in found.items()}
    summed = {key: module(name).sums(output, targets[name]) for (key, name), output in outputs.items()}
    counts = totals([count for _, count in summed.values()])
    parts: dict[str, Tensor] = {}
    total = torch.zeros(())
    for (key, name), count in zip(outputs, counts, strict=True):
        parts[key] = module(name).combine(summed[key][0], count)
        total = total + weights[name] * parts[key]
    return total, {key: part.detach() for key, part in parts.items()}


def full_size(output: Tensor, target: Tensor) -> Tensor:
    """An initial prediction [B, C, h, w] at the height and width of its target."""
    resized = F.interpolate(output, size=target.shape[-2:], mode="bilinear", align_corners=False)
    if resized.requires_grad and output.is_contiguous(memory_format=torch.channels_last):
        # The losses' gradients are contiguous; that of the interpolation takes a third as long where they are as it is.
        resized.register_hook(lambda gradient: gradient.contiguous(memory_format=torch.channels_last))
    return resized
