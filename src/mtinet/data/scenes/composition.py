"""Scenes of the PASCAL-like set: who is in the picture, where, in front of what, and how the camera frames them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from mtinet.data.scenes import casting, places, scenery
from mtinet.data.scenes.camera import looking
from mtinet.data.scenes.casting import Group
from mtinet.data.scenes.context_classes import VOC
from mtinet.data.scenes.daylight import Light
from mtinet.data.scenes.geometry import Array, placed
from mtinet.data.scenes.modelling import Model, joined
from mtinet.data.scenes.tracing import Tracer

SIDES = ((375, 500), (333, 500), (500, 375), (500, 333), (500, 500), (281, 500), (400, 500))
SIDE_SHARES = (0.5, 0.2, 0.12, 0.06, 0.03, 0.04, 0.05)
SHARES: dict[str, float] = {  # of the pictures, by what they are about
    "person": 0.165, "aeroplane": 0.062, "bicycle": 0.03, "bird": 0.052, "boat": 0.054, "bottle": 0.025,
    "bus": 0.055, "car": 0.06, "cat": 0.09, "chair": 0.028, "cow": 0.042, "table": 0.016, "dog": 0.066,
    "horse": 0.034, "motorbike": 0.031, "pottedplant": 0.043, "sheep": 0.026, "sofa": 0.053, "train": 0.06,
    "tvmonitor": 0.04,
}  # fmt: skip
SETTINGS: dict[str, tuple[tuple[str, float], ...]] = {  # where each class is seen, and how often
    "person": (("street", 3), ("meadow", 3), ("yard", 3), ("indoors", 5), ("beach", 1.5), ("railway", 0.5)),
    "aeroplane": (("airfield", 5), ("air", 4)),
    "bicycle": (("street", 4), ("yard", 3), ("meadow", 2), ("beach", 0.5)),
    "bird": (("meadow", 3), ("water", 2), ("beach", 2), ("air", 2), ("yard", 2)),
    "boat": (("water", 6), ("beach", 1)),
    "bottle": (("indoors", 6), ("yard", 1)),
    "bus": (("street", 5), ("yard", 1)),
    "car": (("street", 5), ("meadow", 2), ("yard", 2), ("beach", 0.5)),
    "cat": (("indoors", 4), ("yard", 3), ("meadow", 1), ("street", 1)),
    "chair": (("indoors", 6), ("yard", 2), ("beach", 0.7)),
    "cow": (("meadow", 6), ("yard", 1), ("beach", 0.5)),
    "table": (("indoors", 6), ("yard", 1.5)),
    "dog": (("indoors", 3), ("yard", 2), ("meadow", 3), ("street", 2), ("beach", 1)),
    "horse": (("meadow", 5), ("yard", 2), ("beach", 1), ("street", 1)),
    "motorbike": (("street", 4), ("yard", 2), ("meadow", 2)),
    "pottedplant": (("indoors", 5), ("yard", 3), ("street", 1)),
    "sheep": (("meadow", 6), ("yard", 1)),
    "sofa": (("indoors", 6), ("yard", 0.6)),
    "train": (("railway", 6),),
    "tvmonitor": (("indoors", 6),),
}
EXTRAS: dict[str, tuple[tuple[str, float], ...]] = {  # who else may be about, and how often
    "street": (("person", 3), ("car", 5), ("bicycle", 1), ("motorbike", 1), ("bus", 1), ("dog", 1)),
    "meadow": (("person", 2), ("dog", 1), ("bird", 1), ("horse", 1), ("cow", 1), ("sheep", 1), ("car", 1)),
    "yard": (("person", 2), ("pottedplant", 1.5), ("chair", 1.5), ("bicycle", 0.7), ("cat", 0.6), ("dog", 0.6),
             ("car", 1.5)),
    "beach": (("person", 2), ("dog", 1), ("bird", 1), ("chair", 1)),
    "water": (("boat", 2), ("bird", 1)),
    "railway": (("person", 1),),
    "airfield": (("person", 2), ("aeroplane", 1), ("car", 1)),
    "air": (("aeroplane", 1), ("bird", 1)),
    "indoors": (("person", 3.5), ("chair", 4), ("sofa", 1.5), ("tvmonitor", 1), ("table", 1), ("pottedplant", 1),
                ("bottle", 1), ("cat", 0.6), ("dog", 0.6)),
}  # fmt: skip
CLOSENESS = {"bicycle": 1.2, "motorbike": 1.15, "tvmonitor": 0.65, "bird": 1.3, "aeroplane": 1.2, "table": 1.3,
             "cat": 2.2, "dog": 1.8, "horse": 1.8, "cow": 1.6, "sheep": 1.35, "bus": 1.25, "chair": 0.8, "train": 1.5,
             "boat": 0.75, "pottedplant": 1.2, "bottle": 1.1, "person": 1.25}  # fmt: skip
GOLDEN = (np.sqrt(5) - 1) / 2  # its multiples fill the unit interval evenly, however many there are
LEAST = 0.012  # share of the picture that the subject takes at least
MOST = 0.7  # of the picture: one thing that takes more leaves too little to see
NEAREST = 1.8  # times the picture that the subject extends at most
WIDEST = 1.4  # of the picture's width: a subject that is broader is rarely recognised
PROBE = 40  # rays along the longer side that judge a scene
TRIES = 6
NEAR = 0.2  # metres: nothing is taken to be nearer than this
HIDDEN = 0.3  # share of the subject's width that something before it may hide
HERDS = ("cow", "sheep", "horse", "boat", "bird", "chair", "bus", "car", "aeroplane")


@dataclass(frozen=True)
class Optics:
    """A camera: position [3], rotation [3, 3] (columns are its axes in the world), focal length in units of the
    picture's longer side, and the sides (height, width) of the picture at 500 pixels."""

    position: Array
    rotation: Array
    length: float
    sides: tuple[int, int]

    def shape(self, longest: int) -> tuple[int, int]:
        """Height and width in pixels."""
        height, width = (round(side * longest / max(self.sides)) for side in self.sides)
        return height, width

    def focal(self, shape: tuple[int, int]) -> float:
        """Focal length in pixels."""
        return self.length * max(shape)

    def directions(self, shape: tuple[int, int]) -> Array:
        """Rays [H * W, 3] in the world, one unit along which is one metre of depth; the axis meets the middle."""
        height, width = shape
        across = (np.arange(width) - (width - 1) / 2) / self.focal(shape)
        down = ((height - 1) / 2 - np.arange(height)) / self.focal(shape)
        x, y = np.meshgrid(across, down)
        return np.asarray(np.stack([x, y, np.full_like(x, -1.0)], axis=-1).reshape(-1, 3) @ self.rotation.T)


