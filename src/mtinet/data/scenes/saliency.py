"""Which things in a picture are salient: large, central and whole, and unlike their surroundings; no class counts."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Bools = NDArray[np.bool_]
FULL = 0.12  # share of the picture at which size stops to matter
SPREAD = 0.33  # of the centrality's Gaussian, in picture sides
CUT = 2.5  # loss of saliency per share of the picture's rim that a thing takes: what is cut off is background
CONTRAST = 25.0  # of CIELAB: a difference in colour that draws the eye
ENOUGH = 0.3  # least score of a salient thing
RIVAL = 0.45  # least share of the best thing's score
SPECK = 0.004  # share of the picture below which nothing is salient


def score(mask: Bools, lab: NDArray[np.float32]) -> float:
    """Saliency in [0, 1] of the thing at `mask` [H, W] in a picture in CIELAB [H, W, 3]."""
    height, width = mask.shape
    area = mask.mean()
    if area < SPECK:
        return 0.0
    rows, columns = np.nonzero(mask)
    aside = ((rows.mean() + 0.5) / height - 0.5) ** 2 + ((columns.mean() + 0.5) / width - 0.5) ** 2
    rim = np.concatenate([mask[0], mask[-1], mask[1:-1, 0], mask[1:-1, -1]]).mean()
    reach = 2 * (max(height, width) // 14) + 1
    around = (cv2.dilate(mask.astype(np.uint8), np.ones((reach, reach), np.uint8)) > 0) & ~mask
    if not around.any():
        return 0.0
    contrast = np.linalg.norm(lab[mask].mean(axis=0) - lab[around].mean(axis=0)) / CONTRAST
    weight = 0.3 + 0.7 * min(float(contrast), 1.0)
    position = np.exp(-aside / (2 * SPREAD**2)) * max(0.0, 1 - CUT * rim)
    return float(min(1.0, np.sqrt(area / FULL)) * position * weight)


def salient(image: NDArray[np.uint8], instances: NDArray[np.int64], things: list[int]) -> Bools:
    """bool [H, W]: the pixels of those `things` (instance numbers) that stand out, absolutely and from the rest."""
    lab = np.asarray(cv2.cvtColor(image.astype(np.float32) / 255, cv2.COLOR_RGB2Lab), np.float32)
    scores = np.array([score(instances == thing, lab) for thing in things])
    chosen = [t for t, s in zip(things, scores, strict=True) if s >= max(ENOUGH, RIVAL * scores.max())]
    return np.asarray(np.isin(instances, chosen), bool)
