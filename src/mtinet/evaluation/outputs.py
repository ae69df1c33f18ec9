"""From network outputs to predictions at the stored size, as the registry describes each task."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from mtinet.tasks import task


def activate(name: str, output: Tensor) -> Tensor:
    """What the network's raw output [B, C, h, w] predicts, still at its size, on the CPU.

    Label tasks: class index, uint8 [B, 1, h, w]; the argmax comes before any resizing, since the protocol
    resizes label images. Tasks trained with a binary cross-entropy: probability, float32. Others: the output.
    """
    if task(name).interpolation == "nearest":
        return output.argmax(dim=1, keepdim=True).to(torch.uint8).cpu()
    if task(name).loss.endswith("bce"):
        return output.sigmoid().float().cpu()
    return output.float().cpu()


def at_size(name: str, prediction: Tensor, size: tuple[int, int]) -> NDArray:
    """One prediction [1, C, h, w] brought to the stored size (height, width), as its labels are stored.

    Nearest or bilinear as the registry says, both with half-pixel centres, so that all tasks stay aligned;
    normals have unit length afterwards. Returns [H, W], or [H, W, 3] for normals; uint8 labels, else float32.
    """
    if task(name).interpolation == "nearest":
        down, across = (nearest(*sides) for sides in zip(size, prediction.shape[-2:], strict=True))
        labels: NDArray = prediction[0, 0].numpy()[down][:, across]
        return labels
    resized = F.interpolate(prediction, size=size, mode="bilinear", align_corners=False)
    if task(name).geometry == "normals":
        resized = resized / resized.square().sum(dim=1, keepdim=True).sqrt().clamp(min=1e-12)
    array: NDArray = resized[0].permute(1, 2, 0).numpy()
    return np.ascontiguousarray(array[..., 0] if array.shape[-1] == 1 else array)


def nearest(count: int, available: int) -> NDArray[np.int64]:
    """Index of the nearest pixel, by centres, for `count` pixels laid over `available` ones; a tie goes up.

    In integers, since ties are common (every fifteenth of 240 rows over 64) and floats decide them by chance.
    """
    return (2 * np.arange(count, dtype=np.int64) + 1) * available // (2 * count)
