"""What stands about in the open: trees, buildings, fences, rocks, mountains, posts and odd things."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator

from mtinet.data.scenes.geometry import Array
from mtinet.data.scenes.materials import Material
from mtinet.data.scenes.modelling import Model, grid_faces, unit
from mtinet.data.scenes.paints import glass, lacquer, paint
from mtinet.data.scenes.surfaces import cover

LEAVES = 420  # single ones around a tree's crown


def plane(label: str, x: tuple[float, float], y: tuple[float, float], z: float, material: Material) -> Model:
    """A horizontal rectangle."""
    model = Model(label)
    corners = np.array([[x[0], y[0], z], [x[1], y[0], z], [x[1], y[1], z], [x[0], y[1], z]])
    model.triangles(corners, np.array([[0, 1, 2], [0, 2, 3]]), material)
    return model


def leaves(model: Model, centres: Array, radii: Array, size: float, count: int, leaf: Material,
           rng: Generator) -> None:  # fmt: skip
    """Single leaves, or sprays of them, about the surfaces of a crown's ellipsoids: they fray its outline."""
    chosen = rng.integers(len(centres), size=count)
    outwards = unit(rng.normal(0, 1, (count, 3)))
    middles = centres[chosen] + outwards * radii[chosen] * rng.uniform(0.9, 1.2, (count, 1))
    corners = middles[:, None] + size * rng.normal(0, 1, (count, 3, 3))
    normals = unit(middles - centres.mean(axis=0) + 0.5 * outwards * radii[chosen])
    uv = rng.uniform(0, 40, (count, 1, 2)) * leaf.period + corners[:, :, ::2]
    model.keep(corners, np.repeat(normals[:, None], 3, axis=1), uv, leaf, "")


def tree(rng: Generator, high: float) -> Model:
    """A broad-leaved tree or a conifer."""
    model, leaf, bark = Model("tree"), cover("leaves", rng, 0.06 * high), cover("earth", rng, 0.1)
    if rng.random() < 0.3:
        conifer(model, high, leaf, bark, rng)
        return model
    trunk, count = rng.uniform(0.2, 0.4) * high, int(rng.integers(10, 20))
    model.lathe([0, 0, 0], [0, 0, 1], np.array([[0, 0.04], [0.08, 0.028], [0.6, 0.012]]) * high, bark, "", 9)
    wide = rng.uniform(0.22, 0.4) * high
    spots = rng.normal(0, 1, (count, 3))
    spots = spots / np.linalg.norm(spots, axis=1, keepdims=True) * rng.uniform(0.35, 0.85, (count, 1))
    fork = np.array([0, 0, 0.8 * trunk])
    centres = np.array([0, 0, 0.5 * (trunk + high)]) + spots * [wide, wide, 0.5 * (high - trunk)]
    for centre in centres[:4]:
        model.limb(fork, centre, 0.016 * high, 0.008 * high, bark, "", 6)
    radii = rng.uniform(0.3, 0.5, (count, 1)) * wide * np.array([1, 1, 0.85])
    model.balls(centres, 0.92 * radii, leaf, detail=1)
    leaves(model, centres, radii, 0.022 * high, LEAVES, leaf, rng)
    return model


def conifer(model: Model, high: float, leaf: Material, bark: Material, rng: Generator) -> None:
    """Skirts of twigs around a trunk."""
    for z in (0.1, 0.25, 0.4, 0.55, 0.7):
        skirt = np.array([[0.03, 0.0], [0.0, 0.23 - 0.24 * z], [0.3, 0.0]]) * high
        model.lathe([0, 0, z * high], [0, 0, 1], skirt, leaf, "", 11)
    model.tube([[0, 0, 0], [0, 0, 0.3 * high]], 0.03 * high, bark)
    rise = rng.uniform(0.1, 0.95, 40)
    centres = np.c_[np.zeros((40, 2)), rise] * high
    leaves(model, centres, ((0.22 - 0.22 * rise) * high)[:, None] * np.ones(3), 0.022 * high, LEAVES, leaf, rng)


