"""Other furniture and other structure: what has no class of its own in NYUD-v2. Sizes in metres."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.random import Generator

from mtinet.data.scenes.catalogue import piece
from mtinet.data.scenes.furniture import legs
from mtinet.data.scenes.geometry import Sketch
from mtinet.data.scenes.materials import Material, made_of


@piece
def bench(rng: Generator) -> Sketch:
    """A bench or chest to sit on."""
    width, depth, height = rng.uniform(0.8, 1.4), rng.uniform(0.35, 0.5), rng.uniform(0.4, 0.52)
    wood = made_of("furniture", rng)
    sketch = Sketch("otherfurniture").box((-width / 2, width / 2), (0.0, depth), (height - 0.06, height), wood)
    if rng.random() < 0.5:
        sketch.box((-width / 2 + 0.02, width / 2 - 0.02), (0.02, depth - 0.02), (0.0, height - 0.06), wood)
    else:
        legs(sketch, width, depth, height - 0.06, 0.05, wood)
    if rng.random() < 0.5:
        sketch.box((-width / 2, width / 2), (0.01, depth - 0.01), (height, height + 0.06), made_of("textile", rng))
        height += 0.06
    return sketch.support((-width / 2 + 0.05, width / 2 - 0.05), (0.05, depth - 0.05), height)


@piece
def bean_bag(rng: Generator) -> Sketch:
    """A shapeless seat."""
    cloth, size = made_of("textile" if rng.random() < 0.6 else "leather", rng), rng.uniform(0.7, 0.95)
    sketch = Sketch("otherfurniture").solid("sack", (size, size, 0.4), (0.0, size / 2, 0.0), cloth)
    return sketch.solid("sack", (size * 0.8, size * 0.55, 0.5), (0.0, size * 0.32, 0.15), cloth)


@piece
def ironing_board(rng: Generator) -> Sketch:
    """A board on crossed legs."""
    metal, cloth, height = made_of("metal", rng), made_of("textile", rng), rng.uniform(0.75, 0.9)
    sketch = Sketch("otherfurniture").box((-0.6, 0.45), (0.02, 0.36), (height - 0.03, height), cloth)
    sketch.solid("cylinder", (0.34, 0.34, 0.03), (0.45, 0.19, height - 0.03), cloth)
    for turn in (0.0, np.pi):
        sketch.solid("box", (0.03, 0.03, height * 1.15), (0.0, 0.19, 0.0), metal, turn=np.pi / 2 + turn, tilt=0.5)
    return sketch.support((-0.55, 0.4), (0.04, 0.34), height)


@piece
def cot(rng: Generator) -> Sketch:
    """A child's bed with bars, or a playpen."""
    wood, width, depth, height = made_of("furniture", rng), rng.uniform(1.0, 1.3), rng.uniform(0.6, 0.75), 0.9
    sketch = Sketch("otherfurniture")
    for y in (0.02, depth - 0.02):
        sketch.box((-width / 2, width / 2), (y - 0.015, y + 0.015), (height - 0.05, height), wood)
        sketch.box((-width / 2, width / 2), (y - 0.015, y + 0.015), (0.28, 0.33), wood)
        for x in np.arange(-width / 2 + 0.08, width / 2, 0.09):
            sketch.solid("box", (0.02, 0.02, height - 0.3), (float(x), y, 0.3), wood)
    for x in (-width / 2, width / 2 - 0.03):
        sketch.box((x, x + 0.03), (0.0, depth), (0.0, height + 0.1), wood)
    cloth = made_of("textile", rng)
    return sketch.box((-width / 2 + 0.03, width / 2 - 0.03), (0.04, depth - 0.04), (0.3, 0.45), cloth)


@piece
def stand(rng: Generator) -> Sketch:
    """A trolley or plant stand: boards between four thin posts."""
    width, depth, height = rng.uniform(0.4, 0.8), rng.uniform(0.35, 0.5), rng.uniform(0.5, 1.0)
    skin = made_of("metal" if rng.random() < 0.6 else "furniture", rng)
    sketch = Sketch("otherfurniture")
    legs(sketch, width, depth, height, 0.025, skin)
    for z in (0.1, height * 0.55, height):
        sketch.box((-width / 2, width / 2), (0.0, depth), (z - 0.02, z), skin)
        sketch.support((-width / 2 + 0.04, width / 2 - 0.04), (0.04, depth - 0.04), z, 0.35 if z < height else 2.0)
    return sketch


