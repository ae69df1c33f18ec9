"""What is built into kitchens and bathrooms, and other structure: one builder per kind, sizes in metres."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.random import Generator

from mtinet.data.scenes.catalogue import piece
from mtinet.data.scenes.furniture import chest, fronts
from mtinet.data.scenes.geometry import Sketch
from mtinet.data.scenes.materials import Material, made_of, shade


def basin(sketch: Sketch, x: float, y: tuple[float, float], z: float, width: float, rng: Generator) -> None:
    """A sink set into a top at height z: a rim, a darker bowl and a tap."""
    steel = made_of("ceramic" if rng.random() < 0.5 else "metal", rng)
    bowl = replace(steel, light=shade(steel.light, 0.5), dark=shade(steel.dark, 0.4))
    sketch.instance("sink")
    left, right, low, high = x - width / 2, x + width / 2, y[0], y[1]
    for edge in (low, high - 0.03):
        sketch.box((left, right), (edge, edge + 0.03), (z, z + 0.03), steel)
    for edge in (left, right - 0.03):
        sketch.box((edge, edge + 0.03), (low + 0.03, high - 0.03), (z, z + 0.03), steel)
    sketch.box((left + 0.03, right - 0.03), (low + 0.03, high - 0.03), (z, z + 0.006), bowl)
    sketch.solid("cylinder", (0.03, 0.03, 0.24), (x, low - 0.02, z), steel)
    sketch.box((x - 0.012, x + 0.012), (low - 0.02, low + 0.14), (z + 0.22, z + 0.245), steel)
    sketch.base()


def kitchen_run(width: float, with_sink: bool, rng: Generator) -> Sketch:
    """Base cabinets under a counter top; the label of the carcass is cabinet, of the top counter."""
    body, top, handle = made_of("furniture", rng), made_of("stone", rng), made_of("metal", rng)
    depth, height = 0.6, 0.9
    sketch = Sketch("cabinet")
    sketch.box((-width / 2, width / 2), (0.0, depth - 0.06), (0.0, 0.1), body)
    sketch.box((-width / 2, width / 2), (0.0, depth), (0.1, height - 0.04), body)
    columns = max(1, round(width / 0.5))
    fronts(sketch, (-width / 2, width / 2), (0.11, height - 0.24), depth, (columns, 1), body, handle)
    fronts(sketch, (-width / 2, width / 2), (height - 0.24, height - 0.05), depth, (columns, 1), body, handle)
    sketch.instance("counter")
    sketch.box((-width / 2 - 0.005, width / 2 + 0.005), (0.0, depth + 0.03), (height - 0.04, height), top)
    sketch.box((-width / 2, width / 2), (0.0, 0.02), (height, height + 0.1), top)
    free = (-width / 2 + 0.05, width / 2 - 0.05)
    if with_sink:
        basin(sketch, width / 4, (0.13, 0.52), height, min(0.7, width / 2 - 0.06), rng)
        free = (-width / 2 + 0.05, -0.02)
    return sketch.support(free, (0.06, depth - 0.06), height, 0.5)


@piece
def counter(rng: Generator) -> Sketch:
    """Kitchen cabinets with a counter."""
    return kitchen_run(rng.uniform(1.0, 2.6), False, rng)


@piece
def sink_counter(rng: Generator) -> Sketch:
    """Kitchen cabinets with a counter and a sink."""
    return kitchen_run(rng.uniform(1.4, 2.6), True, rng)


@piece
def island(rng: Generator) -> Sketch:
    """A free-standing counter."""
    return kitchen_run(rng.uniform(1.2, 2.0), rng.random() < 0.3, rng)


@piece
def wall_cabinet(rng: Generator) -> Sketch:
    """Kitchen cabinets hung on the wall."""
    width, height = rng.uniform(0.8, 2.0), rng.uniform(0.55, 0.8)
    body, handle = made_of("furniture", rng), made_of("metal", rng)
    sketch = Sketch("cabinet").box((-width / 2, width / 2), (0.0, 0.34), (0.0, height), body)
    fronts(sketch, (-width / 2, width / 2), (0.0, height), 0.34, (max(1, round(width / 0.42)), 1), body, handle)
    return sketch


@piece
def refrigerator(rng: Generator) -> Sketch:
    """A refrigerator with freezer, notes on its door now and then."""
    width, depth, height = rng.uniform(0.6, 0.9), rng.uniform(0.6, 0.75), rng.uniform(1.6, 1.85)
    skin, handle = made_of("metal" if rng.random() < 0.4 else "ceramic", rng), made_of("metal", rng)
    split = height * rng.uniform(0.6, 0.72)
    sketch = Sketch("refrigerator").box((-width / 2, width / 2), (0.0, depth), (0.04, height), skin)
    for low, high in ((0.06, split - 0.01), (split + 0.01, height - 0.01)):
        sketch.box((-width / 2 + 0.005, width / 2 - 0.005), (depth, depth + 0.05), (low, high), skin)
        near = low + 0.05 if low > 0.5 else high - 0.5
        sketch.box((width / 2 - 0.09, width / 2 - 0.06), (depth + 0.05, depth + 0.09), (near, near + 0.4), handle)
    if rng.random() < 0.5:
        for _ in range(int(rng.integers(1, 5))):
            x, z = rng.uniform(-width / 2 + 0.15, width / 2 - 0.25), rng.uniform(0.8, height - 0.3)
            sketch.instance("paper")
            sketch.box((x - 0.08, x + 0.08), (depth + 0.05, depth + 0.056), (z, z + 0.22), made_of("paper", rng))
    return sketch.base().support((-width / 2 + 0.1, width / 2 - 0.1), (0.1, depth - 0.1), height, 0.5)


@piece
def stove(rng: Generator) -> Sketch:
    """A cooker with oven door and four plates."""
    skin, black = made_of("ceramic", rng), Material("plain", (0.03, 0.03, 0.03), (0.01, 0.01, 0.01), 0.4, 0.8)
    sketch = Sketch("otherfurniture").box((-0.3, 0.3), (0.0, 0.6), (0.0, 0.9), skin)
    sketch.box((-0.22, 0.22), (0.6, 0.615), (0.3, 0.62), black)
    sketch.box((-0.25, 0.25), (0.62, 0.65), (0.68, 0.71), made_of("metal", rng))
    sketch.box((-0.3, 0.3), (0.0, 0.06), (0.9, 1.08), skin)
    for x in (-0.14, 0.14):
        for y in (0.2, 0.44):
            sketch.solid("cylinder", (0.2, 0.2, 0.012), (x, y, 0.9), black)
    for x in np.linspace(-0.24, 0.24, 5):
        sketch.solid("box", (0.035, 0.03, 0.035), (float(x), 0.615, 0.8), black)
    return sketch.support((-0.25, 0.25), (0.1, 0.55), 0.912)


@piece
def toilet(rng: Generator) -> Sketch:
    """A toilet with its cistern at the wall."""
    skin = made_of("ceramic", rng)
    sketch = Sketch("toilet").box((-0.22, 0.22), (0.0, 0.18), (0.38, 0.8), skin)
    sketch.box((-0.23, 0.23), (0.0, 0.2), (0.8, 0.83), skin)
    sketch.solid("cone", (0.42, 0.56, -0.38), (0.0, 0.43, 0.38), skin)
    sketch.box((-0.1, 0.1), (0.04, 0.4), (0.0, 0.36), skin)
    sketch.solid("cylinder", (0.4, 0.52, 0.04), (0.0, 0.43, 0.38), skin)
    if rng.random() < 0.4:
        sketch.solid("cylinder", (0.4, 0.03, 0.44), (0.0, 0.21, 0.42), skin)
    return sketch


@piece
def bathtub(rng: Generator) -> Sketch:
    """A tub along the wall."""
    width, depth, height, rim = rng.uniform(1.5, 1.75), rng.uniform(0.7, 0.8), rng.uniform(0.48, 0.6), 0.07
    skin = made_of("ceramic", rng)
    sketch = Sketch("bathtub")
    sketch.box((-width / 2, width / 2), (0.0, rim), (0.0, height), skin)
    sketch.box((-width / 2, width / 2), (depth - rim, depth), (0.0, height), skin)
    for side in (-1.0, 1.0):
        x = side * (width - rim * 2) / 2
        sketch.box((x - rim, x + rim), (0.0, depth), (0.0, height - 0.001), skin)
    sketch.box((-width / 2 + rim, width / 2 - rim), (rim, depth - rim), (0.0, 0.12), skin)
    steel = made_of("metal", rng)
    sketch.solid("cylinder", (0.03, 0.03, 0.12), (-width / 2 + 0.05, depth / 2, height), steel)
    return sketch.box((-width / 2 + 0.04, -width / 2 + 0.2), (depth / 2 - 0.015, depth / 2 + 0.015),
                      (height + 0.1, height + 0.13), steel)  # fmt: skip


@piece
def vanity(rng: Generator) -> Sketch:
    """A bathroom cabinet with a counter top and a wash basin."""
    width = rng.uniform(0.7, 1.5)
    sketch = chest("cabinet", width, 0.5, 0.82, (max(2, round(width / 0.4)), 1), rng)
    sketch.supports.clear()
    sketch.instance("counter").box(
        (-width / 2 - 0.02, width / 2 + 0.02), (0.0, 0.55), (0.82, 0.86), made_of("stone", rng)
    )
    basin(sketch, 0.0, (0.14, 0.48), 0.86, 0.5, rng)
    return sketch.support((-width / 2 + 0.05, -0.27), (0.08, 0.45), 0.86).support(
        (0.27, width / 2 - 0.05), (0.08, 0.45), 0.86
    )


@piece
def pedestal_sink(rng: Generator) -> Sketch:
    """A wash basin on a foot."""
    skin = made_of("ceramic", rng)
    sketch = Sketch("sink").solid("cylinder", (0.2, 0.18, 0.7), (0.0, 0.2, 0.0), skin)
    sketch.solid("cone", (0.62, 0.46, -0.18), (0.0, 0.25, 0.86), skin)
    sketch.box((-0.27, 0.27), (0.0, 0.12), (0.76, 0.88), skin)
    return sketch.solid("cylinder", (0.03, 0.03, 0.12), (0.0, 0.08, 0.88), made_of("metal", rng))


@piece
def radiator(rng: Generator) -> Sketch:
    """A ribbed radiator below a window."""
    width, skin = rng.uniform(0.7, 1.4), made_of("ceramic", rng)
    sketch = Sketch("otherstructure").box((-width / 2, width / 2), (0.05, 0.09), (0.14, 0.6), skin)
    for x in np.arange(-width / 2, width / 2, 0.07):
        sketch.box((float(x), float(x) + 0.045), (0.03, 0.13), (0.12, 0.63), skin)
    return sketch


@piece
def fireplace(rng: Generator) -> Sketch:
    """A fireplace with mantelpiece."""
    width, stone = rng.uniform(1.2, 1.7), made_of("stone", rng)
    dark = Material("bricks", (0.05, 0.04, 0.04), (0.02, 0.02, 0.02), 0.2)
    sketch = Sketch("otherstructure")
    for x in (-1, 1):
        edge = sorted((x * width / 2, x * (width / 2 - 0.3)))
        sketch.box((edge[0], edge[1]), (0.0, 0.35), (0.0, 1.05), stone)
    sketch.box((-width / 2 + 0.3, width / 2 - 0.3), (0.0, 0.03), (0.0, 0.8), dark)
    sketch.box((-width / 2 + 0.3, width / 2 - 0.3), (0.0, 0.35), (0.75, 1.05), stone)
    sketch.box((-width / 2 - 0.06, width / 2 + 0.06), (0.0, 0.42), (1.05, 1.12), made_of("furniture", rng))
    return sketch.support((-width / 2, width / 2), (0.05, 0.36), 1.12)


@piece
def column(rng: Generator) -> Sketch:
    """A pillar or boxed duct up to the ceiling (the room cuts it off)."""
    width, depth, skin = rng.uniform(0.25, 0.5), rng.uniform(0.2, 0.45), made_of("wall", rng)
    return Sketch("otherstructure").box((-width / 2, width / 2), (0.0, depth), (0.0, 2.35), skin)
