"""Binary cross-entropy with edges weighted 0.95 and non-edges 0.05 (w_pos of section 3.1, and 1 - w_pos).

The weights do not enter the denominator: it is the number of valid pixels.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from mtinet.losses.reduction import IGNORED, masked_sum, mean

POSITIVE_WEIGHT = 0.95  # w_pos, section 3.1

combine = mean


def sums(logits: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """Summed weighted losses and valid pixels: logits [B, 1, H, W], target alike in {0, 1}, 255 ignored."""
    truth = target.reshape(logits.shape)
    # -log sigmoid(x) = softplus(-x) and -log(1 - sigmoid(x)) = softplus(x) stay finite for every logit.
    edges = POSITIVE_WEIGHT * F.softplus(-logits)
    others = (1 - POSITIVE_WEIGHT) * F.softplus(logits)
    return masked_sum(torch.where(truth == 1, edges, others), truth != IGNORED)
