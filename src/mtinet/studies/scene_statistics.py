"""How alike rendered rooms and real photographs are, in numbers that need no network.

All functions take stacks of images of one size, so that densities of boundaries compare. Label maps hold
1..CLASSES, 0 is unlabelled.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any, TypedDict

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, stats
from scipy.spatial import cKDTree

Labels = NDArray[np.integer[Any]]
CLASSES = 40
SPECK = 1 / 5000  # of the image: smaller segments are not counted
NEIGHBOURS = 15
STEP = 5  # pixels between those that the classifier sees, in either direction


class Statistics(TypedDict):
    """Summary of a set; lists have one entry per class 1..CLASSES, shares are in 0..1.

    frequency     share of the labelled pixels
    presence      share of the images in which the class occurs
    unlabelled    share of all pixels without a label
    depth         median over the images of their median depth, metres
    holes         share of all pixels without depth
    edges         share of pixels whose right or lower neighbour has another label
    segments      mean number of connected regions of one label
    colour        accuracy that colour adds to position in predicting the class, in groups of GROUP images
    """

    frequency: list[float]
    presence: list[float]
    unlabelled: float
    depth: float
    holes: float
    edges: float
    segments: float
    colour: float


@dataclass(frozen=True)
class Check:
    """One line of the comparison: what was measured on both sides, and the interval for the rendered value."""

    statistic: str
    real: float | None
    rendered: float
    low: float
    high: float

    @property
    def met(self) -> bool:
        """Whether the rendered value lies in the interval, ends included."""
        return self.low <= self.rendered <= self.high


def frequencies(labels: Labels) -> NDArray[np.float64]:
    """Share of each class among the labelled pixels [CLASSES] of label maps [N, H, W]; they sum to 1."""
    counts = np.bincount(labels.ravel(), minlength=CLASSES + 1)[1:]
    return np.asarray(counts / max(counts.sum(), 1), np.float64)


def presence(labels: Labels) -> NDArray[np.float64]:
    """Share of the label maps [N, H, W] in which each class occurs at all [CLASSES]."""
    occurs = np.stack([np.bincount(one.ravel(), minlength=CLASSES + 1)[1:] > 0 for one in labels])
    return np.asarray(occurs.mean(axis=0), np.float64)


def rank_correlation(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    """Spearman's rank correlation of two lists of the same length, in -1..1."""
    return float(stats.spearmanr(first, second).statistic)


def median_depth(depths: NDArray[np.float32]) -> float:
    """Median over the images [N, H, W] of the median of their measured depths (> 0), metres."""
    return float(np.median([np.median(depth[depth > 0]) for depth in depths if (depth > 0).any()]))


def hole_share(depths: NDArray[np.float32]) -> float:
    """Share of pixels without depth (0)."""
    return float(np.mean(depths == 0))


def edge_density(labels: Labels) -> float:
    """Share of pixels of label maps [N, H, W] whose right or lower neighbour has another label.

    Unlabelled counts as a label like any other; the last row has no lower neighbours, the last column no
    right ones.
    """
    differs = np.zeros(labels.shape, bool)
    differs[:, :, :-1] |= labels[:, :, :-1] != labels[:, :, 1:]
    differs[:, :-1] |= labels[:, :-1] != labels[:, 1:]
    return float(differs.mean())


def segments(labels: Labels) -> int:
    """Number of 4-connected regions of one label in a label map [H, W], of at least SPECK of its pixels each."""
    found = 0
    for label in np.unique(labels[labels > 0]):
        regions, _ = ndimage.label(labels == label)
        found += int((np.bincount(regions.ravel())[1:] >= SPECK * labels.size).sum())
    return found


