"""What one rendered picture of the PASCAL-like set holds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Object:
    """One labelled object in a picture, H x W pixels.

    category  1..20, the VOC class
    name      the class as PASCAL-Part writes it, e.g. "person" or "pottedplant"
    mask      bool [H, W], its visible pixels
    parts     (PASCAL-Part's short name, bool [H, W]) for every visible part; as in the archive, eyes, ears, nose
              and hair lie within the head
    """

    category: int
    name: str
    mask: NDArray[np.bool_]
    parts: tuple[tuple[str, NDArray[np.bool_]], ...]


@dataclass(frozen=True)
class Picture:
    """One rendered picture with all its labels, H x W pixels.

    image      uint8 [H, W, 3], RGB
    label_map  uint16 [H, W], PASCAL-Context's ids 1..459, 0 unlabelled
    semseg     uint8 [H, W], VOC's classes 1..20, 0 background, 255 ignored (a band around objects)
    objects    the VOC objects
    normals    float32 [H, W, 3], unit vectors in camera coordinates (x right, y up, z towards the viewer);
               (0, 0, 0) where nothing is (the sky)
    depth      float32 [H, W], metres along the optical axis, 0 = none
    salient    bool [H, W]
    """

    image: NDArray[np.uint8]
    label_map: NDArray[np.uint16]
    semseg: NDArray[np.uint8]
    objects: tuple[Object, ...]
    normals: NDArray[np.float32]
    depth: NDArray[np.float32]
    salient: NDArray[np.bool_]
