"""Maximum-cardinality matching of predicted with true boundary pixels, for many thresholds of one map.

With one ground truth, the benchmark's matched pixels are the size of a maximum bipartite matching between the
pixels at most R apart; which pairs it takes does not matter. Between neighbouring thresholds few pixels differ,
so thresholds go from high to low, surviving pairs stay, and what is missing is found by augmenting paths.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.sparse.csgraph import breadth_first_order

HASTY = 8  # nearest neighbours that a pixel tries before any search
ENDS_PER_ROOT = 8  # of a search's ends, how many are followed back: there are many, nearest first
Ids = NDArray[np.int32]


def disc(radius: float, reach: int) -> NDArray[np.intp]:
    """Integer offsets (down, right) at most `radius` long and `reach` in each direction, nearest first, [N, 2]."""
    down, right = np.mgrid[-reach : reach + 1, -reach : reach + 1].reshape(2, -1)
    squared = down**2 + right**2
    order = np.argsort(squared, kind="stable")
    offsets: NDArray[np.intp] = np.stack([down, right], axis=1)[order[squared[order] <= radius * radius]]
    return offsets


def candidate_pairs(rows: NDArray[np.bool_], columns: NDArray[np.bool_], radius: float) -> csr_array:
    """Which set pixels of `columns` each set pixel of `rows` may be matched with: those at most `radius` away.

    Both masks [H, W], pixels numbered in their order. In the result's `indices`, each row's partners come
    nearest first; its `data` means nothing.
    """
    found, searched = hits(rows, columns, radius)
    # Rows are the steps, columns the pixels: the transposition is a counting sort that keeps the steps' order.
    firsts, seconds = (np.concatenate(ids) for ids in zip(*found, strict=True))
    if searched:
        firsts, seconds = seconds, firsts
    starts = np.cumsum([0, *(ids.size for ids, _ in found)])
    counts = (np.count_nonzero(rows), np.count_nonzero(columns))
    by_step = csr_array((seconds, firsts, starts), shape=(len(found), counts[0]))
    by_row = by_step.tocsc()
    weights = np.broadcast_to(1.0, by_row.data.shape)
    return csr_array((weights, by_row.data, by_row.indptr.astype(np.int32)), shape=counts)


def hits(rows: NDArray[np.bool_], columns: NDArray[np.bool_], radius: float) -> tuple[list[tuple[Ids, Ids]], bool]:
    """For each step of the disc the pairs that it joins, and whether they are (column, row) rather than (row, column).

    The walk is over the smaller of the two sets, looking into the other.
    """
    swapped = bool(np.count_nonzero(rows) > np.count_nonzero(columns))
    found = []
    for partners in looked_up(*((columns, rows) if swapped else (rows, columns)), radius):
        hit = np.flatnonzero(partners >= 0)
        found.append((hit.astype(np.int32), partners[hit]))
    return found, swapped


def looked_up(own: NDArray[np.bool_], other: NDArray[np.bool_], radius: float) -> Iterator[Ids]:
    """For each step of the disc, nearest first, what each pixel of `own` finds there: a pixel of `other`, or -1."""
    reach = min(int(radius), max(own.shape))
    ids = np.full(np.add(own.shape, 2 * reach), -1, np.int32)
    inside = ids[reach : reach + own.shape[0], reach : reach + own.shape[1]]
    inside[other] = np.arange(np.count_nonzero(other), dtype=np.int32)
    down, right = np.nonzero(own)
    places = (down + reach) * ids.shape[1] + right + reach
    flat = ids.reshape(-1)
    for step in disc(radius, reach) @ np.array([ids.shape[1], 1]):
        yield flat.take(places + step)


def number_of_pairs(rows: NDArray[np.bool_], columns: NDArray[np.bool_], radius: float, enough: int) -> int:
    """How many candidate pairs there are; only an upper bound where that is at most `enough`."""
    fewer = min(np.count_nonzero(rows), np.count_nonzero(columns))
    bound = int(fewer * min(np.pi * (radius + 1) ** 2, rows.size))
    if bound <= enough:
        return bound
    own, other = (rows, columns) if np.count_nonzero(rows) == fewer else (columns, rows)
    return sum(int(np.count_nonzero(partners >= 0)) for partners in looked_up(own, other, radius))


def without_lonely_rows(pairs: csr_array) -> tuple[csr_array, NDArray[np.intp]]:
    """The pairs numbered without the rows that have no partner, and the rows that remain."""
    remaining = np.flatnonzero(np.diff(pairs.indptr))
    starts = np.append(pairs.indptr[remaining], pairs.indptr[-1])
    return csr_array((pairs.data, pairs.indices, starts), shape=(remaining.size, pairs.shape[1])), remaining


class Matcher:
    """A maximum matching in the graph of `pairs`, kept up to date while the active rows change.

    Rows are predicted pixels, of which some are active; columns are true ones. The graph's nodes are the rows,
    the columns and a source. Edges: from the source to the free active rows, from a row to its partners, from a
    matched column to its row. What is reached from the source is what alternating paths reach.
    """

    def __init__(self, pairs: csr_array) -> None:
        self.rows, self.columns = pairs.shape
        self.source = self.rows + self.columns
        count = pairs.indices.size
        # Columns have one entry each, themselves while they are free (a search ignores such a loop).
        own = np.arange(self.rows, self.source, dtype=np.int32)
        self.indices = np.concatenate([pairs.indices + self.rows, own, np.zeros(self.rows, np.int32)], dtype=np.int32)
        self.indptr = np.concatenate(
            [pairs.indptr[:-1], np.arange(count, count + self.columns + 1), [count + self.columns]], dtype=np.int32
        )
        self.own = own
        self.row_of = self.indices[count : count + self.columns]  # a view: writing it changes the graph
        self.sources = self.indices[count + self.columns :]
        self.column_of = np.full(self.rows, -1, np.int32)  # as numbers of nodes
        self.up = np.empty(self.rows, np.int32)
        self.weights = np.broadcast_to(1.0, self.indices.shape)
        self.degrees = np.diff(pairs.indptr)
        self.hints = [self.nth_partner(rank) for rank in range(HASTY)]

    def nth_partner(self, rank: int) -> Ids:
        """Each row's partner number `rank`, its last one where it has fewer; every row has one."""
        nth: Ids = self.indices[self.indptr[: self.rows] + np.minimum(rank, self.degrees - 1)]
        return nth

    def size(self, active: NDArray[np.bool_]) -> int:
        """Size of a maximum matching of the `active` rows [rows]; pairs of the last call are kept where possible."""
        gone = np.flatnonzero((self.column_of >= 0) & ~active)
        self.release(gone)
        free = np.flatnonzero(active & (self.column_of < 0)).astype(np.int32)
        for hint in self.hints:
            free = self.take_free(free, hint)
        while free.size and self.augment(free):
            free = free[self.column_of[free] < 0]
        return int(np.count_nonzero(active)) - free.size

    def release(self, rows: NDArray[np.intp]) -> None:
        """Free these rows and their columns."""
        columns = self.column_of[rows]
        self.row_of[columns - self.rows] = columns
        self.column_of[rows] = -1

    def take_free(self, rows: Ids, wanted: Ids) -> Ids:
        """Match rows with the column that each wants where that is free; the rows that stay free."""
        columns = wanted[rows]
        able = self.row_of[columns - self.rows] == columns
        if not able.any():
            return rows
        columns, contenders = columns[able], rows[able]
        self.row_of[columns - self.rows] = contenders  # of several the last one stays
        won = self.row_of[columns - self.rows] == contenders
        self.column_of[contenders[won]] = columns[won]
        return rows[self.column_of[rows] < 0]

    def augment(self, free: Ids) -> int:
        """Augment along vertex-disjoint shortest paths found by one search from all free rows; their number."""
        order, parents = self.search(free)
        places = np.flatnonzero(order >= self.rows)
        columns = order[places]
        places = places[self.row_of[columns - self.rows] == columns][: ENDS_PER_ROOT * free.size]
        if not places.size:
            return 0
        ends = order[places]
        # Trees of different roots share no node, and the search meets each tree's nearest free column first.
        _, first = np.unique(self.roots(ends, order[: places[-1]], parents), return_index=True)
        self.flip(ends[first], parents)
        return first.size

    def search(self, free: Ids) -> tuple[Ids, Ids]:
        """Breadth-first order of the nodes reached from the rows `free`, without the source, and all parents."""
        self.sources[: free.size] = free
        self.indptr[-1] = self.indices.size - self.rows + free.size
        nodes = self.source + 1
        end = self.indptr[-1]
        graph = csr_array((self.weights[:end], self.indices[:end], self.indptr), shape=(nodes, nodes))
        order, parents = breadth_first_order(graph, self.source)
        return order[1:], parents

    def roots(self, ends: Ids, reached: Ids, parents: Ids) -> Ids:
        """The free row at the root of each end's tree, by doubling: depths reach hundreds."""
        reached_rows = reached[reached < self.rows]
        above = parents[reached_rows]
        self.up[reached_rows] = np.where(above == self.source, reached_rows, parents[above])
        roots = self.up[parents[ends]]
        while (parents[roots] != self.source).any():
            self.up[reached_rows] = self.up[self.up[reached_rows]]
            roots = self.up[roots]
        return roots

    def flip(self, columns: Ids, parents: Ids) -> None:
        """Exchange matched and unmatched pairs on the paths that end in `columns`."""
        while columns.size:
            rows = parents[columns]
            before = self.column_of[rows]
            self.column_of[rows] = columns
            self.row_of[columns - self.rows] = rows
            columns = before[before >= 0]
