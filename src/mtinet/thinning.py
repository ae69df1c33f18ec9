"""Thinning by Guo and Hall in two sub-iterations, of many binary maps at once: one bit per map in 64-bit words.

Thresholding a probability map 99 times gives 99 maps that agree almost everywhere. A word holds 64 of them, so
one bitwise operation works on all, and only words whose 3 x 3 neighbourhood changed are looked at again.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

WORD = 64
CHUNK = 1 << 13  # words evaluated together: their neighbours and intermediate results stay in the cache
LOW_BITS = np.array([(1 << count) - 1 for count in range(WORD + 1)], np.uint64)
Words = NDArray[np.uint64]
Places = NDArray[np.intp]


def thin(mask: NDArray) -> NDArray[np.bool_]:
    """`mask` [H, W] (non-zero: set) thinned until stable, zeros around it; bool [H, W].

    Equals MATLAB's bwmorph(mask, 'thin', Inf) and skimage.morphology.thin.
    """
    set_pixels = np.asarray(mask) != 0
    thinned: NDArray[np.bool_] = thin_levels(set_pixels.astype(np.int64), 1)[0] != 0
    return thinned


def thin_levels(levels: NDArray[np.integer], count: int) -> Words:
    """All sets {levels > k}, k = 0..count-1, each thinned until stable, as words [ceil(count / 64), H, W].

    levels: integers [H, W] in 0..count. Bit k % 64 of word k // 64 says whether a pixel is in the thinned set k.
    """
    height, width = levels.shape
    words = -(-count // WORD)
    padded = np.zeros((words, height + 2, width + 2), np.uint64)
    for word in range(words):
        padded[word, 1:-1, 1:-1] = LOW_BITS[np.clip(levels - word * WORD, 0, WORD)]
    thin_words(padded)
    return np.ascontiguousarray(padded[:, 1:-1, 1:-1])


def thin_words(padded: Words) -> None:
    """Thin every bit of `padded` [words, H + 2, W + 2], whose border is zero, in place."""
    flat = padded.reshape(-1)
    row = padded.shape[2]
    # x1..x8 of Guo and Hall: counter-clockwise from the right-hand neighbour
    offsets = np.array([1, 1 - row, -row, -row - 1, -1, row - 1, row, row + 1])
    around = np.append(offsets, 0)
    marked = np.zeros(flat.size, np.bool_)
    active = np.flatnonzero(flat)
    changed_before = active
    for step in range(2 * flat.size):  # every second half-step removes a bit or is the last
        changed = half_step(flat, active, offsets, second=bool(step % 2))
        if step and not changed.size and not changed_before.size:
            return
        # The half-step after the next repeats this one's test: it can differ only where one of the two changed.
        if step:
            active = neighbourhoods(flat, marked, (changed_before, changed), around)
        changed_before = changed


def half_step(flat: Words, active: Places, offsets: Places, *, second: bool) -> Places:
    """Delete in parallel what one sub-iteration deletes at the places `active`; the places that changed."""
    deleted = np.empty(active.size, np.uint64)
    for start in range(0, active.size, CHUNK):
        part = active[start : start + CHUNK]
        around = [flat.take(part + offset) for offset in offsets]
        deleted[start : start + CHUNK] = flat.take(part) & deletable(around, second=second)
    hit = np.flatnonzero(deleted)
    changed = active[hit]
    flat[changed] ^= deleted[hit]
    return changed


def deletable(x: list[NDArray], *, second: bool) -> NDArray:
    """Where a set pixel with neighbours x1..x8 (x[0]..x[7]) is deleted: conditions G1, G2, G3 or G3'."""
    pairs = [x[i] | x[(i + 1) % 8] for i in range(8)]  # x1|x2, x2|x3, ...
    b = [~x[i] & pairs[i + 1] for i in (0, 2, 4, 6)]
    # G1: exactly one of the four; of an odd number of ones it is three when a pair has both.
    result: NDArray = (b[0] ^ b[1] ^ b[2] ^ b[3]) & ~((b[0] & b[1]) | (b[2] & b[3]))
    # G2: 2 <= min(n1, n2) <= 3
    n1, n2 = pairs[0::2], pairs[1::2]
    all_four = n1[0] & n1[1] & n1[2] & n1[3] & n2[0] & n2[1] & n2[2] & n2[3]
    result = result & at_least_two(n1) & at_least_two(n2) & ~all_four
    corner = (pairs[5] | ~x[3]) & x[4] if second else (pairs[1] | ~x[7]) & x[0]
    result = result & ~corner
    return result


def at_least_two(n: list[NDArray]) -> NDArray:
    """Where at least two of four are set."""
    two: NDArray = (n[0] & n[1]) | (n[2] & n[3]) | ((n[0] | n[1]) & (n[2] | n[3]))
    return two


def neighbourhoods(flat: Words, marked: NDArray[np.bool_], changed: tuple[Places, Places], around: Places) -> Places:
    """Places with something set within the 3 x 3 neighbourhoods of `changed`, in order; `marked` is scratch.

    Three ways, equal in what they find, by the share of words that changed.
    """
    both = np.concatenate(changed)
    if 200 * both.size < flat.size:
        places = np.unique((both[:, None] + around).ravel())
    elif 40 * both.size < flat.size:
        for offset in around:
            marked[both + offset] = True
        places = np.flatnonzero(marked)
        marked[places] = False
    else:
        marked[both] = True
        places = np.flatnonzero(dilated(marked, around.max() - 1))
        marked[both] = False
    alive: Places = places[flat.take(places) != 0]
    return alive


def dilated(marked: NDArray[np.bool_], row: int) -> NDArray[np.bool_]:
    """`marked`, rows of length `row` one after the other, spread by one place in all eight directions."""
    spread = marked.copy()
    spread[1:] |= marked[:-1]
    spread[:-1] |= marked[1:]
    result = spread.copy()
    result[row:] |= spread[:-row]
    result[:-row] |= spread[row:]
    return result
