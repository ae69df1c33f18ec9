"""Objects of pictures as triangles: surfaces swept along a spine, flat-sided bodies, and clouds of ellipsoids.

An object's own frame is in metres: x to its right, y to its front, z up, the ground at z = 0. Every face
carries a part of the object; corners carry smooth normals, so that a coarse mesh looks and measures round.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np
import trimesh
from numpy.typing import NDArray

from mtinet.data.scenes.geometry import Array, Mesh, Sketch, lengths, planar_uv, solids
from mtinet.data.scenes.materials import Material

Ints = NDArray[np.int64]
Points = Sequence[Any] | NDArray[Any]
CREASE = 0.75  # cosine: faces that meet at less than this angle share their normals


def unit(vectors: Array) -> Array:
    """Vectors [..., 3] scaled to length 1; null vectors stay null."""
    return np.asarray(vectors / np.maximum(np.sqrt(np.einsum("...i,...i->...", vectors, vectors)), 1e-12)[..., None])


def cross(first: Array, second: Array) -> Array:
    """Cross products over the last axis; numpy's own costs several times as much on small arrays."""
    a, b, c = first[..., 0], first[..., 1], first[..., 2]
    x, y, z = second[..., 0], second[..., 1], second[..., 2]
    found = np.empty(np.broadcast_shapes(first.shape, second.shape))
    found[..., 0], found[..., 1], found[..., 2] = b * z - c * y, c * x - a * z, a * y - b * x
    return found


def slopes(values: Array) -> Array:
    """What numpy's gradient gives along the first axis of two rows or more, which takes several times as long."""
    found = np.empty_like(values)
    found[1:-1] = (values[2:] - values[:-2]) / 2
    found[0], found[-1] = values[1] - values[0], values[-1] - values[-2]
    return found


@dataclass(frozen=True)
class Piece:
    """Triangles of one material: corners, their unit normals [F, 3, 3], uv [F, 3, 2] metres, part [F]."""

    corners: Array
    normals: Array
    uv: Array
    part: Ints
    material: Material


@cache
def grid_faces(rows: int, columns: int) -> Ints:
    """Triangles [2 (rows - 1) (columns - 1), 3] of a grid of vertices numbered row by row."""
    first = (np.arange(rows - 1)[:, None] * columns + np.arange(columns - 1)).ravel()
    second, below = first + 1, first + columns
    return np.vstack([np.c_[first, second, below], np.c_[second, below + 1, below]])


@cache
def sphere(detail: int) -> tuple[Array, Ints]:
    """A ball of radius 1: vertices, which are the normals too, and faces."""
    ball = trimesh.creation.icosphere(subdivisions=detail, radius=1.0)
    return np.asarray(ball.vertices, float), np.asarray(ball.faces, np.int64)


@cache
def solid_normals(name: str) -> Array:
    """Normals [F, 3, 3] at the corners of one of geometry's solids, averaged over faces that meet smoothly."""
    solid = solids()[name]
    corners = solid.vertices[solid.faces]
    flat = cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    ours = unit(flat)
    found = np.zeros((len(flat), 3, 3))
    for vertex in range(len(solid.vertices)):
        faces, places = np.nonzero(solid.faces == vertex)
        close = ours[faces] @ ours[faces].T > CREASE
        found[faces, places] = unit(close @ flat[faces])
    return found


