"""Cars, buses and trains, facing +y."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator

from mtinet.data.scenes.geometry import Array
from mtinet.data.scenes.materials import Material, glowing
from mtinet.data.scenes.modelling import Model
from mtinet.data.scenes.paints import BLACK, glass, lacquer
from mtinet.data.scenes.surfaces import livery

CHROME = Material("plain", (0.55, 0.55, 0.56), (0.3, 0.3, 0.31), gloss=0.7, mirror=0.15)


def wheel(model: Model, centre: Array, radius: float, width: float, number: int, hub: Material) -> None:
    """A tyre with its rim, the axle along x."""
    part = f"wheel_{number}"
    start = np.asarray(centre) - [width / 2, 0, 0]
    tyre = np.array([[0.0, 0.68], [0.02, 0.85], [0.15, 0.98], [0.5, 1.0], [0.85, 0.98], [0.98, 0.85], [1.0, 0.68]])
    model.lathe(start, [1, 0, 0], tyre * [width, radius], BLACK, part, 20)
    for x in (-0.51, 0.51):
        disc = np.array([[0.0, 0.66], [0.05, 0.6], [0.09, 0.2], [0.14, 0.12]]) * [width, radius]
        model.lathe(
            np.asarray(centre) + np.array([x * width, 0, 0]), [np.sign(x), 0, 0], disc - [0.1 * width, 0], hub, part, 14
        )


def windows_row(model: Model, x: tuple[float, float], y: tuple[float, float], z: tuple[float, float], count: int,
                pane: Material, first: int, gap: float = 0.12) -> None:  # fmt: skip
    """Panes on both long sides, a little proud of the body."""
    step = (y[1] - y[0]) / count
    for k in range(count):
        low, high = y[0] + (k + gap / 2) * step, y[0] + (k + 1 - gap / 2) * step
        model.box([x[0] - 0.012, low, z[0]], [x[0] + 0.012, high, z[1]], pane, f"window_{first + 2 * k}")
        model.box([x[1] - 0.012, low, z[0]], [x[1] + 0.012, high, z[1]], pane, f"window_{first + 2 * k + 1}")


def lights(
    model: Model, half: float, y: float, z: float, size: float, rng: Generator, names: str = "headlight"
) -> None:
    """A pair of lamps at x = +-half."""
    lamp = glowing(rng, 0.1) if rng.random() < 0.8 else glowing(rng, 1.0)
    for number, x in enumerate((-half, half), start=1):
        model.balls([x, y, z], [size * 1.3, 0.05, size * 0.8], lamp, f"{names}_{number}" if names else "", detail=1)


def car(rng: Generator) -> Model:
    """Hatchback, saloon, estate, van or pickup."""
    model, body, pane = Model("car"), livery(rng), glass(rng)
    kind = str(rng.choice(["hatch", "saloon", "estate", "van", "pickup"], p=[0.3, 0.35, 0.15, 0.1, 0.1]))
    length = rng.uniform(3.6, 4.2) if kind == "hatch" else rng.uniform(4.3, 4.9)
    half, high = rng.uniform(0.8, 0.9), rng.uniform(1.38, 1.55) + 0.3 * (kind == "van")
    belt, front, back = high * rng.uniform(0.58, 0.64), length / 2, -length / 2
    radius = rng.uniform(0.3, 0.35)
    rows = np.array([back, back + 0.06, back + 0.3, -0.6, 0.5, front - 0.9, front - 0.35, front - 0.07, front])
    nose = rng.uniform(0.78, 0.92)
    top = belt * np.array([0.72, 0.9, 0.98, 1.0, 1.0, 0.97, nose, nose * 0.88, nose * 0.72])
    low = np.array([0.38, 0.25, 0.2, 0.18, 0.18, 0.18, 0.2, 0.25, 0.38])
    wide = half * np.array([0.86, 0.93, 0.98, 1, 1, 1, 0.96, 0.9, 0.82])
    spine = np.c_[np.zeros(9), rows, (top + low) / 2]
    model.sweep(spine, np.c_[wide, (top - low) / 2], body, side=[1.0, 0, 0], along=[0, 1, 0], power=5.0, segments=24)
    cabin(model, kind, half, (back, front), (belt, high), body, pane, rng)
    hub = lacquer(rng) if rng.random() < 0.3 else CHROME
    for number, (x, y) in enumerate(
        [(-1, front - 0.75), (1, front - 0.75), (-1, back + 0.75), (1, back + 0.75)], start=1
    ):
        model.lathe(
            [x * half * 0.8, y, radius], [x, 0, 0], [[0, radius * 1.2], [half * 0.205, radius * 1.2]], BLACK, "", 18
        )
        wheel(model, np.array([x * (half - 0.08), y, radius]), radius, 0.22, number, hub)
    lights(model, half * 0.68, front - 0.09, belt * 0.66, 0.11, rng)
    lights(model, half * 0.7, back + 0.04, belt * 0.75, 0.1, rng, "")
    trim(model, half, front, back, belt, rng)
    return model


def cabin(model: Model, kind: str, half: float, ends: tuple[float, float], heights: tuple[float, float],
          body: Material, pane: Material, rng: Generator) -> None:  # fmt: skip
    """A car's windows between the belt line and the roof, both given in `heights`, with pillars and the roof."""
    (back, front), (belt, high) = ends, heights
    tail, slope = {"hatch": (0.15, 0.5), "saloon": (0.75, 0.75), "estate": (0.12, 0.3), "van": (0.1, 0.1),
                   "pickup": (-back - 0.35, 0.2)}[kind]  # fmt: skip
    rear, bonnet, eaves = back + tail, front - (0.75 if kind == "van" else rng.uniform(1.05, 1.3)), high - 0.04
    outline = np.array([[rear, belt * 0.97], [bonnet, belt * 0.95], [bonnet - 0.75, eaves], [rear + slope, eaves]])
    model.prism(outline, (-half * 0.94, half * 0.94), pane, "window_1", inset=0.28)
    frame(model, outline, half * 0.945, body)
    roof = 0.96 * half * 0.94 - 0.28 * (high - belt)
    line = [[0, y, high - 0.03] for y in (rear + slope - 0.06, rear + slope, bonnet - 0.75, bonnet - 0.7)]
    model.sweep(line, np.array([[roof * 0.9, 0.02], [roof, 0.045], [roof, 0.045], [roof * 0.9, 0.02]]), body,
                side=[1.0, 0, 0], along=[0, 1, 0], power=4.0, segments=16)  # fmt: skip


