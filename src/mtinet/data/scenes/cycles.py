"""Bicycles and motorbikes, facing +y."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.random import Generator

from mtinet.data.scenes.geometry import Array
from mtinet.data.scenes.materials import Material
from mtinet.data.scenes.modelling import Model
from mtinet.data.scenes.paints import BLACK, lacquer, paint
from mtinet.data.scenes.vehicles import CHROME, lights

SADDLE = {"bicycle": (-0.2, 0.95), "motorbike": (-0.3, 0.8)}
"""Where a rider's hips are: y and z in metres."""


def spoked(model: Model, centre: Array, radius: float, thick: float, part: str) -> None:
    """A thin tyre on a rim with spokes."""
    model.hoop(centre, [1, 0, 0], radius - thick, thick, BLACK, part)
    model.hoop(centre, [1, 0, 0], radius - 2.4 * thick, 0.6 * thick, CHROME, part)
    for turn in np.arange(9) * 2 * np.pi / 9:
        rim = centre + (radius - 2 * thick) * np.array([0, np.cos(turn), np.sin(turn)])
        model.tube([centre, rim], 0.005, CHROME, part, 4)
    model.lathe(centre - [0.05, 0, 0], [1, 0, 0], [[0, 0.03], [0.1, 0.03]], CHROME, part, 8)


def bicycle(rng: Generator) -> Model:
    """A diamond or a low frame, straight, dropped or swept-back handlebars, sometimes mudguards and a basket."""
    model, colour, saddle = Model("bicycle"), lacquer(rng), paint(rng, "leather")
    radius, thick = rng.uniform(0.31, 0.36), rng.uniform(0.022, 0.034)
    front, back = np.array([0.0, 0.55, radius]), np.array([0.0, -0.5, radius])
    crank, seat, head = np.array([0.0, -0.08, 0.28]), np.array([0.0, -0.22, 0.78]), np.array([0.0, 0.36, 0.82])
    low = seat + 0.35 * (crank - seat) if rng.random() < 0.3 else seat
    spoked(model, front, radius, thick, "fwheel")
    spoked(model, back, radius, thick, "bwheel")
    tube = rng.uniform(0.021, 0.03)
    neck = head - [0, -0.03, 0.12]
    for line in ([crank, neck], [low - [0, 0, 0.05], head], [crank, seat], [crank, back], [seat - [0, 0, 0.04], back]):
        model.tube(line, tube, colour, "")
    model.tube([front, neck], tube, colour)
    model.tube([neck, head, head + np.array([0, -0.03, 0.1])], tube, colour)
    model.tube([seat, seat + np.array([0, -0.03, 0.12])], 0.015, CHROME)
    top = seat + np.array([0, -0.03, 0.13])
    model.sweep(top + np.array([[0, -0.14, 0.01], [0, -0.1, 0.015], [0, 0.02, 0.0], [0, 0.14, 0.0]]),
                np.array([[0.03, 0.015], [0.085, 0.03], [0.045, 0.028], [0.015, 0.012]]), saddle, "saddle",
                side=[1.0, 0, 0])  # fmt: skip
    steering(model, head, rng)
    pedals(model, crank, back)
    if rng.random() < 0.4:
        basket(model, head, rng)
    if rng.random() < 0.4:
        mudguard(model, back, radius + 0.03, (20, 170), colour)
        mudguard(model, front, radius + 0.03, (30, 160), colour)
    return model


def steering(model: Model, head: Array, rng: Generator) -> None:
    """Straight, dropped or swept-back handlebars."""
    bar = head + np.array([0, -0.03, 0.1])
    forward, drop = [(0.02, 0.0), (0.1, -0.12), (-0.14, 0.05)][rng.integers(3)]
    for x in (-1, 1):
        bend, end = bar + np.array([x * 0.25, 0.02, 0.02]), bar + np.array([x * 0.29, forward, drop])
        model.tube([bar, bend, end], 0.017, BLACK, "handlebar")


def pedals(model: Model, crank: Array, back: Array) -> None:
    """Cranks, pedals, chain wheel and chain."""
    for x in (-1, 1):
        pedal = crank + np.array([x * 0.09, x * 0.12, -x * 0.11])
        model.tube([crank + np.array([x * 0.05, 0, 0]), pedal], 0.012, CHROME)
        model.box(pedal - [0.04, 0.04, 0.01], pedal + np.array([0.04, 0.04, 0.01]), BLACK)
    beside = np.array([0.05, 0, 0])
    model.hoop(crank + beside, [1, 0, 0], 0.09, 0.012, CHROME, "chainwheel")
    for z in (-1, 1):
        model.tube(
            [crank + beside + np.array([0, 0, 0.09 * z]), back + beside + np.array([0, 0, 0.04 * z])], 0.008, BLACK
        )


