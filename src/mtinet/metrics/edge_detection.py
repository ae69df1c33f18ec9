"""Edges by the edge benchmark: odsF (Tables 2b, 3 and 5), oisF, AP, odsT. Its settings: a dataset's `edges`."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mtinet.errors import UserError
from mtinet.metrics import edge_loss, edges
from mtinet.metrics.edges.aggregation import Flavour
from mtinet.metrics.edges.pictures import to_uint8

SETTINGS = "edges"  # the section of a dataset's entry in params.yaml that holds the keyword arguments below
# For predictions that are only watched, since matching takes tenths of a second per image: the training loss,
# under that name.
CHEAP = edge_loss
KEYS = ("odsF", "oisF", "AP", "odsT")
IGNORED = 255


def per_image(
    prediction: NDArray, target: NDArray, *, max_dist: float, protocol: str, flavour: str
) -> NDArray[np.float64]:
    """cntR, sumR, cntP, sumP at each of the protocol's K thresholds, [4, K], of one image.

    prediction: probability of an edge, floats [H, W]; cut to the 8 bits that the benchmark reads. target:
    [H, W], 1 on boundaries (NYUD-v2: the archive's edges; PASCAL: those of the label map by the rule of seism,
    not the training target), thinned here; 255 where there is no label, and no prediction counts. The counts do not
    depend on `flavour`, so that one file serves both. Raises UserError for NaN and a protocol that does not exist.
    """
    bits = to_uint8(np.clip(prediction, 0, 1))  # bilinear weights may sum to a hair above 1
    bits[target == IGNORED] = 0  # below all thresholds
    counts = edges.protocol(protocol).count(bits, edges.thin(target == 1), max_dist)
    return np.stack(counts).astype(np.float64)


def summarize(
    statistics: NDArray[np.float64],
    *,
    max_dist: float | None = None,
    protocol: str | None = None,
    flavour: Flavour = "seism",
) -> dict[str, float]:
    """odsF, oisF, AP (fractions) and odsT, from [N, 4, K]; NaN when no image of the set has a boundary.

    K tells the protocol and with it the thresholds, so the other settings play no part.

    >>> counts = np.ones((1, 4, 99)) * np.array([6, 8, 6, 8])[:, None]
    >>> summarize(counts)
    {'odsF': 0.75, 'oisF': 0.75, 'AP': 0.0, 'odsT': 0.01}
    """
    count = statistics.shape[-1]
    thresholds = {len(found.thresholds): found.thresholds for found in edges.PROTOCOLS.values()}
    if count not in thresholds:
        raise UserError(f"edge counts at {count} thresholds, expected {' or '.join(map(str, thresholds))}")
    if not statistics[:, 1].any():
        return dict.fromkeys(KEYS, float("nan"))
    scores = edges.summarize(statistics, thresholds[count], flavour)
    return {key: scores[key] for key in KEYS}
