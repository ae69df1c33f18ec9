"""Household objects: bottles, potted plants, screens, and the room renderer's chairs, sofas and tables."""

from __future__ import annotations

import colorsys
from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.random import Generator

from mtinet.data.scenes import clutter, furniture
from mtinet.data.scenes.catalogue import build
from mtinet.data.scenes.geometry import Array, Sketch
from mtinet.data.scenes.materials import RGB, Material, shade
from mtinet.data.scenes.modelling import Model, from_sketch, unit
from mtinet.data.scenes.paints import BLACK, glass, hue, lacquer, paint

BUILDERS = (clutter, furniture)  # importing them fills the catalogue
CHAIRS = ("chair", "chair", "office_chair", "armchair")
PROFILES: dict[str, list[tuple[float, float]]] = {  # height and radius, of a bottle of height 1
    "wine": [
        (0, 0.1),
        (0.01, 0.13),
        (0.02, 0.135),
        (0.58, 0.135),
        (0.66, 0.115),
        (0.72, 0.06),
        (0.76, 0.048),
        (0.95, 0.045),
    ],
    "beer": [(0, 0.13), (0.02, 0.15), (0.5, 0.15), (0.6, 0.13), (0.75, 0.07), (0.95, 0.055)],
    "soda": [
        (0, 0.12),
        (0.04, 0.145),
        (0.2, 0.14),
        (0.4, 0.15),
        (0.6, 0.15),
        (0.75, 0.1),
        (0.86, 0.055),
        (0.95, 0.052),
    ],
    "flask": [(0, 0.15), (0.02, 0.18), (0.6, 0.18), (0.7, 0.14), (0.78, 0.08), (0.9, 0.075), (0.95, 0.075)],
    "round": [(0, 0.14), (0.03, 0.2), (0.2, 0.27), (0.38, 0.25), (0.55, 0.12), (0.66, 0.055), (0.95, 0.05)],
}


def bottle(rng: Generator) -> Model:
    """A bottle with a cap and most often a label around it."""
    model, high = Model("bottle"), rng.uniform(0.2, 0.36)
    profile = np.array(PROFILES[str(rng.choice(list(PROFILES)))]) * [high, high * rng.uniform(0.85, 1.15)]
    body = glass(rng) if rng.random() < 0.6 else lacquer(rng)
    if rng.random() < 0.5:
        body = replace(body, light=hue(rng))
    model.lathe([0, 0, 0], [0, 0, 1], profile, body, "body", 20)
    neck = profile[-1, 1]
    model.lathe(
        [0, 0, 0.93 * high], [0, 0, 1], np.array([[0, 1.15 * neck], [0.07 * high, 1.1 * neck]]), lacquer(rng), "cap", 14
    )
    if rng.random() < 0.8:
        low, top = sorted(rng.uniform(0.12, 0.55, 2))
        rows = np.linspace(low, max(top, low + 0.15), 4) * high
        around = np.interp(rows, profile[:, 0], profile[:, 1]) + 0.0015
        paper = replace(
            paint(rng, "paper"), pattern=str(rng.choice(["writing", "shapes", "stripes", "plain"])), period=0.05
        )
        model.lathe([0, 0, 0], [0, 0, 1], np.c_[rows, around], paper, "body", 20)
    return model


def leaf_colour(rng: Generator) -> RGB:
    """Green in one plant of two, else any hue."""
    if rng.random() < 0.5:
        return hue(rng)
    red, green, blue = colorsys.hsv_to_rgb(rng.uniform(0.18, 0.4), rng.uniform(0.3, 0.85), rng.uniform(0.08, 0.5))
    return red, green, blue