@dataclass(frozen=True)
class Thing:
    """A placed model, its VOC class (0 for none), and whether it may draw the eye."""

    model: Model
    category: int
    prominent: bool


@dataclass(frozen=True)
class Scene:
    """Everything that a picture is taken of; `subjects` are the numbers of the things that it is about."""

    things: list[Thing]
    light: Light
    camera: Optics
    subjects: range

    def tracer(self) -> Tracer:
        """What answers ray queries; instance k is things[k]."""
        return Tracer(joined([thing.model for thing in self.things], [thing.category for thing in self.things]))


@dataclass
class Frame:
    """How the subject is framed: the picture's sides at 500 pixels, the focal length (see Optics), the distance to
    the subject and its middle [3]."""

    sides: tuple[int, int]
    length: float
    distance: float
    middle: Array

    def half_width(self, y: float) -> float:
        """Half of what the picture shows across at the distance y, metres."""
        return 0.5 * y * self.sides[1] / max(self.sides) / self.length


def chosen(rng: Generator, options: tuple[tuple[str, float], ...]) -> str:
    """One of the named options by weight."""
    weights = np.array([weight for _, weight in options])
    return options[rng.choice(len(options), p=weights / weights.sum())][0]


def subject(seed: int, index: int) -> str:
    """What picture `index` of the set `seed` is about: SHARES are kept closely by every run of indices."""
    shares = np.cumsum(list(SHARES.values()))
    place = (np.random.default_rng(seed).random() + index * GOLDEN) % 1.0
    return list(SHARES)[int(np.searchsorted(shares, place * shares[-1], side="right"))]


def composed(rng: Generator, category: str | None = None) -> tuple[Scene, Tracer]:
    """A random scene in which one sees the subject; `category` (a name of VOC) fixes what it is about.

    Judged by a few rays, whose number does not depend on the picture's size.
    """
    best: tuple[Scene, Tracer] | None = None
    most = -1.0
    for _ in range(TRIES):
        scene = proposed(rng, category)
        tracer = scene.tracer()
        seen = tracer.cast(scene.camera.position, scene.camera.directions(scene.camera.shape(PROBE))).instance
        share = float(np.isin(seen, scene.subjects).mean())
        if np.bincount(seen[seen >= scene.subjects.start], minlength=1).max() > MOST * len(seen):
            share *= 0.01
        if share > most:
            best, most = (scene, tracer), share
        if share >= LEAST:
            break
    assert best is not None
    return best