@dataclass
class Model:
    """An object under construction; `label` is its PASCAL-Context class, `names` its parts' names."""

    label: str
    pieces: list[Piece] = field(default_factory=list)
    names: list[str] = field(default_factory=lambda: [""])

    def number(self, part: str) -> int:
        """The number of a part by name, new names at the end."""
        if part not in self.names:
            self.names.append(part)
        return self.names.index(part)

    def keep(self, corners: Array, normals: Array, uv: Array, material: Material, part: str | list[str]) -> None:
        """Add triangles; `part` is one name for all or one per face."""
        if isinstance(part, str):
            numbers = np.full(len(corners), self.number(part))
        else:
            numbers = np.array([self.number(name) for name in part])
        self.pieces.append(Piece(corners, normals, uv, numbers, material))

    def sweep(self, spine: Points, radii: Points, material: Material, part: str = "",
              side: Points | None = None, along: Points | None = None, power: float = 2.0,
              segments: int = 18, halves: tuple[str, str] | None = None) -> None:  # fmt: skip
        """A tube around `spine` [K, 3] with `radii` [K] or [K, 2] (across `side`, and across both).

        `along` fixes the direction of the axis, else it follows the spine; `power` > 2 squares the section;
        `halves` names the parts on the negative and positive side of x in place of `part`.
        """
        line, sizes = np.asarray(spine, float), np.asarray(radii, float)
        sizes = sizes[:, None].repeat(2, axis=1) if sizes.ndim == 1 else sizes
        tangents = unit(slopes(line)) if along is None else np.tile(unit(np.asarray(along, float)), (len(line), 1))
        mean = unit(tangents.mean(axis=0))
        across = np.eye(3)[np.abs(mean).argmin()] if side is None else np.asarray(side, float)
        up = unit(cross(tangents, across))
        right = cross(up, tangents)
        turn = np.linspace(0, 2 * np.pi, segments + 1)
        cosine, sine = (np.sign(f) * np.abs(f) ** (2 / power) for f in (np.cos(turn), np.sin(turn)))
        rings = (line[:, None] + (sizes[:, :1] * cosine)[..., None] * right[:, None]
                 + (sizes[:, 1:] * sine)[..., None] * up[:, None])  # fmt: skip
        self.surface(rings, material, part, halves)
        for end, other in ((0, 1), (-1, -2)):
            if sizes[end].min() > 1e-3:
                self.cap(rings[end, :-1], line[end] - line[other], material, part if halves is None else halves[0])

    def surface(self, rings: Array, material: Material, part: str = "",
                halves: tuple[str, str] | None = None) -> None:  # fmt: skip
        """A smooth surface through closed rings [K, S + 1, 3], the first point of each repeated at its end."""
        rows, columns = rings.shape[:2]
        around = np.swapaxes(slopes(np.swapaxes(rings, 0, 1)), 0, 1)
        around[:, 0] = around[:, -1] = (rings[:, 1] - rings[:, -2]) / 2
        down = slopes(rings)
        flat = lengths(around)[..., None] < 1e-9
        around = np.where(flat & (np.arange(rows)[:, None, None] == 0), np.roll(around, -1, axis=0), around)
        around = np.where(flat & (np.arange(rows)[:, None, None] == rows - 1), np.roll(around, 1, axis=0), around)
        normals = unit(cross(around, down))
        u = np.concatenate([[0.0], np.cumsum(lengths(rings[:, 1:] - rings[:, :-1]).mean(axis=0))])
        v = np.concatenate([[0.0], np.cumsum(lengths(rings[1:] - rings[:-1]).mean(axis=1))])
        uv = np.stack(np.broadcast_arrays(u[None], v[:, None]), axis=2).reshape(-1, 2)
        faces = grid_faces(rows, columns)
        corners = rings.reshape(-1, 3)[faces]
        kept = lengths(cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])) > 1e-12
        faces, corners = faces[kept], corners[kept]
        names = part if halves is None else [halves[int(x > 0)] for x in corners[:, :, 0].mean(axis=1)]
        self.keep(corners, normals.reshape(-1, 3)[faces], uv[faces], material, names)

    def cap(self, ring: Array, outwards: Array, material: Material, part: str) -> None:
        """Close a convex ring [S, 3] with a flat fan."""
        fan = np.stack([np.tile(ring[0], (len(ring) - 2, 1)), ring[1:-1], ring[2:]], axis=1)
        middle = np.argsort(np.abs(outwards))[:2]
        self.keep(fan, np.tile(unit(outwards), (len(fan), 3, 1)), fan[..., np.sort(middle)], material, part)

    def limb(self, start: Points, end: Points, first: float, second: float, material: Material,
             part: str = "", segments: int = 20) -> None:  # fmt: skip
        """A capsule from start to end whose radius goes from `first` to `second`."""
        a, b = np.asarray(start, float), np.asarray(end, float)
        length = max(float(np.linalg.norm(b - a)), 1e-4)
        bend = np.array([1.0, 0.75, 0.4, 0.0])
        t = np.concatenate([-first * bend, [0.5 * length], length + second * bend[::-1]])
        r = np.concatenate(
            [first * np.sqrt(1 - bend**2), [(first + second) / 2], second * np.sqrt(1 - bend[::-1] ** 2)]
        )
        axis = (b - a) / length if length > 1e-4 else np.array([0.0, 0.0, 1.0])
        self.sweep(a + t[:, None] * axis, r, material, part, along=axis, segments=segments)

    def lathe(self, start: Points, axis: Points, profile: Points, material: Material, part: str = "",
              segments: int = 22) -> None:  # fmt: skip
        """A surface of revolution: `profile` [K, 2] of metres along the axis and radius."""
        points, direction = np.asarray(profile, float), unit(np.asarray(axis, float))
        spine = np.asarray(start, float) + points[:, :1] * direction
        self.sweep(spine, points[:, 1], material, part, along=direction, segments=segments)

    def tube(self, points: Points, radius: float, material: Material, part: str = "", segments: int = 12) -> None:
        """Straight round bars along a polyline."""
        line = np.asarray(points, float)
        for a, b in pairwise(line):
            self.sweep([a, b], [radius, radius], material, part, along=b - a, segments=segments)

    def hoop(self, centre: Points, axis: Points, radius: float, thick: float, material: Material,
             part: str = "", wide: float = 1.0) -> None:  # fmt: skip
        """A torus; `wide` stretches its section along the axis."""
        normal = unit(np.asarray(axis, float))
        first = unit(cross(normal, np.eye(3)[np.abs(normal).argmin()]))
        second = cross(normal, first)
        turn, around = np.linspace(0, 2 * np.pi, 33)[:, None, None], np.linspace(0, 2 * np.pi, 13)[None, :, None]
        out = np.cos(turn) * first + np.sin(turn) * second
        rings = (
            np.asarray(centre, float) + out * (radius + thick * np.cos(around)) + wide * thick * np.sin(around) * normal
        )
        self.surface(rings, material, part)

    def between(self, first: Points, second: Points, material: Material, part: str = "") -> None:
        """A flat-sided body between two convex polygons [K, 3] with as many corners."""
        low, high = np.asarray(first, float), np.asarray(second, float)
        count = len(low)
        ring = np.arange(count)
        after = (ring + 1) % count
        fan = np.c_[np.zeros(count - 2, int), ring[1:-1], ring[2:]]
        faces = np.vstack(
            [np.c_[ring, after, after + count], np.c_[ring, after + count, ring + count], fan, fan + count]
        )
        self.triangles(np.vstack([low, high]), faces, material, part)

    def triangles(self, vertices: Array, faces: Ints, material: Material, part: str = "") -> None:
        """Flat triangles."""
        corners = vertices[faces]
        across = cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        kept = lengths(across) > 1e-12
        uv = planar_uv(vertices, faces[kept])[0]
        self.keep(corners[kept], unit(across[kept])[:, None].repeat(3, axis=1), uv, material, part)

    def box(self, low: Points, high: Points, material: Material, part: str = "") -> None:
        """An axis-parallel box."""
        (x0, y0, z0), (x1, y1, z1) = np.asarray(low, float), np.asarray(high, float)
        base = np.array([[x0, y0, z0], [x1, y0, z0], [x1, y1, z0], [x0, y1, z0]])
        self.between(base, base + np.array([0, 0, z1 - z0]), material, part)

    def prism(self, outline: Points, x: tuple[float, float], material: Material, part: str = "",
              inset: float = 0.0) -> None:  # fmt: skip
        """A convex outline [K, 2] in the plane of y and z, extruded over the interval x; points above the lowest
        move inwards by `inset` per metre of height."""
        points = np.asarray(outline, float)
        rise = inset * (points[:, 1] - points[:, 1].min())
        left, right = np.full(len(points), x[0]) + rise, np.full(len(points), x[1]) - rise
        self.between(np.c_[left, points], np.c_[right, points], material, part)

    def balls(self, centres: Points, radii: Points, material: Material, part: str = "", detail: int = 2,
              axes: Array | None = None) -> None:  # fmt: skip
        """Ellipsoids with `centres` [N, 3] and `radii` [N, 3], turned by `axes` [N, 3, 3] (columns)."""
        vertices, faces = sphere(detail)
        middles, sizes = np.atleast_2d(np.asarray(centres, float)), np.atleast_2d(np.asarray(radii, float))
        turned = np.tile(np.eye(3), (len(middles), 1, 1)) if axes is None else axes
        points = np.einsum("nij,nvj->nvi", turned, vertices * sizes[:, None]) + middles[:, None]
        normals = unit(np.einsum("nij,nvj->nvi", turned, vertices / sizes[:, None]))
        uv = np.stack([np.arctan2(vertices[:, 0], vertices[:, 1]), vertices[:, 2]], axis=1) * sizes[:, None].mean(
            axis=2, keepdims=True
        )
        self.keep(points[:, faces].reshape(-1, 3, 3), normals[:, faces].reshape(-1, 3, 3),
                  uv[:, faces].reshape(-1, 3, 2), material, part)  # fmt: skip

    def bounds(self) -> Array:
        """Axis-parallel bounding box [2, 3] in the object's frame."""
        points = np.concatenate([piece.corners for piece in self.pieces]).reshape(-1, 3)
        axes = np.ascontiguousarray(points.T)  # numpy reduces rows of memory many times as fast as its columns
        return np.stack([axes.min(axis=1), axes.max(axis=1)])

    def moved(self, place: Array) -> Model:
        """The object under the affine map `place` [3, 4]."""
        turn, back = place[:, :3].T, np.linalg.inv(place[:, :3])
        # As a single product: numpy multiplies the matrices of a stack one by one.
        corners = np.concatenate([piece.corners for piece in self.pieces]).reshape(-1, 3) @ turn + place[:, 3]
        normals = unit(np.concatenate([piece.normals for piece in self.pieces]).reshape(-1, 3) @ back)
        corners, normals = corners.reshape(-1, 3, 3), normals.reshape(-1, 3, 3)
        ends = np.cumsum([len(piece.corners) for piece in self.pieces])[:-1]
        pieces = [Piece(own, facing, piece.uv, piece.part, piece.material) for own, facing, piece in
                  zip(np.split(corners, ends), np.split(normals, ends), self.pieces, strict=True)]  # fmt: skip
        return Model(self.label, pieces, self.names)

    def standing(self) -> Model:
        """The object with its lowest point on the ground."""
        return self.moved(np.c_[np.eye(3), [0.0, 0.0, -self.bounds()[0, 2]]])