def leaves(model: Model, base: Array, count: int, reach: float, rise: float, size: float, rng: Generator) -> None:
    """Leaves on stalks that spread from `base`."""
    turn, up = rng.uniform(0, 2 * np.pi, count), rng.beta(1.6, 1.2, count)
    out = reach * rng.uniform(0.2, 1.0, count) * (1.15 - 0.6 * up)
    tips = base + np.c_[out * np.cos(turn), out * np.sin(turn), rise * (0.1 + 0.9 * up)]
    front = unit(tips - base - [0, 0, 0.25 * rise] + rng.normal(0, 0.25 * reach, (count, 3)))
    across = unit(np.cross(front, unit(np.array([0, 0, 1.0]) + rng.normal(0, 0.4, (count, 3)))))
    axes = np.stack([across, front, np.cross(across, front)], axis=2)
    shape = size * rng.uniform(0.7, 1.2, (count, 1)) * np.array([rng.uniform(0.2, 0.55), 1.0, 0.06])
    green = Material(
        str(rng.choice(["plain", "stripes", "clouds"])), *(lambda c: (c, shade(c, 0.5)))(leaf_colour(rng)), size * 0.5
    )
    second = replace(green, light=shade(green.light, 0.6), dark=shade(green.dark, 0.6))
    half = count // 2
    model.balls(tips[:half], shape[:half], green, "plant", detail=1, axes=axes[:half])
    model.balls(tips[half:], shape[half:], second, "plant", detail=1, axes=axes[half:])
    for tip in tips[: min(count, 10)]:
        model.tube([base, base + (tip - base) * [0.35, 0.35, 0.6], tip], 0.035 * size, second, "plant", 5)


def pottedplant(rng: Generator) -> Model:
    """A pot with leaves, blades or flowers."""
    model, size = Model("pottedplant"), float(np.exp(rng.uniform(np.log(0.25), np.log(0.9))))
    wide, high, foot = 0.26 * size * rng.uniform(0.8, 1.3), 0.36 * size * rng.uniform(0.7, 1.2), rng.uniform(0.55, 1.0)
    pot = paint(rng, str(rng.choice(["ceramic", "plastic", "stone", "textile"])))
    rim = [
        [0, foot * wide],
        [0.85 * high, 0.97 * wide],
        [0.86 * high, 1.08 * wide],
        [high, 1.1 * wide],
        [0.98 * high, 0.95 * wide],
        [0.93 * high, 0.0],
    ]
    model.lathe([0, 0, 0], [0, 0, 1], rim, pot, "pot", 20)
    base = np.array([0, 0, 0.95 * high])
    kind = rng.random()
    if kind < 0.3:
        blades(model, base, size, rng)
    else:
        trunk = rng.uniform(0.0, 0.5) * size if kind > 0.75 else 0.0
        if trunk:
            model.tube([base, base + np.array([0, 0, trunk])], 0.03 * size, paint(rng, "furniture"), "plant")
        leaves(model, base + np.array([0, 0, trunk]), int(rng.integers(30, 70)), rng.uniform(0.35, 0.6) * size,
               rng.uniform(0.35, 0.9) * size, rng.uniform(0.09, 0.18) * size, rng)  # fmt: skip
    if rng.random() < 0.4:
        count, flower, stalk = int(rng.integers(4, 14)), lacquer(rng), paint(rng, "plastic", "plain")
        turn = rng.uniform(0, 2 * np.pi, count)
        spots = base + np.c_[np.cos(turn) * 0.3 * size, np.sin(turn) * 0.3 * size, rng.uniform(0.4, 0.9, count) * size]
        model.balls(spots, np.tile([0.05, 0.05, 0.035], (count, 1)) * size, flower, "plant", detail=1)
        for spot in spots:
            model.tube([base, base + (spot - base) * [0.6, 0.6, 0.5], spot], 0.006 * size, stalk, "plant", 4)
    return model


def blades(model: Model, base: Array, size: float, rng: Generator) -> None:
    """Long blades that arch outwards."""
    green = Material("stripes", *(lambda c: (c, shade(c, 0.6)))(leaf_colour(rng)), 0.06 * size)
    for _ in range(int(rng.integers(9, 20))):
        turn, length, arch = rng.uniform(0, 2 * np.pi), size * rng.uniform(0.5, 1.0), rng.uniform(0.1, 0.7)
        out, t = np.array([np.cos(turn), np.sin(turn), 0.0]), np.linspace(0, 1, 6)
        line = base + np.outer(t**1.6 * arch * length, out) + np.outer(length * (t - 0.55 * arch * t**2.5), [0, 0, 1.0])
        widths = 0.045 * size * np.array([0.5, 0.9, 1.0, 0.9, 0.6, 0.1])
        model.sweep(line, np.c_[widths, 0.15 * widths], green, "plant", side=np.cross(out, [0, 0, 1.0]), segments=6)


