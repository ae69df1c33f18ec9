"""Small things of every kind, most of them other props: on tables and counters, on walls, on the floor."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.random import Generator

from mtinet.data.scenes.catalogue import piece
from mtinet.data.scenes.geometry import Sketch
from mtinet.data.scenes.materials import Material, glowing, made_of

BLACK = Material("plain", (0.03, 0.03, 0.03), (0.02, 0.02, 0.02), gloss=0.5)


def ground() -> Sketch:
    """An empty prop."""
    return Sketch("otherprop")


@piece
def vase(rng: Generator) -> Sketch:
    """A bellied vase, with flowers at times."""
    width, height, clay = rng.uniform(0.1, 0.2), rng.uniform(0.15, 0.4), made_of("ceramic", rng)
    middle = width / 2
    sketch = ground().solid("ball", (width, width, height * 0.8), (0.0, middle, -0.01), clay)
    sketch.solid("cylinder", (width * 0.5, width * 0.5, height * 0.4), (0.0, middle, height * 0.6), clay)
    for _ in range(int(rng.integers(0, 2)) * 6):
        turn, tilt, stem = rng.uniform(0, 2 * np.pi), rng.uniform(0.05, 0.6), rng.uniform(0.15, 0.35)
        sketch.solid("leaf", (0.03, 0.03, stem), (0.0, middle, height), made_of("leaves", rng), turn, tilt)
        top = (stem * np.sin(tilt) * np.sin(turn), middle - stem * np.sin(tilt) * np.cos(turn), height + stem * 0.9)
        sketch.solid("leaf", (0.07, 0.07, 0.06), top, made_of("plastic", rng))
    return sketch


@piece
def kettle(rng: Generator) -> Sketch:
    """A kettle or coffee maker."""
    body, size = made_of("metal" if rng.random() < 0.6 else "plastic", rng), rng.uniform(0.15, 0.22)
    sketch = ground().solid("cone", (size, size, size * 1.1), (0.0, size / 2, 0.0), body)
    sketch.box((size * 0.3, size * 0.75), (size / 2 - 0.01, size / 2 + 0.01), (size * 0.9, size), BLACK)
    return sketch.box((size * 0.65, size * 0.75), (size / 2 - 0.01, size / 2 + 0.01), (size * 0.3, size), BLACK)


@piece
def pot(rng: Generator) -> Sketch:
    """A pot with handles."""
    metal, width = made_of("metal" if rng.random() < 0.6 else "ceramic", rng), rng.uniform(0.18, 0.3)
    height = width * rng.uniform(0.35, 0.7)
    sketch = ground().solid("cylinder", (width, width, height), (0.0, width / 2, 0.0), metal)
    sketch.solid("cone", (width, width, 0.03), (0.0, width / 2, height), metal)
    sketch.solid("ball", (0.03, 0.03, 0.03), (0.0, width / 2, height + 0.025), BLACK)
    return sketch.box(
        (-width * 0.68, width * 0.68), (width / 2 - 0.015, width / 2 + 0.015), (height - 0.04, height - 0.02), BLACK
    )


@piece
def dish_rack(rng: Generator) -> Sketch:
    """Plates drying in a rack."""
    wire, plate, sketch = made_of("metal", rng), made_of("ceramic", rng), ground()
    for z in (0.03, 0.1):
        for y in (0.02, 0.28):
            sketch.box((-0.2, 0.2), (y, y + 0.01), (z, z + 0.01), wire)
    for x in np.linspace(-0.15, 0.12, int(rng.integers(3, 7))):
        sketch.solid("cylinder", (0.22, 0.22, 0.012), (float(x), 0.15, 0.13), plate, turn=np.pi / 2, tilt=1.4)
    return sketch


@piece
def knife_block(rng: Generator) -> Sketch:
    """Knives in a block, or spoons in a jar."""
    if rng.random() < 0.5:
        block = made_of("furniture", rng)
        sketch = ground().solid("wedge", (0.1, 0.2, 0.22), (0.0, 0.12, 0.0), block)
        for x in (-0.03, 0.0, 0.03):
            sketch.solid("box", (0.018, 0.02, 0.1), (x, 0.06, 0.18), BLACK, tilt=-0.4)
        return sketch
    sketch, wood = (
        ground().solid("cylinder", (0.11, 0.11, 0.15), (0.0, 0.06, 0.0), made_of("ceramic", rng)),
        made_of("furniture", rng),
    )
    for _ in range(5):
        turn = rng.uniform(0, 2 * np.pi)
        sketch.solid("cylinder", (0.015, 0.015, 0.2), (0.0, 0.06, 0.1), wood, turn, rng.uniform(0.05, 0.3))
    return sketch


@piece
def jars(rng: Generator) -> Sketch:
    """A row of jars, tins or packets of different sizes."""
    sketch, at = ground(), -0.2
    while at < 0.15:
        width, height = rng.uniform(0.06, 0.13), rng.uniform(0.08, 0.26)
        solid = "box" if rng.random() < 0.4 else "cylinder"
        sketch.solid(
            solid, (width, width, height), (at + width / 2, 0.08 + rng.uniform(0, 0.04), 0.0), made_of("plastic", rng)
        )
        at += width + rng.uniform(0.005, 0.04)
    return sketch


@piece
def basket(rng: Generator) -> Sketch:
    """A basket or tub with something in it."""
    width, height = rng.uniform(0.25, 0.5), rng.uniform(0.15, 0.4)
    wicker = replace(made_of("furniture", rng), pattern="checks", period=0.04)
    skin = wicker if rng.random() < 0.5 else made_of("plastic", rng)
    sketch = ground().solid("cone", (width, width * 0.8, -height), (0.0, width * 0.4, height), skin)
    for _ in range(3):
        at = (rng.uniform(-0.2, 0.2) * width, width * 0.4 + rng.uniform(-0.1, 0.1) * width, height - 0.06)
        sketch.solid("cushion", (0.5 * width, 0.4 * width, 0.12), at, made_of("textile", rng), rng.uniform(0, 3))
    return sketch


@piece
def speaker(rng: Generator) -> Sketch:
    """A loudspeaker or small stereo."""
    width, height = rng.uniform(0.14, 0.28), rng.uniform(0.25, 0.45)
    sketch = ground().box((-width / 2, width / 2), (0.0, width), (0.0, height), made_of("furniture", rng))
    for z, size in ((height * 0.32, 0.75), (height * 0.75, 0.4)):
        sketch.solid("cylinder", (width * size, width * size, 0.012), (0.0, width, z), BLACK, tilt=-np.pi / 2)
    return sketch


@piece
def computer(rng: Generator) -> Sketch:
    """A computer's case or printer."""
    case = made_of("plastic", rng)
    if rng.random() < 0.5:
        sketch = ground().box((-0.1, 0.1), (0.0, 0.42), (0.0, 0.42), case)
        return sketch.box((-0.075, 0.075), (0.42, 0.425), (0.28, 0.36), BLACK)
    sketch = ground().box((-0.22, 0.22), (0.0, 0.34), (0.0, 0.18), case)
    sketch.box((-0.16, 0.16), (0.34, 0.4), (0.04, 0.05), made_of("paper", rng))
    return sketch.solid("wedge", (0.3, 0.12, 0.14), (0.0, 0.1, 0.18), case)


