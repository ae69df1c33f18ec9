"""Placing objects in a room without collisions: on the floor, at and on walls, around and on furniture."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.random import Generator

from mtinet.data.scenes.catalogue import build
from mtinet.data.scenes.geometry import Array, Assembly, Sketch, Support, placed
from mtinet.data.scenes.materials import glowing, made_of

Rectangle = tuple[float, float, float, float]
WALLS = 4
TRIES = 14
# What is built of one kind of wood in a row, and how many materials it shares: body, handles, then top.
BUILT_IN = {"counter": 3, "sink_counter": 3, "wall_cabinet": 2, "shop_shelf": 1}


def overlap(first: Rectangle, second: Rectangle, gap: float = 0.0) -> bool:
    """Whether two rectangles (low, low, high, high) come closer than `gap`."""
    return (first[0] < second[2] + gap and second[0] < first[2] + gap
            and first[1] < second[3] + gap and second[1] < first[3] + gap)  # fmt: skip


@dataclass
class Thing:
    """A placed object: where it is, its footprint on the ground and its height range."""

    name: str
    sketch: Sketch
    place: Array
    footprint: Rectangle
    low: float
    high: float

    @property
    def centre(self) -> Array:
        """The middle of its bounding box [3]."""
        x0, y0, x1, y1 = self.footprint
        return np.array([(x0 + x1) / 2, (y0 + y1) / 2, (self.low + self.high) / 2])

    @property
    def extent(self) -> float:
        """How large it looks: the root of half the surface of its bounding box, metres."""
        x0, y0, x1, y1 = self.footprint
        across, along, up = x1 - x0, y1 - y0, self.high - self.low
        return float(np.sqrt(across * along + along * up + up * across))


@dataclass
class Light:
    """A small source: position [3], colour times strength [3], its radius (metres) softens shadows."""

    position: Array
    power: Array
    radius: float = 0.1


@dataclass
class Room:
    """A rectangular room [0, width] x [0, depth] x [0, height] that is being furnished.

    Walls are numbered counter-clockwise from y = 0; `taken` holds the occupied rectangles
    (along, z, along, z) of each; the stuffs say what walls and floor are made of.
    """

    width: float
    depth: float
    height: float
    rng: Generator
    wall_stuff: str = "wall"
    floor_stuff: str = "floor"
    things: list[Thing] = field(default_factory=list)
    lights: list[Light] = field(default_factory=list)
    floor: list[Rectangle] = field(default_factory=list)
    taken: list[list[Rectangle]] = field(default_factory=lambda: [[] for _ in range(WALLS)])

    def chance(self, probability: float) -> bool:
        """True with the given probability."""
        return bool(self.rng.random() < probability)

    def wall(self, number: int, along: float, z: float, out: float) -> Array:
        """The place of an object on wall `number`, its back to the wall at a distance `out`."""
        x, y, yaw = [
            (along, out, 0.0),
            (self.width - out, along, np.pi / 2),
            (along, self.depth - out, np.pi),
            (out, along, -np.pi / 2),
        ][number]
        return placed(x, y, z, yaw)

    def length(self, number: int) -> float:
        """Length of a wall in metres."""
        return self.width if number % 2 == 0 else self.depth

    def thing(self, name: str, sketch: Sketch, place: Array) -> Thing:
        """The object with the bounding box that it has at `place`."""
        low, high = sketch.bounds()
        corners = np.array([[x, y, 0.0] for x in (low[0], high[0]) for y in (low[1], high[1])])
        points = corners @ place[:, :3].T + place[:, 3]
        footprint = (points[:, 0].min(), points[:, 1].min(), points[:, 0].max(), points[:, 1].max())
        return Thing(name, sketch, place, footprint, low[2] + place[2, 3], high[2] + place[2, 3])

    def inside(self, box: Rectangle) -> bool:
        """Whether a footprint lies within the room."""
        return box[0] > -0.02 and box[1] > -0.02 and box[2] < self.width + 0.02 and box[3] < self.depth + 0.02

    def keep(self, thing: Thing, blocks: bool = True) -> Thing:
        """Put the object into the room."""
        self.things.append(thing)
        if blocks:
            self.floor.append(thing.footprint)
        return thing

    def at_wall(self, name: str, wall: int | None = None, gap: float = 0.03) -> Thing | None:
        """Stand an object on the floor with its back to a wall; None when no free place was found."""
        sketch = build(name, self.rng)
        low, high = sketch.bounds()
        half = max(-low[0], high[0])
        for _ in range(TRIES):
            number = int(self.rng.integers(WALLS)) if wall is None else wall
            if self.length(number) < 2 * half + 0.1:
                continue
            along = self.rng.uniform(half + 0.02, self.length(number) - half - 0.02)
            thing = self.thing(name, sketch, self.wall(number, along, 0.0, self.rng.uniform(0.015, 0.05)))
            rectangle = (along - half, 0.0, along + half, high[2])
            if self.free(thing.footprint, gap) and self.wall_free(number, rectangle):
                self.taken[number].append(rectangle)
                return self.keep(thing)
        return None

    def row(self, names: list[str], wall: int, start: float = 0.02, like: tuple[Thing, ...] = ()) -> list[Thing]:
        """Objects side by side along a wall from `start` metres on, as built-in furniture stands; what fits.

        They match each other and the built-in ones of `like`.
        """
        found: list[Thing] = []
        along = start
        for name in names:
            sketch = self.matching(name, [*like, *found])
            low, high = sketch.bounds()
            middle, along = along - low[0], along + high[0] - low[0] + 0.005
            thing = self.thing(name, sketch, self.wall(wall, float(middle), 0.0, 0.015))
            rectangle = (float(middle + low[0]), 0.0, float(middle + high[0]), high[2])
            if along > self.length(wall) or not self.free(thing.footprint, 0.0) or not self.wall_free(wall, rectangle):
                continue
            self.taken[wall].append(rectangle)
            found.append(self.keep(thing))
        return found

    def matching(self, name: str, others: list[Thing]) -> Sketch:
        """A new object of the wood, top and handles of the built-in ones among `others`."""
        sketch = build(name, self.rng)
        like = next((thing.sketch for thing in others if thing.name in BUILT_IN), None)
        return sketch.dressed_like(like, BUILT_IN[name]) if like is not None and name in BUILT_IN else sketch

    def over(self, thing: Thing, name: str, low: float) -> Thing | None:
        """Hang an object on the wall over `thing`, which stands at it, its origin `low` metres high or above it."""
        sketch = self.matching(name, [thing])
        first, last = sketch.bounds()
        yaw = float(np.arctan2(thing.place[1, 0], thing.place[0, 0]))
        number = round(yaw / (np.pi / 2)) % WALLS
        along, z = float(thing.centre[number % 2]), max(low, thing.high + 0.06 - first[2])
        half = max(-first[0], last[0])
        rectangle = (along - half, z + first[2], along + half, z + last[2])
        inside = along - half > 0.0 and along + half < self.length(number) and z + last[2] < self.height - 0.03
        if not inside or not self.wall_free(number, rectangle):
            return None
        self.taken[number].append(rectangle)
        return self.keep(self.thing(name, sketch, self.wall(number, along, z, 0.0)), blocks=False)

    def hang(self, name: str, low: float, wall: int | None = None, spread: float = 0.1) -> Thing | None:
        """Hang an object on a wall with its origin at about height `low`; None when there is no room."""
        sketch = build(name, self.rng)
        first, last = sketch.bounds()
        half = max(-first[0], last[0])
        for _ in range(TRIES):
            number = int(self.rng.integers(WALLS)) if wall is None else wall
            z = low + self.rng.uniform(-spread, spread) if spread else low
            if self.length(number) < 2 * half + 0.1 or z + last[2] > self.height - 0.05:
                continue
            along = self.rng.uniform(half + 0.05, self.length(number) - half - 0.05)
            rectangle = (along - half, z + first[2], along + half, z + last[2])
            if self.wall_free(number, rectangle, 0.06):
                self.taken[number].append(rectangle)
                return self.keep(self.thing(name, sketch, self.wall(number, along, z, 0.0)), blocks=False)
        return None

    def entrance(self) -> None:
        """A door, with the floor before it kept free."""
        door = self.hang("door", 0.0, spread=0.0)
        if door is not None:
            x0, y0, x1, y1 = door.footprint
            self.floor.append((x0 - 0.3, y0 - 0.5, x1 + 0.3, y1 + 0.5))

    def stand(self, name: str, x: float, y: float, yaw: float, gap: float = 0.03, blocks: bool = True) -> Thing | None:
        """Stand a new object with the middle of its bounding box at (x, y); None when not free."""
        return self.settle(name, build(name, self.rng), x, y, yaw, gap, blocks)

    def settle(
        self, name: str, sketch: Sketch, x: float, y: float, yaw: float, gap: float, blocks: bool
    ) -> Thing | None:
        """Stand an object that is built already, like `stand`."""
        middle = sketch.bounds().mean(axis=0)
        place = placed(x, y, 0.0, yaw)
        place[:, 3] -= place[:, :3] @ np.array([middle[0], middle[1], 0.0])
        thing = self.thing(name, sketch, place)
        if not self.inside(thing.footprint) or (blocks and not self.free(thing.footprint, gap)):
            return None
        return self.keep(thing, blocks)

    def anywhere(self, name: str, gap: float = 0.05, turned: bool = True) -> Thing | None:
        """Stand an object on a free spot of the floor; None when none was found."""
        for _ in range(TRIES):
            x, y = self.rng.uniform(0.2, self.width - 0.2), self.rng.uniform(0.2, self.depth - 0.2)
            yaw = self.rng.uniform(0, 2 * np.pi) if turned else self.rng.integers(4) * np.pi / 2
            found = self.stand(name, x, y, yaw, gap)
            if found is not None:
                return found
        return None

    def free(self, box: Rectangle, gap: float) -> bool:
        """Whether a footprint lies inside the room and clear of everything on the floor."""
        return self.inside(box) and not any(overlap(box, other, gap) for other in self.floor)

    def wall_free(self, number: int, box: Rectangle, gap: float = 0.01) -> bool:
        """Whether a rectangle of a wall is still free."""
        return not any(overlap(box, other, gap) for other in self.taken[number])

    def before(self, thing: Thing, name: str, distance: float, turn: float = 0.0, aside: float = 0.0,
               blocks: bool = True, sketch: Sketch | None = None) -> Thing | None:  # fmt: skip
        """Stand an object `distance` metres before the front of `thing` (below 0: under it), turned.

        `sketch` is the object where it is built already.
        """
        sketch = sketch or build(name, self.rng)
        (low, high), (first, last) = thing.sketch.bounds(), sketch.bounds()
        away = high[1] + distance + (last[1] - first[1]) / 2
        x, y, _ = thing.place[:, :3] @ np.array([(low[0] + high[0]) / 2 + aside, away, 0.0]) + thing.place[:, 3]
        yaw = float(np.arctan2(thing.place[1, 0], thing.place[0, 0])) + turn
        others = list(self.floor)
        if thing.footprint in self.floor:
            self.floor.remove(thing.footprint)
        found = self.settle(name, sketch, float(x), float(y), yaw, 0.0, blocks)
        self.floor = others + ([found.footprint] if found is not None and blocks else [])
        return found

    def beside(self, thing: Thing, name: str, side: int, sketch: Sketch | None = None) -> Thing | None:
        """Stand an object (`sketch`, if built) left (-1) or right (1) of `thing`, its back in line with that one's."""
        sketch = sketch or build(name, self.rng)
        first, last = thing.sketch.bounds()
        low, high = sketch.bounds()
        x = last[0] + 0.05 - low[0] if side > 0 else first[0] - 0.05 - high[0]
        place = thing.place.copy()
        place[:, 3] += place[:, :3] @ np.array([x, 0.0, 0.0])
        placed_thing = self.thing(name, sketch, place)
        return self.keep(placed_thing) if self.free(placed_thing.footprint, 0.0) else None

    def around(self, table: Thing, name: str, share: float) -> None:
        """Equal chairs pushed under a table from all sides, at each possible place with probability `share`."""
        sketch = build(name, self.rng)
        low, high = table.sketch.bounds()
        middle = (low + high) / 2
        self.floor.remove(table.footprint)
        for side in range(4):
            across, reach = (high - low)[side % 2], (high - low)[(side + 1) % 2] / 2
            seats = max(1, int(across // 0.62))
            for seat in range(seats):
                if not self.chance(share):
                    continue
                offset = (seat + 0.5) / seats * across - across / 2
                out = reach + self.rng.uniform(-0.05, 0.25)
                turn = side * np.pi / 2
                c, s = np.cos(turn), np.sin(turn)
                local = middle + np.array([offset * c + out * s, offset * s - out * c, 0.0])
                x, y, _ = table.place[:, :3] @ local + table.place[:, 3]
                yaw = float(np.arctan2(table.place[1, 0], table.place[0, 0])) + turn
                chair = self.settle(name, sketch, float(x), float(y), yaw + self.rng.normal(0, 0.12), -0.02, True)
                if chair is not None and self.chance(0.06):
                    self.keep(self.thing("sitting_person", build("sitting_person", self.rng), chair.place), False)
        self.floor.append(table.footprint)

    def fill(self, thing: Thing, names: tuple[str, ...], crowd: float) -> None:
        """Set things of the given kinds on the supports of `thing`, `crowd` times the usual number."""
        for support in thing.sketch.supports:
            self.fill_support(thing, support, names, crowd)

    def fill_support(self, thing: Thing, support: Support, names: tuple[str, ...], crowd: float) -> None:
        """Set things on one support, each where it neither overhangs nor meets another."""
        used: list[Rectangle] = []
        area = (support.x[1] - support.x[0]) * (support.y[1] - support.y[0])
        for _ in range(min(9, int(self.rng.poisson(16 * area * crowd)))):
            sketch = build(names[self.rng.integers(len(names))], self.rng)
            low, high = sketch.bounds()
            size = high - low
            slack_x, slack_y = support.x[1] - support.x[0] - size[0], support.y[1] - support.y[0] - size[1]
            if slack_x < 0 or slack_y < -0.05 or size[2] > support.headroom:
                continue
            x = support.x[0] + self.rng.uniform(0, slack_x) - low[0]
            y = support.y[0] + self.rng.uniform(0, max(slack_y, 0.0)) - low[1]
            box = (x + low[0], y + low[1], x + high[0], y + high[1])
            if any(overlap(box, other, 0.005) for other in used):
                continue
            used.append(box)
            place = thing.place.copy()
            place[:, 3] += place[:, :3] @ np.array([x, y, support.z + 0.001])
            self.keep(self.thing("clutter", sketch, place), blocks=False)

    def shell(self) -> Sketch:
        """Floor, walls with skirting boards, and ceiling."""
        w, d, h, t = self.width, self.depth, self.height, 0.2
        paint, skirting = made_of(self.wall_stuff, self.rng), made_of("furniture", self.rng)
        accent = made_of("wall", self.rng) if self.chance(0.2) else paint
        skirting = paint if self.chance(0.2) else skirting
        sketch = Sketch("wall")
        sides = [
            ((-t, w + t), (-t, 0.0)),
            ((w, w + t), (-t, d + t)),
            ((-t, w + t), (d, d + t)),
            ((-t, 0.0), (-t, d + t)),
        ]
        special = int(self.rng.integers(WALLS))
        for number, (x, y) in enumerate(sides):
            sketch.box(x, y, (-t, h + t), accent if number == special else paint)
        boards = [
            ((0.0, w), (0.0, 0.014)),
            ((w - 0.014, w), (0.0, d)),
            ((0.0, w), (d - 0.014, d)),
            ((0.0, 0.014), (0.0, d)),
        ]
        for x, y in boards:
            sketch.box(x, y, (0.0, 0.09), skirting)
        sketch.instance("floor").box((-t, w + t), (-t, d + t), (-t, 0.0), made_of(self.floor_stuff, self.rng))
        return sketch.instance("ceiling").box((-t, w + t), (-t, d + t), (h, h + t), made_of("ceiling", self.rng))

    def ceiling_light(self, x: float, y: float) -> None:
        """A lamp on the ceiling, lit most of the time, and the light that it sheds."""
        lit, hang = self.chance(0.7), self.rng.choice([0.0, 0.0, 0.4])
        skin = glowing(self.rng, 1.5) if lit else made_of("ceramic", self.rng)
        sketch, size = Sketch("lamp"), self.rng.uniform(0.25, 0.5)
        if hang:
            sketch.solid("cylinder", (0.02, 0.02, hang), (0.0, 0.0, self.height - hang), made_of("metal", self.rng))
            sketch.solid("cone", (size, size, 0.2), (0.0, 0.0, self.height - hang - 0.2), skin)
        else:
            sketch.solid("cylinder", (size, size, 0.07), (0.0, 0.0, self.height - 0.07), skin)
        self.keep(self.thing("ceiling_light", sketch, placed(x, y, 0.0, 0.0)), blocks=False)
        warm = np.array([1.0, self.rng.uniform(0.8, 1.0), self.rng.uniform(0.55, 1.0)])
        if lit:
            position = np.array([x, y, self.height - hang - 0.3])
            self.lights.append(Light(position, warm * self.rng.uniform(0.7, 1.6), 0.12))

    def lamp_lights(self) -> None:
        """What the lit lamps among the things shed: a warm light just above each shade."""
        for thing in self.things:
            glow = max((part.material.glow for part in thing.sketch.parts), default=0.0)
            if thing.sketch.label == "lamp" and thing.name != "ceiling_light" and glow > 0:
                position = np.array([*thing.centre[:2], thing.high + 0.12])
                self.lights.append(Light(position, glow * np.array([0.75, 0.6, 0.42]), 0.08))

    def assemble(self) -> Assembly:
        """The room and everything in it, ready to become a mesh."""
        assembly = Assembly()
        assembly.add(self.shell(), placed(0.0, 0.0, 0.0, 0.0))
        for thing in self.things:
            assembly.add(thing.sketch, thing.place)
        return assembly
