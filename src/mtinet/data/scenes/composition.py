"""Scenes of the PASCAL-like set: who is in the picture, where, in front of what, and how the camera frames them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mtinet.data.scenes.camera import looking
from mtinet.data.scenes.daylight import Light
from mtinet.data.scenes.geometry import Array
from mtinet.data.scenes.modelling import Model


@dataclass(frozen=True)
class Optics:
    """A camera: position [3], rotation [3, 3] (columns are its axes in the world), focal length in units of the
    picture's longer side, and the sides (height, width) of the picture at 500 pixels."""

    position: Array
    rotation: Array
    length: float
    sides: tuple[int, int]

    def shape(self, longest: int) -> tuple[int, int]:
        """Height and width in pixels."""
        height, width = (round(side * longest / max(self.sides)) for side in self.sides)
        return height, width

    def focal(self, shape: tuple[int, int]) -> float:
        """Focal length in pixels."""
        return self.length * max(shape)

    def directions(self, shape: tuple[int, int]) -> Array:
        """Rays [H * W, 3] in the world, one unit along which is one metre of depth; the axis meets the middle."""
        height, width = shape
        across = (np.arange(width) - (width - 1) / 2) / self.focal(shape)
        down = ((height - 1) / 2 - np.arange(height)) / self.focal(shape)
        x, y = np.meshgrid(across, down)
        return np.asarray(np.stack([x, y, np.full_like(x, -1.0)], axis=-1).reshape(-1, 3) @ self.rotation.T)


@dataclass(frozen=True)
class Thing:
    """A placed model, its VOC class (0 for none), and whether it may draw the eye."""

    model: Model
    category: int
    prominent: bool


@dataclass(frozen=True)
class Scene:
    """Everything that a picture is taken of."""

    things: list[Thing]
    light: Light
    camera: Optics


def composed(rng):
    raise NotImplementedError
