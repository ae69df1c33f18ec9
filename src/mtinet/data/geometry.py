"""Depth and normals as files hold them, to the coding used everywhere else; each error names the file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtinet.data.formats import expect

UNIT_TOLERANCE = 0.05  # normals stored with 8 bits are off by up to 0.007
# Shorter vectors have no direction to speak of after 8 bits: grey pixels, which mean none, are 0.007 long.
SHORTEST = 0.1


def checked_metres(stored: NDArray[Any], path: Path, farthest: float) -> NDArray[np.float32]:
    """Depth in floating point metres, finite, from 0 (no measurement) to `farthest`."""
    expect(stored.dtype.kind == "f", path, f"dtype {stored.dtype}", "floating point metres")
    expect(bool(np.isfinite(stored).all()), path, "NaN or infinity", "0 where there is no measurement")
    low, high = float(stored.min()), float(stored.max())
    fine = low >= 0 and high <= farthest
    expect(fine, path, f"depth {low:g} to {high:g}", f"metres in 0..{farthest:g}, 0 = invalid")
    return stored.astype(np.float32, copy=False)


def checked_vectors(stored: NDArray[Any], path: Path) -> NDArray[np.float32]:
    """Normals [H, W, 3] in floating point, of unit length or zero."""
    expect(stored.dtype.kind == "f", path, f"dtype {stored.dtype}", "floating point unit vectors")
    length = np.sqrt(np.einsum("ijk,ijk->ij", stored, stored))
    fine = (np.abs(length - 1) <= UNIT_TOLERANCE) | (length == 0)  # false for NaN
    if not fine.all():
        odd = f"{np.count_nonzero(~fine)} vectors of other length, e.g. {float(length[~fine][0]):g}"
        expect(False, path, odd, "unit length, or zero where there is none")
    return stored.astype(np.float32, copy=False)


def vectors_of(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Unit vectors from the colours (n + 1) * 255 / 2, or zero where the stored one has no direction; [H, W, 3]."""
    vectors = pixels.astype(np.float32) * np.float32(2 / 255) - 1
    length = np.sqrt(np.einsum("ijk,ijk->ij", vectors, vectors))
    valid = length > SHORTEST
    vectors /= np.where(valid, length, 1)[..., None]
    vectors[~valid] = 0
    return vectors