@piece
def washing_machine(rng: Generator) -> Sketch:
    """A washing machine, dryer or dishwasher."""
    skin, dark = made_of("ceramic", rng), Material("plain", (0.03, 0.03, 0.04), (0.02, 0.02, 0.02), 0.4, 0.8)
    sketch = Sketch("otherfurniture").box((-0.3, 0.3), (0.0, 0.6), (0.02, 0.87), skin)
    sketch.box((-0.28, 0.28), (0.6, 0.61), (0.74, 0.85), made_of("plastic", rng))
    if rng.random() < 0.7:
        sketch.solid("cylinder", (0.38, 0.38, 0.03), (0.0, 0.6, 0.42), made_of("metal", rng), tilt=-np.pi / 2)
        sketch.solid("cylinder", (0.28, 0.28, 0.035), (0.0, 0.6, 0.42), dark, tilt=-np.pi / 2)
    return sketch.support((-0.28, 0.28), (0.05, 0.55), 0.87)


@piece
def half_wall(rng: Generator) -> Sketch:
    """A waist-high partition with a cap."""
    width, height, cap = rng.uniform(1.0, 2.2), rng.uniform(0.9, 1.25), made_of("furniture", rng)
    sketch = Sketch("otherstructure").box((-width / 2, width / 2), (0.0, 0.14), (0.0, height), made_of("wall", rng))
    sketch.box((-width / 2 - 0.02, width / 2 + 0.02), (-0.02, 0.16), (height, height + 0.04), cap)
    return sketch.support((-width / 2, width / 2), (0.0, 0.14), height + 0.04)


@piece
def banister(rng: Generator) -> Sketch:
    """A railing of turned bars."""
    width, wood = rng.uniform(1.2, 2.2), made_of("furniture", rng)
    sketch = Sketch("otherstructure").box((-width / 2, width / 2), (0.0, 0.07), (0.92, 0.98), wood)
    for x in np.arange(-width / 2 + 0.06, width / 2, 0.12):
        sketch.solid("cylinder", (0.035, 0.035, 0.92), (float(x), 0.035, 0.0), wood)
    for x in (-width / 2, width / 2):
        sketch.solid("box", (0.09, 0.09, 1.1), (x, 0.035, 0.0), wood)
    return sketch


@piece
def niche(rng: Generator) -> Sketch:
    """The frame of a walk-in closet or passage, dark inside."""
    width, height, bar = rng.uniform(0.9, 1.6), rng.uniform(1.95, 2.15), made_of("furniture", rng)
    inside = made_of("wall", rng, contrast=0.5)
    sketch = Sketch("otherstructure")
    shade = replace(inside, light=tuple(0.3 * c for c in inside.light), dark=tuple(0.2 * c for c in inside.dark))  # type: ignore[arg-type]
    sketch.box((-width / 2, width / 2), (0.0, 0.01), (0.0, height), shade)
    for x in (-width / 2, width / 2 - 0.09):
        sketch.box((x, x + 0.09), (0.0, 0.05), (0.0, height), bar)
    sketch.box((-width / 2, width / 2), (0.0, 0.05), (height, height + 0.09), bar)
    sketch.box((-width / 2 + 0.09, width / 2 - 0.09), (0.01, 0.04), (height - 0.32, height - 0.28), bar)
    for x in np.arange(-width / 2 + 0.2, width / 2 - 0.15, 0.13):
        if rng.random() < 0.7:
            drop, cloth = rng.uniform(0.6, 1.2), made_of("textile", rng)
            size = (0.12, 0.16, drop)
            sketch.instance("clothes").solid("cushion", size, (float(x), 0.12, height - 0.34 - drop), cloth)
    return sketch


@piece
def air_conditioner(rng: Generator) -> Sketch:
    """A unit high on the wall."""
    width, skin = rng.uniform(0.6, 0.9), made_of("ceramic", rng)
    sketch = Sketch("otherstructure").box((-width / 2, width / 2), (0.0, 0.2), (0.05, 0.3), skin)
    return sketch.solid("wedge", (width, 0.2, -0.06), (0.0, 0.1, 0.06), skin)


@piece
def pipe(rng: Generator) -> Sketch:
    """A duct or pipe along the wall."""
    size, width = rng.uniform(0.08, 0.3), rng.uniform(1.2, 2.6)
    skin = made_of("metal" if rng.random() < 0.5 else "ceramic", rng)
    sketch = Sketch("otherstructure")
    if rng.random() < 0.5:
        return sketch.box((-width / 2, width / 2), (0.0, size * 1.5), (0.0, size), skin)
    return sketch.solid("cylinder", (size, size, width), (-width / 2, size / 2, size / 2), skin, np.pi / 2, np.pi / 2)