def pixel_features(images: NDArray[np.uint8], labels: Labels) -> tuple[list[NDArray], list[NDArray]]:
    """Per image [N, H, W, 3] the features [P, 5] of every STEP-th labelled pixel, and their classes [P].

    Features: column and row in units of the image's height, then red, green and blue, all in about 0..1.
    """
    height, width = labels.shape[1:]
    rows, columns = np.mgrid[STEP // 2 : height : STEP, STEP // 2 : width : STEP].reshape(2, -1)
    place = np.stack([columns / height, rows / height], axis=1)
    known = [one[rows, columns] > 0 for one in labels]
    features = [np.hstack([place, image[rows, columns] / 255])[seen] for image, seen in zip(images, known, strict=True)]
    return features, [one[rows, columns][seen] for one, seen in zip(labels, known, strict=True)]


def nearest_neighbours(train: NDArray, classes: NDArray, test: NDArray) -> NDArray[np.int64]:
    """Class of each row of `test` by majority among its NEIGHBOURS nearest rows of `train`; ties: the lowest."""
    _, nearest = cKDTree(train).query(test, k=min(NEIGHBOURS, len(train)))
    votes = np.zeros((len(test), CLASSES + 1), np.int64)
    chosen = classes[np.reshape(nearest, (len(test), -1))]
    np.add.at(votes, (np.arange(len(test))[:, None], chosen), 1)
    return np.asarray(votes.argmax(axis=1), np.int64)


def accuracy(features: list[NDArray], classes: list[NDArray], test: list[int], used: slice) -> float:
    """Accuracy on the images `test`, trained on all others, from the columns `used` of the features."""
    rest = [number for number in range(len(features)) if number not in test]
    train, known = np.concatenate([features[i] for i in rest]), np.concatenate([classes[i] for i in rest])
    asked, truth = np.concatenate([features[i] for i in test]), np.concatenate([classes[i] for i in test])
    return float((nearest_neighbours(train[:, used], known, asked[:, used]) == truth).mean())


def colour_gain(images: NDArray[np.uint8], labels: Labels, folds: list[list[int]]) -> float:
    """What a pixel's colour adds to its position: difference of two accuracies, mean over the test `folds`.

    A nearest-neighbour classifier of single pixels is trained on all images but those of the fold, once with
    position and colour, once with position alone. 0 where colour says nothing about the class.
    """
    features, classes = pixel_features(images, labels)
    gains = [
        accuracy(features, classes, fold, slice(0, 5)) - accuracy(features, classes, fold, slice(0, 2))
        for fold in folds
    ]
    return float(np.mean(gains))


def halves(count: int) -> list[list[int]]:
    """Images of even and of odd number."""
    return [list(range(start, count, 2)) for start in (0, 1)]


def each(count: int) -> list[list[int]]:
    """One image at a time."""
    return [[number] for number in range(count)]


def grouped_colour_gain(images: NDArray[np.uint8], labels: Labels, group: int) -> float:
    """`colour_gain` with one image left out, in groups of `group` images, mean over the groups.

    The accuracies depend on how many images there are to learn from; so a large set is compared with a few
    real frames in groups as small as theirs. An incomplete last group is left out.
    """
    bounds = range(0, len(images) + 1, group)
    gains = [colour_gain(images[low:high], labels[low:high], each(group)) for low, high in pairwise(bounds)]
    return float(np.mean(gains))


def summary(
    labels: Labels, pictures: tuple[NDArray[np.uint8], Labels], depths: NDArray, raw: NDArray, group: int
) -> Statistics:
    """All statistics of a set; each list may hold other images, since few real frames come with everything.

    labels uint8 [N, H, W]; pictures: images uint8 [M, H, W, 3] with their labels [M, H, W]; depths float32
    [K, H, W], metres; raw the same before holes were filled; group: see `grouped_colour_gain`.
    """
    return {
        "frequency": frequencies(labels).tolist(),
        "presence": presence(labels).tolist(),
        "unlabelled": float(np.mean(labels == 0)),
        "depth": median_depth(depths),
        "holes": hole_share(raw),
        "edges": edge_density(labels),
        "segments": float(np.mean([segments(one) for one in labels])),
        "colour": grouped_colour_gain(*pictures, group),
    }


def common(statistics: Statistics) -> int:
    """How many classes occur in 1 % of the images or more."""
    return int((np.array(statistics["presence"]) >= 0.01).sum())


def checks(real: Statistics, rendered: Statistics) -> list[Check]:
    """The limits within which rendered rooms count as of the same kind as the real ones."""
    correlation = rank_correlation(np.array(real["frequency"]), np.array(rendered["frequency"]))
    inf = float("inf")
    return [
        Check("classes in 1 % of the images or more", common(real), common(rendered), 30, CLASSES),
        Check("rank correlation of the classes' frequencies", None, correlation, 0.6, 1.0),
        Check("median depth, m", real["depth"], rendered["depth"], 0.7 * real["depth"], 1.3 * real["depth"]),
        Check("share of pixels without depth", real["holes"], rendered["holes"], 0.05, 0.35),
        Check("share of pixels on label boundaries", real["edges"], rendered["edges"],
              real["edges"] / 2, 2 * real["edges"]),
        Check("segments per image", real["segments"], rendered["segments"],
              real["segments"] / 2, 2 * real["segments"]),
        Check("accuracy that colour adds to position", real["colour"], rendered["colour"], -inf,
              real["colour"] + 0.1),
    ]  # fmt: skip
