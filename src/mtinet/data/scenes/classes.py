"""The labels that furniture and clutter carry: the archive's coding of NYUD-v2's classes."""

from __future__ import annotations

from mtinet.data.nyud_classes import SEGMENTATION

UNLABELLED = 0
LABELS: dict[str, int] = {name: number for number, name in enumerate(SEGMENTATION, start=1)}
