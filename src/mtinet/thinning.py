"""Thinning by Guo and Hall in two sub-iterations, of many binary maps at once: one bit per map in 64-bit words.

Thresholding a probability map 99 times gives 99 maps that agree almost everywhere. A word holds 64 of them, so
one bitwise operation works on all, and only words whose 3 x 3 neighbourhood changed are looked at again. A word's
place is the flat index of the upper left word of its 3 x 3 neighbourhood: each of the nine is then a view that begins
so many words later, and one index serves all.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

WORD = 64
CHUNK = 1 << 15  # words looked at together: few calls, and what they need stays in the cache
SPARSE = 64  # where fewer words than one in so many changed, their neighbourhoods are listed, not looked for
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
    flat, row = padded.reshape(-1), padded.shape[2]
    count = max(flat.size - 2 * row - 2, 0)
    centre = flat[row + 1 :][:count]
    # x1..x8 of Guo and Hall: counter-clockwise from the right-hand neighbour
    x = [flat[row + 1 + step :][:count] for step in (1, 1 - row, -row, -row - 1, -1, row - 1, row, row + 1)]
    kinds = (x, x[4:] + x[:4])  # the second sub-iteration is the first one, turned by half a turn
    changed = before = np.flatnonzero(centre)
    for step in range(2 * flat.size):  # every second half-step removes a bit or is the last
        # A half-step repeats the test of the one before the last: it can differ only where one of the two changed.
        candidates = exposed(centre, kinds[step % 2], np.concatenate((before, changed)), row)
        before, changed = changed, half_step(centre, kinds[step % 2], candidates)
        if step and not changed.size and not before.size:
            return


def half_step(centre: Words, x: Sequence[Words], candidates: Iterator[tuple[Places, Words]]) -> Places:
    """Delete in parallel what one sub-iteration deletes among `candidates`; the places that changed."""
    places, deleted = [np.empty(0, np.intp)], [np.empty(0, np.uint64)]
    for part, bits in candidates:
        found = deletable(*(neighbour.take(part, mode="clip") for neighbour in x))  # clip: faster than raise
        found &= bits
        hit = np.flatnonzero(found)
        places.append(part[hit])
        deleted.append(found[hit])
    changed = np.concatenate(places)
    centre[changed] ^= np.concatenate(deleted)
    return changed


def deletable(
    x1: NDArray, x2: NDArray, x3: NDArray, x4: NDArray, x5: NDArray, x6: NDArray, x7: NDArray, x8: NDArray
) -> NDArray:
    """Where the first sub-iteration deletes a set pixel with neighbours x1..x8: conditions G1, G2 and G3.

    They are 37 of the 256 neighbourhoods. Written out as conditions they cost twice as many operations as this
    case distinction by x1 and x3.
    """
    both = x7 & x8
    above = x3 & ((x5 & ~(x8 & (x2 | ~x7))) | (x2 & x4 & ~(x6 | x7 | x8)))
    below = (x5 & (x7 | (x4 & x6 & ~x8))) | (both & x6 & ~x4)
    free = ~(x2 | x3)
    result: NDArray = (~x1 & (above | (free & below))) | (x1 & free & both & (x5 | ~x4))
    return result


def exposed(centre: Words, x: Sequence[Words], changed: Places, row: int) -> Iterator[tuple[Places, Words]]:
    """Portions of the places near `changed` with bits that have no right or no upper neighbour, and these bits.

    `deletable` holds for no others. x: the neighbours as seen by the sub-iteration that comes.
    """
    if SPARSE * changed.size < centre.size:
        around = np.add.outer((-row, 0, row), (-1, 0, 1)).ravel()
        places = np.sort(np.add.outer(changed, around), axis=None)  # np.unique hashes, which takes longer
        places = places[slice(*np.searchsorted(places, (0, centre.size)))]  # beyond is border
        places = places[np.diff(places, prepend=-1) > 0]  # once each
        bits = centre.take(places) & ~(x[0].take(places) & x[2].take(places))
        hit = np.flatnonzero(bits)
        yield places[hit], bits[hit]
        return
    near = np.zeros(centre.size, np.bool_)
    near[changed] = True
    near = dilated(near, row)
    for start in range(0, centre.size, CHUNK):
        cut = slice(start, start + CHUNK)
        if near[cut].any():
            bits = x[0][cut] & x[2][cut]
            np.invert(bits, out=bits)
            bits &= centre[cut]
            hit = np.flatnonzero((bits != 0) & near[cut])
            yield hit + start, bits[hit]


def dilated(marked: NDArray[np.bool_], row: int) -> NDArray[np.bool_]:
    """`marked`, rows of length `row` one after the other, spread by one place in all eight directions."""
    spread = marked.copy()
    spread[1:] |= marked[:-1]
    spread[:-1] |= marked[1:]
    result = spread.copy()
    result[row:] |= spread[:-row]
    result[:-row] |= spread[row:]
    return result
