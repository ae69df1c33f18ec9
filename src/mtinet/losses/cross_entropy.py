"""Cross-entropy over classes: semantic segmentation and human parts."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from mtinet.losses.reduction import IGNORED, mean

combine = mean


def sums(logits: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """Summed cross-entropy and valid pixels: logits [B, C, H, W], integers [B, H, W] with 255 ignored."""
    labels = target.reshape(logits.shape[0], *logits.shape[2:]).long()
    summed = F.cross_entropy(logits, labels, ignore_index=IGNORED, reduction="sum")
    return summed, (labels != IGNORED).sum()
