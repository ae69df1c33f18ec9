"""Matching with the least total distance, which several annotators need (BSDS500).

Precision counts a predicted pixel that any annotator's boundary matches, so it matters which of the maximum
matchings is taken: the benchmark takes the one with the smallest sum of distances.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, hstack
from scipy.sparse.csgraph import min_weight_full_bipartite_matching

from mtinet.metrics.edges.matching import candidate_pairs, without_lonely_rows


def nearest_matching(
    rows: NDArray[np.bool_], columns: NDArray[np.bool_], radius: float
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Of the maximum matchings of two masks' pixels one with the least sum of distances: the matched places.

    Both masks [H, W]; places are indices into the flattened masks, pairs of rows' and columns' pixels at most
    `radius` apart.
    """
    row_places, column_places = np.flatnonzero(rows), np.flatnonzero(columns)
    graph, partnered = without_lonely_rows(candidate_pairs(rows, columns, radius))
    if not partnered.size:
        return row_places[:0], column_places[:0]
    row_places = row_places[partnered]
    owners = np.repeat(row_places, np.diff(graph.indptr))
    weights = 1 + distances(owners, column_places[graph.indices], rows.shape[1])
    graph = csr_array((weights, graph.indices, graph.indptr), shape=graph.shape)  # a zero would be no edge
    # A row may stay alone at a price that no sum of distances reaches.
    price = 1 + (radius + 1) * (row_places.size + 1)
    alone = csr_array((np.full(row_places.size, price), np.arange(row_places.size), np.arange(row_places.size + 1)))
    found_rows, found = min_weight_full_bipartite_matching(csr_array(hstack([graph, alone], format="csr")))
    matched = found < column_places.size
    return row_places[found_rows[matched]], column_places[found[matched]]


def distances(first: NDArray[np.intp], second: NDArray[np.intp], width: int) -> NDArray[np.float64]:
    """Euclidean distances in pixels between places of an image `width` wide."""
    down, right = first // width - second // width, first % width - second % width
    length: NDArray[np.float64] = np.sqrt(down * down + right * right)
    return length
