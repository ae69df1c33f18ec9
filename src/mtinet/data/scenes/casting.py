"""Who appears together: riders on cycles and horses, people on chairs and sofas, things on tables, herds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.random import Generator

from mtinet.data.scenes import animals, craft, cycles, people, scenery, things, vehicles
from mtinet.data.scenes.geometry import Array, placed
from mtinet.data.scenes.modelling import Model, joined
from mtinet.data.scenes.paints import paint
from mtinet.data.scenes.tracing import Tracer

SINGLE: dict[str, Callable[[Generator], Model]] = {
    "aeroplane": craft.aeroplane,
    "bicycle": cycles.bicycle,
    "bird": animals.bird,
    "boat": craft.boat,
    "bus": vehicles.bus,
    "car": vehicles.car,
    "motorbike": cycles.motorbike,
    "train": vehicles.train,
    **things.HOUSEHOLD,
}
ON_ROADS = ("car", "bus", "bicycle", "motorbike", "aeroplane")
HIPS = 0.09  # metres from a seat to the hip joints


@dataclass
class Group:
    """Models in a common frame, facing +y; the first `subjects` of them are what the picture is about."""

    models: list[Model] = field(default_factory=list)
    subjects: int = 1

    def add(self, model: Model, x: float = 0.0, y: float = 0.0, z: float = 0.0, yaw: float = 0.0) -> None:
        """Place a model in the group's frame."""
        self.models.append(model.moved(placed(x, y, z, yaw)))

    def bounds(self, count: int | None = None) -> Array:
        """Bounding box [2, 3] of the first `count` models."""
        boxes = np.stack([model.bounds() for model in self.models[:count]])
        return np.stack([boxes[:, 0].min(axis=0), boxes[:, 1].max(axis=0)])

    def head(self) -> Array | None:
        """Bounding box [2, 3] of the first subject's head, None where it has none (cars and chairs)."""
        model = self.models[0]
        if "head" not in model.names or model.label == "train":
            return None
        number = model.names.index("head")
        corners = np.concatenate([piece.corners[piece.part == number] for piece in model.pieces]).reshape(-1, 3)
        return np.stack([corners.min(axis=0), corners.max(axis=0)])

    def moved(self, place: Array) -> Group:
        """The whole group under an affine map [3, 4]."""
        return Group([model.moved(place) for model in self.models], self.subjects)


def top_at(model: Model, x: float, y: float) -> float:
    """Height of the model's upper surface at (x, y), 0 beside it."""
    hits = Tracer(joined([model], [0])).cast(np.array([x, y, 50.0]), np.array([[0.0, 0.0, -1.0]]))
    return float(hits.points[0, 2]) if hits.face[0] >= 0 else 0.0


def human(rng: Generator, poses: tuple[str, ...], on_ground: bool = True) -> Model:
    """A person in one of the named poses."""
    return people.person(rng, people.POSES[poses[rng.integers(len(poses))]], on_ground)


def seated(rng: Generator, seat: Model, poses: tuple[str, ...] = people.SEATED, x: float = 0.0) -> Model:
    """A person on a seat that faces +y."""
    low, high = seat.bounds()
    y = 0.45 * low[1] + 0.55 * high[1]
    return human(rng, poses, on_ground=False).moved(placed(x, y - 0.12, top_at(seat, x, y) + HIPS, rng.normal(0, 0.08)))


def lying_person(rng: Generator) -> Model:
    """Someone on their back or belly, the head towards -y."""
    upright = human(rng, ("stand", "relaxed", "akimbo", "cheer", "hold", "sit", "crouch"))
    flat = np.array([[1.0, 0, 0, 0], [0, 0, -1.0, 0], [0, 1.0, 0, 0]])
    return upright.moved(flat if rng.random() < 0.6 else np.diag([-1.0, 1.0, -1.0]) @ flat).standing()