def proposed(rng: Generator, category: str | None) -> Scene:
    """A random scene, the subject perhaps hidden."""
    kind = category or chosen(rng, tuple(SHARES.items()))
    setting = chosen(rng, SETTINGS[kind])
    turn = float(rng.uniform(-1, 1)) * places.TURNS[setting]
    group = casting.group(kind, rng, setting != "indoors")
    group = group.moved(placed(0, 0, 0, heading(kind, setting, turn, rng)))
    frame = framed(group, kind, setting, rng)
    clear = max(0.3, float(group.bounds()[1, 1])) if kind != "train" else 2.0
    place = places.built(setting, rng, frame.distance, clear, turn)
    lift = frame.distance * rng.uniform(0.25, 0.6) if setting == "air" else 0.0
    if lift == 0.0 and group.bounds()[0, 2] < -0.02 and kind == "bird":
        lift = frame.distance * rng.uniform(0.1, 0.4)
    frame.middle = frame.middle + np.array([0, 0, lift])
    cast = [group.moved(placed(0, frame.distance, lift, 0.0))]
    joined_by(cast, kind, setting, place, frame, rng)
    things = [Thing(model, 0, False) for model in place.models]
    things += [Thing(model, VOC.get(model.label, 0), True) for member in cast for model in member.models]
    assert place.light is not None
    first = len(place.models)
    return Scene(things, place.light, aimed(frame, setting, rng), range(first, first + group.subjects))


def heading(kind: str, setting: str, turn: float, rng: Generator) -> float:
    """Which way a group faces (yaw, 0 away from the camera): along roads and rails, else mostly to the camera."""
    if kind == "train":
        return turn + np.pi
    if setting in ("street", "airfield") and kind in casting.ON_ROADS and rng.random() < 0.8:
        return turn + float(rng.choice([-1, 1])) * np.pi / 2 + rng.normal(0, 0.1)
    if kind in ("person", "chair", "sofa", "tvmonitor", "bottle", "table") and rng.random() < 0.75:
        return np.pi + rng.normal(0, 0.5)
    return float(rng.uniform(0, 2 * np.pi))


def framed(group: Group, kind: str, setting: str, rng: Generator) -> Frame:
    """The distance at which the subject fills a random share of a picture of random sides."""
    sides = SIDES[rng.choice(len(SIDES), p=SIDE_SHARES)]
    length = float(np.exp(rng.uniform(np.log(0.85), np.log(2.2)))) if setting != "indoors" else rng.uniform(0.75, 1.2)
    low, high = group.bounds(group.subjects)
    if kind == "train":
        low, high = np.maximum(low, [-7, -4, 0]), np.minimum(high, [7, 4, 9])
    if kind == "person" and rng.random() < 0.7:  # half lengths and portraits
        low = low + (high - low) * [0, 0, rng.uniform(0.25, 0.78)]
    share = rng.uniform(0.8, 1.35) if rng.random() < 0.78 else rng.uniform(0.4 if setting == "indoors" else 0.3, 0.75)
    share = min(share * CLOSENESS.get(kind, 1.0), NEAREST)
    head = group.head()
    faces = head is not None and head[:, 1].mean() < 0.5 * (low[1] + high[1])
    if head is not None and faces and kind != "person" and rng.random() < 0.4:  # a portrait
        reach = rng.uniform(0.8, 2.0) * (head[1] - head[0])
        low, high = np.maximum(head[0] - reach, low), np.minimum(head[1] + reach, high)
    size = (high - low) * max(sides) * length
    across, down = size[0] / sides[1] / min(share, WIDEST), size[2] / sides[0] / share
    distance = max(across, down, 0.35) + 0.5 * (high[1] - low[1])
    middle, half = (low + high) / 2, 0.5 * float(distance) * sides[0] / max(sides) / length
    if kind != "train" and rng.random() < 0.9:  # who comes too close loses the feet rather than the head
        middle[2] = max(middle[2], high[2] - half * rng.uniform(0.8, 0.95))
    if head is not None and rng.random() < 0.92:
        side, (left, right) = 0.8 * half * sides[1] / sides[0], head[:, 0]
        middle[0] = np.clip(middle[0], min(right - side, left), max(left + side, right))
    return Frame(sides, length, float(distance), middle)


