"""Materials of pictures: the room renderer's, with hues from the whole circle, alike for every class."""

from __future__ import annotations

import colorsys
from dataclasses import replace

from numpy.random import Generator

from mtinet.data.scenes.materials import RGB, Material, made_of, shade

BLACK = Material("plain", (0.035, 0.035, 0.038), (0.02, 0.02, 0.02), gloss=0.15)


def hue(rng: Generator, vivid: float = 0.8) -> RGB:
    """A reflectance of any hue, as often pale or dark as strong."""
    value, saturation = 0.05 * (0.85 / 0.05) ** rng.random() ** 0.7, vivid * rng.random()
    red, green, blue = colorsys.hsv_to_rgb(rng.random(), saturation, value)
    return red, green, blue


def paint(rng: Generator, stuff: str = "plastic", pattern: str | None = None) -> Material:
    """A random material of the kind `stuff`, half of them of any hue at all."""
    made = made_of(stuff, rng)
    if rng.random() < 0.5:
        base = hue(rng)
        made = replace(made, light=base, dark=hue(rng) if rng.random() < 0.3 else shade(base, rng.uniform(0.25, 0.7)))
    return made if pattern is None else replace(made, pattern=pattern)


def lacquer(rng: Generator) -> Material:
    """Plain shining paint."""
    return replace(paint(rng, "plastic", "plain"), gloss=rng.uniform(0.2, 0.7), mirror=rng.uniform(0.0, 0.08))


def glass(rng: Generator) -> Material:
    """Panes that reflect what is before them."""
    base = shade(hue(rng, 0.3), 0.35)
    return Material("plain", base, shade(base, 0.6), 0.4, gloss=0.6, mirror=rng.uniform(0.05, 0.35))
