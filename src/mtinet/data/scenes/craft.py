"""Aeroplanes and boats, facing +y."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.random import Generator

from mtinet.data.scenes.geometry import Array
from mtinet.data.scenes.materials import Material
from mtinet.data.scenes.modelling import Model
from mtinet.data.scenes.paints import BLACK, glass, lacquer, paint
from mtinet.data.scenes.surfaces import livery
from mtinet.data.scenes.vehicles import CHROME, wheel


def fin(root: Array, tip: Array, chords: tuple[float, float], thick: float, upright: bool) -> tuple[Array, Array]:
    """The four corners of a wing or fin at its root and at its tip; `chords` are its lengths along y."""
    across = np.array([1.0, 0, 0]) if upright else np.array([0, 0, 1.0])
    ends = []
    for point, chord, size in ((root, chords[0], thick), (tip, chords[1], 0.5 * thick)):
        outline = np.outer([0.5, 0.2, -0.5, 0.2], [0, chord, 0]) + np.outer([0, 0.5 * size, 0, -0.5 * size], across)
        ends.append(point + outline)
    return ends[0], ends[1]


def aeroplane(rng: Generator) -> Model:
    """An airliner, a light aeroplane with a propeller, or a fighter; wheels down, standing on the ground."""
    kind = str(rng.choice(["liner", "light", "fighter"], p=[0.5, 0.3, 0.2]))
    model = {"liner": liner, "light": light, "fighter": fighter}[kind](rng)
    return model.standing()


def wings(model: Model, y: float, z: float, span: float, chords: tuple[float, float], sweepback: float, rise: float,
          body: float, material: Material) -> None:  # fmt: skip
    """A pair of wings whose tips lie `sweepback` behind and `rise` above their roots."""
    for x, part in ((-1, "lwing"), (1, "rwing")):
        root, tip = np.array([x * body * 0.5, y, z]), np.array([x * span / 2, y - sweepback, z + rise])
        model.between(*fin(root, tip, chords, 0.1 * chords[0], False), material, part)


def tailplane(model: Model, y: float, z: float, size: float, low: float, material: Material, second: Material) -> None:
    """Stabilisers and the upright fin."""
    for x in (-1, 1):
        root, tip = np.array([x * 0.1 * size, y, z + low]), np.array([x * size, y - 0.4 * size, z + low])
        model.between(*fin(root, tip, (0.6 * size, 0.35 * size), 0.06 * size, False), material, "tail")
    root, tip = np.array([0, y + 0.1 * size, z]), np.array([0, y - 0.55 * size, z + 1.15 * size])
    model.between(*fin(root, tip, (0.95 * size, 0.45 * size), 0.08 * size, True), second, "tail")


def fuselage(model: Model, length: float, radius: float, material: Material, blunt: float = 0.5) -> None:
    """A body from the nose at +length/2 to the tail cone."""
    along = np.array([0.5, 0.497, 0.48, 0.45, 0.4, 0.1, -0.15, -0.32, -0.44, -0.5])
    around = np.array([0.02, 0.22, 0.5, 0.75, 0.95, 1.0, 1.0, 0.75, 0.35, 0.12])
    around[1:4] *= 0.7 + 0.6 * (blunt - 0.25)
    rise = np.array([-0.1, -0.1, -0.08, -0.05, 0, 0, 0, 0.22, 0.5, 0.62]) * radius
    model.sweep(np.c_[np.zeros(10), along * length, rise], around * radius, material, "body", side=[1.0, 0, 0],
                along=[0, 1, 0], segments=20)  # fmt: skip


def undercarriage(model: Model, places: list[tuple[float, float]], top: float, low: float, radius: float) -> None:
    """Struts with wheels at (x, y)."""
    for number, (x, y) in enumerate(places, start=1):
        model.tube([[x, y, top], [x, y, low]], 0.25 * radius, CHROME, "body")
        wheel(model, np.array([x, y, low]), radius, 0.7 * radius, number, CHROME)


def liner(rng: Generator) -> Model:
    """A jet airliner with two or four engines and a row of windows."""
    model, second, metal = Model("aeroplane"), livery(rng), lacquer(rng)
    body = replace(livery(rng), light=(0.8, 0.8, 0.8), dark=(0.6, 0.6, 0.6)) if rng.random() < 0.5 else livery(rng)
    length, radius = rng.uniform(28, 42), rng.uniform(1.8, 2.2)
    fuselage(model, length, radius, body)
    span = length * rng.uniform(0.85, 1.0)
    wings(model, 0.05 * length, -0.55 * radius, span, (0.19 * length, 0.05 * length), 0.2 * length, 0.035 * length,
          radius, metal)  # fmt: skip
    tailplane(model, -0.42 * length, 0.5 * radius, 0.15 * length, 0.1, metal, second)
    places = [0.17, 0.3] if rng.random() < 0.3 else [0.19]
    for number, share in enumerate([s * side for s in places for side in (-1, 1)], start=1):
        middle = np.array([share * span, 0.09 * length - abs(share) * 0.42 * length, -0.95 * radius])
        jet = np.array([[0, 0.75], [0.15, 0.95], [0.8, 1.0], [2.6, 0.75], [3.0, 0.5]]) * [
            0.085 * length / 3,
            0.029 * length,
        ]
        model.lathe(middle + np.array([0, 0.04 * length, 0]), [0, -1, 0], jet, second, f"engine_{number}")
        model.lathe(
            middle + np.array([0, 0.041 * length, 0]),
            [0, -1, 0],
            [[0, 0.0], [0.02, 0.022 * length]],
            BLACK,
            f"engine_{number}",
        )
    for y in np.linspace(-0.25, 0.38, 30) * length:
        model.box(
            [-radius * 0.975, y - 0.16, 0.22 * radius], [radius * 0.975, y + 0.16, 0.22 * radius + 0.45], BLACK, "body"
        )
    cockpit = np.array([[0.45, 0.3], [0.473, 0.22], [0.467, 0.43], [0.447, 0.56]]) * [length, radius]
    model.prism(cockpit, (-0.6 * radius, 0.6 * radius), BLACK, "body")
    if rng.random() < 0.6:
        places3 = [(-2.6, -0.03 * length), (2.6, -0.03 * length), (0.0, 0.4 * length)]
        undercarriage(model, places3, -0.7 * radius, -1.85 * radius, 0.55)
    return model


def light(rng: Generator) -> Model:
    """A small aeroplane with a propeller, wings high or low, sometimes two pairs of them."""
    model, body, second = Model("aeroplane"), lacquer(rng), lacquer(rng)
    length = rng.uniform(6.5, 9.0)
    fuselage(model, length, 0.62, body, blunt=0.9)
    high = rng.random() < 0.5
    heights = [0.6, -0.5] if rng.random() < 0.25 else [0.6] if high else [-0.35]
    for z in heights:
        wings(model, 0.14 * length, z, 1.25 * length, (0.19 * length, 0.15 * length), 0.1, 0.3, 0.6, second)
    if len(heights) == 2 or high:
        for x in (-1, 1):
            model.tube(
                [[x * 0.5, 0.12 * length, -0.45], [x * 0.38 * length, 0.12 * length, heights[0] + 0.1]],
                0.05,
                body,
                "body",
            )
    tailplane(model, -0.43 * length, 0.25, 0.19 * length, 0.05, second, body)
    canopy = np.array([[-0.05, 0.45], [0.27, 0.4], [0.2, 1.0], [-0.02, 0.95]]) * [length, 0.62]
    model.prism(canopy, (-0.48, 0.48), glass(rng), "body", inset=0.2)
    nose = np.array([0, 0.5 * length, -0.06])
    model.lathe(nose, [0, 1, 0], [[-0.1, 0.2], [0.1, 0.18], [0.3, 0.0]], second, "engine_1")
    turn = rng.uniform(0, np.pi)
    for angle in (turn, turn + np.pi):
        tip = nose + 1.05 * np.array([np.cos(angle), 0.08, np.sin(angle)])
        model.sweep(
            [nose + np.array([0, 0.1, 0]), (nose + tip) / 2, tip],
            [[0.06, 0.03], [0.1, 0.03], [0.05, 0.02]],
            BLACK,
            "engine_1",
        )
    undercarriage(model, [(-0.9, 0.17 * length), (0.9, 0.17 * length), (0.0, 0.42 * length)], -0.35, -0.95, 0.24)
    return model


def fighter(rng: Generator) -> Model:
    """A jet fighter with swept wings and one or two fins."""
    model, body, second = Model("aeroplane"), paint(rng), lacquer(rng)
    length = rng.uniform(13, 17)
    along = np.array([0.5, 0.42, 0.3, 0.1, -0.2, -0.42, -0.47]) * length
    size = np.array([[0.02, 0.02], [0.3, 0.3], [0.55, 0.6], [1.0, 0.75], [1.2, 0.72], [0.95, 0.65], [0.75, 0.55]])
    spine = np.c_[np.zeros(7), along, np.zeros(7)]
    model.sweep(spine, size, body, "body", side=[1.0, 0, 0], along=[0, 1, 0], power=2.6, segments=18)
    model.balls([0, 0.26 * length, 0.55], [0.4, 1.5, 0.5], glass(rng), "body")
    wings(model, -0.06 * length, 0.0, 0.62 * length, (0.34 * length, 0.1 * length), 0.17 * length, 0.0, 1.6, body)
    for x in (-0.9, 0.9) if rng.random() < 0.5 else (0.0,):
        root, tip = np.array([x, -0.33 * length, 0.5]), np.array([1.4 * x, -0.42 * length, 2.9])
        model.between(*fin(root, tip, (0.19 * length, 0.08 * length), 0.2, True), second, "tail")
    for x in (-1, 1):
        root, tip = np.array([x * 0.9, -0.38 * length, 0]), np.array([x * 2.9, -0.47 * length, 0])
        model.between(*fin(root, tip, (0.16 * length, 0.08 * length), 0.15, False), body, "tail")
    model.lathe([0, -0.47 * length, 0], [0, -1, 0], [[0, 0.55], [0.5, 0.5], [0.4, 0.4], [0.2, 0.0]], BLACK, "engine_1")
    if rng.random() < 0.5:
        undercarriage(model, [(-1.1, -0.12 * length), (1.1, -0.12 * length), (0.0, 0.25 * length)], -0.4, -1.4, 0.36)
    return model


def hull(model: Model, length: float, half: float, high: float, material: Material, pointed: bool = False) -> None:
    """A hull with a pointed bow, a flat or pointed stern, and a deck that rises to the bow."""
    along = np.array([0.5, 0.47, 0.38, 0.2, -0.1, -0.35, -0.5])
    wide = np.array([0.03, 0.2, 0.55, 0.9, 1.0, 0.92, 0.1 if pointed else 0.75]) * half
    deck = high * np.array([1.3, 1.25, 1.12, 1.0, 0.9, 0.92, 0.95])
    keel = high * np.array([0.9, 0.5, 0.15, -0.1, -0.15, -0.1, 0.3 if pointed else 0.0])
    turn = np.linspace(0, 2 * np.pi, 21)
    rings = []
    for y, w, top, low in zip(along * length, wide, deck, keel, strict=True):
        drop = np.minimum(0, np.sin(turn))  # flat above, round below
        rings.append(
            np.c_[w * np.sign(np.cos(turn)) * np.abs(np.cos(turn)) ** 0.6, np.full(21, y), top + (top - low) * drop]
        )
    model.surface(np.array(rings), material)
    model.cap(rings[-1][:-1], np.array([0, -1.0, 0]), material, "")


def boat(rng: Generator) -> Model:
    """A sailing boat, a motor boat, a rowing boat or a ship; z = 0 is the water."""
    kind = str(rng.choice(["sail", "motor", "row", "ship"], p=[0.35, 0.3, 0.2, 0.15]))
    model = Model("boat")
    {"sail": sailing, "motor": motoring, "row": rowing, "ship": ship}[kind](model, rng)
    return model


def sailing(model: Model, rng: Generator) -> None:
    """A mast with one or two sails."""
    length, cloth = rng.uniform(5, 11), paint(rng, "textile")
    hull(model, length, 0.16 * length, 0.1 * length, lacquer(rng), pointed=True)
    model.box(
        [-0.08 * length, -0.15 * length, 0.05 * length], [0.08 * length, 0.15 * length, 0.14 * length], lacquer(rng)
    )
    mast, tall = 0.08 * length, rng.uniform(1.1, 1.4) * length
    model.tube([[0, mast, 0.0], [0, mast, tall]], 0.012 * length, CHROME)
    if rng.random() < 0.75:
        swing = rng.normal(0, 0.12) * length
        foot = np.array(
            [[0, mast - 0.1, 0.2 * length], [swing, -0.42 * length, 0.2 * length], [0, mast - 0.1, 0.97 * tall]]
        )
        model.between(foot, foot + np.array([0.02, 0, 0]), cloth)
        if rng.random() < 0.7:
            jib = np.array(
                [
                    [0, 0.48 * length, 0.14 * length],
                    [swing * 0.6, mast + 0.05, 0.16 * length],
                    [0, mast + 0.05, 0.85 * tall],
                ]
            )
            model.between(jib, jib + np.array([0.02, 0, 0]), cloth if rng.random() < 0.7 else paint(rng, "textile"))
    model.tube([[0, mast, 0.19 * length], [0, -0.42 * length, 0.19 * length]], 0.008 * length, CHROME)
    for y in (0.49, -0.49):
        model.tube([[0, mast, tall], [0, y * length, 0.12 * length]], 0.004 * length, BLACK, segments=4)


def motoring(model: Model, rng: Generator) -> None:
    """A cabin with a windscreen, or an open boat with an outboard motor."""
    length = rng.uniform(5, 10)
    high = 0.13 * length
    hull(model, length, 0.17 * length, high, lacquer(rng))
    model.box([-0.168 * length, -0.4 * length, 0.62 * high], [0.168 * length, 0.1 * length, 0.72 * high], lacquer(rng))
    cabin = np.array([[-0.25, 0.95], [0.2, 1.0], [0.1, 1.75], [-0.22, 1.75]]) * [length, high]
    model.prism(cabin, (-0.12 * length, 0.12 * length), lacquer(rng), inset=0.1)
    model.prism(
        cabin * [0.97, 1] + [0.012 * length, 0.18 * high], (-0.124 * length, 0.124 * length), glass(rng), inset=0.14
    )
    model.box(
        [-0.13 * length, -0.26 * length, 1.72 * high + 0.1],
        [0.13 * length, 0.12 * length, 1.82 * high + 0.1],
        lacquer(rng),
    )
    model.box([-0.03 * length, -0.56 * length, 0.2 * high], [0.03 * length, -0.48 * length, 1.3 * high], BLACK)
    rail = [
        [x * 0.12 * length, y * length, 1.55 * high]
        for x, y in ((-1, 0.2), (-0.5, 0.4), (0, 0.49), (0.5, 0.4), (1, 0.2))
    ]
    model.tube(rail, 0.02, CHROME)


def rowing(model: Model, rng: Generator) -> None:
    """An open boat with thwarts and oars."""
    length, wood = rng.uniform(3.2, 5.0), paint(rng, "furniture")
    hull(model, length, 0.17 * length, 0.13 * length, wood, pointed=True)
    inside = Model("boat")
    hull(inside, 0.92 * length, 0.15 * length, 0.13 * length, paint(rng, "furniture"), pointed=True)
    model.pieces += inside.moved(np.c_[np.eye(3), [0, 0, 0.012 * length]]).pieces
    for y in (-0.2, 0.1):
        model.box([-0.16 * length, y * length, 0.14 * length], [0.16 * length, y * length + 0.25, 0.16 * length], wood)
    for x in (-1, 1):
        model.tube(
            [[x * 0.02 * length, 0.0, 0.25 * length], [x * 0.5 * length, -0.12 * length, 0.02 * length]], 0.025, wood
        )


def ship(model: Model, rng: Generator) -> None:
    """A ferry or a fishing ship with superstructure, funnel and masts."""
    length = rng.uniform(14, 30)
    high, white, pane = 0.13 * length, lacquer(rng), glass(rng)
    hull(model, length, 0.14 * length, high, lacquer(rng))
    level, y0 = 0.85 * high, rng.uniform(-0.38, -0.2)
    for deck in range(int(rng.integers(1, 4))):
        half, front, back = (
            (0.12 - 0.012 * deck) * length,
            (y0 + 0.5 - 0.07 * deck) * length,
            (y0 + 0.03 * deck) * length,
        )
        model.box([-half, back, level], [half, front, level + 0.085 * length], white)
        model.box(
            [-half - 0.02, back + 0.3, level + 0.04 * length], [half + 0.02, front + 0.02, level + 0.065 * length], pane
        )
        level += 0.085 * length
    model.lathe(
        [0, (y0 + 0.1) * length, level], [0, 0, 1], [[0, 0.04 * length], [0.12 * length, 0.035 * length]], lacquer(rng)
    )
    for y in (y0 + 0.3, 0.35):
        model.tube([[0, y * length, 0], [0, y * length, level + 0.12 * length]], 0.006 * length, CHROME)
