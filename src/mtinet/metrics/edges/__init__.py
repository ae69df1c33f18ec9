"""The edge benchmark without MATLAB: odsF, oisF, AP and the precision-recall curve, exact and on the CPU.

`count_matches` counts one image at all thresholds, `summarize` makes the scores of a set from the counts, and
`python -m mtinet.metrics.edges PREDICTIONS TRUTHS` does both for two folders. Imports no torch.
"""

from __future__ import annotations

from mtinet.boundaries import boundaries_from_labels
from mtinet.metrics.edges.aggregation import summarize
from mtinet.metrics.edges.counting import Counts, count_matches, count_matches_annotators
from mtinet.metrics.edges.protocols import MAX_DIST, PROTOCOLS, Protocol, protocol
from mtinet.metrics.edges.suppression import suppress
from mtinet.thinning import thin

__all__ = [
    "MAX_DIST", "PROTOCOLS", "Counts", "Protocol", "boundaries_from_labels", "count_matches",
    "count_matches_annotators", "protocol", "summarize", "suppress", "thin",
]  # fmt: skip