def bush(rng: Generator, size: float) -> Model:
    """A low round shrub."""
    model, leaf, count = Model("tree"), cover("leaves", rng, 0.2 * size), int(rng.integers(6, 12))
    centres = np.c_[rng.normal(0, 0.35, (count, 2)), rng.uniform(0.2, 0.55, count)] * size
    radii = rng.uniform(0.25, 0.45, (count, 1)) * size * np.ones(3)
    model.balls(centres, 0.92 * radii, leaf, detail=1)
    leaves(model, centres, radii, 0.05 * size, LEAVES // 2, leaf, rng)
    return model


def building(rng: Generator, wide: float, deep: float, high: float) -> Model:
    """A house with rows of windows, a door, and a flat or gabled roof; its front at y = 0 looks to -y."""
    model, wall, pane = Model("building"), paint(rng, "wall", None if rng.random() < 0.4 else "plaster"), glass(rng)
    model.box([-wide / 2, 0, 0], [wide / 2, deep, high], wall)
    if rng.random() < 0.5:
        gable = np.array([[-0.4, high], [deep + 0.4, high], [deep / 2, high + 0.35 * min(deep, 8)]])
        model.prism(gable, (-wide / 2 - 0.3, wide / 2 + 0.3), paint(rng, "floor"))
    else:
        model.box([-wide / 2 - 0.2, -0.2, high], [wide / 2 + 0.2, deep, high + 0.3], paint(rng, "stone"))
    floors, columns = max(1, int(high / 3.0)), max(1, int(wide / rng.uniform(2.2, 3.6)))
    size, sill = rng.uniform(0.35, 0.7) * wide / columns, lacquer(rng)
    door = int(rng.integers(columns))
    for floor in range(floors):
        for column in range(columns):
            x, z = -wide / 2 + (column + 0.5) * wide / columns, high * (floor + 0.3) / floors
            if floor == 0 and column == door:
                model.box([x - 0.5, -0.04, 0], [x + 0.5, 0.0, 2.1], sill)
                continue
            model.box([x - size / 2 - 0.08, -0.05, z - 0.08], [x + size / 2 + 0.08, 0, z + 1.5], sill)
            model.box([x - size / 2, -0.07, z], [x + size / 2, 0, z + 1.42], pane)
    return model


def fence(rng: Generator, long: float) -> Model:
    """A fence along x: pales, rails or a closed one."""
    model, wood, high = Model("fence"), paint(rng, "furniture"), rng.uniform(0.8, 1.7)
    kind, step = rng.random(), rng.uniform(1.4, 2.4)
    for x in np.arange(-long / 2, long / 2, step):
        model.box([x - 0.05, -0.05, 0], [x + 0.05, 0.05, high], wood)
    for z in np.linspace(0.2, high - 0.1, 2 if kind < 0.4 else 4):
        model.box([-long / 2, -0.03, z], [long / 2, 0.03, z + 0.09], wood)
    if kind < 0.4:
        for x in np.arange(-long / 2, long / 2, 0.2)[:150]:
            model.box([x, 0.03, 0.05], [x + 0.1, 0.05, high], wood)
    elif kind < 0.55:
        model.box([-long / 2, 0.03, 0.05], [long / 2, 0.06, high], wood)
    return model


def rock(rng: Generator) -> Model:
    """A boulder."""
    size = rng.uniform(0.3, 1.3)
    model, stone = Model("rock"), cover("rock", rng, 0.4 * size)
    count = int(rng.integers(2, 5))
    spots = np.c_[rng.normal(0, 0.35, (count, 2)), rng.uniform(0.05, 0.25, count)] * size
    axes = np.stack([np.linalg.qr(rng.normal(0, 1, (3, 3)))[0] for _ in range(count)])
    model.balls(spots, rng.uniform(0.3, 0.6, (count, 3)) * size, stone, detail=1, axes=axes)
    return model


def mountains(rng: Generator, far: float, high: float) -> Model:
    """A ridge across the whole view, `far` metres away and up to `high` metres above the ground."""
    model, columns, rows = Model("mountain"), 61, 6
    x = np.linspace(-2.2, 2.2, columns) * far
    waves = sum(
        rng.uniform(0.3, 1.0) / k * np.sin(k * x / far * rng.uniform(0.8, 1.6) + rng.uniform(0, 6)) for k in range(1, 7)
    )
    ridge = high * np.clip(0.45 + 0.35 * np.asarray(waves), 0.08, 1.3)
    t = np.linspace(0, 1, rows)
    z = t[:, None] * ridge * rng.uniform(0.8, 1.15, (rows, columns))
    points = np.stack(
        [np.tile(x, (rows, 1)), far + t[:, None] * 0.5 * far + rng.uniform(0, 0.06 * far, (rows, columns)), z], axis=2
    )
    points[0, :, 2] = -1.0
    model.triangles(points.reshape(-1, 3), grid_faces(rows, columns), cover("mountain", rng, 0.15 * far))
    return model


def post(rng: Generator) -> Model:
    """A lamp post."""
    model, metal, high = Model("pole"), lacquer(rng), rng.uniform(3.5, 8.0)
    model.tube([[0, 0, 0], [0, 0, high]], rng.uniform(0.04, 0.1), metal)
    if rng.random() < 0.7:
        model.tube([[0, 0, high], [0.9, 0, high + 0.15]], 0.04, metal)
        model.balls([1.0, 0, high + 0.12], [0.3, 0.12, 0.08], metal, detail=1)
    return model


def ball(rng: Generator) -> Model:
    """A ball to play with."""
    size = rng.uniform(0.1, 0.35)
    model = Model("ball")
    model.balls([0, 0, size], [size] * 3, paint(rng, "print"), detail=2)
    return model


def carton(rng: Generator) -> Model:
    """A closed box."""
    model, (x, y, z) = Model("box"), rng.uniform(0.2, 0.5, 3)
    model.box([-x, -y, 0], [x, y, 1.4 * z], paint(rng, "plastic"))
    model.box([-x - 0.005, -0.05, 0.02], [x + 0.005, 0.05, 1.4 * z + 0.005], paint(rng, "paper"))
    return model


def hay(rng: Generator) -> Model:
    """A round bale."""
    model, size = Model("hay"), rng.uniform(0.5, 0.8)
    model.lathe(
        [-0.6, 0, size],
        [1, 0, 0],
        [[0, 0.95 * size], [0.05, size], [1.15, size], [1.2, 0.95 * size]],
        cover("sand", rng, 0.2),
        "",
        20,
    )
    return model


def bench(rng: Generator) -> Model:
    """A park bench, its front at +y."""
    model, wood, metal, half = Model("bench"), paint(rng, "furniture"), lacquer(rng), rng.uniform(0.6, 0.95)
    for y in (-0.2, -0.06, 0.08):
        model.box([-half, y, 0.42], [half, y + 0.11, 0.46], wood)
    for z in (0.55, 0.72):
        model.box([-half, -0.27, z], [half, -0.23, z + 0.12], wood)
    for x in (-0.8 * half, 0.8 * half):
        model.tube([[x, 0.15, 0], [x, 0.12, 0.43], [x, -0.22, 0.43], [x, -0.27, 0.85]], 0.025, metal)
        model.tube([[x, -0.25, 0], [x, -0.2, 0.43]], 0.025, metal)
    return model


def sign(rng: Generator) -> Model:
    """A traffic sign or a board on a post."""
    model, high = Model("sign"), rng.uniform(1.6, 2.6)
    model.tube([[0, 0, 0], [0, 0, high]], 0.035, paint(rng, "metal"))
    sides, size = int(rng.choice([3, 4, 8, 20])), rng.uniform(0.25, 0.5)
    turn = np.arange(sides) * 2 * np.pi / sides + np.pi / 2 * (1 if sides != 4 else 0.5)
    face = np.c_[size * np.cos(turn), np.zeros(sides), high - 0.2 + size * np.sin(turn)]
    model.between(face + np.array([0, 0.04, 0]), face + np.array([0, 0.06, 0]), paint(rng, "print"))
    return model


ODDITIES = {  # things of no VOC class that may draw the eye
    "street": (sign, carton, ball, bench),
    "meadow": (hay, rock, ball, bench),
    "yard": (carton, ball, bench),
    "beach": (ball, rock, carton),
    "indoors": (ball, carton),
    "railway": (bench, sign),
    "airfield": (sign,),
}
