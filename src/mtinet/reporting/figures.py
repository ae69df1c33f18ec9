"""The report's figures, under one name."""

from __future__ import annotations

from mtinet.reporting.affinities import affinity
from mtinet.reporting.architecture import architecture, propagation
from mtinet.reporting.curves import learning_curves
from mtinet.reporting.gains import against_costs, delta_bars
from mtinet.reporting.growing import growth
from mtinet.reporting.panels import panel
from mtinet.reporting.patches import patches
from mtinet.reporting.sheet import sheet

__all__ = [
    "affinity",
    "against_costs",
    "architecture",
    "delta_bars",
    "growth",
    "learning_curves",
    "panel",
    "patches",
    "propagation",
    "sheet",
]
