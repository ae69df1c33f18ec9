"""Labels of a picture from the maps of instances and parts: VOC's classes with their ignored band, and parts."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from mtinet.data.scenes.labels import edges
from mtinet.data.scenes.modelling import Model
from mtinet.data.scenes.picture import Object

Bools = NDArray[np.bool_]
IGNORED = 255
BAND = 5 / 500  # width of the ignored band as a share of the longest side
SPECK = 2e-4  # of the picture: objects with less in view go unnoticed
WITHIN = dict.fromkeys(  # as in PASCAL-Part, these lie inside another part's mask
    ("hair", "nose", "mouth", "leye", "reye", "lear", "rear", "lebrow", "rebrow", "muzzle", "beak", "lhorn", "rhorn"),
    "head",
)


def noticed(instances: NDArray[np.int64], categories: NDArray[np.uint8]) -> list[int]:
    """The instances of VOC classes that are large enough to be annotated."""
    sizes = np.bincount(instances[instances >= 0].ravel(), minlength=len(categories))
    return [int(k) for k in np.flatnonzero((categories > 0) & (sizes > max(SPECK * instances.size, 6)))]


def voc_classes(instances: NDArray[np.int64], categories: NDArray[np.uint8], found: list[int]) -> NDArray[np.uint8]:
    """uint8 [H, W]: classes 1..20 of the noticed objects, 0 elsewhere, 255 in the band around their borders."""
    table = np.zeros(len(categories) + 1, np.uint8)
    owners = np.full(len(categories) + 1, -1)
    table[found], owners[found] = categories[found], found
    border = edges(owners[instances])
    width = max(2, round(BAND * max(instances.shape)))
    band = cv2.dilate(border, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (width, width))) > 0
    return np.asarray(np.where(band, IGNORED, table[instances]), np.uint8)


def objects(instances: NDArray[np.int64], parts: NDArray[np.int64], models: list[Model],
            categories: NDArray[np.uint8], found: list[int]) -> tuple[Object, ...]:  # fmt: skip
    """Masks of the noticed objects and of their visible parts; `parts` [H, W] indexes each model's names."""
    answer = []
    for number in found:
        mask = instances == number
        masks: dict[str, Bools] = {}
        for part in np.unique(parts[mask]):
            name = models[number].names[part]
            own = mask & (parts == part)
            for target in {name, WITHIN.get(name, name)} - {""}:
                masks[target] = masks[target] | own if target in masks else own
        answer.append(Object(int(categories[number]), models[number].label, mask, tuple(sorted(masks.items()))))
    return tuple(answer)
