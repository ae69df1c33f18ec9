"""The kinds of rooms: what stands in each, with how likely each is among all images."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.random import Generator

from mtinet.data.scenes import clutter, fixtures, furniture, hangings
from mtinet.data.scenes.layout import Light, Room

BUILDERS = (clutter, fixtures, furniture, hangings)  # importing them fills the catalogue
WINDOWS = ("window", "blinds_window", "curtain_window")
Furnish = Callable[[Room], None]
ROOMS: dict[str, tuple[float, tuple[float, float], tuple[float, float], Furnish]] = {}

ON_TOP: dict[str, tuple[str, ...]] = {
    # what may stand on which kind of furniture; anything else gets the last entry
    "desk": (
        "monitor",
        "monitor",
        "laptop",
        "sheets",
        "sheets",
        "book_pile",
        "table_lamp",
        "cup",
        "carton",
        "bottle",
    ),
    "bed": ("laundry", "bag", "cushion", "book_pile", "folded_towels", "sheets"),
    "sofa": ("laundry", "bag", "book_pile", "sheets"),
    "night_stand": ("table_lamp", "table_lamp", "book_pile", "cup", "bottle", "sheets"),
    "dresser": (
        "table_lamp",
        "book_pile",
        "carton",
        "bottle",
        "television",
        "plant",
        "bag",
        "laundry",
        "books_upright",
    ),
    "cupboard": ("television", "television", "plant", "table_lamp", "book_pile", "carton", "bottle"),
    "side_table": ("table_lamp", "table_lamp", "plant", "book_pile"),
    "console_table": ("table_lamp", "plant", "book_pile", "carton", "television"),
    "dining_table": ("cup", "cup", "bottle", "sheets", "plant", "book_pile", "laptop", "bag"),
    "coffee_table": ("book_pile", "cup", "sheets", "plant", "bottle", "carton"),
    "counter": ("bottle", "bottle", "cup", "cup", "appliance", "carton", "sheets", "folded_towels", "plant"),
    "rack": ("carton", "carton", "folded_towels", "bottle", "book_pile", "appliance", "bag", "laundry"),
    "bookshelf": ("books_upright", "carton", "bottle", "plant", "book_pile"),
    "vanity": ("bottle", "bottle", "cup", "folded_towels"),
    "": ("book_pile", "bottle", "cup", "plant", "carton", "sheets"),
}
SAME_TOP = {  # the same things as on another kind
    "sink_counter": "counter",
    "island": "counter",
    "stove": "counter",
    "shop_shelf": "bookshelf",
    "wall_shelf": "bookshelf",
}
ON_WALLS = (  # what hangs in any room: kind, height of its lower edge in metres, chance
    ("clock", 1.8, 0.25),
    ("notices", 1.2, 0.2),
    ("wall_shelf", 1.3, 0.25),
    ("vent", 2.1, 0.15),
    ("vent", 0.15, 0.1),
    ("mirror", 1.0, 0.2),
)


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
        inward = thing.place[:, :3] @ np.array([0.0, 0.45, 0.6])
        strength = thing.sketch.parts[0].material.glow * room.rng.uniform(0.6, 1.6)
        room.lights.append(Light(thing.place[:, 3] + inward, strength * np.array([0.85, 0.95, 1.1]), 0.3))


def some(room: Room, **numbers: float) -> None:
    """Furniture at the walls, by the expected number of each kind; what finds no place is left out."""
    for name, number in numbers.items():
        for _ in range(int(number) + room.chance(number % 1)):
            room.at_wall(name)


def decorate(room: Room, pictures: float, low: float = 1.3) -> None:
    """Pictures and other things on the walls."""
    for _ in range(int(room.rng.poisson(pictures))):
        room.hang("picture", low + room.rng.uniform(0.0, 0.3))
    for name, height, chance in ON_WALLS:
        if room.chance(chance):
            room.hang(name, height)


def scatter(room: Room, names: tuple[str, ...], mean: float) -> None:
    """Things lying or standing about on the floor."""
    for _ in range(int(room.rng.poisson(mean))):
        room.anywhere(names[room.rng.integers(len(names))])


def seats(room: Room, chair: str) -> None:
    """A chair before every desk, pushed in or out."""
    for desk in [thing for thing in room.things if thing.name == "desk"]:
        turn = np.pi + room.rng.normal(0, 0.3)
        room.before(desk, chair, room.rng.uniform(-0.25, 0.15), turn=turn)


@room(0.27, (3.0, 6.0), (3.2, 6.0))
def bedroom(room: Room) -> None:
    """A bed with night stands, storage and clothes about."""
    room.entrance()
    windows(room)
    bed = room.at_wall("bed")
    if bed is not None:
        for side in (-1, 1):
            if room.chance(0.75):
                room.beside(bed, "night_stand", side)
        if room.chance(0.5):
            room.before(bed, "floor_mat", -0.6, blocks=False)
    some(room, dresser=0.75, wardrobe=0.55, desk=0.35, bookshelf=0.35, armchair=0.3)
    some(room, cupboard=0.25, radiator=0.4, column=0.3, rack=0.2)
    seats(room, str(room.rng.choice(["office_chair", "chair"])))
    if room.chance(0.6):
        room.hang("coat_hooks", 0.7)
    decorate(room, 1.8)
    scatter(room, ("laundry", "laundry", "bag", "carton", "waste_bin", "book_pile", "floor_lamp", "cushion"), 2.5)


@room(0.2, (2.4, 5.5), (2.8, 6.5))
def kitchen(room: Room) -> None:
    """Counters with cabinets above, refrigerator and stove, sometimes a table."""
    room.entrance()
    wall = int(room.rng.integers(4))
    room.at_wall("sink_counter", wall, gap=0.0)
    room.at_wall("refrigerator", wall if room.chance(0.6) else None, gap=0.0)
    some(room, stove=0.85, counter=1.2, cupboard=0.3, rack=0.15)
    for _ in range(3):
        room.hang("wall_cabinet", 1.5, wall if room.chance(0.6) else None, spread=0.03)
    windows(room, 1.1, 0.6)
    table = room.anywhere("dining_table", 0.25, turned=False) if room.chance(0.4) else None
    if table is not None:
        room.around(table, str(room.rng.choice(["chair", "stool"])), 0.6)
    elif room.chance(0.35):
        room.anywhere("island", 0.4, turned=False)
    decorate(room, 0.5, 1.5)
    if room.chance(0.5):
        room.hang("towel_rail", 1.0)
    scatter(room, ("waste_bin", "carton", "bag", "floor_mat", "stool"), 1.5)


@room(0.2, (3.6, 8.0), (3.6, 7.0))
def living_room(room: Room) -> None:
    """A sofa with a low table and a television opposite."""
    room.entrance()
    windows(room, chance=0.85)
    wall = int(room.rng.integers(4))
    sofa = room.at_wall("sofa", wall)
    if sofa is not None:
        if room.chance(0.6):
            room.before(sofa, "floor_mat", -0.1, blocks=False)
        if room.chance(0.8):
            low = str(room.rng.choice(["coffee_table", "coffee_table", "ottoman"]))
            room.before(sofa, low, room.rng.uniform(0.25, 0.5))
        for side in (-1, 1):
            if room.chance(0.5):
                room.beside(sofa, str(room.rng.choice(["side_table", "floor_lamp"])), side)
    opposite = (wall + 2) % 4
    if room.chance(0.3):
        room.hang("wall_television", 1.0, opposite)
    room.at_wall("fireplace" if room.chance(0.25) else "cupboard", opposite)
    some(room, sofa=0.35, armchair=0.8, bookshelf=0.45, console_table=0.3, rack=0.2, piano=0.12)
    some(room, column=0.4, radiator=0.4)
    if room.chance(0.25):
        room.hang("coat_hooks", 0.7)
    decorate(room, 2.2)
    scatter(room, ("plant", "bag", "carton", "floor_lamp", "cushion", "book_pile", "standing_person"), 1.8)


@room(0.1, (3.2, 7.0), (3.2, 6.5))
def dining_room(room: Room) -> None:
    """A table with chairs in the middle."""
    room.entrance()
    windows(room, chance=0.85)
    x, y = room.width * room.rng.uniform(0.4, 0.6), room.depth * room.rng.uniform(0.4, 0.6)
    table = room.stand("dining_table", x, y, room.rng.integers(2) * np.pi / 2)
    if table is not None:
        room.around(table, "chair", 0.75)
        if room.chance(0.35):
            room.stand("floor_mat", table.centre[0], table.centre[1], 0.0, blocks=False)
    some(room, cupboard=1.0, bookshelf=0.25, console_table=0.3, wardrobe=0.2, piano=0.1)
    decorate(room, 2.0)
    scatter(room, ("plant", "carton", "bag", "standing_person", "floor_lamp"), 1.2)


@room(0.1, (2.8, 7.0), (2.8, 7.0))
def office(room: Room) -> None:
    """Desks with screens, shelves and papers."""
    room.entrance()
    windows(room)
    some(room, desk=room.rng.uniform(1, 3))
    seats(room, "office_chair")
    if room.chance(0.6):
        room.hang("whiteboard", 1.0)
    some(room, bookshelf=1.1, cupboard=0.6, rack=0.3, column=0.4, radiator=0.3)
    for _ in range(2):
        room.hang("notices", 1.2)
    decorate(room, 0.8)
    scatter(room, ("waste_bin", "carton", "carton", "bag", "office_chair", "standing_person"), 2.2)


@room(0.06, (5.0, 10.0), (5.0, 9.0))
def classroom(room: Room) -> None:
    """Rows of tables and chairs before a board."""
    room.entrance()
    room.hang("whiteboard", 0.95, 0)
    windows(room, chance=1.0)
    for y in np.arange(1.9, room.depth - 0.8, 1.55):
        for x in np.arange(1.2, room.width - 0.8, 1.75):
            table = room.stand("console_table", float(x), float(y), np.pi, gap=0.0)
            for aside in (-0.3, 0.3):
                if table is not None and room.chance(0.8):
                    room.before(table, "chair", -0.1, turn=np.pi + room.rng.normal(0, 0.15), aside=aside)
    some(room, bookshelf=0.5, cupboard=0.6, desk=0.5, rack=0.4)
    for _ in range(2):
        room.hang("notices", 1.3)
    decorate(room, 1.0)
    scatter(room, ("bag", "standing_person", "waste_bin"), 2.0)


@room(0.12, (1.9, 3.4), (2.2, 3.8))
def bathroom(room: Room) -> None:
    """Wash basin under a mirror, toilet, tub with curtain, towels."""
    room.entrance()
    tub = room.at_wall("bathtub") if room.chance(0.85) else None
    if tub is not None and room.chance(0.8):
        room.before(tub, "shower_curtain", -0.08, aside=room.rng.uniform(-0.3, 0.3), blocks=False)
    sink = room.at_wall("vanity" if room.chance(0.65) else "pedestal_sink")
    room.at_wall("toilet")
    if sink is not None:
        yaw = float(np.arctan2(sink.place[1, 0], sink.place[0, 0]))
        room.hang("mirror", 1.15, round(yaw / (np.pi / 2)) % 4, spread=0.02)
    for chance in (0.8, 0.4):
        if room.chance(chance):
            room.hang("towel_rail", 0.9)
    windows(room, 1.2, 0.35)
    some(room, rack=0.3, cupboard=0.2, radiator=0.3)
    if room.chance(0.6):
        room.anywhere("floor_mat", turned=False)
    decorate(room, 0.4)
    scatter(room, ("waste_bin", "laundry", "bag"), 1.0)


@room(0.05, (4.5, 10.0), (4.5, 9.0))
def bookstore(room: Room) -> None:
    """Shelves along the walls and in rows."""
    room.entrance()
    for _ in range(9):
        room.at_wall("shop_shelf", gap=0.0)
    for y in np.arange(1.8, room.depth - 1.4, 1.7):
        for x in np.arange(1.6, room.width - 1.2, 2.5):
            kind = str(room.rng.choice(["shop_shelf", "rack", "console_table"]))
            if room.chance(0.6):
                room.stand(kind, float(x), float(y), room.rng.integers(2) * np.pi)
    decorate(room, 1.0)
    scatter(room, ("standing_person", "carton", "bag", "plant", "standing_person"), 2.5)


def lamps(room: Room) -> None:
    """Lamps on the ceiling, more in a large room."""
    for x in [0.5] if room.width < 5.5 else [0.27, 0.73]:
        for y in [0.5] if room.depth < 5.5 else [0.27, 0.73]:
            aside = room.rng.uniform(-0.1, 0.1, 2)
            room.ceiling_light(room.width * (x + aside[0]), room.depth * (y + aside[1]))


def furnished(rng: Generator) -> Room:
    """A random room of a random kind with all its furniture, clutter and lights."""
    names = list(ROOMS)
    shares = np.array([ROOMS[name][0] for name in names])
    _, width, depth, furnish = ROOMS[names[rng.choice(len(names), p=shares / shares.sum())]]
    room = Room(rng.uniform(*width), rng.uniform(*depth), rng.uniform(2.4, 3.0), rng)
    furnish(room)
    crowd = rng.uniform(0.4, 1.6)
    for thing in list(room.things):
        names_on = ON_TOP.get(SAME_TOP.get(thing.name, thing.name), ON_TOP[""])
        room.fill(thing, names_on, crowd * (0.35 if thing.name in ("bed", "sofa", "armchair") else 1.0))
    lamps(room)
    return room
