"""Procedural indoor scenes: ray-cast rooms with the labels of NYUD-v2, deterministic from a seed."""

from mtinet.data.nyud_classes import SEGMENTATION as CLASSES
from mtinet.data.scenes.rendering import Frame, render

__all__ = ["CLASSES", "Frame", "render"]
