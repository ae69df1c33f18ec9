"""Predictions and ground truth from files; every problem is a UserError that names the file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.io import loadmat

from mtinet.boundaries import boundaries_from_labels
from mtinet.errors import UserError
from mtinet.metrics.edges.sets import checked_prediction
from mtinet.thinning import thin

PREDICTIONS = (".png", ".npy")
TRUTHS = (".png", ".npy", ".mat")
Truth = NDArray[np.bool_] | list[NDArray[np.bool_]]


def read_prediction(path: Path) -> NDArray:
    """An edge map: 8-bit greyscale PNG (255 * probability), or .npy with floats in 0..1 or uint8."""
    array = read_png(path, "255 * probability", ("L",)) if path.suffix == ".png" else read_npy(path)
    try:
        return checked_prediction(array)
    except UserError as error:
        raise UserError(f"{path}: {error}") from None


def read_truth(path: Path, *, labels: bool = False) -> Truth:
    """Thin boundaries, or a list of them for BSDS500's several annotators (whose maps are taken as they are).

    .png, .npy: boundaries (0, and 1 or 255), thinned here; with `labels` a label map instead. .mat: a label map
    under `LabelMap` (PASCAL-Context) or `groundTruth` (BSDS500).
    """
    if path.suffix == ".mat":
        return read_mat(path)
    array = (
        read_png(path, "labels" if labels else "boundaries", ("L", "P", "1"))
        if path.suffix == ".png"
        else read_npy(path)
    )
    if labels:
        return named(path, array)
    numbers = array.ndim == 2 and array.dtype.kind in "buif"
    if not numbers or not (np.isin(array, (0, 1)).all() or np.isin(array, (0, 255)).all()):
        raise UserError(f"{path}: no boundary map, expected [H, W] with 0 and 1 (or 255); label maps need --labels")
    return thin(array)


def read_png(path: Path, meaning: str, modes: Sequence[str]) -> NDArray:
    """A PNG of one channel in one of Pillow's `modes`, uint8 (palette images: their indices)."""
    try:
        with Image.open(path) as image:
            if image.mode not in modes:
                kind = "16 bits" if image.mode.startswith("I") else f"mode {image.mode}"
                raise UserError(f"{path}: PNG of {kind}, expected 8-bit greyscale with {meaning}")
            return np.asarray(image).astype(np.uint8)
    except UserError:
        raise
    except Exception as error:  # Pillow raises whatever a damaged or hostile file leads it to
        raise unreadable(path, error) from None


def read_npy(path: Path) -> NDArray:
    """An array from a .npy file."""
    try:
        array = np.load(path, allow_pickle=False)
    except Exception as error:  # numpy too, MemoryError for a header that lies included
        raise unreadable(path, error) from None
    if not isinstance(array, np.ndarray):
        raise UserError(f"{path}: holds several arrays, expected one as np.save writes it")
    return array


def read_mat(path: Path) -> Truth:
    """Boundaries from a MATLAB file of PASCAL-Context or BSDS500."""
    try:
        content = loadmat(path)
    except Exception as error:  # scipy raises whatever a damaged file leads it to
        raise unreadable(path, error) from None
    if "LabelMap" in content:
        return named(path, content["LabelMap"])
    if "groundTruth" in content:
        try:
            maps = [np.asarray(entry["Boundaries"][0, 0] != 0) for entry in content["groundTruth"].ravel()]
        except (IndexError, KeyError, ValueError, TypeError) as error:
            raise unreadable(path, error) from None
        if not maps or any(boundaries.ndim != 2 for boundaries in maps):
            raise UserError(f"{path}: groundTruth has no boundary maps, expected one [H, W] per annotator")
        return maps
    keys = [key for key in content if not key.startswith("__")]
    raise UserError(f"{path}: keys {keys}, expected LabelMap (PASCAL-Context) or groundTruth (BSDS500)")


def named(path: Path, labels: NDArray) -> NDArray[np.bool_]:
    """The boundaries of a label map; its errors name the file."""
    try:
        return boundaries_from_labels(labels)
    except UserError as error:
        raise UserError(f"{path}: {error}") from None


def unreadable(path: Path, error: Exception) -> UserError:
    """What to say of a file that its reader refuses."""
    found = " ".join(str(error).split())
    return UserError(f"{path}: cannot be read ({found}), expected a whole {path.suffix} file; make it anew")


def check_sizes(prediction: NDArray, truth: Truth, path: Path, truth_path: Path) -> None:
    """UserError naming both files unless all maps are of one size."""
    maps: Sequence[NDArray] = truth if isinstance(truth, list) else [truth]
    for boundaries in maps:
        if boundaries.shape != prediction.shape:
            sizes = [" x ".join(map(str, shape)) for shape in (prediction.shape, boundaries.shape)]
            raise UserError(f"{path}: size {sizes[0]}, expected {sizes[1]} as {truth_path} has")
