"""Mean |d - d*| of depth in metres."""

from __future__ import annotations

from torch import Tensor

from mtinet.losses.reduction import masked_sum, mean

combine = mean


def sums(depth: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """Summed |d - d*| and pixels with d* > 0: depth [B, 1, H, W], target alike or [B, H, W]."""
    truth = target.reshape(depth.shape)
    return masked_sum((depth - truth).abs(), truth > 0)
