"""Class labels with unlabelled pixels, and edges, from the map of instances."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from mtinet.data.scenes.classes import LABELS, UNLABELLED

STRUCTURE = np.array([LABELS["wall"], LABELS["floor"], LABELS["ceiling"]], np.uint8)


def edges(instances: NDArray[np.int64]) -> NDArray[np.uint8]:
    """uint8 [H, W]: 1 where the pixel to the right or below belongs to another instance, else 0.

    Every instance has one class, so label boundaries are among them.
    """
    edge = np.zeros(instances.shape, np.uint8)
    edge[:, :-1] |= instances[:, :-1] != instances[:, 1:]
    edge[:-1] |= instances[:-1] != instances[1:]
    return edge


def segmentation(instances: NDArray[np.int64], labels: NDArray[np.uint8], rng: Generator) -> NDArray[np.uint8]:
    """uint8 [H, W] class labels 1..40, 0 where an annotator would have left none.

    Unlabelled are: some whole objects, pixels without geometry, specks, and most of the boundaries' pixels.
    """
    skipped = (rng.random(len(labels)) < 0.12) & ~np.isin(labels, STRUCTURE)
    sizes = np.bincount(instances[instances >= 0].ravel(), minlength=len(labels))
    skipped |= sizes < instances.size / 9000
    table = np.where(skipped, UNLABELLED, labels)
    found = np.where(instances < 0, UNLABELLED, table[instances])
    width = max(1, round(instances.shape[0] / 130))
    band = cv2.dilate(edges(instances), np.ones((width, width), np.uint8)) > 0
    tolerant = cv2.resize(rng.random((17, 23)), instances.shape[::-1], interpolation=cv2.INTER_LINEAR) < 0.55
    found[band & tolerant] = UNLABELLED
    return np.asarray(found, np.uint8)
