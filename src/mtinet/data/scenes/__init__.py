"""Procedural indoor scenes: ray-cast rooms with the labels of NYUD-v2, deterministic from a seed."""

from mtinet.data.scenes.classes import CLASSES
from mtinet.data.scenes.rendering import Frame, render

__all__ = ["CLASSES", "Frame", "render"]
