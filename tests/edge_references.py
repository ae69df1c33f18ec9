"""Independent solvers and map makers for the tests of the edge benchmark."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from hypothesis import strategies as st
from scipy import ndimage
from scipy.optimize import linear_sum_assignment
from scipy.sparse import coo_array, csr_array
from scipy.sparse.csgraph import maximum_flow
from scipy.spatial import cKDTree

SMALL = 200  # pixels up to which a dense assignment is quick


def within(first: np.ndarray, second: np.ndarray, squared_radius: Fraction) -> np.ndarray:
    """All pairs of rows of two integer arrays [n, 2], [m, 2] with d^2 <= R^2, [pairs, 2]."""
    near = cKDTree(first).sparse_distance_matrix(
        cKDTree(second), float(squared_radius) ** 0.5 + 1, output_type="coo_matrix"
    )
    pairs = np.stack([near.row, near.col], axis=1)
    squared = ((first[pairs[:, 0]] - second[pairs[:, 1]]) ** 2).sum(axis=1)
    return pairs[squared <= int(squared_radius)]


def matching_size(rows: np.ndarray, columns: np.ndarray, squared_radius: Fraction) -> int:
    """Size of a maximum matching of two masks by assignment (few pixels) or by maximum flow."""
    first, second = np.argwhere(rows), np.argwhere(columns)
    if not len(first) or not len(second):
        return 0
    pairs = within(first, second, squared_radius)
    if max(len(first), len(second)) <= SMALL:
        able = np.zeros((len(first), len(second)))
        able[tuple(pairs.T)] = 1
        return int(able[linear_sum_assignment(able, maximize=True)].sum())
    return dinic(pairs, len(first), len(second))


def dinic(pairs: np.ndarray, rows: int, columns: int) -> int:
    """Maximum matching as a maximum flow from a source to a sink of unit capacities."""
    source, sink = rows + columns, rows + columns + 1
    tails = np.concatenate([np.full(rows, source), pairs[:, 0], np.arange(rows, source)])
    heads = np.concatenate([np.arange(rows), pairs[:, 1] + rows, np.full(columns, sink)])
    graph = csr_array(coo_array((np.ones(len(tails), np.int32), (tails, heads)), shape=(sink + 1, sink + 1)))
    graph.indices, graph.indptr = graph.indices.astype(np.int32), graph.indptr.astype(np.int32)
    return int(maximum_flow(graph, source, sink, method="dinic").flow_value)


SIDES = st.tuples(st.integers(1, 60), st.integers(1, 60))
KINDS = ("empty", "full", "noise", "blobs", "lines", "ramp")


def random_map(random: np.random.Generator, kind: str, size: tuple[int, int]) -> np.ndarray:
    """Floats in 0..1, [H, W], of one of KINDS."""
    if kind in ("empty", "full"):
        return np.full(size, float(kind == "full"))
    if kind == "ramp":
        return np.add.outer(np.linspace(0, 0.5, size[0]), np.linspace(0, 0.5, size[1]))
    noise = random.random(size) if kind != "lines" else (random.random(size) < 0.03).astype(float)
    width = {"noise": 0.0, "blobs": random.uniform(0.5, 3), "lines": 0.0}[kind]
    values = ndimage.gaussian_filter(noise, width) if width else noise
    if kind == "lines":
        length = int(random.integers(2, 15))
        values = ndimage.maximum_filter(values, (length, 1) if random.random() < 0.5 else (1, length))
        values = values * random.random(size) ** 0.3
    return (values - values.min()) / max(np.ptp(values), 1e-9)