def person(rng: Generator, outdoors: bool) -> Group:
    """Someone standing, moving, sitting or riding."""
    choice = rng.random()
    if choice < 0.1:
        return Group([lying_person(rng)])
    if choice < 0.72:
        return Group([human(rng, people.UPRIGHT)])
    if choice < 0.82 and outdoors:
        group = ridden(str(rng.choice(["bicycle", "motorbike", "horse"])), rng, 1.0)
        return Group(group.models[::-1], 2 if rng.random() < 0.6 else 1)
    if outdoors:
        bench = scenery.bench(rng)
        return Group([seated(rng, bench, x=rng.uniform(-0.3, 0.3)), bench])
    seat = things.chair(rng) if choice < 0.92 else things.sofa(rng)
    return Group([seated(rng, seat), seat])


def ridden(kind: str, rng: Generator, chance: float) -> Group:
    """A bicycle, motorbike or horse, with a rider by `chance`."""
    mount = animals.four_legged("horse", rng, upright=True) if kind == "horse" else SINGLE[kind](rng)
    group = Group([mount])
    if rng.random() < chance:
        if kind == "horse":
            y = rng.uniform(-0.12, 0.05)
            group.add(human(rng, ("ride",), False), 0, y, top_at(mount, 0.0, y) + HIPS * 0.7)
        else:
            y, z = cycles.SADDLE[kind]
            group.add(human(rng, ("cycle",) if kind == "bicycle" else ("motor",), False), 0, y - 0.02, z + 0.06)
        group.subjects = 2
    return group


def chairs(rng: Generator, outdoors: bool) -> Group:
    """A chair or a few, empty or taken."""
    group = Group([things.chair(rng)])
    if rng.random() < 0.35:
        group.models.append(seated(rng, group.models[0]))
        group.subjects = 2
    elif rng.random() < 0.2 and not outdoors:
        group.models.append(lying_on(group.models[0], str(rng.choice(["cat", "dog"])), rng))
    return group


def sofas(rng: Generator, outdoors: bool) -> Group:
    """A sofa, sometimes with people or an animal on it."""
    seat = things.sofa(rng)
    group, half, choice = Group([seat]), seat.bounds()[1, 0], rng.random()
    if choice < 0.25:
        group.models.append(seated(rng, seat, x=rng.uniform(-0.5, 0.5) * half))
    elif choice < 0.35:
        group.models += [seated(rng, seat, x=x * half) for x in (-0.45, 0.45)]
    elif choice < 0.5:
        group.models.append(lying_on(seat, str(rng.choice(["cat", "dog"])), rng))
    return group


def lying_on(seat: Model, kind: str, rng: Generator) -> Model:
    """A cat or dog on a seat."""
    low, high = seat.bounds()
    x, y = rng.uniform(-0.3, 0.3) * high[0], 0.4 * low[1] + 0.6 * high[1]
    return animals.four_legged(kind, rng).moved(placed(x, y, top_at(seat, x, y) - 0.02, rng.uniform(-1.2, 1.2)))


def tables(rng: Generator, outdoors: bool) -> Group:
    """A table with chairs around, people at it and things on it."""
    table = things.table(rng)
    group = Group([table])
    low, high = table.bounds()
    for x in np.arange(low[0] + 0.35, high[0] - 0.2, 0.65):
        for y, yaw in ((low[1] - 0.1, 0.0), (high[1] + 0.1, np.pi)):
            if rng.random() < 0.5:
                chair = things.chair(rng)
                group.add(chair, x, y - 0.15 * np.cos(yaw), 0, yaw + rng.normal(0, 0.15))
                if rng.random() < 0.35:
                    sitter = seated(rng, chair, ("table",))
                    group.add(sitter, x, y - 0.15 * np.cos(yaw), 0, yaw)
    scatter(group, table, ("bottle", "cup", "cup", "pottedplant", "book"), int(rng.poisson(2.5)), rng)
    return group


def scatter(group: Group, table: Model, names: tuple[str, ...], count: int, rng: Generator) -> None:
    """Things on a table's top."""
    low, high = table.bounds()
    for _ in range(count):
        x, y = rng.uniform(0.8 * low[0], 0.8 * high[0]), rng.uniform(0.7 * low[1], 0.7 * high[1])
        if top_at(table, x, y) > high[2] - 0.05:
            group.add(small(names[rng.integers(len(names))], rng), x, y, high[2], rng.uniform(0, 6))


