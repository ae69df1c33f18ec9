"""Furniture of bedrooms, living rooms, dining rooms and offices: one builder per kind, sizes in metres.

Every builder keeps to the object's frame of `geometry`: the back at y = 0, the front towards +y.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.random import Generator

from mtinet.data.scenes.catalogue import piece
from mtinet.data.scenes.geometry import Sketch
from mtinet.data.scenes.materials import Material, made_of


def legs(sketch: Sketch, width: float, depth: float, height: float, thick: float, material: Material) -> None:
    """Four legs under the corners of a width x depth top."""
    for x in (-width / 2 + thick, width / 2 - thick):
        for y in (thick, depth - thick):
            sketch.solid("box", (thick, thick, height), (x, y, 0.0), material)


def fronts(sketch: Sketch, x: tuple[float, float], z: tuple[float, float], y: float, grid: tuple[int, int],
           material: Material, handle: Material) -> None:  # fmt: skip
    """Drawers or doors, columns x rows of `grid`, as panels on the plane y, each with a handle."""
    columns, rows = grid
    wide, high = (x[1] - x[0]) / columns, (z[1] - z[0]) / rows
    for column in range(columns):
        for row in range(rows):
            x0, z0 = x[0] + column * wide, z[0] + row * high
            sketch.box((x0 + 0.01, x0 + wide - 0.01), (y, y + 0.018), (z0 + 0.01, z0 + high - 0.01), material)
            if high < wide * 1.2:
                middle, top = x0 + wide / 2, z0 + high * 0.6
                sketch.box((middle - 0.06, middle + 0.06), (y + 0.018, y + 0.04), (top, top + 0.02), handle)
            else:
                side, middle = x0 + (0.9 if column % 2 == 0 else 0.1) * wide, z0 + high / 2
                sketch.box((side - 0.01, side + 0.01), (y + 0.018, y + 0.04), (middle - 0.08, middle + 0.08), handle)


def pillows(sketch: Sketch, count: int, width: float, y: float, z: float, rng: Generator) -> None:
    """Pillows leaning against the back, side by side over `width`."""
    material = made_of("textile", rng)
    for number in range(count):
        x = (number + 0.5) / count * width - width / 2
        sketch.instance("pillow")
        if rng.random() < 0.4:
            material = made_of("textile", rng)
        size = (min(0.7, 0.92 * width / count), 0.16, rng.uniform(0.32, 0.45))
        sketch.solid("cushion", size, (x, y, z), material, turn=rng.uniform(-0.2, 0.2), tilt=rng.uniform(0.15, 0.6))
    sketch.base()


@piece
def bed(rng: Generator) -> Sketch:
    """A bed with head board, mattress, cover and pillows, its head at the wall."""
    width, length, height = rng.uniform(0.9, 1.9), rng.uniform(1.9, 2.15), rng.uniform(0.42, 0.6)
    frame, sheet, cover = made_of("furniture", rng), made_of("textile", rng), made_of("textile", rng)
    sketch = Sketch("bed")
    sketch.box((-width / 2, width / 2), (0.0, 0.06), (0.0, height + rng.uniform(0.25, 0.6)), frame)
    sketch.box((-width / 2, width / 2), (0.06, length), (0.1, height - 0.2), frame)
    sketch.box((-width / 2 + 0.02, width / 2 - 0.02), (0.06, length - 0.03), (height - 0.2, height), sheet)
    turned = rng.uniform(0.45, 0.8)
    sketch.box(
        (-width / 2 - 0.015, width / 2 + 0.015),
        (turned, length + 0.015),
        (height - 0.28, height + 0.03),
        cover,
    )
    if rng.random() < 0.4:  # a blanket folded over the foot
        foot = length - rng.uniform(0.35, 0.6)
        sides, over = (-width / 2 - 0.022, width / 2 + 0.022), (foot, length - rng.uniform(0.0, 0.15))
        sketch.box(sides, over, (height - 0.2, height + 0.045), made_of("textile", rng))
    if rng.random() < 0.3:
        sketch.box((-width / 2, width / 2), (length + 0.03, length + 0.07), (0.0, height + 0.15), frame)
    legs(sketch, width, length, 0.1, 0.07, frame)
    pillows(sketch, 1 if width < 1.25 else int(rng.integers(2, 5)), width, 0.28, height, rng)
    sketch.support((-width / 2 + 0.1, width / 2 - 0.1), (turned + 0.1, length - 0.15), height + 0.03)
    return sketch


def seat_row(label: str, width: float, seats: int, rng: Generator) -> Sketch:
    """Upholstered seats between two arms: sofas and armchairs."""
    depth, seat, back = rng.uniform(0.8, 0.95), rng.uniform(0.38, 0.46), rng.uniform(0.75, 0.95)
    cloth = made_of("textile" if rng.random() < 0.6 else "leather", rng)
    arm, arm_height = rng.uniform(0.12, 0.24), rng.uniform(0.55, 0.68)
    sketch = Sketch(label)
    sketch.box((-width / 2, width / 2), (0.0, 0.22), (0.08, back - 0.06), cloth)
    sketch.box((-width / 2 + arm, width / 2 - arm), (0.22, depth), (0.08, seat - 0.14), cloth)
    for side in (-1.0, 1.0):
        middle = side * (width - arm) / 2
        sketch.box((middle - arm / 2, middle + arm / 2), (0.0, depth), (0.08, arm_height), cloth)
    wide = (width - 2 * arm) / seats
    for number in range(seats):
        x0 = -width / 2 + arm + number * wide
        sketch.box((x0 + 0.01, x0 + wide - 0.01), (0.22, depth + 0.02), (seat - 0.13, seat), cloth)
        sketch.solid("box", (wide - 0.02, 0.16, back - seat + 0.02), (x0 + wide / 2, 0.3, seat), cloth, tilt=0.15)
    legs(sketch, width, depth, 0.08, 0.06, made_of("furniture", rng))
    if rng.random() < 0.6:
        pillows(sketch, int(rng.integers(1, seats + 2)), width - 2 * arm, 0.45, seat, rng)
    return sketch.support((-width / 2 + arm, width / 2 - arm), (0.5, depth), seat)


@piece
def sofa(rng: Generator) -> Sketch:
    """A sofa of two to four seats."""
    seats = int(rng.integers(2, 5))
    return seat_row("sofa", 0.45 + seats * rng.uniform(0.55, 0.7), seats, rng)


@piece
def armchair(rng: Generator) -> Sketch:
    """An upholstered single chair."""
    return seat_row("chair", rng.uniform(0.8, 0.95), 1, rng)


@piece
def chair(rng: Generator) -> Sketch:
    """A dining chair; people sit towards +y."""
    width, depth, seat, back = rng.uniform(0.4, 0.48), rng.uniform(0.4, 0.48), 0.45, rng.uniform(0.85, 1.05)
    frame = made_of("furniture", rng)
    cloth = made_of("textile", rng) if rng.random() < 0.5 else frame
    sketch = Sketch("chair")
    legs(sketch, width, depth, seat - 0.03, 0.04, frame)
    sketch.box((-width / 2, width / 2), (0.0, depth), (seat - 0.04, seat + 0.02), cloth)
    for x in (-width / 2 + 0.02, width / 2 - 0.02):
        sketch.box((x - 0.02, x + 0.02), (0.0, 0.04), (seat, back), frame)
    if rng.random() < 0.5:
        sketch.box((-width / 2, width / 2), (0.005, 0.035), (seat + 0.12, back - 0.02), cloth)
    else:
        for z in np.linspace(seat + 0.12, back - 0.07, int(rng.integers(2, 5))):
            sketch.box((-width / 2, width / 2), (0.01, 0.03), (float(z), float(z) + 0.06), frame)
    return sketch


@piece
def office_chair(rng: Generator) -> Sketch:
    """A swivel chair on a five-pointed star."""
    cloth, frame = made_of("textile", rng), made_of("plastic", rng)
    seat = rng.uniform(0.44, 0.52)
    sketch = Sketch("chair")
    for number in range(5):
        turn = number * 2 * np.pi / 5
        sketch.solid("box", (0.5, 0.05, 0.04), (0.14 * np.cos(turn), 0.28 + 0.14 * np.sin(turn), 0.05), frame, turn)
    sketch.solid("cylinder", (0.06, 0.06, seat - 0.13), (0.0, 0.28, 0.08), frame)
    sketch.box((-0.24, 0.24), (0.06, 0.52), (seat - 0.06, seat + 0.02), cloth)
    sketch.solid("box", (0.44, 0.06, rng.uniform(0.45, 0.6)), (0.0, 0.06, seat + 0.08), cloth, tilt=0.12)
    if rng.random() < 0.6:
        for x in (-0.27, 0.27):
            sketch.box((x - 0.025, x + 0.025), (0.14, 0.42), (seat + 0.18, seat + 0.22), frame)
            sketch.box((x - 0.02, x + 0.02), (0.24, 0.3), (seat - 0.02, seat + 0.18), frame)
    return sketch


@piece
def stool(rng: Generator) -> Sketch:
    """A bar stool."""
    frame, height = made_of("furniture", rng), rng.uniform(0.5, 0.75)
    sketch = Sketch("chair")
    sketch.solid("cylinder", (0.36, 0.36, 0.05), (0.0, 0.18, height - 0.05), made_of("textile", rng))
    legs_at = ((-0.1, 0.08), (0.1, 0.08), (-0.1, 0.28), (0.1, 0.28))
    for x, y in legs_at:
        sketch.solid("cylinder", (0.035, 0.035, height - 0.05), (x, y, 0.0), frame)
    sketch.box((-0.1, 0.1), (0.07, 0.09), (0.2, 0.23), frame)
    return sketch.box((-0.1, 0.1), (0.27, 0.29), (0.2, 0.23), frame)


def table_of(label: str, width: float, depth: float, height: float, rng: Generator) -> Sketch:
    """A rectangular or round top on four legs or a central foot."""
    top = made_of("furniture", rng)
    foot = top if rng.random() < 0.6 else made_of("metal", rng)
    sketch = Sketch(label)
    if abs(width - depth) < 0.25 and rng.random() < 0.5:
        sketch.solid("cylinder", (width, depth, 0.035), (0.0, depth / 2, height - 0.035), top)
        sketch.solid("cylinder", (0.1, 0.1, height - 0.04), (0.0, depth / 2, 0.0), foot)
        sketch.solid("cone", (0.55 * width, 0.55 * width, 0.05), (0.0, depth / 2, 0.0), foot)
        return sketch.support((-width * 0.33, width * 0.33), (depth * 0.17, depth * 0.83), height)
    sketch.box((-width / 2, width / 2), (0.0, depth), (height - 0.04, height), top)
    legs(sketch, width, depth, height - 0.04, rng.uniform(0.04, 0.08), foot)
    if rng.random() < 0.5:
        for y in (0.06, depth - 0.06):
            sketch.box(
                (-width / 2 + 0.06, width / 2 - 0.06),
                (y - 0.012, y + 0.012),
                (height - 0.13, height - 0.04),
                top,
            )
    return sketch.support((-width / 2 + 0.05, width / 2 - 0.05), (0.05, depth - 0.05), height)


@piece
def dining_table(rng: Generator) -> Sketch:
    """A table to eat at."""
    return table_of("table", rng.uniform(0.9, 2.0), rng.uniform(0.8, 1.05), rng.uniform(0.72, 0.78), rng)


@piece
def coffee_table(rng: Generator) -> Sketch:
    """A low table."""
    sketch = table_of("table", rng.uniform(0.7, 1.3), rng.uniform(0.5, 0.75), rng.uniform(0.36, 0.48), rng)
    return sketch


@piece
def side_table(rng: Generator) -> Sketch:
    """A small table beside a sofa."""
    side = rng.uniform(0.42, 0.6)
    return table_of("table", side, side, rng.uniform(0.5, 0.62), rng)


@piece
def console_table(rng: Generator) -> Sketch:
    """A long narrow table at a wall."""
    return table_of("table", rng.uniform(1.0, 1.6), rng.uniform(0.32, 0.42), rng.uniform(0.72, 0.85), rng)


@piece
def desk(rng: Generator) -> Sketch:
    """A writing desk with a block of drawers, sometimes two."""
    width, depth, height = rng.uniform(1.1, 1.8), rng.uniform(0.6, 0.8), rng.uniform(0.72, 0.77)
    wood, handle = made_of("furniture", rng), made_of("metal", rng)
    sketch = Sketch("desk")
    sketch.box((-width / 2, width / 2), (0.0, depth), (height - 0.035, height), wood)
    for side in (-1, 1) if rng.random() < 0.35 else (-1,):
        inner, outer = side * (width / 2 - 0.42), side * (width / 2 - 0.02)
        x = (min(inner, outer), max(inner, outer))
        sketch.box(x, (0.03, depth - 0.05), (0.05, height - 0.035), wood)
        fronts(sketch, x, (0.06, height - 0.05), depth - 0.05, (1, 3), wood, handle)
    sketch.box((width / 2 - 0.05, width / 2 - 0.01), (0.03, depth - 0.03), (0.0, height - 0.035), wood)
    sketch.box((-width / 2 + 0.04, width / 2 - 0.04), (0.05, 0.07), (0.35, height - 0.035), wood)
    return sketch.support((-width / 2 + 0.05, width / 2 - 0.05), (0.05, depth - 0.08), height)


def chest(label: str, width: float, depth: float, height: float, grid: tuple[int, int], rng: Generator) -> Sketch:
    """A closed carcass with drawers or doors in a grid (columns, rows)."""
    body, handle = made_of("furniture", rng), made_of("metal", rng)
    front = body if rng.random() < 0.7 else made_of("furniture", rng)
    plinth = rng.uniform(0.04, 0.1)
    sketch = Sketch(label)
    sketch.box((-width / 2 + 0.02, width / 2 - 0.02), (0.0, depth - 0.04), (0.0, plinth), body)
    sketch.box((-width / 2, width / 2), (0.0, depth), (plinth, height - 0.02), body)
    sketch.box((-width / 2 - 0.01, width / 2 + 0.01), (0.0, depth + 0.025), (height - 0.02, height), body)
    fronts(sketch, (-width / 2, width / 2), (plinth, height - 0.03), depth, grid, front, handle)
    return sketch.support((-width / 2 + 0.05, width / 2 - 0.05), (0.05, depth - 0.04), height)


@piece
def dresser(rng: Generator) -> Sketch:
    """A chest of drawers."""
    width = rng.uniform(0.8, 1.5)
    grid = (1 if width < 1.0 else 2, int(rng.integers(3, 5)))
    return chest("dresser", width, rng.uniform(0.42, 0.52), rng.uniform(0.75, 1.1), grid, rng)


@piece
def night_stand(rng: Generator) -> Sketch:
    """A small chest beside the bed."""
    return chest("night stand", rng.uniform(0.4, 0.55), 0.4, rng.uniform(0.45, 0.65), (1, int(rng.integers(1, 4))), rng)


@piece
def wardrobe(rng: Generator) -> Sketch:
    """A tall cabinet with doors."""
    doors = int(rng.integers(2, 4))
    return chest(
        "cabinet",
        doors * rng.uniform(0.45, 0.6),
        rng.uniform(0.5, 0.62),
        rng.uniform(1.8, 2.2),
        (doors, 1),
        rng,
    )


@piece
def cupboard(rng: Generator) -> Sketch:
    """A low cabinet with doors, such as a sideboard or a filing cabinet."""
    doors = int(rng.integers(1, 5))
    rows = 1 if doors > 1 else int(rng.integers(2, 5))
    return chest("cabinet", doors * rng.uniform(0.42, 0.5), 0.45, rng.uniform(0.7, 1.3), (doors, rows), rng)


def book_row(sketch: Sketch, x: tuple[float, float], y: float, z: float, room: float, rng: Generator,
             label: str = "books") -> None:  # fmt: skip
    """Books standing side by side from x[0] on, their spines at y + depth; one instance of the class `label`."""
    sketch.instance(label)
    covers = [replace(made_of("plastic", rng), pattern="spine", period=0.25, shift=(0.0, 0.0)) for _ in range(6)]
    at = x[0]
    height, depth = rng.uniform(0.55, 0.8) * room, rng.uniform(0.14, 0.2)
    while at < x[1] - 0.05:
        thick = rng.uniform(0.02, 0.06)
        tall = height * rng.uniform(0.8, 1.2)
        sketch.box((at, at + thick - 0.002), (y, y + depth * rng.uniform(0.85, 1.0)), (z, z + tall),
                   covers[rng.integers(6)])  # fmt: skip
        at += thick
    sketch.base()


def open_shelf(label: str, width: float, height: float, levels: int, full: float, rng: Generator) -> Sketch:
    """Boards between two sides and a back, a share `full` of them with books, the rest free for clutter."""
    wood, depth, board = made_of("furniture", rng), rng.uniform(0.26, 0.36), 0.025
    sketch = Sketch(label)
    for x in (-width / 2, width / 2 - board):
        sketch.box((x, x + board), (0.0, depth), (0.0, height), wood)
    sketch.box((-width / 2 + board, width / 2 - board), (0.0, 0.01), (0.03, height), wood)
    gap = (height - 0.08) / levels
    books = label if rng.random() < 0.65 else "books"  # annotators often leave books to their shelf
    for level in range(levels + 1):
        z = 0.05 + level * gap
        sketch.box((-width / 2 + board, width / 2 - board), (0.01, depth - 0.003), (z, z + board), wood)
        inside = (-width / 2 + board, width / 2 - board)
        if level == levels:
            sketch.support(inside, (0.03, depth - 0.03), z + board)
        elif rng.random() < full:
            end = inside[1] if rng.random() < 0.6 else rng.uniform(inside[0] + 0.2, inside[1])
            book_row(sketch, (inside[0], end), 0.06, z + board, gap - board, rng, books)
        else:
            sketch.support(inside, (0.03, depth - 0.03), z + board, gap - board)
    return sketch


@piece
def bookshelf(rng: Generator) -> Sketch:
    """A shelf full of books."""
    return open_shelf("bookshelf", rng.uniform(0.7, 1.3), rng.uniform(1.3, 2.1), int(rng.integers(4, 7)), 0.75, rng)


@piece
def shop_shelf(rng: Generator) -> Sketch:
    """A wide bookshelf of a shop or library."""
    return open_shelf("bookshelf", rng.uniform(1.5, 2.4), rng.uniform(1.5, 2.2), int(rng.integers(4, 6)), 0.9, rng)


@piece
def rack(rng: Generator) -> Sketch:
    """Open shelves for things other than books."""
    return open_shelf("shelves", rng.uniform(0.7, 1.2), rng.uniform(1.2, 1.9), int(rng.integers(3, 5)), 0.1, rng)


@piece
def ottoman(rng: Generator) -> Sketch:
    """An upholstered block to put the feet on."""
    width, depth, height = rng.uniform(0.5, 1.0), rng.uniform(0.45, 0.65), rng.uniform(0.36, 0.46)
    cloth = made_of("leather" if rng.random() < 0.6 else "textile", rng)
    sketch = Sketch("otherfurniture")
    sketch.box((-width / 2, width / 2), (0.0, depth), (0.1, height), cloth)
    legs(sketch, width, depth, 0.1, 0.06, made_of("furniture", rng))
    return sketch.support((-width / 2 + 0.05, width / 2 - 0.05), (0.05, depth - 0.05), height)


@piece
def piano(rng: Generator) -> Sketch:
    """An upright piano."""
    wood, keys = made_of("furniture", rng), Material("stripes", (0.8, 0.8, 0.75), (0.05, 0.05, 0.05), 0.025)
    sketch = Sketch("otherfurniture")
    sketch.box((-0.74, 0.74), (0.0, 0.35), (0.0, 1.2), wood)
    sketch.box((-0.74, 0.74), (0.35, 0.62), (0.6, 0.72), wood)
    sketch.box((-0.66, 0.66), (0.42, 0.58), (0.72, 0.735), keys)
    for x in (-0.68, 0.68):
        sketch.box((x - 0.05, x + 0.05), (0.52, 0.62), (0.0, 0.6), wood)
    return sketch.support((-0.65, 0.65), (0.05, 0.3), 1.2)