def frame(model: Model, outline: Array, half: float, body: Material) -> None:
    """Pillars between a car's side windows."""
    (y0, z0), (y1, _), (y2, z2), (y3, _) = outline
    for share in (0.0, 0.48, 1.0):
        low, high = y0 + share * (y1 - y0), y3 + share * (y2 - y3)
        for x in (-1, 1):
            base, top = x * half, x * (half - 0.28 * (z2 - z0))
            model.tube([[base, low, z0], [top, high, z2]], 0.045, body, segments=6)


def trim(model: Model, half: float, front: float, back: float, belt: float, rng: Generator) -> None:
    """Grille, bumpers, plates, mirrors and door handles."""
    plate = Material("writing", (0.8, 0.78, 0.6), (0.05, 0.05, 0.05), 0.18)
    model.box([-half * 0.45, front - 0.06, belt * 0.5], [half * 0.45, front + 0.012, belt * 0.64], BLACK)
    for y, name, way in ((front, "fliplate", 1), (back, "bliplate", -1)):
        bumper = BLACK if rng.random() < 0.5 else CHROME
        model.box([-half * 0.85, y - 0.06, 0.3], [half * 0.85, y + 0.05, 0.42], bumper)
        edge = sorted((y + way * 0.03, y + way * 0.065))
        model.box([-0.25, edge[0], 0.4], [0.25, edge[1], 0.52], plate, name)
    for x, name in ((-1, "leftmirror"), (1, "rightmirror")):
        model.balls([x * (half + 0.07), front - 1.45, belt + 0.06], [0.1, 0.06, 0.07], BLACK, name, detail=1)
        for y in (-0.75, 0.25):
            model.box([x * half - 0.015, y, belt * 0.82], [x * half + 0.015, y + 0.16, belt * 0.86], CHROME)


