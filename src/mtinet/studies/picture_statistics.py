"""What rendered pictures have in common with PASCAL's photographs, in numbers: labels, light, texture, guessability.

Every measure is a function of one picture or of a set of them and knows nothing of where they come from, so that
photographs and rendered pictures are measured alike. The real side is a small file of summaries (`REAL`): a few
photographs' own, and counts that others have published of the whole set.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.random import Generator, default_rng
from numpy.typing import NDArray

from mtinet.data.pascal import CLASSES, IGNORED, PART_LABELS, PERSON
from mtinet.data.scenes.picture import Picture
from mtinet.metrics.edges import boundaries_from_labels

REAL = Path(__file__).with_name("picture_statistics.yaml")
PARTS = 7
NEIGHBOURS = 15
EACH = 60  # pixels of a class that one picture gives to the classifier
PLACE = 0.5  # weight of the position beside the colour, both in 0..1
BLOCK = 8  # pixels
FLAT = 2.5  # of 255: blocks of a smaller standard deviation have no texture
LUMA = np.array([0.299, 0.587, 0.114])
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Shot:
    """One labelled picture, H x W.

    image uint8 [H, W, 3] RGB; classes uint8 [H, W], 0..20 and 255 ignored; parts uint8 [H, W], 0..6, 0 no person's;
    objects: the classes 1..20 of its objects; label_map int [H, W] and salient bool [H, W], None where unknown.
    """

    image: NDArray[np.uint8]
    classes: NDArray[np.uint8]
    parts: NDArray[np.uint8]
    objects: tuple[int, ...]
    label_map: NDArray[np.uint16] | None = None
    salient: NDArray[np.bool_] | None = None


def shot(picture: Picture) -> Shot:
    """A rendered picture as the statistics take it."""
    parts = np.zeros(picture.semseg.shape, np.uint8)
    for thing in picture.objects:
        for name, mask in thing.parts if thing.category == PERSON else ():
            parts[mask] = PART_LABELS[name]
    objects = tuple(thing.category for thing in picture.objects)
    return Shot(picture.image, picture.semseg, parts, objects, picture.label_map, picture.salient)


def real() -> dict[str, Any]:
    """The summaries of real material, see the file."""
    found: dict[str, Any] = yaml.safe_load(REAL.read_text())
    return found


# Labels ----------------------------------------------------------------------------------------------------


def pixel_shares(shots: Sequence[Shot]) -> Floats:
    """Share of all decided pixels per class [21]."""
    counts = np.sum([np.bincount(s.classes[s.classes != IGNORED], minlength=CLASSES) for s in shots], axis=0)
    return np.asarray(counts / counts.sum(), np.float64)


def image_shares(shots: Sequence[Shot]) -> Floats:
    """Share of the pictures with an object of each class [21]; background counts as 1."""
    found = np.array([[kind in s.objects for kind in range(1, CLASSES)] for s in shots])
    return np.concatenate([[1.0], found.mean(axis=0)])


def area_when_present(shots: Sequence[Shot]) -> Floats:
    """Mean share [21] of a picture's pixels that a class takes in the pictures that show it; nan for none."""
    areas = np.array([[(s.classes == kind).mean() for kind in range(CLASSES)] for s in shots])
    seen = (areas > 0).sum(axis=0)
    return np.where(seen > 0, areas.sum(axis=0) / np.maximum(seen, 1), np.nan)


def part_shares(shots: Sequence[Shot]) -> Floats:
    """Share of each of the six parts among persons' pixels [6]."""
    counts = np.sum([np.bincount(s.parts.ravel(), minlength=PARTS)[1:] for s in shots], axis=0)
    return np.asarray(counts / max(counts.sum(), 1), np.float64)


def border_length(label_map: NDArray[Any]) -> float:
    """Pixels of a label map's thinned borders, in units of its longer side (the edge benchmark's ground truth)."""
    return float(boundaries_from_labels(label_map).sum() / max(label_map.shape))


def ranks(values: Sequence[float] | Floats) -> Floats:
    """Ranks from 0, ties at their mean [N]."""
    array = np.asarray(values, np.float64)
    return np.asarray(((array[:, None] > array).sum(axis=1) + (array[:, None] >= array).sum(axis=1) - 1) / 2)


def rank_correlation(first: Sequence[float] | Floats, second: Sequence[float] | Floats) -> float:
    """Spearman's rho."""
    return float(np.corrcoef(ranks(first), ranks(second))[0, 1])


# Light and texture -----------------------------------------------------------------------------------------


def luma(image: NDArray[np.uint8]) -> Floats:
    """Brightness 0..255 [H, W]."""
    return np.asarray(image @ LUMA, np.float64)


def saturation(image: NDArray[np.uint8]) -> float:
    """Mean of HSV's saturation, 0..1."""
    high, low = image.max(axis=2).astype(np.float64), image.min(axis=2)
    return float(((high - low) / np.maximum(high, 1)).mean())


def gradient(image: NDArray[np.uint8]) -> float:
    """Mean difference of neighbouring pixels' brightness."""
    grey = luma(image)
    return float((np.abs(np.diff(grey, axis=0)).mean() + np.abs(np.diff(grey, axis=1)).mean()) / 2)


