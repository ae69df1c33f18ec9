"""The numbers that a network computes with while it trains: float32, or bfloat16 where the hardware multiplies those.

Weights, their updates, losses and the evaluation are float32 in both; bfloat16 is what convolutions and matrix products
read and what they pass on (mixed precision). Its range is that of float32, so no loss is scaled.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Literal

import torch
from torch import Tensor

from mtinet.errors import UserError
from mtinet.models.blocks import at_least_float32
from mtinet.models.interface import Predictions
from mtinet.paths import PARAMS

Precision = Literal["float32", "bfloat16"]


def chosen(wanted: str, device: torch.device) -> Precision:
    """What `compute.precision` (auto, float32 or bfloat16) means on a device.

    auto is bfloat16 where the device has instructions for it. Raises UserError for bfloat16 where it has not: there it
    is emulated, slower than float32.
    """
    if wanted == "float32":
        return "float32"
    if multiplies_bfloat16(device):
        return "bfloat16"
    if wanted == "bfloat16":
        raise UserError(
            f"compute.precision is 'bfloat16' but this {device.type} has no instructions for it: set it to auto or"
            f" float32 in {PARAMS}"
        )
    return "float32"


def multiplies_bfloat16(device: torch.device) -> bool:
    """Whether the device has instructions that multiply bfloat16."""
    if device.type == "cuda":
        found: bool = torch.cuda.is_bf16_supported(including_emulation=False)
        return found
    return bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())


def computing(precision: Precision, device: torch.device) -> torch.autocast:
    """A context in which networks compute in `precision`."""
    return torch.autocast(device.type, torch.bfloat16, enabled=precision == "bfloat16")


def exactly(device: torch.device) -> torch.autocast:
    """A context in which all is computed in the precision of what is given, whatever is around it."""
    return torch.autocast(device.type, enabled=False)


def in_float32(predictions: Predictions) -> Predictions:
    """Predictions as losses take them: the same values in float32 at least."""
    return replace(
        predictions,
        final=converted(predictions.final),
        initial={stride: converted(found) for stride, found in predictions.initial.items()},
    )


def converted(outputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {task: at_least_float32(output) for task, output in outputs.items()}