def from_sketch(sketch: Sketch, labels: dict[str, str]) -> list[Model]:
    """A piece of the room renderer's furniture, centred on its footprint; one model for each of its instances.

    `labels` takes the room renderer's class names to PASCAL-Context's.
    """
    low, high = sketch.bounds()
    centre = np.array([(low[0] + high[0]) / 2, (low[1] + high[1]) / 2, 0.0])
    models = [Model(labels.get(name, name)) for name in sketch.labels]
    for part in sketch.parts:
        solid, turn = solids()[part.solid], part.matrix[:, :3]
        corners = (solid.vertices @ turn.T + part.matrix[:, 3] - centre)[solid.faces]
        normals = unit(solid_normals(part.solid) @ np.linalg.inv(turn))
        uv = solid.uv * np.linalg.norm(turn, axis=0)[solid.axes][:, None, :]
        models[part.instance].keep(corners, normals, uv, part.material, "")
    return [model for model in models if model.pieces]


@dataclass(frozen=True)
class SmoothMesh(Mesh):
    """A picture's triangles: `labels` are VOC classes (0 for none), `smooth` the normals at the corners
    [F, 3, 3], `part` [F] indexes the names of the face's own object."""

    smooth: Array
    part: Ints


def joined(models: list[Model], categories: list[int]) -> SmoothMesh:
    """All models as one mesh; instance k is models[k]."""
    pieces = [(number, piece) for number, model in enumerate(models) for piece in model.pieces]
    numbers: dict[int, int] = {}
    materials: list[Material] = []
    for _, piece in pieces:
        if id(piece.material) not in numbers:
            numbers[id(piece.material)] = len(materials)
            materials.append(piece.material)
    counts = [len(piece.corners) for _, piece in pieces]
    corners = np.concatenate([piece.corners for _, piece in pieces])
    across = cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    return SmoothMesh(
        corners=corners,
        normals=unit(across),
        uv=np.concatenate([piece.uv for _, piece in pieces]),
        instance=np.repeat([number for number, _ in pieces], counts),
        labels=np.array(categories, np.uint8),
        material=np.repeat([numbers[id(piece.material)] for _, piece in pieces], counts),
        materials=materials,
        smooth=np.concatenate([piece.normals for _, piece in pieces]),
        part=np.concatenate([piece.part for _, piece in pieces]),
    )
