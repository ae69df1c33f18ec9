"""Edge predictions as the 8-bit maps that the benchmark takes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mtinet.errors import UserError
from mtinet.metrics.edges.sets import checked_prediction


def to_uint8(probability: NDArray) -> NDArray[np.uint8]:
    """255 * probability, truncated, uint8 [H, W], from floats in 0..1; UserError for other values."""
    if np.asarray(probability).dtype.kind != "f":
        raise UserError(f"edge prediction of type {np.asarray(probability).dtype}, expected floats in 0..1")
    return (checked_prediction(probability) * 255).astype(np.uint8)


def write_png(path: Path, probability: NDArray) -> None:
    """Write a prediction, floats [H, W] in 0..1, as the greyscale PNG that MATLAB's and this benchmark read."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(to_uint8(probability)).save(path)
