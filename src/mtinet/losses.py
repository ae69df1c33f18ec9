"""Training losses, named as in tasks.yaml, and their sum over final and initial predictions.

Every loss is the mean over the valid pixels of the whole batch; a batch without any gives 0 with a gradient
of zeros, never NaN. Targets may carry a singleton channel dimension, [B, 1, H, W] for [B, H, W].
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from mtinet.errors import UserError
from mtinet.tasks import task

IGNORED = 255
EDGE_POSITIVE_WEIGHT = 0.95  # w_pos, section 3.1


class Predictions(Protocol):
    """What a model returns: `final[task]` and `initial[stride][task]`, all [B, C, h, w]."""

    @property
    def final(self) -> Mapping[str, Tensor]: ...

    @property
    def initial(self) -> Mapping[int, Mapping[str, Tensor]]: ...


def cross_entropy(logits: Tensor, target: Tensor) -> Tensor:
    """Cross-entropy over classes: logits [B, C, H, W], integer target [B, H, W] with 255 ignored; scalar."""
    labels = target.reshape(logits.shape[0], *logits.shape[2:]).long()
    summed = F.cross_entropy(logits, labels, ignore_index=IGNORED, reduction="sum")
    return summed / (labels != IGNORED).sum().clamp(min=1)


def l1(depth: Tensor, target: Tensor) -> Tensor:
    """Mean |d - d*| in metres over pixels with d* > 0: depth [B, 1, H, W], target alike; scalar."""
    truth = target.reshape(depth.shape)
    return masked_mean((depth - truth).abs(), truth > 0)


def normals_l1(normals: Tensor, target: Tensor) -> Tensor:
    """L1 between unit vectors: normals [B, 3, H, W] of any length, target unit [B, 3, H, W]; scalar.

    The mean runs over the three elements of every valid pixel; the zero vector marks an invalid one.
    """
    # F.normalize is five times slower here, and lets a gradient of 1e12 through where an output is exactly 0.
    unit = normals * normals.square().sum(dim=1, keepdim=True).clamp(min=1e-12).rsqrt()
    valid = (target != 0).any(dim=1, keepdim=True).expand_as(unit)
    return masked_mean((unit - target).abs(), valid)


def edge_bce(logits: Tensor, target: Tensor) -> Tensor:
    """Binary cross-entropy with edges weighted 0.95 and non-edges 0.05 (w_pos of section 3.1, and 1 - w_pos).

    logits [B, 1, H, W], target [B, 1, H, W] in {0, 1} with 255 ignored; scalar. The weights do not enter the
    denominator: it is the number of valid pixels.
    """
    truth = target.reshape(logits.shape)
    # -log sigmoid(x) = softplus(-x) and -log(1 - sigmoid(x)) = softplus(x) stay finite for every logit.
    edges = EDGE_POSITIVE_WEIGHT * F.softplus(-logits)
    others = (1 - EDGE_POSITIVE_WEIGHT) * F.softplus(logits)
    return masked_mean(torch.where(truth == 1, edges, others), truth != IGNORED)


def masked_mean(values: Tensor, valid: Tensor) -> Tensor:
    """Mean of `values` where `valid` (same shapes); 0 where nothing is."""
    return torch.where(valid, values, 0).sum() / valid.sum().clamp(min=1)


LOSSES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "cross_entropy": cross_entropy,
    "l1": l1,
    "normals_l1": normals_l1,
    "edge_bce": edge_bce,
}


def loss_of(name: str) -> Callable[[Tensor, Tensor], Tensor]:
    """The loss function of the task `name`; raises UserError for an unknown task or an unknown loss."""
    loss = task(name).loss
    if loss not in LOSSES:
        expected = ", ".join(LOSSES)
        raise UserError(f"task '{name}' in tasks.yaml: unknown loss '{loss}', expected one of {expected}")
    return LOSSES[loss]


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