def tvmonitor(rng: Generator) -> Model:
    """A flat screen on a foot or an old deep one, showing something or switched off."""
    model, case = Model("tvmonitor"), lacquer(rng) if rng.random() < 0.5 else BLACK
    wide = rng.uniform(0.45, 1.15)
    high, foot, edge = wide * float(rng.choice([0.58, 0.64, 0.75])), rng.uniform(0.06, 0.14), rng.uniform(0.02, 0.06)
    deep = rng.random() < 0.35
    low = 0.03 if deep else foot
    thick = 0.08 if deep else rng.uniform(0.03, 0.07)
    base = np.array([[-wide / 2, 0, low], [wide / 2, 0, low], [wide / 2, 0, low + high], [-wide / 2, 0, low + high]])
    model.between(base, base - [0, thick, 0], case)
    if deep:
        small = (base - base.mean(axis=0)) * 0.6 + base.mean(axis=0) - [0, 0.45 * wide, 0.03]
        model.between(base - [0, thick, 0], small, case)
    else:
        model.tube([[0, -thick - 0.02, 0.02], [0, -thick - 0.02, low + 0.1]], 0.03, case)
        model.box([-0.25 * wide, -0.16, 0], [0.25 * wide, 0.1, 0.02], case)
    chin = edge * (2.2 if deep or rng.random() < 0.3 else 1.0)
    model.box(
        [-wide / 2 + edge, -0.001, low + chin], [wide / 2 - edge, 0.004, low + high - edge], screen(rng, wide), "screen"
    )
    return model


def screen(rng: Generator, wide: float) -> Material:
    """What a screen shows: nothing, a picture, a text."""
    if rng.random() < 0.4:
        return Material("plain", (0.03, 0.03, 0.035), (0.02, 0.02, 0.02), gloss=0.6, mirror=0.12)
    pattern = str(rng.choice(["shapes", "writing", "landscape", "plain", "clouds"]))
    return Material(pattern, hue(rng), hue(rng), wide * rng.uniform(0.1, 0.5), glow=rng.uniform(0.2, 0.9),
                    shift=(rng.uniform(0, 30), rng.uniform(0, 30)))  # fmt: skip


def recoloured(sketch: Sketch, rng: Generator) -> Sketch:
    """The piece with every second material's hue drawn from the whole circle, as for all other objects."""
    known: dict[int, Material] = {}
    for number, part in enumerate(sketch.parts):
        old = part.material
        if id(old) not in known:
            base = hue(rng)
            new = replace(old, light=base, dark=shade(base, rng.uniform(0.3, 0.7)))
            known[id(old)] = new if rng.random() < 0.5 and old.glow == 0 else old
        sketch.parts[number] = replace(part, material=known[id(old)])
    return sketch


def whole(name: str, label: str, rng: Generator) -> Model:
    """A catalogue piece as one object of class `label`, whatever lies on it included."""
    models = from_sketch(recoloured(build(name, rng), rng), {})
    return Model(label, [piece for model in models for piece in model.pieces])


def chair(rng: Generator) -> Model:
    """A wooden, office or easy chair."""
    return whole(CHAIRS[rng.integers(len(CHAIRS))], "chair", rng)


def sofa(rng: Generator) -> Model:
    """A sofa with its cushions."""
    return whole("sofa", "sofa", rng)


def table(rng: Generator) -> Model:
    """A dining table, bare or under a cloth."""
    model = whole("dining_table", "table", rng)
    if rng.random() < 0.3:
        low, high = model.bounds()
        cloth, fall = paint(rng, "textile"), rng.uniform(0.1, 0.35)
        model.box([low[0] - 0.03, low[1] - 0.03, high[2]], [high[0] + 0.03, high[1] + 0.03, high[2] + 0.008], cloth)
        for y in (low[1] - 0.03, high[1] + 0.02):
            model.box([low[0] - 0.03, y, high[2] - fall], [high[0] + 0.03, y + 0.01, high[2]], cloth)
        for x in (low[0] - 0.03, high[0] + 0.02):
            model.box([x, low[1] - 0.03, high[2] - fall], [x + 0.01, high[1] + 0.03, high[2]], cloth)
    return model


HOUSEHOLD: dict[str, Callable[[Generator], Model]] = {
    "bottle": bottle, "pottedplant": pottedplant, "tvmonitor": tvmonitor, "chair": chair, "sofa": sofa, "table": table,
}  # fmt: skip