@piece
def toys(rng: Generator) -> Sketch:
    """Bricks, a ball and a stuffed animal."""
    sketch = ground()
    for _ in range(int(rng.integers(3, 8))):
        size, at = rng.uniform(0.05, 0.16), (rng.uniform(-0.3, 0.3), rng.uniform(0.1, 0.6), 0.0)
        solid = str(rng.choice(["box", "ball", "cone", "cushion"]))
        sketch.solid(solid, (size, size, size), at, made_of("plastic", rng), rng.uniform(0, 3))
    return sketch


@piece
def stuffed_animal(rng: Generator) -> Sketch:
    """A bear that sits."""
    fur, s = made_of("textile", rng), rng.uniform(0.2, 0.4)
    sketch = ground().solid("ball", (0.6 * s, 0.5 * s, 0.7 * s), (0.0, 0.3 * s, 0.0), fur)
    sketch.solid("ball", (0.45 * s, 0.45 * s, 0.42 * s), (0.0, 0.3 * s, 0.6 * s), fur)
    for side in (-1.0, 1.0):
        sketch.solid("ball", (0.15 * s, 0.1 * s, 0.15 * s), (side * 0.2 * s, 0.3 * s, 0.92 * s), fur)
        sketch.solid("ball", (0.2 * s, 0.5 * s, 0.2 * s), (side * 0.22 * s, 0.6 * s, 0.0), fur)
        sketch.solid("ball", (0.16 * s, 0.16 * s, 0.45 * s), (side * 0.33 * s, 0.35 * s, 0.2 * s), fur)
    return sketch