def flat_share(image: NDArray[np.uint8]) -> float:
    """Share of the blocks of BLOCK x BLOCK pixels without texture."""
    rows, columns = image.shape[0] // BLOCK, image.shape[1] // BLOCK
    blocks = luma(image)[: rows * BLOCK, : columns * BLOCK].reshape(rows, BLOCK, columns, BLOCK)
    return float((blocks.std(axis=(1, 3)) < FLAT).mean())


LOOKS: dict[str, Callable[[NDArray[np.uint8]], float]] = {
    "brightness": lambda image: float(luma(image).mean()),
    "contrast": lambda image: float(luma(image).std()),
    "saturation": saturation,
    "gradient": gradient,
    "flat": flat_share,
}


def looks(images: Sequence[NDArray[np.uint8]]) -> dict[str, float]:
    """Medians of LOOKS over pictures of about the same longer side."""
    return {name: float(np.median([measure(image) for image in images])) for name, measure in LOOKS.items()}


# Guessing from single pixels -------------------------------------------------------------------------------


def features(image: NDArray[np.uint8]) -> Floats:
    """Colour and place of every pixel [H, W, 5], each about 0..1."""
    height, width = image.shape[:2]
    y, x = np.indices((height, width))
    place = np.stack([(y + 0.5) / height, (x + 0.5) / width], axis=2) * PLACE
    return np.concatenate([image / 255.0, place], axis=2)


def drawn_pixels(image: NDArray[np.uint8], label: NDArray[Any], rng: Generator) -> tuple[Floats, NDArray[np.int64]]:
    """Features and labels of up to EACH pixels of every label; 255 is left out."""
    table, found, kinds = features(image), [], []
    for kind in np.setdiff1d(np.unique(label), [IGNORED]):
        places = np.flatnonzero(label.ravel() == kind)
        chosen = places[rng.permutation(len(places))[:EACH]]
        found.append(table.reshape(-1, table.shape[2])[chosen])
        kinds.append(np.full(len(chosen), kind, np.int64))
    return np.concatenate(found), np.concatenate(kinds)


def nearest(train: Floats, labels: NDArray[np.int64], test: Floats, count: int = NEIGHBOURS) -> NDArray[np.int64]:
    """The label most frequent among the `count` nearest training points, the smallest of equals [N]."""
    square = (train**2).sum(axis=1) - 2 * test @ train.T
    close = labels[np.argpartition(square, min(count, len(train)) - 1, axis=1)[:, :count]]
    votes = (close[:, :, None] == np.arange(labels.max() + 1)).sum(axis=1)
    return np.asarray(votes.argmax(axis=1), np.int64)


def balanced(labels: NDArray[np.int64], rng: Generator) -> NDArray[np.int64]:
    """Indices of as many points of every label: guessing the frequent one must not pay."""
    kinds, counts = np.unique(labels, return_counts=True)
    least = max(int(np.median(counts)) // 2, 1)
    return np.concatenate([rng.choice(np.flatnonzero(labels == kind), least) for kind in kinds])


def guessability(
    images: Sequence[NDArray[np.uint8]], labels: Sequence[NDArray[Any]], folds: int, seed: int = 0
) -> float:
    """Balanced accuracy of a nearest-neighbour classifier of single pixels by colour and place.

    Each of `folds` groups of pictures is guessed from the others; 255 is left out. Chance is 1 / number of labels.
    """
    rng = default_rng(seed)
    drawn = [drawn_pixels(image, label, rng) for image, label in zip(images, labels, strict=True)]
    truth, guess = [], []
    for fold in range(folds):
        table, kinds = (np.concatenate(column) for column in zip(*(d for k, d in enumerate(drawn) if k % folds != fold),
                                                                 strict=True))  # fmt: skip
        kept = balanced(kinds, rng)
        for points, own in drawn[fold::folds]:
            truth.append(own)
            guess.append(nearest(table[kept], kinds[kept], points))
    right, kind = np.concatenate(truth) == np.concatenate(guess), np.concatenate(truth)
    return float(np.mean([right[kind == number].mean() for number in np.unique(kind)]))


def part_labels(shots: Sequence[Shot]) -> tuple[list[NDArray[np.uint8]], list[NDArray[np.uint8]]]:
    """Images with a person, and their parts 1..6 with 255 elsewhere."""
    chosen = [s for s in shots if (s.parts > 0).mean() > 0.01]
    return [s.image for s in chosen], [np.where(s.parts > 0, s.parts, IGNORED).astype(np.uint8) for s in chosen]


def in_groups(images: Sequence[Any], labels: Sequence[Any], size: int) -> float:
    """Mean guessability of sets of `size` pictures, each left out once: what so few pictures give away."""
    starts = range(0, len(images) - size + 1, size)
    return float(np.mean([guessability(images[k : k + size], labels[k : k + size], size, k) for k in starts]))


def guesses(shots: Sequence[Shot], few: tuple[int, int]) -> dict[str, float]:
    """Guessability of parts, and of objects against background, in sets of `few` pictures (parts, objects)."""
    whole = [np.where(s.classes == IGNORED, IGNORED, s.classes > 0).astype(np.uint8) for s in shots]
    return {
        "parts": in_groups(*part_labels(shots), few[0]),
        "objects": in_groups([s.image for s in shots], whole, few[1]),
    }
