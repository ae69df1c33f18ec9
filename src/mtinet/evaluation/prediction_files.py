"""Predictions as files in the formats and folders that the released evaluation reads; no torch.

semseg/<name>.png, human_parts/<name>.png   class index, uint8
sal/<name>.png, edge/<name>.png             255 * probability, truncated
normals/<name>.png                          (n + 1) * 255 / 2, truncated, RGB
depth/<name>.mat                            metres, float32, key "depth"
"""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.io import savemat

from mtinet import files
from mtinet.tasks import task

FOLDERS = {"seg": "semseg", "parts": "human_parts"}  # other tasks are called as here
HEADER = 116  # bytes of free text in front of a .mat file, into which scipy writes the time


def write(folder: Path, photo: str, name: str, prediction: NDArray) -> Path:
    """Write the prediction of task `name` for a photo below `folder`; returns the file.

    prediction: as `prediction.predictions` gives it. Equal predictions make equal bytes.
    """
    place = folder / FOLDERS.get(name, name)
    if task(name).geometry == "depth":
        path = place / f"{photo}.mat"
        files.write_bytes(path, mat({"depth": prediction.astype(np.float32)}))
    else:
        path = place / f"{photo}.png"
        files.write_bytes(path, png(coded(name, prediction)))
    return path


def coded(name: str, prediction: NDArray) -> NDArray[np.uint8]:
    """A prediction in 8 bits."""
    if task(name).interpolation == "nearest":
        return prediction.astype(np.uint8)
    values = (prediction + 1) * 255 / 2 if task(name).geometry == "normals" else prediction * 255
    return np.asarray(np.clip(values, 0, 255)).astype(np.uint8)


def png(image: NDArray[np.uint8]) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, format="PNG")
    return buffer.getvalue()


def mat(content: dict[str, NDArray]) -> bytes:
    """A MATLAB 5.0 file, without the time of day."""
    buffer = io.BytesIO()
    savemat(buffer, content, do_compression=True)
    return b"MATLAB 5.0 MAT-file".ljust(HEADER) + buffer.getvalue()[HEADER:]
