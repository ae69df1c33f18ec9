"""Sums over valid pixels, and their mean: what the losses share."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

IGNORED = 255

Totals = Callable[[Sequence[Tensor]], Sequence[Tensor]]
"""Counts of a part of a batch, integers of any shapes, to those of the whole batch."""


def whole(counts: Sequence[Tensor]) -> Sequence[Tensor]:
    """The counts as they are: the batch is in one part."""
    return counts


def masked_sum(values: Tensor, valid: Tensor) -> tuple[Tensor, Tensor]:
    """Sum of `values` where `valid` (same shapes), and their number; scalars. No gradient goes elsewhere."""
    return torch.where(valid, values, 0).sum(), valid.sum()


def mean(summed: Tensor, count: Tensor) -> Tensor:
    """summed / count; 0 where nothing was counted."""
    return summed / count.clamp(min=1)
