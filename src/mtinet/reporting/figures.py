"""The report's figures, under one name."""

from __future__ import annotations

from mtinet.reporting.curves import learning_curves
from mtinet.reporting.panels import panel

__all__ = ["learning_curves", "panel"]
