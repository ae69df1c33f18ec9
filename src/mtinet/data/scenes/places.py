"""Where pictures are taken: streets, meadows, yards, beaches, water, railways, airfields, open sky, rooms.

The camera stands near the origin and looks along +y; the subject is at (0, distance). A place keeps the
strip in front of the subject free, and fills what lies behind it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.random import Generator

from mtinet.data.scenes import clutter, fixtures, furniture, hangings, scenery
from mtinet.data.scenes.catalogue import build
from mtinet.data.scenes.daylight import Lamp, Light, daylight
from mtinet.data.scenes.geometry import placed
from mtinet.data.scenes.materials import Material
from mtinet.data.scenes.modelling import Model, from_sketch
from mtinet.data.scenes.paints import paint
from mtinet.data.scenes.surfaces import cover
from mtinet.data.scenes.things import recoloured

BUILDERS = (clutter, fixtures, furniture, hangings)  # importing them fills the catalogue
WIDE = 350.0  # metres to which the ground reaches
NAMES = {  # the room renderer's classes in PASCAL-Context's words
    "dresser": "cabinet",
    "night stand": "cabinet",
    "bookshelf": "shelves",
    "blinds": "window",
    "books": "book",
}
ALONG_WALL = (
    "dresser",
    "wardrobe",
    "cupboard",
    "bookshelf",
    "bookshelf",
    "rack",
    "door",
    "bed",
    "wardrobe",
    "night_stand",
)
ON_WALL = (
    ("picture", 1.3),
    ("picture", 1.4),
    ("window", 0.9),
    ("blinds_window", 0.9),
    ("curtain_window", 0.2),
    ("picture", 1.2),
)


@dataclass
class Place:
    """A place being built. `distance` metres to the subject, which needs `clear` metres around it.

    `turn` (radians, about the subject) sets the place's axes; in these, what closes the view is at y = `back` and
    x = `sides`, and a road lies within y = `road`.
    """

    rng: Generator
    distance: float
    clear: float
    turn: float = 0.0
    back: float = np.inf
    sides: tuple[float, float] = (-np.inf, np.inf)
    road: tuple[float, float] | None = None
    models: list[Model] = field(default_factory=list)
    light: Light | None = None

    def add(self, model: Model, x: float = 0.0, y: float = 0.0, z: float = 0.0, yaw: float = 0.0) -> None:
        """Stand a model at (x, y) from the subject, in the place's own turned axes."""
        c, s = np.cos(self.turn), np.sin(self.turn)
        self.models.append(model.moved(placed(c * x - s * y, self.distance + s * x + c * y, z, yaw + self.turn)))

    def chance(self, share: float) -> bool:
        """True with the given probability."""
        return bool(self.rng.random() < share)

    def far(self, low: float, high: float) -> float:
        """A distance behind the subject, drawn evenly in its logarithm."""
        return self.clear + float(np.exp(self.rng.uniform(np.log(low), np.log(high))))


def ground(place: Place, label: str, kind: str, period: float) -> None:
    """The whole ground in one cover."""
    place.add(scenery.plane(label, (-WIDE, WIDE), (-WIDE, WIDE), 0.0, cover(kind, place.rng, period)))


def strip(place: Place, label: str, y: tuple[float, float], z: float, material: Material) -> None:
    """A band across the view."""
    place.add(scenery.plane(label, (-WIDE, WIDE), y, z, material))


def growth(place: Place, trees: float, low: float = 6.0, high: float = 70.0) -> None:
    """Trees and bushes behind the subject, and sometimes a wood that closes the view."""
    for _ in range(int(place.rng.poisson(trees))):
        y = place.far(low, high)
        x = place.rng.uniform(-0.75, 0.75) * (y + place.distance)
        if place.chance(0.3):
            place.add(scenery.bush(place.rng, place.rng.uniform(0.6, 2.0)), x, y)
        else:
            place.add(scenery.tree(place.rng, place.rng.uniform(4, 13)), x, y)
    if place.chance(0.3):
        y, count = place.far(20, 90), int(place.rng.integers(9, 18))
        kind = scenery.tree(place.rng, place.rng.uniform(7, 14))
        for x in np.linspace(-0.9, 0.9, count) * (y + place.distance):
            place.add(
                kind.moved(np.c_[np.eye(3) * place.rng.uniform(0.75, 1.25), np.zeros(3)]),
                x + place.rng.normal(0, 2),
                y + place.rng.normal(0, 3),
            )