def aimed(frame: Frame, setting: str, rng: Generator) -> Optics:
    """A camera that looks at the subject, a little past it."""
    steep = 0.25 if setting == "indoors" and frame.middle[2] < 0.9 else 0.04  # one looks down on tables and sofas
    rise = np.tan(abs(rng.normal(steep, 0.12)))
    top = 2.1 if setting == "indoors" else max(2.2, 0.6 * frame.middle[2] + 1.0)
    height = float(
        np.clip(
            frame.middle[2] + frame.distance * rise, 0.35, max(top, frame.middle[2] * 0.8 if setting != "air" else 1.7)
        )
    )
    if setting == "air":
        height = 1.6
    yaw = np.pi / 2 + rng.normal(0, 0.09) * frame.sides[1] / max(frame.sides) / frame.length
    pitch = np.arctan2(frame.middle[2] - height, frame.distance) + rng.normal(0, 0.06) / frame.length
    yaw -= np.arctan2(frame.middle[0], frame.distance)
    camera = looking(np.array([0.0, 0.0, height]), float(yaw), float(pitch), float(rng.normal(0, 0.025)))
    return Optics(camera.position, camera.rotation, frame.length, frame.sides)


def joined_by(cast: list[Group], kind: str, setting: str, place: places.Place, frame: Frame, rng: Generator) -> None:
    """Add further groups to `cast` where they stand free, most of them behind the subject."""
    count = int(rng.choice([0, 1, 2, 3, 5], p=[0.27, 0.26, 0.23, 0.16, 0.08]))
    herd = kind in HERDS and rng.random() < 0.5 and setting not in ("indoors",)
    for _ in range(count):
        name = kind if herd else chosen(rng, EXTRAS[setting])
        member = casting.group(name, rng, setting != "indoors")
        yaw = heading(name, setting, place.turn, rng)
        settle(cast, member.moved(placed(0, 0, 0, yaw)), name, setting, place, frame, rng)
    if rng.random() < 0.3 and setting in scenery.ODDITIES:
        options = scenery.ODDITIES[setting]
        odd = Group([options[rng.integers(len(options))](rng)]).moved(placed(0, 0, 0, rng.uniform(0, 6)))
        settle(cast, odd, "", setting, place, frame, rng)


def settle(cast: list[Group], member: Group, name: str, setting: str, place: places.Place, frame: Frame,
           rng: Generator) -> None:  # fmt: skip
    """Find the group a free spot in view and add it to `cast`, or leave it out."""
    low, high = member.bounds()
    size, taken = float(np.hypot(*(high - low)[:2])) / 2, [other.bounds() for other in cast]
    deep = 1.6 if setting == "indoors" else 6.0
    for _ in range(8):
        y = frame.distance * (
            rng.uniform(0.6, 1.0) if rng.random() < 0.2 else rng.uniform(0.95, 1.3)
        ) + rng.exponential(deep * 0.4)
        x = rng.uniform(-0.95, 0.95) * frame.half_width(y)
        if name in casting.ON_ROADS and place.road:
            across = rng.uniform(place.road[0] + 0.8, place.road[1] - 0.8)
            y = frame.distance + (across + np.sin(place.turn) * x) / np.cos(place.turn)
        if y - size < 0.45 * frame.distance + 0.3 or not inside(place, x, y - frame.distance, size):
            continue
        lift = {"air": rng.uniform(5, 30)}.get(
            setting, rng.uniform(0.5, 3) if name == "bird" and low[2] < -0.02 else 0.0
        )
        box = np.add([low, high], [x, y, lift])
        hides = y < frame.distance and shaded(box, cast[0].bounds(cast[0].subjects)) > HIDDEN
        if not hides and all(apart(box, other) for other in taken):
            cast.append(member.moved(placed(x, y, lift, 0.0)))
            return


def shaded(first: Array, second: Array) -> float:
    """The share of the second box's width that the first one hides from the origin."""
    (low, high), (left, right) = (box[:, 0] / max(box[0, 1], NEAR) for box in (first, second))
    return float(max(0.0, min(high, right) - max(low, left)) / max(right - left, 1e-6))


def inside(place: places.Place, x: float, y: float, size: float) -> bool:
    """Whether (x, y) from the subject lies before the place's back and between its sides by `size`."""
    c, s = np.cos(place.turn), np.sin(place.turn)
    across, behind = c * x + s * y, c * y - s * x
    return bool(
        behind + 0.8 * size < place.back
        and place.sides[0] < across - 0.7 * size
        and across + 0.7 * size < place.sides[1]
    )


def apart(first: Array, second: Array) -> bool:
    """Whether two bounding boxes do not meet on the ground."""
    return bool((first[0, :2] > second[1, :2] + 0.05).any() or (second[0, :2] > first[1, :2] + 0.05).any())
