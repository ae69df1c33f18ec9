"""Binary cross-entropy balanced over the batch as in HED (Xie and Tu, 2015, equation 2): saliency.

With beta the share of negatives among the valid pixels of the batch, positives weigh beta and negatives
1 - beta, so that both classes weigh the same in total. A batch of one class alone has loss 0: its weight is.
As in the other losses, the weights do not enter the denominator, the number of valid pixels.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from mtinet.losses.reduction import IGNORED, masked_sum


def sums(logits: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """Unweighted losses and pixels of positives and negatives, [2] each.

    logits [B, 1, H, W]; target [B, 1, H, W] or [B, H, W] in {0, 1}, 255 ignored.
    """
    truth = target.reshape(logits.shape)
    positives = masked_sum(F.softplus(-logits), truth == 1)  # softplus: see edge_bce
    negatives = masked_sum(F.softplus(logits), (truth != 1) & (truth != IGNORED))
    summed, counts = (torch.stack(pair) for pair in zip(positives, negatives, strict=True))
    return summed, counts


def combine(summed: Tensor, counts: Tensor) -> Tensor:
    """(beta * positives + (1 - beta) * negatives) / valid pixels; 0 where nothing was counted."""
    pixels = counts.sum().clamp(min=1)
    weights = counts.flip(0).to(summed.dtype) / pixels
    return (weights * summed).sum() / pixels
