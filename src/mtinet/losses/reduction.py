"""Sums over valid pixels, and their mean: what the losses share."""

from __future__ import annotations

import torch
from torch import Tensor

IGNORED = 255


def masked_sum(values: Tensor, valid: Tensor) -> tuple[Tensor, Tensor]:
    """Sum of `values` where `valid` (same shapes), and their number; scalars. No gradient goes elsewhere."""
    return torch.where(valid, values, 0).sum(), valid.sum()


def mean(summed: Tensor, count: Tensor) -> Tensor:
    """summed / count; 0 where nothing was counted."""
    return summed / count.clamp(min=1)