def horizon(place: Place, chance: float) -> None:
    """Mountains."""
    if place.chance(chance):
        far = place.rng.uniform(150, 320)
        place.add(scenery.mountains(place.rng, far, far * place.rng.uniform(0.06, 0.4)))


def houses(place: Place, y: float, chance: float = 0.85) -> None:
    """A row of houses at y, with gaps."""
    x, end = -0.8 * (y + place.distance) - 8, 0.8 * (y + place.distance) + 8
    while x < end:
        wide = place.rng.uniform(7, 18)
        if place.chance(chance):
            house = scenery.building(place.rng, wide, place.rng.uniform(7, 12), place.rng.uniform(3.5, 14))
            place.add(house, x + wide / 2, y + place.rng.uniform(0, 1.5))
        x += wide + (0.0 if place.chance(0.6) else place.rng.uniform(1, 6))


def street(place: Place) -> None:
    """A road with pavements, houses, trees and posts."""
    rng = place.rng
    place.light = daylight(rng)
    ground(place, "ground", "paving", 1.0)
    near, behind = -rng.uniform(1.0, 5.0) - place.clear, place.clear + rng.uniform(0.4, 4.0)
    place.road, place.back = (near, behind), behind + 1.5
    strip(place, "road", (near, behind), 0.01, cover("road", rng, 0.6))
    if place.chance(0.6):
        paint_line = Material("stripes" if place.chance(0.5) else "plain", (0.75, 0.75, 0.7), (0.2, 0.2, 0.2), 4.0)
        middle = rng.uniform(near, behind)
        strip(place, "road", (middle, middle + 0.15), 0.015, paint_line)
    width = rng.uniform(1.5, 4.0)
    walk = Model("sidewalk")
    walk.box([-WIDE, behind, 0], [WIDE, behind + width, 0.14], cover("paving", rng, 0.5))
    place.add(walk)
    if place.chance(0.75):
        houses(place, behind + width + rng.uniform(0, 6))
    else:
        place.add(scenery.fence(rng, 40.0), 0, behind + width)
        growth(place, 8, behind + width + 3)
    for _ in range(int(rng.poisson(1.6))):
        standing = scenery.post(rng) if place.chance(0.5) else scenery.tree(rng, rng.uniform(3.5, 8))
        place.add(standing, rng.uniform(-0.6, 0.6) * (place.distance + behind), behind + width * 0.5, 0.14)


def meadow(place: Place) -> None:
    """Grass, sometimes snow or bare earth, with trees, fences, hills and a farm."""
    rng = place.rng
    place.light = daylight(rng)
    label, kind = [("grass", "grass"), ("snow", "snow"), ("ground", "earth"), ("ground", "litter")][
        rng.choice(4, p=[0.72, 0.08, 0.1, 0.1])
    ]
    ground(place, label, kind, rng.uniform(0.3, 1.5))
    if place.chance(0.35):
        y = rng.uniform(-2, 3) + (place.clear if place.chance(0.5) else 0)
        strip(place, "ground", (y, y + rng.uniform(0.8, 4)), 0.005, cover("earth", rng, 0.4))
    if place.chance(0.45):
        place.back = place.clear + rng.uniform(0.4, 12.0)
        place.add(scenery.fence(rng, 60.0), 0, place.back)
    growth(place, 5)
    horizon(place, 0.5)
    if place.chance(0.25):
        houses(place, place.far(15, 60), 0.35)
    for _ in range(int(rng.poisson(0.8))):
        place.add(scenery.rock(rng), rng.uniform(-3, 3), place.clear + rng.uniform(0, 5))


def yard(place: Place) -> None:
    """Paving or grass before a wall, a house front or a fence close behind."""
    rng = place.rng
    place.light = daylight(rng)
    kind = [("ground", "paving"), ("sidewalk", "paving"), ("grass", "grass"), ("ground", "earth")][rng.integers(4)]
    ground(place, *kind, rng.uniform(0.2, 0.8))
    y, choice = place.clear + rng.uniform(0.3, 3.0), rng.random()
    place.back = y
    if choice < 0.4:
        wall = Model("wall")
        wall.box([-60, y, 0], [60, y + 0.3, rng.uniform(1.6, 4.0)], paint(rng, "wall"))
        place.add(wall)
        growth(place, 3, y + 1)
    elif choice < 0.75:
        house = scenery.building(rng, rng.uniform(10, 30), 8.0, rng.uniform(3.2, 9))
        place.add(house, rng.uniform(-4, 4), y)
        growth(place, 2, y + 10)
    else:
        place.add(scenery.fence(rng, 50.0), 0, y)
        growth(place, 6, y + 1)
    for _ in range(int(rng.poisson(1.5))):
        place.add(scenery.bush(rng, rng.uniform(0.4, 1.2)), rng.uniform(-4, 4), y - 0.4)