def basket(model: Model, head: Array, rng: Generator) -> None:
    """A basket before the handlebars."""
    low = head + np.array([0, 0.15, -0.12])
    wicker = paint(rng, "plastic", "checks")
    base = low + np.array([[-0.13, -0.09, 0], [0.13, -0.09, 0], [0.13, 0.09, 0], [-0.13, 0.09, 0]])
    top = low + np.array([[-0.18, -0.12, 0.22], [0.18, -0.12, 0.22], [0.18, 0.14, 0.22], [-0.18, 0.14, 0.22]])
    model.between(base, top, wicker)


def mudguard(model: Model, centre: Array, radius: float, span: tuple[float, float], material: Material) -> None:
    """A strip around a wheel from angle to angle, degrees from forwards over the top."""
    turn = np.radians(np.linspace(*span, 9))
    line = centre + radius * np.c_[np.zeros(9), np.cos(turn), np.sin(turn)]
    model.sweep(line, np.tile([0.035, 0.008], (9, 1)), material, side=[1.0, 0, 0], segments=6)


def motorbike(rng: Generator) -> Model:
    """A road bike, a chopper or a scooter, with or without fairing."""
    model, colour, saddle = Model("motorbike"), lacquer(rng), paint(rng, "leather")
    scooter = rng.random() < 0.22
    radius, thick = (0.25, 0.065) if scooter else (rng.uniform(0.3, 0.34), rng.uniform(0.06, 0.085))
    rake = rng.uniform(0.0, 0.25)
    front, back = np.array([0.0, 0.68 + rake, radius]), np.array([0.0, -0.68, radius])
    broad(model, front, radius, thick, "fwheel")
    broad(model, back, radius, thick, "bwheel")
    head = np.array([0.0, 0.42, 0.92])
    for x in (-0.09, 0.09):
        model.tube([front + np.array([x, 0, 0]), head + np.array([x, 0, 0])], 0.03, CHROME)
    mudguard(model, front, radius + 0.03, (20, 150), colour)
    mudguard(model, back, radius + 0.04, (40, 175), colour)
    (scooter_body if scooter else engine)(model, colour, saddle, head, rng)
    handlebars(model, head, rng)
    lights(model, 0.0, back[1] - 0.22, 0.68, 0.05, rng, "")
    if rng.random() < 0.4:
        shield = head + np.array([[-0.17, 0.13, 0.02], [0.17, 0.13, 0.02], [0.13, -0.02, 0.36], [-0.13, -0.02, 0.36]])
        model.between(shield, shield + np.array([0, 0.015, 0.005]), lacquer(rng))
    return model


def broad(model: Model, centre: Array, radius: float, thick: float, part: str) -> None:
    """A motorbike's wheel: a broad tyre, cast spokes and a brake disc."""
    model.hoop(centre, [1, 0, 0], radius - thick, thick, BLACK, part)
    hub = np.array([[0, 0.4], [0.02, 0.45], [0.08, 0.45], [0.1, 0.4]]) * [1.0, radius]
    model.lathe(centre - [0.05, 0, 0], [1, 0, 0], hub, CHROME, part, 14)
    for turn in np.arange(6) * np.pi / 3:
        rim = centre + (radius - 1.6 * thick) * np.array([0, np.cos(turn), np.sin(turn)])
        model.tube([centre, rim], 0.018, CHROME, part, 5)


def handlebars(model: Model, head: Array, rng: Generator) -> None:
    """Low or high handlebars, mirrors and the headlight."""
    bar, high = head + np.array([0, -0.02, 0.1]), rng.uniform(0.0, 0.18)
    for x in (-1, 1):
        bend, end = bar + np.array([x * 0.2, 0.0, high]), bar + np.array([x * 0.36, -0.14, high])
        model.tube([bar, bend, end], 0.02, BLACK, "handlebar")
        if rng.random() < 0.7:
            model.tube([bar + np.array([x * 0.25, 0, high]), bar + np.array([x * 0.3, 0.02, high + 0.16])], 0.01, BLACK)
            model.balls(bar + np.array([x * 0.32, 0.02, high + 0.18]), [0.06, 0.015, 0.045], CHROME, detail=1)
    lamp = [[0, 0.05], [0.05, 0.1], [0.12, 0.1], [0.13, 0.0]]
    model.lathe(head + np.array([0, 0.02, 0.0]), [0, 1, 0], lamp, CHROME, "headlight_1")


