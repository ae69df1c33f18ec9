"""Things on walls: doors, windows, pictures, what hangs. x along the wall, y out of it, z upwards."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.random import Generator

from mtinet.data.scenes.catalogue import piece
from mtinet.data.scenes.geometry import Sketch
from mtinet.data.scenes.materials import Material, colour, made_of, shade


def frame(sketch: Sketch, width: float, height: float, bar: float, depth: float, material: Material) -> None:
    """Four bars around a rectangle of width x height that stands on z = 0."""
    for x in (-width / 2, width / 2 - bar):
        sketch.box((x, x + bar), (0.0, depth), (0.0, height), material)
    for z in (0.0, height - bar):
        sketch.box((-width / 2 + bar, width / 2 - bar), (0.0, depth), (z, z + bar), material)


@piece
def door(rng: Generator) -> Sketch:
    """A closed door with panels, frame and handle."""
    width, height, bar = rng.uniform(0.75, 1.0), rng.uniform(1.95, 2.1), 0.08
    leaf = made_of("furniture", rng)
    jamb = leaf if rng.random() < 0.4 else made_of("furniture", rng)
    sketch = Sketch("door").box((-width / 2, width / 2), (0.0, 0.02), (0.0, height), leaf)
    frame(sketch, width + 2 * bar, height + bar, bar, 0.05, jamb)
    rows = int(rng.integers(0, 4))
    panel = replace(leaf, light=shade(leaf.light, 0.85), dark=shade(leaf.dark, 0.85))
    for row in range(rows):
        z0, z1 = 0.15 + row * (height - 0.2) / rows, 0.05 + (row + 1) * (height - 0.2) / rows
        for x0, x1 in ((-0.38, -0.04), (0.04, 0.38)):
            sketch.box((x0 * width, x1 * width), (0.02, 0.035), (z0, z1), panel)
    side = (1 if rng.random() < 0.5 else -1) * (width / 2 - 0.08)
    metal = made_of("metal", rng)
    return sketch.box((side - 0.02, side + 0.02), (0.02, 0.08), (0.98, 1.02), metal).box(
        (min(side, side * 0.72), max(side, side * 0.72)), (0.06, 0.08), (0.985, 1.015), metal)  # fmt: skip


def pane(width: float, height: float, rng: Generator) -> Sketch:
    """Glass in a frame with bars; by day it glows with a view, by night it is dark and glossy."""
    sketch = Sketch("window")
    if rng.random() < 0.75:
        leaf = rng.uniform(0.12, 0.4)
        green = (leaf * rng.uniform(0.5, 1.0), leaf, leaf * rng.uniform(0.3, 0.8))
        sky = (rng.uniform(0.6, 0.9), rng.uniform(0.7, 0.9), rng.uniform(0.8, 0.95))
        glass = Material(
            "landscape", sky, green, height / 2, glow=rng.uniform(0.5, 1.4), shift=(rng.uniform(0, 30), 0.9)
        )
    else:
        glass = Material("plain", (0.03, 0.03, 0.05), (0.02, 0.02, 0.03), 0.5, gloss=0.9, mirror=0.35)
    bar = made_of("furniture", rng)
    sketch.box((-width / 2, width / 2), (0.0, 0.012), (0.0, height), glass)
    frame(sketch, width + 0.12, height, 0.06, 0.05, bar)
    for x in np.linspace(-width / 2, width / 2, max(2, round(width / 0.6)) + 1)[1:-1]:
        sketch.box((float(x) - 0.02, float(x) + 0.02), (0.0, 0.035), (0.0, height), bar)
    if rng.random() < 0.5:
        sketch.box((-width / 2, width / 2), (0.0, 0.03), (height * 0.5 - 0.02, height * 0.5 + 0.02), bar)
    return sketch.box((-width / 2 - 0.1, width / 2 + 0.1), (0.0, 0.14), (-0.04, 0.0), bar)


@piece
def window(rng: Generator) -> Sketch:
    """A bare window."""
    return pane(rng.uniform(0.8, 2.2), rng.uniform(0.9, 1.4), rng)


@piece
def blinds_window(rng: Generator) -> Sketch:
    """A window behind slatted blinds that are let down in part or wholly."""
    width, height = rng.uniform(0.8, 2.0), rng.uniform(0.9, 1.4)
    sketch = pane(width, height, rng).instance("blinds")
    slat, low = made_of("ceramic", rng), height * rng.uniform(-0.02, 0.55)
    slat = replace(slat, gloss=0.1, glow=rng.uniform(0.0, 0.25))
    if rng.random() < 0.4:
        for x in np.arange(-width / 2 - 0.04, width / 2 + 0.04, 0.1):
            sketch.solid(
                "box",
                (0.09, 0.006, height + 0.1),
                (float(x) + 0.05, 0.11, -0.03),
                slat,
                turn=rng.uniform(0.1, 0.3),
            )
        return sketch
    for z in np.arange(low, height + 0.05, 0.05):
        sketch.solid("box", (width + 0.1, 0.056, 0.005), (0.0, 0.1, float(z)), slat, tilt=1.15)
    return sketch.box((-width / 2 - 0.06, width / 2 + 0.06), (0.06, 0.14), (height + 0.03, height + 0.1), slat)


@piece
def curtain_window(rng: Generator) -> Sketch:
    """A window with curtains drawn to the sides or closed."""
    width, height = rng.uniform(1.0, 2.0), rng.uniform(1.0, 1.4)
    sketch = pane(width, height, rng)
    cloth, metal = made_of("textile", rng), made_of("metal", rng)
    drop, share = rng.choice([0.15, 0.8]), rng.uniform(0.2, 0.5)
    span = width + 0.5
    for side in (-1.0, 1.0):
        sketch.instance("curtain")
        wide = span * share
        sketch.solid("wave", (wide, 0.09, height + 0.15 + drop), (side * (span - wide) / 2, 0.195, -drop), cloth)
    return sketch.base().box((-span / 2, span / 2), (0.18, 0.21), (height + 0.16, height + 0.19), metal)


@piece
def picture(rng: Generator) -> Sketch:
    """A framed picture or an unframed poster."""
    width, height = rng.uniform(0.3, 1.3), rng.uniform(0.3, 1.0)
    art = made_of("print", rng)
    sketch = Sketch("picture")
    if rng.random() < 0.75:
        bar, mount = made_of("furniture", rng), rng.uniform(0.0, 0.1)
        paper = Material("plain", colour(rng, 0.5, 0.9, 0.2), (0.6, 0.6, 0.6))
        frame(sketch, width, height, rng.uniform(0.02, 0.06), 0.035, bar)
        sketch.box((-width / 2 + 0.01, width / 2 - 0.01), (0.0, 0.012), (0.01, height - 0.01), paper)
        sketch.box((-width / 2 + mount, width / 2 - mount), (0.012, 0.016), (mount, height - mount), art)
        return motif(sketch, width - 2 * mount, (mount, height - mount), 0.016, rng)
    return motif(
        sketch.box((-width / 2, width / 2), (0.0, 0.008), (0.0, height), art), width, (0.0, height), 0.008, rng
    )


def motif(sketch: Sketch, width: float, z: tuple[float, float], out: float, rng: Generator) -> Sketch:
    """What a picture shows: a ground at times, and up to four flat shapes, `out` metres before the wall."""
    high = z[1] - z[0]
    if rng.random() < 0.5:
        top = z[0] + high * rng.uniform(0.2, 0.6)
        sketch.box((-width / 2, width / 2), (out, out + 0.001), (z[0], top), made_of("print", rng))
    for _ in range(int(rng.integers(0, 5))):
        size = min(width, high) * rng.uniform(0.12, 0.5)
        x, at = rng.uniform(-0.5, 0.5) * (width - size), z[0] + rng.uniform(0, 1) * (high - size)
        solid = "cylinder" if rng.random() < 0.5 else "box"
        if solid == "box":
            sketch.box((x - size / 2, x + size / 2), (out, out + 0.002), (at, at + size), made_of("print", rng))
        else:
            place = (x, out, at + size / 2)
            sketch.solid("cylinder", (size, size, 0.002), place, made_of("print", rng), tilt=-np.pi / 2)
    return sketch


@piece
def mirror(rng: Generator) -> Sketch:
    """A mirror that reflects the room."""
    width, height = rng.uniform(0.5, 1.3), rng.uniform(0.6, 1.1)
    glass = Material("plain", (0.02, 0.02, 0.02), (0.02, 0.02, 0.02), gloss=1.0, mirror=0.9)
    sketch = Sketch("mirror").box((-width / 2, width / 2), (0.0, 0.012), (0.0, height), glass)
    if rng.random() < 0.7:
        frame(sketch, width + 0.06, height + 0.03, 0.05, 0.035, made_of("furniture", rng))
    return sketch


@piece
def whiteboard(rng: Generator) -> Sketch:
    """A white or green board with writing."""
    width, height = rng.uniform(1.2, 2.8), rng.uniform(0.9, 1.2)
    green = rng.random() < 0.2
    ground, ink = ((0.05, 0.13, 0.09), (0.6, 0.6, 0.6)) if green else ((0.8, 0.8, 0.8), colour(rng, 0.1, 0.4))
    board = Material("writing", ground, ink, rng.uniform(0.15, 0.3), gloss=0.4, shift=(rng.uniform(0, 30), 0.0))
    metal = made_of("metal", rng)
    sketch = Sketch("whiteboard").box((-width / 2, width / 2), (0.0, 0.015), (0.0, height), board)
    frame(sketch, width + 0.04, height + 0.02, 0.03, 0.03, metal)
    return sketch.box((-width / 2 + 0.1, width / 2 - 0.1), (0.0, 0.09), (-0.02, 0.0), metal)


def screen(rng: Generator) -> Material:
    """The face of a television or monitor: off (dark and glossy) or showing something."""
    if rng.random() < 0.65:
        return Material("plain", (0.02, 0.02, 0.025), (0.01, 0.01, 0.01), gloss=0.8, mirror=0.15)
    bright, dim, glow = colour(rng, 0.4, 0.9), colour(rng, 0.05, 0.4), rng.uniform(0.4, 0.9)
    return Material("shapes", bright, dim, 0.3, gloss=0.3, glow=glow,
                    shift=(rng.uniform(0, 30), rng.uniform(0, 30)))  # fmt: skip


@piece
def wall_television(rng: Generator) -> Sketch:
    """A flat television on the wall."""
    width = rng.uniform(0.8, 1.4)
    height, case = width * 0.58, made_of("plastic", rng)
    sketch = Sketch("television").box((-width / 2, width / 2), (0.02, 0.07), (0.0, height), case)
    return sketch.box((-width / 2 + 0.03, width / 2 - 0.03), (0.07, 0.076), (0.03, height - 0.03), screen(rng))


@piece
def wall_shelf(rng: Generator) -> Sketch:
    """One to three boards on brackets, with room for clutter."""
    width, boards, wood = rng.uniform(0.6, 1.3), int(rng.integers(1, 4)), made_of("furniture", rng)
    sketch = Sketch("shelves")
    for number in range(boards):
        z = number * 0.34
        sketch.box((-width / 2, width / 2), (0.0, 0.24), (z, z + 0.03), wood)
        for x in (-width / 2 + 0.1, width / 2 - 0.1):
            sketch.box((x - 0.012, x + 0.012), (0.0, 0.18), (z - 0.08, z), wood)
        sketch.support((-width / 2 + 0.04, width / 2 - 0.04), (0.03, 0.22), z + 0.03, 0.3)
    return sketch


@piece
def towel_rail(rng: Generator) -> Sketch:
    """Towels over a rail."""
    width, metal, sketch = rng.uniform(0.5, 0.8), made_of("metal", rng), Sketch("otherprop")
    drop = rng.uniform(0.4, 0.75)
    sketch.box((-width / 2, width / 2), (0.06, 0.08), (drop, drop + 0.02), metal)
    at = -width / 2 + 0.03
    for _ in range(int(rng.integers(1, 3))):
        wide, cloth = rng.uniform(0.25, 0.42), made_of("textile", rng)
        sketch.instance("towel").box(
            (at, at + wide), (0.045, 0.095), (drop * rng.uniform(0.0, 0.3), drop + 0.03), cloth
        )
        at += wide + 0.02
    return sketch


@piece
def coat_hooks(rng: Generator) -> Sketch:
    """Clothes hanging on a row of hooks."""
    count, wood, sketch = int(rng.integers(2, 5)), made_of("furniture", rng), Sketch("otherprop")
    sketch.box((-count * 0.17, count * 0.17), (0.0, 0.03), (1.0, 1.08), wood)
    for number in range(count):
        x, drop = (number + 0.5) * 0.34 - count * 0.17, rng.uniform(0.55, 0.95)
        sketch.instance("clothes").solid("cone", (0.38, 0.2, drop), (x, 0.12, 1.04 - drop), made_of("textile", rng))
    return sketch


@piece
def clock(rng: Generator) -> Sketch:
    """A wall clock."""
    size, face = rng.uniform(0.22, 0.38), made_of("plastic", rng)
    sketch = Sketch("otherprop").solid("cylinder", (size, size, 0.04), (0.0, 0.002, size / 2), face, tilt=-np.pi / 2)
    return sketch.solid("cylinder", (size * 0.85, size * 0.85, 0.045), (0.0, 0.002, size / 2),
                        Material("plain", (0.8, 0.8, 0.78), (0.7, 0.7, 0.7)), tilt=-np.pi / 2)  # fmt: skip


@piece
def notices(rng: Generator) -> Sketch:
    """Sheets of paper pinned to the wall."""
    sketch = Sketch("paper")
    for number in range(int(rng.integers(1, 6))):
        x, z = 0.28 * number + rng.uniform(-0.03, 0.03), rng.uniform(0.0, 0.12)
        sketch.instance("paper") if number else sketch.base()
        sketch.box((x - 0.1, x + 0.1), (0.0, 0.006), (z, z + 0.29), made_of("paper", rng))
    return sketch


@piece
def vent(rng: Generator) -> Sketch:
    """A slatted ventilation grille: other structure."""
    width, skin = rng.uniform(0.3, 0.7), made_of("metal", rng)
    sketch = Sketch("otherstructure")
    frame(sketch, width, 0.3, 0.03, 0.03, skin)
    for z in np.linspace(0.05, 0.24, 6):
        sketch.box((-width / 2, width / 2), (0.0, 0.02), (float(z), float(z) + 0.015), skin)
    return sketch


@piece
def shower_curtain(rng: Generator) -> Sketch:
    """A curtain on its rail, to hang before a tub; its lower edge is near the ground."""
    width, cloth = rng.uniform(0.7, 1.6), made_of("textile", rng)
    sketch = Sketch("shower curtain").solid("wave", (width, 0.09, 1.75), (0.0, 0.0, 0.2), cloth)
    return sketch.instance("otherprop").box((-0.85, 0.85), (-0.015, 0.015), (1.96, 1.99), made_of("metal", rng))
