"""The kinds of rooms: what stands in each, with how likely each is among all images."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.random import Generator

from mtinet.data.scenes import clutter, fixtures, furniture, hangings, oddments, props
from mtinet.data.scenes.belongings import CROWD, ON_FLOOR, ON_TOP, ON_WALLS, SAME_TOP, STRUCTURES
from mtinet.data.scenes.catalogue import build
from mtinet.data.scenes.layout import Light, Room, Thing

BUILDERS = (clutter, fixtures, furniture, hangings, oddments, props)  # importing them fills the catalogue
WINDOWS = ("window", "blinds_window", "blinds_window", "curtain_window")
Furnish = Callable[[Room], None]
ROOMS: dict[str, tuple[float, tuple[float, float], tuple[float, float], Furnish]] = {}


def room(weight: float, width: tuple[float, float], depth: tuple[float, float]) -> Callable[[Furnish], Furnish]:
    """Register a kind of room by its share of the images and the ranges of its two sides, metres."""

    def register(function: Furnish) -> Furnish:
        ROOMS[function.__name__] = (weight, width, depth, function)
        return function

    return register


def windows(room: Room, low: float = 0.85, chance: float = 0.7) -> None:
    """Up to two windows; those that glow by day also shed light."""
    for share in (chance, 0.35):
        thing = room.hang(str(room.rng.choice(WINDOWS)), low) if room.chance(share) else None
        if thing is None or thing.sketch.parts[0].material.glow == 0:
            continue
        inward = thing.place[:, :3] @ np.array([0.0, 0.3, 0.7])
        strength = thing.sketch.parts[0].material.glow * room.rng.uniform(0.8, 2.2)
        room.lights.append(Light(thing.place[:, 3] + inward, strength * np.array([0.85, 0.95, 1.1]), 0.35))


def some(room: Room, **numbers: float) -> None:
    """Furniture at the walls, by the expected number of each kind; what finds no place is left out."""
    for name, number in numbers.items():
        for _ in range(int(number) + room.chance(number % 1)):
            room.at_wall(name)


def decorate(room: Room, pictures: float, low: float = 1.3) -> None:
    """Pictures, most of them over furniture, and other things on the walls."""
    against = [thing for thing in room.things if thing.low < 0.05 and 0.3 < thing.high < 1.4 and thing.name != "door"]
    for _ in range(int(room.rng.poisson(pictures))):
        kind = "picture" if room.chance(0.9) else "pinboard"
        if against and room.chance(0.6):
            room.over(against[room.rng.integers(len(against))], kind, low + room.rng.uniform(-0.15, 0.2))
        else:
            room.hang(kind, low + room.rng.uniform(-0.1, 0.3))
    for name, height, chance in ON_WALLS:
        if room.chance(chance):
            room.hang(name, height)


def finish(room: Room, kind: str, pictures: float, clutter_mean: float, low: float = 1.3) -> None:
    """What every room has: structure, things on the walls, and things about on the floor."""
    for name, number in STRUCTURES.items():
        if room.chance(number):
            room.at_wall(name)
    decorate(room, pictures, low)
    names = ON_FLOOR[kind]
    for _ in range(int(room.rng.poisson(clutter_mean))):
        name = names[room.rng.integers(len(names))]
        if room.chance(0.55):
            room.at_wall(name, gap=0.0)
        else:
            room.anywhere(name)


def seats(room: Room, chair: str) -> None:
    """A chair before every desk, pushed in or out."""
    for desk in [thing for thing in room.things if thing.name == "desk"]:
        turn = np.pi + room.rng.normal(0, 0.3)
        room.before(desk, chair, room.rng.uniform(-0.25, 0.15), turn=turn)


def flank(room: Room, thing: Thing, names: tuple[str, ...], chance: float) -> None:
    """Something to the left and right of a thing at a wall, most often the same on both sides."""
    name = names[room.rng.integers(len(names))]
    sketch = build(name, room.rng)
    for side in (-1, 1):
        if room.chance(0.25):
            name = names[room.rng.integers(len(names))]
            sketch = build(name, room.rng)
        if room.chance(chance):
            room.beside(thing, name, side, sketch)


@room(0.28, (3.0, 5.2), (3.2, 5.2))
def bedroom(room: Room) -> None:
    """Beds with night stands, storage and clothes about."""
    room.entrance()
    wall = int(room.rng.integers(4))
    bed = room.at_wall("bed", wall)
    if bed is not None:
        flank(room, bed, ("night_stand", "night_stand", "night_stand", "stand"), 0.9)
        if room.chance(0.4):
            room.over(bed, "picture", 1.3)
        if room.chance(0.4):
            room.before(bed, "floor_mat", -0.6, blocks=False)
    if room.chance(0.15):
        room.at_wall("bed")
    windows(room, chance=0.7)
    some(room, dresser=0.8, wardrobe=0.5, desk=0.35, bookshelf=0.25, armchair=0.4, niche=0.25, bench=0.35)
    some(room, cupboard=0.2, rack=0.1, cot=0.15, ironing_board=0.12, stand=0.2)
    seats(room, str(room.rng.choice(["office_chair", "chair"])))
    if room.chance(0.4):
        room.hang("coat_hooks", 0.7)
    finish(room, "bedroom", 2.8, 6.0)


@room(0.24, (2.4, 4.8), (2.8, 5.5))
def kitchen(room: Room) -> None:
    """Rows of counters with cabinets above, refrigerator and stove, sometimes a table."""
    room.floor_stuff = "tiled floor" if room.chance(0.75) else "floor"
    room.entrance()
    wall = int(room.rng.integers(4))
    built = ["refrigerator", "sink_counter", "stove", "counter"]
    line = room.row([built[i] for i in room.rng.permutation(4)], wall, room.rng.uniform(0.02, 0.3))
    missing = [name for name in built if name not in {thing.name for thing in line}]
    line += room.row([*missing, "counter"], (wall + 1) % 4, 0.68, tuple(line))
    windows(room, 1.15, 0.55)
    for thing in line:
        if thing.name.endswith("counter") and room.chance(0.75):
            room.over(thing, "wall_cabinet", room.rng.uniform(1.4, 1.55))
    some(room, cupboard=0.3, rack=0.25, washing_machine=0.25, stand=0.2)
    table = room.anywhere("dining_table", 0.25, turned=False) if room.chance(0.4) else None
    if table is not None:
        room.around(table, str(room.rng.choice(["chair", "stool"])), 0.6)
    elif room.chance(0.6):
        room.anywhere("island", 0.4, turned=False)
    if room.chance(0.4):
        room.hang("towel_rail", 1.0)
    finish(room, "kitchen", 1.4, 3.0, 1.5)


@room(0.26, (3.6, 6.5), (3.6, 6.0))
def living_room(room: Room) -> None:
    """A sofa with a low table and a television opposite."""
    room.entrance()
    wall = int(room.rng.integers(4))
    sofa = room.at_wall("sofa", wall)
    if sofa is not None:
        if room.chance(0.8):
            room.before(sofa, "floor_mat", -0.1, blocks=False)
        if room.chance(0.8):
            low = str(room.rng.choice(["coffee_table", "coffee_table", "ottoman"]))
            room.before(sofa, low, room.rng.uniform(0.25, 0.5))
        flank(room, sofa, ("side_table", "floor_lamp", "side_table", "large_plant"), 0.6)
        if room.chance(0.5):
            room.over(sofa, "picture", 1.3)
    windows(room, chance=0.8)
    opposite = (wall + 2) % 4
    if room.chance(0.25):
        room.hang("wall_television", 1.0, opposite)
    room.at_wall("fireplace" if room.chance(0.3) else "cupboard", opposite)
    some(room, sofa=0.5, armchair=0.9, bookshelf=0.3, console_table=0.4, rack=0.1, piano=0.2, bench=0.3, stand=0.3)
    finish(room, "living_room", 3.6, 6.0)


@room(0.08, (3.2, 5.5), (3.2, 5.5))
def dining_room(room: Room) -> None:
    """A table with chairs in the middle."""
    room.entrance()
    windows(room, chance=0.85)
    x, y = room.width * room.rng.uniform(0.4, 0.6), room.depth * room.rng.uniform(0.4, 0.6)
    table = room.stand("dining_table", x, y, room.rng.integers(2) * np.pi / 2)
    if table is not None:
        room.around(table, "chair", 0.8)
        if room.chance(0.3):
            room.stand("floor_mat", table.centre[0], table.centre[1], 0.0, blocks=False)
    some(room, cupboard=1.2, bookshelf=0.3, console_table=0.4, wardrobe=0.2, piano=0.15, sofa=0.15)
    finish(room, "dining_room", 2.6, 2.2)


@room(0.1, (2.8, 5.5), (2.8, 5.5))
def office(room: Room) -> None:
    """Desks with screens, shelves and papers."""
    room.entrance()
    windows(room)
    some(room, desk=room.rng.uniform(1, 3))
    seats(room, "office_chair")
    if room.chance(0.3):
        room.hang("whiteboard", 1.0)
    some(room, bookshelf=1.0, cupboard=0.8, rack=0.3, stand=0.5, sofa=0.2)
    if room.chance(0.5):
        room.hang("pinboard", 1.1)
    finish(room, "office", 2.0, 4.5)


@room(0.04, (5.0, 8.5), (5.0, 8.0))
def classroom(room: Room) -> None:
    """Rows of tables and chairs before a board."""
    room.entrance()
    room.hang("whiteboard", 0.95, 0)
    windows(room, chance=1.0)
    desk, chair = build("console_table", room.rng), build("chair", room.rng)
    for y in np.arange(1.9, room.depth - 0.8, 1.55):
        for x in np.arange(1.2, room.width - 0.8, 1.75):
            table = room.settle("school_desk", desk, float(x), float(y), np.pi, 0.0, True)
            for aside in (-0.3, 0.3):
                if table is not None and room.chance(0.8):
                    turn = np.pi + room.rng.normal(0, 0.15)
                    room.before(table, "chair", -0.1, turn=turn, aside=aside, sketch=chair)
    some(room, bookshelf=0.7, cupboard=0.8, desk=0.5, rack=0.4)
    for _ in range(2):
        room.hang("pinboard", 1.2)
    finish(room, "classroom", 2.0, 3.0)


@room(0.09, (1.9, 3.2), (2.2, 3.6))
def bathroom(room: Room) -> None:
    """Wash basin under a mirror, toilet, tub with curtain, towels."""
    room.floor_stuff = "tiled floor"
    room.wall_stuff = "tiled wall" if room.chance(0.45) else "wall"
    room.entrance()
    tub = room.at_wall("bathtub") if room.chance(0.75) else None
    if tub is not None and room.chance(0.4):
        room.before(tub, "shower_curtain", 0.0, aside=room.rng.uniform(-0.4, 0.4), blocks=False)
    sink = room.at_wall("vanity" if room.chance(0.7) else "pedestal_sink")
    room.at_wall("toilet")
    if sink is not None:
        room.over(sink, "mirror", 1.15)
    for chance in (0.8, 0.4):
        if room.chance(chance):
            room.hang("towel_rail", 0.9)
    windows(room, 1.2, 0.35)
    some(room, rack=0.35, cupboard=0.2, stand=0.25, washing_machine=0.12)
    if room.chance(0.6):
        room.anywhere("floor_mat", turned=False)
    finish(room, "bathroom", 0.8, 2.0)


@room(0.03, (4.5, 9.0), (4.5, 8.0))
def bookstore(room: Room) -> None:
    """Shelves along the walls and in rows."""
    room.entrance()
    for wall in range(4):
        room.row(["shop_shelf"] * 4, wall, room.rng.uniform(0.02, 0.8))
    for y in np.arange(1.8, room.depth - 1.4, 1.7):
        for x in np.arange(1.6, room.width - 1.2, 2.5):
            kind = str(room.rng.choice(["shop_shelf", "rack", "console_table"]))
            if room.chance(0.6):
                room.stand(kind, float(x), float(y), room.rng.integers(2) * np.pi)
    finish(room, "bookstore", 1.0, 3.0)


@room(0.04, (3.2, 5.5), (3.2, 5.5))
def playroom(room: Room) -> None:
    """Low furniture and toys everywhere."""
    room.entrance()
    windows(room)
    table = room.anywhere("coffee_table", 0.3)
    if table is not None:
        room.around(table, "stool", 0.4)
    some(room, bookshelf=1.0, rack=0.8, cot=0.5, sofa=0.4, cupboard=0.7, bench=0.5, desk=0.2)
    if room.chance(0.6):
        room.anywhere("floor_mat")
    finish(room, "playroom", 2.4, 7.0)


def lamps(room: Room) -> None:
    """Lamps on the ceiling, more in a large room, and what all lit lamps shed."""
    for x in [0.5] if room.width < 5.5 else [0.27, 0.73]:
        for y in [0.5] if room.depth < 5.5 else [0.27, 0.73]:
            aside = room.rng.uniform(-0.1, 0.1, 2)
            room.ceiling_light(room.width * (x + aside[0]), room.depth * (y + aside[1]))
    room.lamp_lights()


def furnished(rng: Generator) -> Room:
    """A random room of a random kind with all its furniture, clutter and lights."""
    names = list(ROOMS)
    shares = np.array([ROOMS[name][0] for name in names])
    _, width, depth, furnish = ROOMS[names[rng.choice(len(names), p=shares / shares.sum())]]
    room = Room(rng.uniform(*width), rng.uniform(*depth), rng.uniform(2.4, 3.0), rng)
    furnish(room)
    crowd = rng.uniform(0.6, 2.2)
    for thing in list(room.things):
        names_on = ON_TOP.get(SAME_TOP.get(thing.name, thing.name), ON_TOP[""])
        room.fill(thing, names_on, crowd * CROWD.get(thing.name, 1.0))
    lamps(room)
    return room