def small(name: str, rng: Generator) -> Model:
    """Something that stands on tables."""
    if name in SINGLE:
        made = SINGLE[name](rng)
        tall = made.bounds()[1, 2]
        return made if tall < 0.5 else made.moved(np.c_[np.eye(3) * 0.5 / tall, np.zeros(3)])
    model, stuff = Model(name), paint(rng, "ceramic")
    if name == "cup":
        size = rng.uniform(0.035, 0.05)
        model.lathe(
            [0, 0, 0],
            [0, 0, 1],
            [[0, 0.7 * size], [2 * size, size], [1.9 * size, 0.9 * size], [0.3 * size, 0.0]],
            stuff,
        )
        model.hoop([size * 1.1, 0, size], [0, 1, 0], 0.55 * size, 0.15 * size, stuff)
    else:
        wide, deep, thick = rng.uniform(0.1, 0.3), rng.uniform(0.15, 0.25), rng.uniform(0.02, 0.12)
        model.box([-wide, -deep / 2, 0], [wide, deep / 2, thick], paint(rng, "print"))
    return model


def stand(rng: Generator) -> Model:
    """A table, or a low cabinet."""
    if rng.random() < 0.5:
        return things.table(rng)
    model, wood = Model("cabinet"), paint(rng, "furniture")
    half, deep, high = rng.uniform(0.5, 0.9), rng.uniform(0.22, 0.3), rng.uniform(0.4, 0.95)
    model.box([-half, -deep, 0], [half, deep, high], wood)
    doors = paint(rng, "furniture")
    for x in (-half, 0.0):
        model.box([x + 0.02, deep, 0.06], [x + half - 0.02, deep + 0.015, high - 0.05], doors)
    return model


def raised(kind: str, rng: Generator) -> Group:
    """A bottle, plant or screen on a stand, with a few more things beside it."""
    base = stand(rng)
    high = base.bounds()[1, 2]
    group = Group([SINGLE[kind](rng).moved(placed(0, 0, high, rng.normal(0, 0.3)))])
    if kind == "bottle":
        for x in rng.permutation([-0.3, -0.16, 0.15, 0.3])[: int(rng.integers(0, 4))]:
            group.add(SINGLE["bottle"](rng), x, rng.uniform(-0.1, 0.1), high, rng.uniform(0, 6))
        group.subjects = len(group.models)
    group.models.append(base)
    if kind != "bottle":
        scatter(group, base, ("book", "cup", "bottle"), int(rng.poisson(1.0)), rng)
    return group


def grounded(kind: str, rng: Generator, outdoors: bool) -> Group:
    """Animals and vehicles on their own or in small herds."""
    if kind in animals.BUILDS:
        group = Group([animals.four_legged(kind, rng)])
        if kind in ("cow", "sheep") and rng.random() < 0.35:
            size = group.models[0].bounds()[1, 1] * 2
            group.add(
                animals.four_legged(kind, rng),
                size * rng.uniform(0.7, 1.2),
                size * rng.uniform(-0.6, 0.6),
                0,
                rng.normal(0, 0.7),
            )
            group.subjects = 2
        return group
    return Group([SINGLE[kind](rng)])


def group(kind: str, rng: Generator, outdoors: bool) -> Group:
    """What a picture of the class `kind` shows together."""
    if kind == "person":
        return person(rng, outdoors)
    if kind in ("bicycle", "motorbike", "horse"):
        return ridden(kind, rng, 0.55)
    if kind in ("chair", "sofa", "table"):
        return {"chair": chairs, "sofa": sofas, "table": tables}[kind](rng, outdoors)
    if kind in ("bottle", "tvmonitor") or (kind == "pottedplant" and rng.random() < 0.35):
        return raised(kind, rng)
    if kind in ("cat", "dog") and not outdoors and rng.random() < 0.3:
        seat = things.sofa(rng) if rng.random() < 0.6 else things.chair(rng)
        return Group([lying_on(seat, kind, rng), seat])
    return grounded(kind, rng, outdoors)