@piece
def shoes(rng: Generator) -> Sketch:
    """A few pairs of shoes, worn as clothes are."""
    sketch = Sketch("clothes")
    for pair in range(int(rng.integers(1, 4))):
        leather, turn = made_of("leather", rng), rng.normal(0, 0.3)
        for side in (-0.055, 0.055):
            x = 0.28 * pair + side
            sketch.solid("cushion", (0.09, 0.27, 0.08), (x, 0.15, 0.0), leather, turn)
            sketch.solid("cushion", (0.085, 0.12, 0.13), (x, 0.09, 0.0), leather, turn)
    return sketch


@piece
def large_plant(rng: Generator) -> Sketch:
    """A tall plant in a pot on the floor."""
    size, height, green = rng.uniform(0.25, 0.42), rng.uniform(0.6, 1.4), made_of("leaves", rng)
    sketch = ground().solid("cone", (size, size, -size), (0.0, 0.3, size), made_of("ceramic", rng))
    for _ in range(int(rng.integers(12, 26))):
        turn, tilt, z = rng.uniform(0, 2 * np.pi), rng.uniform(0.15, 1.3), size * 0.8 + rng.random() * 0.4 * height
        sketch.solid(
            "leaf", (rng.uniform(0.05, 0.12), 0.025, height * rng.uniform(0.4, 0.6)), (0.0, 0.3, z), green, turn, tilt
        )
    return sketch.solid("cylinder", (0.03, 0.03, 0.5 * height), (0.0, 0.3, size * 0.8), made_of("furniture", rng))


@piece
def fan(rng: Generator) -> Sketch:
    """A fan on a stand."""
    height, skin = rng.uniform(0.7, 1.2), made_of("plastic", rng)
    sketch = ground().solid("cylinder", (0.36, 0.36, 0.04), (0.0, 0.2, 0.0), skin)
    sketch.solid("cylinder", (0.035, 0.035, height), (0.0, 0.2, 0.02), skin)
    wire = Material("stripes", (0.5, 0.5, 0.5), (0.05, 0.05, 0.05), 0.02)
    return sketch.solid("cylinder", (0.42, 0.42, 0.12), (0.0, 0.16, height + 0.05), wire, tilt=-np.pi / 2)


@piece
def guitar(rng: Generator) -> Sketch:
    """A guitar that leans at the wall."""
    wood = made_of("furniture", rng)
    sketch = ground().solid("cushion", (0.38, 0.1, 0.48), (0.0, 0.28, 0.03), wood, tilt=0.18)
    sketch.solid("cushion", (0.28, 0.1, 0.36), (0.0, 0.22, 0.36), wood, tilt=0.18)
    return sketch.solid("box", (0.05, 0.03, 0.55), (0.0, 0.2, 0.6), BLACK, tilt=0.18)


@piece
def cables(rng: Generator) -> Sketch:
    """A telephone, remote controls, a power strip or a tissue box."""
    sketch = ground()
    for _ in range(int(rng.integers(1, 4))):
        size = (rng.uniform(0.05, 0.22), rng.uniform(0.04, 0.12), rng.uniform(0.02, 0.09))
        at = (rng.uniform(-0.14, 0.14), rng.uniform(0.06, 0.2), 0.0)
        sketch.solid("box", size, at, made_of("plastic", rng), rng.uniform(-0.6, 0.6))
    return sketch


@piece
def photo(rng: Generator) -> Sketch:
    """A framed photograph that stands."""
    width, height = rng.uniform(0.12, 0.25), rng.uniform(0.15, 0.28)
    sketch = Sketch("picture").solid("box", (width, 0.02, height), (0.0, 0.1, 0.0), made_of("furniture", rng), tilt=0.2)
    return sketch.solid("box", (width * 0.8, 0.004, height * 0.8), (0.0, 0.112, 0.022), made_of("print", rng), tilt=0.2)


