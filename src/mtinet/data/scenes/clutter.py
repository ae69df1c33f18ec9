"""Small things that stand on furniture or on the floor, and people: one builder per kind, sizes in metres."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator

from mtinet.data.scenes.catalogue import piece
from mtinet.data.scenes.furniture import book_row
from mtinet.data.scenes.geometry import Sketch
from mtinet.data.scenes.hangings import screen
from mtinet.data.scenes.materials import Material, glowing, made_of


@piece
def book_pile(rng: Generator) -> Sketch:
    """Books lying on each other."""
    sketch, z = Sketch("books"), 0.0
    for _ in range(int(rng.integers(1, 7))):
        size = (rng.uniform(0.16, 0.26), rng.uniform(0.13, 0.2), rng.uniform(0.015, 0.05))
        sketch.solid("box", size, (0.0, 0.12, z), made_of("plastic", rng), turn=rng.uniform(-0.35, 0.35))
        z += size[2]
    return sketch


@piece
def books_upright(rng: Generator) -> Sketch:
    """A short row of standing books."""
    sketch = Sketch("otherprop")
    book_row(sketch, (-0.15, rng.uniform(0.0, 0.2)), 0.02, 0.0, 0.33, rng)
    sketch.labels[0] = "books"
    return sketch


@piece
def carton(rng: Generator) -> Sketch:
    """A cardboard or plastic box, sometimes open."""
    width, depth, height = rng.uniform(0.18, 0.5), rng.uniform(0.15, 0.4), rng.uniform(0.1, 0.38)
    skin, sketch = made_of("plastic" if rng.random() < 0.35 else "cardboard", rng), Sketch("box")
    sketch.box((-width / 2, width / 2), (0.0, depth), (0.0, height), skin)
    if rng.random() < 0.35:
        for side in (-1.0, 1.0):
            sketch.solid("box", (0.008, depth, depth * 0.4), (side * width / 2, depth / 2, height), skin)
    return sketch


@piece
def bag(rng: Generator) -> Sketch:
    """A handbag, shopping bag or rucksack."""
    width, depth, height = rng.uniform(0.25, 0.42), rng.uniform(0.12, 0.22), rng.uniform(0.25, 0.42)
    cloth = made_of("textile" if rng.random() < 0.6 else "leather", rng)
    middle, low, high = depth / 2, height * 0.85, height + rng.uniform(0.05, 0.16)
    sketch = Sketch("bag").solid("cushion", (width, depth, height), (0.0, middle, 0.0), cloth)
    if rng.random() < 0.5:
        sketch.solid("cushion", (width * 0.7, depth * 0.5, height * 0.5), (0.0, depth, 0.02), cloth)
    for x in (-width / 4, width / 4):
        sketch.box((x - 0.015, x + 0.015), (middle - 0.01, middle + 0.01), (low, high), cloth)
    return sketch.box((-width / 4, width / 4), (middle - 0.01, middle + 0.01), (high - 0.03, high), cloth)


@piece
def laundry(rng: Generator) -> Sketch:
    """A heap of clothes."""
    sketch = Sketch("clothes")
    for _ in range(int(rng.integers(2, 5))):
        size = (rng.uniform(0.2, 0.45), rng.uniform(0.2, 0.35), rng.uniform(0.06, 0.16))
        at = (rng.uniform(-0.12, 0.12), rng.uniform(0.1, 0.3), rng.uniform(-0.04, 0.03))
        sketch.solid("ball", size, at, made_of("textile", rng), turn=rng.uniform(0, 3))
    return sketch


@piece
def folded_towels(rng: Generator) -> Sketch:
    """A pile of folded towels."""
    sketch, z = Sketch("towel"), 0.0
    for _ in range(int(rng.integers(1, 4))):
        sketch.box((-0.17, 0.17), (0.0, 0.25), (z, z + 0.055), made_of("textile", rng))
        z += 0.06
    return sketch


@piece
def sheets(rng: Generator) -> Sketch:
    """A few sheets of paper."""
    sketch = Sketch("paper")
    for number in range(int(rng.integers(1, 4))):
        at = (rng.uniform(-0.12, 0.12), 0.16 + rng.uniform(-0.05, 0.05), 0.004 * number)
        sketch.solid("box", (0.21, 0.3, 0.004), at, made_of("paper", rng), turn=rng.uniform(-0.6, 0.6))
    return sketch


@piece
def cushion(rng: Generator) -> Sketch:
    """A pillow lying about."""
    size = (rng.uniform(0.38, 0.6), rng.uniform(0.35, 0.45), rng.uniform(0.12, 0.18))
    return Sketch("pillow").solid("cushion", size, (0.0, 0.22, 0.0), made_of("textile", rng))


@piece
def bottle(rng: Generator) -> Sketch:
    """A bottle or can."""
    width, height, skin = rng.uniform(0.05, 0.09), rng.uniform(0.1, 0.3), made_of("plastic", rng)
    sketch = Sketch("otherprop").solid("cylinder", (width, width, height * 0.75), (0.0, width / 2, 0.0), skin)
    return sketch.solid("cone", (width * 0.8, width * 0.8, height * 0.25), (0.0, width / 2, height * 0.75), skin)


@piece
def cup(rng: Generator) -> Sketch:
    """A cup, a bowl or a pot."""
    width = rng.uniform(0.07, 0.26)
    height = rng.uniform(0.5, 1.1) * width
    size, at = (width, width, -height), (0.0, width / 2, height)
    return Sketch("otherprop").solid("cone", size, at, made_of("ceramic", rng))


@piece
def appliance(rng: Generator) -> Sketch:
    """A microwave oven, printer, radio or toaster."""
    width, depth, height = rng.uniform(0.25, 0.5), rng.uniform(0.18, 0.36), rng.uniform(0.16, 0.3)
    dark = Material("plain", (0.03, 0.03, 0.03), (0.02, 0.02, 0.02), gloss=0.7)
    sketch = Sketch("otherprop").box((-width / 2, width / 2), (0.0, depth), (0.0, height), made_of("plastic", rng))
    return sketch.box((-width * 0.42, width * 0.2), (depth, depth + 0.008), (height * 0.2, height * 0.85), dark)


@piece
def plant(rng: Generator) -> Sketch:
    """A plant in a pot; scaled by where it stands."""
    pot, height, green = rng.uniform(0.14, 0.3), rng.uniform(0.25, 0.9), made_of("leaves", rng)
    sketch = Sketch("otherprop").solid("cone", (pot, pot, -pot), (0.0, pot / 2, pot), made_of("ceramic", rng))
    for _ in range(9):
        turn, tilt = rng.uniform(0, 2 * np.pi), rng.uniform(0.1, 0.9)
        sketch.solid("leaf", (0.07, 0.05, height), (0.0, pot / 2, pot * 0.9), green, turn, tilt)
    return sketch


@piece
def monitor(rng: Generator) -> Sketch:
    """A computer screen with keyboard."""
    width, case = rng.uniform(0.42, 0.6), made_of("plastic", rng)
    sketch = Sketch("otherprop").box((-width / 2, width / 2), (0.05, 0.1), (0.1, 0.1 + width * 0.64), case)
    sketch.box((-width / 2 + 0.02, width / 2 - 0.02), (0.1, 0.105), (0.12, 0.08 + width * 0.64), screen(rng))
    sketch.box((-0.03, 0.03), (0.04, 0.07), (0.0, 0.12), case).box((-0.12, 0.12), (0.0, 0.18), (0.0, 0.015), case)
    keys = Material("checks", case.light, case.dark, 0.02)
    return sketch.instance("otherprop").box((-0.21, 0.21), (0.28, 0.42), (0.0, 0.025), keys)


@piece
def laptop(rng: Generator) -> Sketch:
    """An open laptop."""
    case = made_of("plastic", rng)
    keys = Material("checks", case.light, case.dark, 0.02)
    sketch = Sketch("otherprop").box((-0.17, 0.17), (0.05, 0.29), (0.0, 0.02), case)
    sketch.box((-0.14, 0.14), (0.1, 0.22), (0.02, 0.023), keys)
    sketch.solid("box", (0.34, 0.012, 0.23), (0.0, 0.05, 0.02), case, tilt=0.3)
    return sketch.solid("box", (0.31, 0.008, 0.2), (0.0, 0.06, 0.035), screen(rng), tilt=0.3)


@piece
def television(rng: Generator) -> Sketch:
    """A television on its foot, flat or of the deep old kind."""
    width, case = rng.uniform(0.6, 1.1), made_of("plastic", rng)
    flat = rng.random() < 0.6
    height, depth = width * (0.6 if flat else 0.8), 0.07 if flat else 0.4
    sketch = Sketch("television").box((-width / 2, width / 2), (0.1, 0.1 + depth), (0.06, height), case)
    sketch.box((-width / 2 + 0.04, width / 2 - 0.04), (0.1 + depth, 0.105 + depth), (0.1, height - 0.04), screen(rng))
    return sketch.box((-width / 4, width / 4), (0.04, 0.1 + depth), (0.0, 0.06), case)


@piece
def table_lamp(rng: Generator) -> Sketch:
    """A lamp with a shade, lit or not."""
    size, height, foot = rng.uniform(0.22, 0.38), rng.uniform(0.22, 0.4), made_of("ceramic", rng)
    hood = glowing(rng, rng.uniform(0.6, 1.3)) if rng.random() < 0.5 else made_of("textile", rng)
    sketch = Sketch("lamp").solid("cylinder", (size * 0.5, size * 0.5, 0.02), (0.0, size / 2, 0.0), foot)
    sketch.solid("cone", (size * 0.4, size * 0.4, height), (0.0, size / 2, 0.02), foot)
    return sketch.solid("cone", (size, size, size * 0.7), (0.0, size / 2, height), hood)


@piece
def floor_lamp(rng: Generator) -> Sketch:
    """A lamp on a tall pole."""
    height, pole = rng.uniform(1.3, 1.7), made_of("metal", rng)
    hood = glowing(rng, rng.uniform(0.6, 1.3)) if rng.random() < 0.5 else made_of("textile", rng)
    sketch = Sketch("lamp").solid("cylinder", (0.28, 0.28, 0.03), (0.0, 0.2, 0.0), pole)
    sketch.solid("cylinder", (0.035, 0.035, height), (0.0, 0.2, 0.03), pole)
    return sketch.solid("cone", (0.4, 0.4, 0.28), (0.0, 0.2, height - 0.08), hood)


@piece
def waste_bin(rng: Generator) -> Sketch:
    """A waste bin or bucket."""
    width, height = rng.uniform(0.22, 0.34), rng.uniform(0.28, 0.5)
    size, at = (width, width, -height), (0.0, width / 2, height)
    return Sketch("otherprop").solid("cone", size, at, made_of("plastic", rng))


@piece
def floor_mat(rng: Generator) -> Sketch:
    """A rug, carpet or bath mat."""
    width, depth = rng.uniform(0.8, 2.4), rng.uniform(0.6, 1.9)
    border, inner = made_of("textile", rng), made_of("textile", rng)
    sketch = Sketch("floor mat").box((-width / 2, width / 2), (0.0, depth), (0.0, 0.008), border)
    return sketch.box((-width / 2 + 0.1, width / 2 - 0.1), (0.1, depth - 0.1), (0.008, 0.011), inner)


def limbs(sketch: Sketch, cloth: Material, skin: Material, hip: float, rng: Generator) -> None:
    """Trunk, arms and head of a person whose hips are at height `hip`."""
    wide, sleeve = rng.uniform(0.38, 0.46), skin if rng.random() < 0.4 else cloth
    sketch.solid("cushion", (wide * 0.82, 0.24, 0.34), (0.0, 0.25, hip - 0.12), cloth)
    sketch.solid("cushion", (wide, 0.26, 0.46), (0.0, 0.25, hip + 0.08), cloth)
    for side in (-1.0, 1.0):
        swing, x = rng.uniform(-0.35, 0.25), side * (wide / 2 + 0.01)
        elbow = (x, 0.25 + 0.3 * np.sin(swing), hip + 0.5 - 0.3 * np.cos(swing))
        bend = swing + rng.uniform(0.1, 0.9)
        sketch.solid("cushion", (0.12, 0.13, -0.33), (x, 0.25, hip + 0.52), cloth, tilt=swing)
        sketch.solid("cushion", (0.09, 0.09, -0.27), elbow, sleeve, tilt=bend)
        hand = (x, elbow[1] + 0.25 * np.sin(bend), elbow[2] - 0.25 * np.cos(bend))
        sketch.solid("ball", (0.09, 0.09, -0.13), hand, skin, tilt=bend)
    tone = 0.02 + 0.15 * rng.random() ** 2
    hair = Material("wood", (tone, tone * 0.75, tone * 0.55), (0.02, 0.015, 0.012), 0.1)
    sketch.solid("cylinder", (0.11, 0.11, 0.1), (0.0, 0.24, hip + 0.5), skin)
    sketch.solid("cushion", (0.16, 0.19, 0.23), (0.0, 0.26, hip + 0.57), skin)
    sketch.solid("ball", (0.19, 0.21, 0.17), (0.0, 0.235, hip + 0.67), hair)
    if rng.random() < 0.4:
        sketch.solid("cushion", (0.2, 0.1, 0.3), (0.0, 0.18, hip + 0.5), hair)


@piece
def standing_person(rng: Generator) -> Sketch:
    """A person who stands."""
    sketch, cloth, trousers = Sketch("person"), made_of("textile", rng), made_of("textile", rng)
    skin = made_of("skin", rng)
    hip = rng.uniform(0.82, 0.95)
    for side in (-0.1, 0.1):
        sketch.solid("cone", (0.19, 0.21, -hip), (side, 0.25, hip), trousers)
        sketch.box((side - 0.05, side + 0.05), (0.18, 0.42), (0.0, 0.08), made_of("leather", rng))
    limbs(sketch, cloth, skin, hip, rng)
    return sketch


@piece
def sitting_person(rng: Generator) -> Sketch:
    """A person who sits on something 0.45 m high whose back is at y = 0."""
    sketch, cloth, trousers = Sketch("person"), made_of("textile", rng), made_of("textile", rng)
    skin = made_of("skin", rng)
    for side in (-0.11, 0.11):
        sketch.box((side - 0.075, side + 0.075), (0.2, 0.66), (0.46, 0.6), trousers)
        sketch.solid("cylinder", (0.13, 0.13, 0.52), (side, 0.62, 0.0), trousers)
        sketch.box((side - 0.05, side + 0.05), (0.56, 0.8), (0.0, 0.08), made_of("leather", rng))
    limbs(sketch, cloth, skin, 0.55, rng)
    return sketch