def bus(rng: Generator) -> Model:
    """A coach, a city bus or a double-decker."""
    model, body, pane = Model("bus"), livery(rng), glass(rng)
    double = rng.random() < 0.25
    length, half, high = rng.uniform(9.0, 12.0), 1.25, rng.uniform(4.2, 4.4) if double else rng.uniform(2.9, 3.3)
    rows = np.array([-0.5, -0.49, -0.47, 0.47, 0.492, 0.5]) * length
    size = np.array([[0.9, 0.9], [0.97, 0.97], [1, 1], [1, 1], [0.97, 0.97], [0.9, 0.92]]) * [half, (high - 0.3) / 2]
    model.sweep(np.c_[np.zeros(6), rows, np.full(6, 0.3 + (high - 0.3) / 2)], size, body, side=[1.0, 0, 0],
                along=[0, 1, 0], power=9.0, segments=32)  # fmt: skip
    if rng.random() < 0.6:
        stripe, low = livery(rng), rng.uniform(0.45, 0.9)
        model.box(
            [-half - 0.006, -0.48 * length, low], [half + 0.006, 0.48 * length, low + rng.uniform(0.15, 0.4)], stripe
        )
    decks = [(1.35, 2.25), (3.0, 3.85)] if double else [(1.35, high - 0.55)]
    openings(model, half, length, decks, pane, int(rng.integers(5, 8)))
    panel = Material("writing", (0.05, 0.05, 0.05), (0.9, 0.75, 0.2), 0.35, glow=0.2)
    model.box([-0.7, length / 2 - 0.02, decks[-1][1] + 0.14], [0.7, length / 2 + 0.03, decks[-1][1] + 0.36], panel)
    for number, (x, y) in enumerate([(-1, 0.3), (1, 0.3), (-1, -0.28), (1, -0.28)], start=1):
        wheel(model, np.array([x * (half - 0.12), y * length, 0.48]), 0.48, 0.3, number, CHROME)
    ends(model, half, length, rng)
    return model


def openings(model: Model, half: float, length: float, decks: list[tuple[float, float]], pane: Material,
             count: int) -> None:  # fmt: skip
    """Windows all around each deck of a bus, and its doors."""
    for number, deck in enumerate(decks):
        windows_row(model, (-half, half), (-0.46 * length, 0.4 * length), deck, count, pane, 1 + 20 * number)
        for y in (0.5, -0.5):
            sill, lintel = deck[0] - 0.25 * (y > 0), deck[1] + 0.1
            pane_ends = [-half * 0.88, y * length - 0.02, sill], [half * 0.88, y * length + 0.02, lintel]
            model.box(*pane_ends, pane, f"window_{60 + number}")
    door = half + 0.01
    for y in (0.42, 0.05):
        model.box([door - 0.02, y * length, 0.35], [door + 0.005, y * length + 0.06 * length, 2.2], pane, "door_1")


def ends(model: Model, half: float, length: float, rng: Generator) -> None:
    """Lamps, the plate and the mirrors of a bus."""
    lights(model, 0.85, length / 2 + 0.01, 0.75, 0.14, rng)
    lights(model, 0.95, -length / 2 - 0.01, 0.9, 0.12, rng, "")
    model.box(
        [-0.4, length / 2, 0.5],
        [0.4, length / 2 + 0.05, 0.62],
        Material("writing", (0.8, 0.8, 0.7), (0.1, 0.1, 0.1), 0.2),
    )
    for x in (-1, 1):
        model.tube([[x * half, length / 2 - 0.1, 2.3], [x * (half + 0.2), length / 2 + 0.25, 2.2]], 0.03, BLACK)
        centre = np.array([x * (half + 0.2), length / 2 + 0.24, 2.05])
        model.box(
            centre - [0.07, 0.04, 0.2],
            centre + np.array([0.07, 0.04, 0.2]),
            BLACK,
            "leftmirror" if x < 0 else "rightmirror",
        )


def train(rng: Generator) -> Model:
    """An engine, steam or not, with one to three coaches behind it."""
    model, body, second, pane = Model("train"), livery(rng), livery(rng), glass(rng)
    half, high = 1.4, rng.uniform(3.5, 3.9)
    if rng.random() < 0.22:
        steam(model, body, second, rng)
    else:
        railcar(model, half, high, body, second, pane, rng)
    count = int(rng.integers(1, 4))
    for k in range(count):
        coach(model, -16.6 - 16.6 * k, half, high, body if rng.random() < 0.7 else second, second, pane, k)
    end = -16.2 - 16.6 * count
    for axle in np.arange(-1.8, end + 1.0, -3.2):
        for x in (-0.72, 0.72):
            wheel(model, np.array([x, axle, 0.45]), 0.45, 0.14, 1, CHROME)
    model.box([-1.1, end, 0.5], [1.1, -0.6, 0.85], BLACK)
    return model