def beach(place: Place) -> None:
    """Sand, then water to the horizon or to the other shore."""
    rng = place.rng
    place.light = daylight(rng)
    ground(place, "water", "water", rng.uniform(0.5, 2.0))
    shore = scenery.plane(
        "sand", (-WIDE, WIDE), (-WIDE, place.clear + rng.uniform(0, 6)), 0.02, cover("sand", rng, 0.5)
    )
    place.add(shore)
    for _ in range(int(rng.poisson(1.0))):
        place.add(scenery.rock(rng), rng.uniform(-4, 4), place.clear + rng.uniform(0, 8))
    horizon(place, 0.5)


def water(place: Place) -> None:
    """Open water, a wooded or built-up far shore, mountains."""
    rng = place.rng
    place.light = daylight(rng)
    ground(place, "water", "water", rng.uniform(0.6, 3.0))
    if place.chance(0.6):
        y = place.far(15, 80)
        bank = Model("grass" if place.chance(0.6) else "ground")
        bank.box([-WIDE, y, 0], [WIDE, y + 60, rng.uniform(0.3, 1.5)], cover("grass", rng, 2.0))
        place.add(bank)
        growth(place, 10, y + 2, y + 30)
        if place.chance(0.4):
            houses(place, y + 5, 0.6)
    horizon(place, 0.55)


def railway(place: Place) -> None:
    """Tracks on ballast, a platform, trees or houses behind."""
    rng = place.rng
    place.light = daylight(rng)
    ground(place, "ground" if place.chance(0.5) else "grass", "earth" if place.chance(0.5) else "grass", 0.8)
    stones, sleepers, steel = cover("rock", rng, 0.15), paint(rng, "furniture"), paint(rng, "metal")
    for x in (0.0, 4.2) if place.chance(0.5) else (0.0,):
        track = scenery.plane("track", (x - 1.7, x + 1.7), (-60, 200), 0.03, stones)
        for y in np.arange(-25, 60, 0.75):
            track.box([x - 1.25, y, 0.03], [x + 1.25, y + 0.24, 0.1], sleepers)
        for side in (-0.72, 0.72):
            track.box([x + side - 0.04, -60, 0.05], [x + side + 0.04, 200, 0.2], steel)
        place.add(track)
    if place.chance(0.6):
        platform, side = Model("platform"), 1 if place.chance(0.5) else -1
        low, high = sorted((side * 1.75 if side < 0 else 6.2, side * 6.0 if side < 0 else 11.0))
        platform.box([low, -60, 0], [high, 120, 0.8], cover("paving", rng, 0.6))
        place.add(platform)
    for _ in range(5):
        side = 1 if place.chance(0.5) else -1
        place.add(scenery.tree(rng, rng.uniform(4, 10)), side * rng.uniform(13, 25), rng.uniform(-5, 60))
    if place.chance(0.5):
        place.add(
            scenery.building(rng, 20, 10, rng.uniform(4, 12)),
            rng.uniform(-4, 4) - 22,
            rng.uniform(5, 30),
            yaw=np.pi / 2,
        )
    place.turn = 0.0  # what lies far away fills the view, wherever the track goes
    growth(place, 6, 60, 110)
    horizon(place, 0.4)


def airfield(place: Place) -> None:
    """A runway in grass, far trees and halls."""
    rng = place.rng
    place.light = daylight(rng)
    ground(place, "grass", "grass", 1.5)
    strip(
        place,
        "runway",
        (-rng.uniform(8, 40) - place.clear, place.clear + rng.uniform(2, 15)),
        0.02,
        cover("road", rng, 2.0),
    )
    if place.chance(0.6):
        houses(place, place.far(30, 120), 0.4)
    growth(place, 4, 50, 120)
    horizon(place, 0.4)


def air(place: Place) -> None:
    """Nothing but sky, the ground far below."""
    place.light = daylight(place.rng)
    ground(place, "grass", "grass", 3.0)
    growth(place, 5, 20, 80)


