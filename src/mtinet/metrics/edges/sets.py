"""The pixels of a map at or above each threshold, every set thinned; equal sets are kept once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mtinet.errors import UserError
from mtinet.thinning import WORD, Words, thin_levels

ONE = np.uint64(1)


@dataclass(frozen=True)
class ThinnedSets:
    """`count` different thinned sets of pixels, none of them empty, from the lowest threshold to the highest.

    index: int [K], the set's number at each threshold, `count` where nothing is predicted. places: flat indices
    of the n pixels that are in any set, ascending. words: [ceil(count / 64), n], their bits.
    """

    shape: tuple[int, int]
    count: int
    index: NDArray[np.intp]
    places: NDArray[np.intp]
    words: Words

    @staticmethod
    def bit(words: Words, number: int) -> NDArray[np.bool_]:
        """Which columns of `words` [.., n] are in set `number`."""
        member: NDArray[np.bool_] = ((words[number // WORD] >> np.uint64(number % WORD)) & ONE).astype(np.bool_)
        return member

    def mask(self, number: int) -> NDArray[np.bool_]:
        """Set `number` as a mask [H, W]."""
        mask = np.zeros(self.shape, np.bool_)
        mask.reshape(-1)[self.places[self.bit(self.words, number)]] = True
        return mask

    def used(self, numbers: range) -> NDArray[np.bool_]:
        """Which of the n pixels are in any of the sets `numbers`."""
        if len(numbers) == self.count:
            return np.ones(self.places.size, np.bool_)
        used = np.zeros(self.places.size, np.bool_)
        for number in numbers:
            used |= self.bit(self.words, number)
        return used

    def sizes(self) -> NDArray[np.int64]:
        """Pixels of every set, [count + 1]; the last, nothing, has 0."""
        sizes = [np.count_nonzero(self.bit(self.words, number)) for number in range(self.count)]
        return np.array([*sizes, 0], np.int64)


def thinned_sets(prediction: NDArray, thresholds: ArrayLike, *, strict: bool = False) -> ThinnedSets:
    """Threshold `prediction` (>=, strict: >) and thin every set; arguments and errors as count_matches has them."""
    values = checked_prediction(prediction)
    steps = checked_thresholds(thresholds)
    order = np.argsort(steps, kind="stable")
    levels = level_of(values, steps[order], strict)
    occurring = np.flatnonzero(np.bincount(levels.ravel(), minlength=steps.size + 1)[1:]) + 1
    number_of_level = np.append(0, np.searchsorted(occurring, np.arange(1, steps.size + 1), side="right"))
    words = thin_levels(number_of_level[levels], occurring.size)
    index = np.empty(steps.size, np.intp)
    index[order] = np.searchsorted(occurring, np.arange(1, steps.size + 1))
    flat = words.reshape(len(words), levels.size)
    places = np.flatnonzero(flat.any(axis=0))
    height, width = values.shape
    return ThinnedSets((height, width), occurring.size, index, places, flat[:, places])


def level_of(values: NDArray, steps: NDArray[np.float64], strict: bool) -> NDArray[np.intp]:
    """How many of the ascending `steps` each value reaches (strict: exceeds)."""
    side: Literal["left", "right"] = "left" if strict else "right"
    if values.dtype == np.uint8:
        table = np.searchsorted(steps, np.arange(256) / 255, side=side)
        return np.asarray(table[values], np.intp)
    return np.asarray(np.searchsorted(steps.astype(values.dtype), values, side=side), np.intp)


def checked_thresholds(thresholds: ArrayLike) -> NDArray[np.float64]:
    """The thresholds as float64 [K]; UserError without any and for one that is not finite."""
    steps = np.asarray(thresholds, np.float64)
    if steps.ndim != 1 or not steps.size or not np.isfinite(steps).all():
        raise UserError(f"thresholds are {thresholds!r}, expected a list of finite numbers")
    return steps


def checked_prediction(prediction: NDArray) -> NDArray:
    """The map itself; UserError unless it is uint8, or float in 0..1 without NaN, of two dimensions."""
    array = np.asarray(prediction)
    if array.ndim != 2 or not array.size:
        raise UserError(f"prediction of shape {array.shape}, expected one map [H, W]")
    if array.dtype == np.uint8:
        return array
    if array.dtype.kind != "f":
        raise UserError(f"prediction of type {array.dtype}, expected uint8 (0..255) or float (0..1)")
    if np.isnan(array).any():
        raise UserError(f"prediction has {np.count_nonzero(np.isnan(array))} NaN pixels, expected numbers in 0..1")
    low, high = array.min(), array.max()
    if low < 0 or high > 1:
        raise UserError(f"prediction has values {low:g}..{high:g}, expected 0..1 (or uint8, 0..255)")
    return array