def engine(model: Model, colour: Material, saddle: Material, head: Array, rng: Generator) -> None:
    """Tank, engine block, seat and exhaust of a motorbike."""
    tank = np.array([[0, 0.42, 0.82], [0, 0.34, 0.84], [0, 0.15, 0.86], [0, -0.1, 0.78], [0, -0.15, 0.75]])
    model.sweep(tank, np.array([[0.03, 0.03], [0.13, 0.11], [0.17, 0.14], [0.12, 0.1], [0.05, 0.05]]), colour,
                side=[1.0, 0, 0], power=3.0)  # fmt: skip
    tail = rng.uniform(0.0, 0.14)
    seat = np.array(
        [[0, -0.05, 0.74], [0, -0.12, 0.76], [0, -0.45, 0.74], [0, -0.8, 0.8 + tail], [0, -0.88, 0.82 + tail]]
    )
    sizes = np.array([[0.07, 0.05], [0.12, 0.06], [0.15, 0.06], [0.13, 0.07], [0.05, 0.03]])
    model.sweep(seat, sizes, saddle, "saddle", side=[1.0, 0, 0], power=3.0)
    model.sweep(np.array([[0, -0.1, 0.7], [0, -0.75, 0.74 + tail]]), np.array([[0.09, 0.07], [0.08, 0.05]]), colour,
                side=[1.0, 0, 0], power=3.0)  # fmt: skip
    model.box([-0.16, -0.25, 0.22], [0.16, 0.25, 0.5], CHROME)
    for tilt in (-0.16, 0.16):
        fins = np.array([[k * 0.04, 0.12 if k % 2 else 0.085] for k in range(8)])
        model.lathe([0, tilt * 0.6, 0.42], [0, tilt * 2, 1], fins, BLACK, "", 14)
    frame: list[list[Any]] = [
        [head - [0, 0, 0.1], [0, 0.3, 0.25], [0, -0.35, 0.25]],
        [[0, -0.35, 0.3], [0, -0.2, 0.72]],
        [[0.1, -0.3, 0.3], [0.1, -0.68, 0.32]],
        [[-0.1, -0.3, 0.3], [-0.1, -0.68, 0.32]],
    ]
    for line in frame:
        model.tube(line, 0.03, colour)
    for x in (-0.19, 0.19):
        model.tube([[x * 0.6, 0.25, 0.5], [x, 0.2, 0.22], [x, -0.35, 0.24]], 0.028, CHROME)
        model.lathe([x, -0.35, 0.24], [0, -1, 0.12], [[0, 0.03], [0.06, 0.055], [0.6, 0.06], [0.63, 0.04]], CHROME)


def scooter_body(model: Model, colour: Material, saddle: Material, head: Array, rng: Generator) -> None:
    """Leg shield, footboard and a rounded tail."""
    shield = np.array([[-0.2, 0.5, 0.25], [0.2, 0.5, 0.25], [0.16, 0.4, 0.95], [-0.16, 0.4, 0.95]])
    model.between(shield, shield + np.array([0, 0.06, 0]), colour)
    model.box([-0.18, -0.1, 0.22], [0.18, 0.52, 0.3], colour)
    spine = np.array([[0, 0.0, 0.35], [0, -0.12, 0.45], [0, -0.5, 0.55], [0, -0.85, 0.6], [0, -0.95, 0.62]])
    model.sweep(spine, np.array([[0.1, 0.12], [0.17, 0.24], [0.2, 0.2], [0.15, 0.12], [0.04, 0.04]]), colour,
                side=[1.0, 0, 0], power=2.6)  # fmt: skip
    seat = np.array([[0, -0.02, 0.72], [0, -0.1, 0.76], [0, -0.5, 0.77], [0, -0.82, 0.78], [0, -0.88, 0.78]])
    sizes = np.array([[0.05, 0.03], [0.14, 0.06], [0.16, 0.06], [0.12, 0.05], [0.04, 0.02]])
    model.sweep(seat, sizes, saddle, "saddle", side=[1.0, 0, 0])