def indoors(place: Place) -> None:
    """A room with furniture along the wall, pictures, windows and lamps."""
    rng = place.rng
    back, high = place.clear + rng.uniform(0.15, 1.8), max(rng.uniform(2.4, 3.0), 0.25 * place.distance)
    reach = place.distance + 1.5
    left, right = (abs(np.sin(place.turn)) * reach + rng.uniform(1.2, 3.5) + 0.25 * place.distance for _ in range(2))
    place.back, place.sides = back - 0.5, (-left, right)
    floor, wall = paint(rng, "floor"), paint(rng, "wall")
    place.add(scenery.plane("floor", (-left, right), (-reach, back), 0.0, floor))
    place.add(scenery.plane("ceiling", (-left, right), (-reach, back), high, paint(rng, "ceiling")))
    walls = Model("wall")
    walls.box([-left, back, 0], [right, back + 0.1, high], wall)
    for x in (-left - 0.1, right):
        walls.box([x, -reach, 0], [x + 0.1, back, high], wall)
    walls.box([-left, -reach - 0.1, 0], [right, -reach, high], wall)
    place.add(walls)
    along_wall(place, -left, right, back, high)
    if place.chance(0.3):
        rug = scenery.plane("rug", (-1.3, 1.3), (-0.9, 0.9), 0.006, paint(rng, "textile"))
        place.add(rug, rng.uniform(-0.5, 0.5), rng.uniform(-0.5, 0.3))
    place.light = lamps(place, left, right, back, high)


def along_wall(place: Place, left: float, right: float, back: float, high: float) -> None:
    """Furniture side by side at the far wall, pictures and windows above the gaps."""
    rng, x = place.rng, left + place.rng.uniform(0.1, 0.8)
    while x < right - 0.5:
        if place.chance(0.5):
            name, z = ALONG_WALL[rng.integers(len(ALONG_WALL))], 0.0
        else:
            name, z = ON_WALL[rng.integers(len(ON_WALL))]
        models = from_sketch(recoloured(build(name, rng), rng), NAMES)
        low = np.min([model.bounds()[0] for model in models], axis=0)
        size = np.max([model.bounds()[1] for model in models], axis=0) - low
        if x + size[0] > right - 0.1:
            break
        if size[2] + z < high and size[1] < place.clear + 3.0:
            for model in models:
                place.add(model, x + size[0] / 2, back - size[1] / 2 - 0.02, z, np.pi)
        x += size[0] + rng.uniform(0.05, 1.2)


def lamps(place: Place, left: float, right: float, back: float, high: float) -> Light:
    """One or two lamps below the ceiling, one near the camera, and light from all around."""
    rng = place.rng
    scale = max(1.0, (place.distance / 2.5) ** 2)
    sources = []
    for _ in range(int(rng.integers(1, 3))):
        x, y = rng.uniform(-0.8 * left, 0.8 * right), rng.uniform(-0.7 * place.distance, back - 0.4)
        c, s = np.cos(place.turn), np.sin(place.turn)
        spot = np.array([c * x - s * y, place.distance + s * x + c * y, high - rng.uniform(0.15, 0.6)])
        sources.append(
            Lamp(spot, scale * rng.uniform(0.7, 2.0) * np.array([1.0, 0.9, 0.75]) ** rng.uniform(0, 1.3), 0.15)
        )
    flash = Lamp(np.array([rng.normal(0, 0.4), 0.0, 1.6]), np.full(3, scale * rng.uniform(0.1, 0.8)), 0.05)
    return Light((*sources, flash), rng.uniform(0.12, 0.3) * np.clip(1 + 0.1 * rng.standard_normal(3), 0.7, 1.3), None)


PLACES: dict[str, Callable[[Place], None]] = {
    function.__name__: function
    for function in (street, meadow, yard, beach, water, railway, airfield, air, indoors)
}  # fmt: skip


TURNS = {"street": 0.7, "meadow": 0.4, "yard": 0.5, "beach": 0.3, "water": 0.3, "railway": 1.1, "airfield": 0.4,
         "air": 0.0, "indoors": 0.45}  # fmt: skip


def built(kind: str, rng: Generator, distance: float, clear: float, turn: float) -> Place:
    """A place of one of PLACES."""
    place = Place(rng, distance, clear, turn)
    PLACES[kind](place)
    place.turn = turn
    return place