def railcar(model: Model, half: float, high: float, body: Material, second: Material, pane: Material,
            rng: Generator) -> None:  # fmt: skip
    """The leading car of a train, its front slanting or flat."""
    base = 0.75
    bluntness = rng.uniform(0.3, 3.0)
    y = -np.array([0.0, 0.06, 0.25, 0.6, 1.0]) * bluntness
    share = np.array([0.45, 0.6, 0.8, 0.93, 1.0]) if bluntness > 1.2 else np.array([0.88, 0.94, 0.98, 1.0, 1.0])
    tall = (high - base) * share
    rows, tall = np.concatenate([y, [-16.0]]), np.concatenate([tall, [high - base]])
    sizes = np.c_[np.append(half * (0.35 + 0.65 * share), half), tall / 2]
    model.sweep(np.c_[np.zeros(6), rows, base + tall / 2], sizes, body, "head", side=[1.0, 0, 0], along=[0, -1, 0],
                power=7.0, segments=28)  # fmt: skip
    top = base + tall[2]
    lower, upper = base + 0.56 * tall[0], top - 0.25
    pane_at = np.array(
        [[-0.02, lower], [0.03, lower], [0.03 - 0.25 * bluntness, upper], [-0.1 - 0.25 * bluntness, upper]]
    )
    model.prism(pane_at, (-half * 0.62, half * 0.62), pane, "hfrontside")
    windows_row(model, (-half, half), (-bluntness - 1.3, -bluntness - 0.3), (2.1, 2.9), 1, pane, 1)
    windows_row(model, (-half, half), (-15.2, -bluntness - 2.0), (2.0, 2.9), int(rng.integers(4, 9)), pane, 5)
    model.box(
        [-half - 0.008, -15.9, 1.15], [half + 0.008, -bluntness - 0.2, 1.15 + rng.uniform(0.2, 0.7)], second, "head"
    )
    lights(model, 0.85, 0.02, base + 0.28 * tall[0], 0.16, rng)


def coach(
    model: Model, y: float, half: float, high: float, body: Material, stripe: Material, pane: Material, k: int
) -> None:
    """A coach from y backwards."""
    part = f"coach_{k + 1}"
    rows = np.array([y, y - 0.2, y - 15.8, y - 16.0])
    size = np.array([[0.95, 0.96], [1, 1], [1, 1], [0.95, 0.96]]) * [half, (high - 0.8) / 2]
    model.sweep(np.c_[np.zeros(4), rows, np.full(4, 0.8 + (high - 0.8) / 2)], size, body, part, side=[1.0, 0, 0],
                along=[0, -1, 0], power=8.0, segments=28)  # fmt: skip
    windows_row(model, (-half, half), (y - 15.2, y - 0.8), (2.0, 2.95), 7, pane, 30 + 20 * k)
    model.box([-half - 0.008, y - 15.9, 1.2], [half + 0.008, y - 0.1, 1.55], stripe, part)


def steam(model: Model, body: Material, second: Material, rng: Generator) -> None:
    """A steam engine: boiler, chimney, domes and cab."""
    model.lathe([0, -0.3, 2.2], [0, -1, 0], [[0, 0.0], [0, 0.8], [0.1, 0.92], [7.5, 0.92]], body, "head", 20)
    model.lathe([0, -0.26, 2.2], [0, 1, 0], [[0, 0.6], [0.1, 0.55], [0.16, 0.1], [0.2, 0.0]], second, "hfrontside", 18)
    model.lathe([0, -1.0, 3.0], [0, 0, 1], [[0, 0.3], [0.7, 0.25], [1.0, 0.38], [1.1, 0.36]], BLACK, "head")
    for y in (-3.2, -5.0):
        model.balls([0, y, 3.0], [0.4, 0.4, 0.5], second, "head")
    model.box([-1.35, -10.2, 0.9], [1.35, -7.7, 3.7], body, "head")
    model.box([-1.45, -10.5, 3.65], [1.45, -7.4, 3.8], second, "head")
    model.box([-1.36, -9.6, 2.3], [1.36, -8.2, 3.2], glass(rng), "head")
    model.box([-1.2, -16.0, 0.9], [1.2, -10.6, 2.9], body, "head")
    model.box([-1.3, -0.3, 0.7], [1.3, -0.05, 1.1], second, "hfrontside")
    lights(model, 0.95, 0.0, 1.3, 0.14, rng)
    for y in (-2.6, -4.2, -5.8):
        for x in (-1, 1):
            model.hoop([x * 0.85, y, 0.75], [1, 0, 0], 0.66, 0.07, second, "head")
            for turn in np.arange(6) * np.pi / 3:
                model.tube([[x * 0.85, y, 0.75], [x * 0.85, y + 0.64 * np.cos(turn), 0.75 + 0.64 * np.sin(turn)]], 0.03,
                           second, "head", 5)  # fmt: skip