@piece
def candle(rng: Generator) -> Sketch:
    """Candles or figurines."""
    sketch = ground()
    for x in (-0.07, 0.06)[: int(rng.integers(1, 3))]:
        size, height = rng.uniform(0.05, 0.09), rng.uniform(0.08, 0.25)
        sketch.solid("cylinder", (size, size, height), (x, 0.06, 0.0), made_of("ceramic", rng))
        sketch.solid("ball", (size * 0.8, size * 0.8, 0.06), (x, 0.06, height), made_of("ceramic", rng))
    return sketch


@piece
def soap(rng: Generator) -> Sketch:
    """Bottles and a beaker at a wash basin."""
    sketch = ground()
    for number in range(int(rng.integers(2, 5))):
        width, height = rng.uniform(0.04, 0.07), rng.uniform(0.08, 0.2)
        at = (number * 0.085 - 0.12, 0.06 + rng.uniform(-0.02, 0.02), 0.0)
        sketch.solid("cylinder", (width, width, height), at, made_of("plastic", rng))
        sketch.solid("cylinder", (0.02, 0.02, 0.05), (at[0], at[1], height), made_of("plastic", rng))
    return sketch


@piece
def switch(rng: Generator) -> Sketch:
    """A light switch or socket, with its own plate."""
    plate, two = made_of("ceramic", rng), rng.random() < 0.3
    sketch = ground().box((-0.045, 0.045), (0.0, 0.01), (0.0, 0.12), plate)
    if two:
        sketch.box((0.05, 0.14), (0.0, 0.01), (0.0, 0.12), plate)
    return sketch.box((-0.012, 0.012), (0.01, 0.02), (0.04, 0.08), plate)


@piece
def hanging(rng: Generator) -> Sketch:
    """Decoration or utensils that hang on a wall: a wreath, plates, pans, a guitar of tin."""
    sketch, kind = ground(), rng.integers(3)
    if kind == 0:
        green = made_of("leaves", rng)
        for turn in np.arange(12) * np.pi / 6:
            at = (0.17 * np.cos(turn), 0.04, 0.2 + 0.17 * np.sin(turn))
            sketch.solid("leaf", (0.12, 0.07, 0.12), at, green)
        return sketch
    for x in np.arange(int(rng.integers(2, 5))) * 0.26:
        size, z = rng.uniform(0.14, 0.24), rng.uniform(0.0, 0.1)
        skin = made_of("metal" if kind == 1 else "ceramic", rng)
        sketch.solid("cylinder", (size, size, 0.03), (float(x), 0.002, z + size / 2), skin, tilt=-np.pi / 2)
        if kind == 1:
            sketch.box((float(x) - 0.012, float(x) + 0.012), (0.01, 0.03), (z + size, z + size + 0.16), BLACK)
    return sketch


@piece
def pinboard(rng: Generator) -> Sketch:
    """A cork board with notes: a picture to the annotators, with papers."""
    width, height = rng.uniform(0.5, 1.1), rng.uniform(0.4, 0.8)
    cork = replace(made_of("cardboard", rng), pattern="fabric", period=0.1)
    sketch = Sketch("picture").box((-width / 2, width / 2), (0.0, 0.012), (0.0, height), cork)
    for _ in range(int(rng.integers(4, 12))):
        x, z = rng.uniform(-width / 2 + 0.1, width / 2 - 0.1), rng.uniform(0.02, height - 0.24)
        skin = made_of("paper" if rng.random() < 0.6 else "print", rng)
        sketch.instance("paper").solid(
            "box", (rng.uniform(0.1, 0.2), 0.003, rng.uniform(0.1, 0.22)), (x, 0.014, z), skin
        )
    return sketch


@piece
def wall_lamp(rng: Generator) -> Sketch:
    """A lamp on the wall."""
    hood = glowing(rng, rng.uniform(0.6, 1.2)) if rng.random() < 0.6 else made_of("ceramic", rng)
    sketch = Sketch("lamp").box((-0.05, 0.05), (0.0, 0.03), (0.0, 0.15), made_of("metal", rng))
    return sketch.solid("cone", (0.2, 0.2, 0.16), (0.0, 0.12, 0.04), hood)
