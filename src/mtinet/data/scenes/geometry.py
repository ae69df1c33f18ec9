"""Objects as affine copies of a few solids, and their conversion into one triangle mesh.

World and object coordinates are in metres with z up. An object's own frame has its origin at the middle of
its back edge on the ground: x runs along its width, y from the back (0) to the front, z up. Keeping only
one matrix per solid makes a room of a thousand solids a handful of array operations.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

import numpy as np
import trimesh
from numpy.typing import NDArray

from mtinet.data.scenes.classes import LABELS
from mtinet.data.scenes.materials import Material

Array = NDArray[np.float64]


def lengths(vectors: NDArray[Any]) -> NDArray[Any]:
    """Euclidean lengths of vectors [..., 3]: numpy's own norm gives the same and takes several times as long."""
    x, y, z = vectors[..., 0], vectors[..., 1], vectors[..., 2]
    return np.asarray(np.sqrt(x * x + y * y + z * z))


@dataclass(frozen=True)
class Solid:
    """A unit solid: vertices [V, 3] in [-0.5, 0.5] (z in [0, 1]), faces [F, 3], texture coordinates.

    `uv` [F, 3, 2] are texture coordinates of each face's corners on the unit solid; they are multiplied by
    the lengths of the copy's axes `axes` [F, 2], so that a texture's scale is in metres on every copy.
    """

    vertices: Array
    faces: NDArray[np.int64]
    uv: Array
    axes: NDArray[np.int64]


def planar_uv(vertices: Array, faces: NDArray[np.int64]) -> tuple[Array, NDArray[np.int64]]:
    """Project every face along the axis that its normal is closest to: uv [F, 3, 2] and axes [F, 2]."""
    corners = vertices[faces]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    kept = np.array([[1, 2], [0, 2], [0, 1]])
    axes = kept[np.abs(normals).argmax(axis=1)]
    return np.take_along_axis(corners, axes[:, None, :].repeat(3, axis=1), axis=2), axes


def extruded(outline: Array) -> tuple[Array, NDArray[np.int64]]:
    """Prism of unit height over a convex outline [K, 2] given counter-clockwise: sides, then the caps."""
    count = len(outline)
    ring = np.arange(count)
    after = (ring + 1) % count
    vertices = np.vstack([np.c_[outline, np.zeros(count)], np.c_[outline, np.ones(count)]])
    sides = np.vstack([np.c_[ring, after, after + count], np.c_[ring, after + count, ring + count]])
    fan = np.c_[np.zeros(count - 2, int), ring[1:-1], ring[2:]]
    return vertices, np.vstack([sides, fan[:, [0, 2, 1]], fan + count])


def box() -> Solid:
    """A cube of side 1."""
    vertices, faces = extruded(np.array([[-0.5, -0.5], [0.5, -0.5], [0.5, 0.5], [-0.5, 0.5]]))
    return Solid(vertices, faces, *planar_uv(vertices, faces))


def cone(segments: int, top: float) -> Solid:
    """A cylinder (top = 1) or truncated cone of diameter 1 and height 1, the texture rolled around it."""
    angle = np.arange(segments) * 2 * np.pi / segments
    vertices, faces = extruded(0.5 * np.c_[np.cos(angle), np.sin(angle)])
    uv, axes = planar_uv(vertices, faces)
    sides = 2 * segments
    turn = np.where(faces[:sides] % segments == 0, 0.0, angle[faces[:sides] % segments])
    last = faces[:sides, :1] % segments == segments - 1
    turn = np.where(last & (turn == 0.0), 2 * np.pi, turn)
    uv[:sides, :, 0], uv[:sides, :, 1] = 0.5 * turn, vertices[faces[:sides], 2]
    axes[:sides] = [0, 2]
    vertices[segments:, :2] *= top
    return Solid(vertices, faces, uv, axes)


def ball(subdivisions: int = 2) -> Solid:
    """A sphere of diameter 1 standing on the ground plane."""
    sphere = trimesh.creation.icosphere(subdivisions=subdivisions, radius=0.5)
    vertices = np.asarray(sphere.vertices, float) + np.array([0.0, 0.0, 0.5])
    faces = np.asarray(sphere.faces, np.int64)
    return Solid(vertices, faces, *planar_uv(vertices, faces))


def cushion(subdivisions: int = 2) -> Solid:
    """A cube with everything rounded: a sphere blown up to the unit ball of the fourth norm."""
    smooth = ball(subdivisions)
    middle = np.array([0.0, 0.0, 0.5])
    centred = smooth.vertices - middle
    blown = centred * 0.5 / (centred**4).sum(axis=1, keepdims=True) ** 0.25
    return Solid(blown + middle, smooth.faces, *planar_uv(blown, smooth.faces))


def wave(folds: int = 10) -> Solid:
    """A hanging cloth in folds: a sine in the ground plane, extruded upwards, open at top and bottom."""
    steps = 8 * folds + 1
    along = np.linspace(-0.5, 0.5, steps)
    outline = np.c_[along, 0.5 * np.sin(along * folds * 2 * np.pi)]
    vertices = np.vstack([np.c_[outline, np.zeros(steps)], np.c_[outline, np.ones(steps)]])
    left = np.arange(steps - 1)
    faces = np.vstack([np.c_[left, left + 1, left + 1 + steps], np.c_[left, left + 1 + steps, left + steps]])
    axes = np.full((len(faces), 2), [0, 2])
    return Solid(vertices, faces, vertices[faces][:, :, [0, 2]], axes)


def wedge() -> Solid:
    """A cube whose top slopes from height 1 at the back to 0 at the front."""
    vertices = np.array(
        [[-0.5, -0.5, 0], [0.5, -0.5, 0], [0.5, 0.5, 0], [-0.5, 0.5, 0], [-0.5, -0.5, 1], [0.5, -0.5, 1]]
    )
    faces = np.array([[0, 2, 1], [0, 3, 2], [0, 1, 5], [0, 5, 4], [4, 5, 2], [4, 2, 3], [1, 2, 5], [0, 4, 3]], np.int64)
    return Solid(vertices, faces, *planar_uv(vertices, faces))


@cache
def solids() -> dict[str, Solid]:
    """Every solid by name."""
    return {
        "box": box(),
        "cylinder": cone(20, 1.0),
        "cone": cone(20, 0.55),
        "ball": ball(),
        "leaf": ball(1),
        "sack": cushion(3),
        "cushion": cushion(),
        "wave": wave(),
        "wedge": wedge(),
    }


ROUND = ("ball", "leaf", "cushion", "sack", "cylinder", "cone")  # solids with smooth surfaces
SMOOTH = 0.7  # cosine of the greatest angle between faces that meet smoothly


@dataclass(frozen=True)
class Part:
    """One copy of a solid: its affine matrix [3, 4], its instance within the object, its material."""

    solid: str
    matrix: Array
    instance: int
    material: Material


@dataclass(frozen=True)
class Support:
    """A horizontal rectangle on which things can stand, with the free height above it, metres."""

    x: tuple[float, float]
    y: tuple[float, float]
    z: float
    headroom: float = 2.0


@dataclass
class Sketch:
    """An object under construction; `labels` names the class of each of its instances."""

    label: str
    labels: list[str] = field(default_factory=list)
    parts: list[Part] = field(default_factory=list)
    supports: list[Support] = field(default_factory=list)
    current: int = 0
    measured: tuple[int, Array] | None = None

    def __post_init__(self) -> None:
        self.labels.append(self.label)

    def instance(self, label: str) -> Sketch:
        """Parts that follow belong to a new thing of class `label` within the object."""
        if label not in LABELS:
            raise KeyError(f"'{label}' is none of the 40 classes")
        self.labels.append(label)
        self.current = len(self.labels) - 1
        return self

    def base(self) -> Sketch:
        """Parts that follow belong to the object itself again."""
        self.current = 0
        return self

    def solid(self, solid: str, size: tuple[float, float, float], at: tuple[float, float, float],
              material: Material, turn: float = 0.0, tilt: float = 0.0) -> Sketch:  # fmt: skip
        """Add a solid of `size`, the middle of its ground at `at`; `tilt` about x, then `turn` about z."""
        ct, st, cy, sy = np.cos(tilt), np.sin(tilt), np.cos(turn), np.sin(turn)
        rotation = np.array([[cy, -sy * ct, sy * st], [sy, cy * ct, -cy * st], [0.0, st, ct]])
        matrix = np.empty((3, 4))
        matrix[:, :3] = rotation * size
        matrix[:, 3] = at
        self.parts.append(Part(solid, matrix, self.current, material))
        return self

    def box(self, x: tuple[float, float], y: tuple[float, float], z: tuple[float, float],
            material: Material) -> Sketch:  # fmt: skip
        """Add an axis-parallel box given by its three intervals."""
        matrix = np.zeros((3, 4))
        matrix[0, 0], matrix[1, 1], matrix[2, 2] = x[1] - x[0], y[1] - y[0], z[1] - z[0]
        matrix[:, 3] = (x[0] + x[1]) / 2, (y[0] + y[1]) / 2, z[0]
        self.parts.append(Part("box", matrix, self.current, material))
        return self

    def support(self, x: tuple[float, float], y: tuple[float, float], z: float, headroom: float = 2.0) -> Sketch:
        """Declare a place for clutter."""
        self.supports.append(Support(x, y, z, headroom))
        return self

    def dressed_like(self, other: Sketch, count: int) -> Sketch:
        """Take over the first `count` materials of `other`, in the order in which they occur."""
        mine, theirs = ({id(part.material): part.material for part in one.parts} for one in (self, other))
        exchange = dict(zip(mine, list(theirs.values())[:count], strict=False))
        self.parts = [replace(part, material=exchange.get(id(part.material), part.material)) for part in self.parts]
        return self

    def bounds(self) -> Array:
        """Axis-parallel bounding box [2, 3] in the object's frame."""
        if self.measured is None or self.measured[0] != len(self.parts):
            matrices = np.array([part.matrix for part in self.parts])
            half, up = np.abs(matrices[:, :, :2]).sum(axis=2) / 2, matrices[:, :, 2]
            low = matrices[:, :, 3] - half + np.minimum(up, 0)
            high = matrices[:, :, 3] + half + np.maximum(up, 0)
            self.measured = len(self.parts), np.stack([low.min(axis=0), high.max(axis=0)])
        return self.measured[1]


@dataclass(frozen=True)
class Mesh:
    """A room as triangles, with what the renderer looks up per face.

    corners float64 [F, 3, 3] metres; normals float64 [F, 3] unit; uv float64 [F, 3, 2] metres;
    instance int64 [F], index into `labels` (uint8 [I], 1..40); material int64 [F], index into `materials`.
    """

    corners: Array
    normals: Array
    uv: Array
    instance: NDArray[np.int64]
    labels: NDArray[np.uint8]
    material: NDArray[np.int64]
    materials: list[Material]


@dataclass(frozen=True)
class RoundMesh(Mesh):
    """A mesh whose round solids are shaded smoothly: normals of any length at the corners, and where they count [F].

    corner_normals float32 [R, 3, 3] of the round faces; `first` [F] is each round face's row.
    """

    corner_normals: NDArray[np.float32]
    first: NDArray[np.int64]
    round: NDArray[np.bool_]


@cache
def smooth_normals(name: str) -> Array | None:
    """Normals [F, 3, 3] at the corners of a solid's faces, averaged over faces that meet smoothly; None: all flat."""
    if name not in ROUND:
        return None
    solid = solids()[name]
    corners = solid.vertices[solid.faces]
    across = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    face = across / np.linalg.norm(across, axis=1, keepdims=True)
    meet = (solid.faces[:, :, None, None] == solid.faces[None, None]).any(axis=3)  # corner of face, other face
    near = meet & ((face @ face.T) > SMOOTH)[:, None, :]
    total = np.einsum("fcg,gi->fci", near.astype(float), across)
    return np.asarray(total / np.linalg.norm(total, axis=2, keepdims=True))


@dataclass
class Assembly:
    """Placed objects, collected until `mesh` turns them into triangles."""

    matrices: dict[str, list[Array]] = field(default_factory=dict)
    instances: dict[str, list[int]] = field(default_factory=dict)
    material: dict[str, list[int]] = field(default_factory=dict)
    materials: list[Material] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)
    known: dict[int, int] = field(default_factory=dict)

    def add(self, sketch: Sketch, place: Array) -> None:
        """Add an object; `place` [3, 4] takes its frame to the room's."""
        first = len(self.labels)
        self.labels.extend(sketch.labels)
        for part in sketch.parts:
            matrix = place[:, :3] @ part.matrix
            matrix[:, 3] += place[:, 3]
            self.matrices.setdefault(part.solid, []).append(matrix)
            self.instances.setdefault(part.solid, []).append(first + part.instance)
            self.material.setdefault(part.solid, []).append(self._number(part.material))

    def _number(self, material: Material) -> int:
        key = id(material)
        if key not in self.known:
            self.known[key] = len(self.materials)
            self.materials.append(material)
        return self.known[key]

    def mesh(self) -> RoundMesh:
        """All triangles of all objects."""
        corners, uv, instance, material, smooth = [], [], [], [], []
        for name in self.matrices:
            solid, matrices = solids()[name], np.array(self.matrices[name])
            faces = len(solid.faces)
            points = np.einsum("nij,vj->nvi", matrices[:, :, :3], solid.vertices) + matrices[:, None, :, 3]
            corners.append(points[:, solid.faces].reshape(-1, 3, 3))
            sizes = np.linalg.norm(matrices[:, :, :3], axis=1)
            uv.append((solid.uv * sizes[:, solid.axes][:, :, None, :]).reshape(-1, 3, 2))
            smooth.append(corner_normals(name, matrices))
            instance.append(np.repeat(self.instances[name], faces))
            material.append(np.repeat(self.material[name], faces))
        points = np.concatenate(corners)
        across = np.cross(points[:, 1] - points[:, 0], points[:, 2] - points[:, 0])
        normals = across / np.maximum(lengths(across)[:, None], 1e-12)
        numbers = np.array([LABELS[label] for label in self.labels], np.uint8)
        is_round = np.concatenate([np.full(len(self.matrices[name]) * len(solids()[name].faces), name in ROUND)
                                   for name in self.matrices])  # fmt: skip
        return RoundMesh(points, normals, np.concatenate(uv), np.concatenate(instance), numbers,
                         np.concatenate(material), self.materials, np.concatenate(smooth),
                         np.cumsum(is_round) - 1, is_round)  # fmt: skip


def corner_normals(name: str, matrices: Array) -> NDArray[np.float32]:
    """Smooth normals of copies of a solid [copies * faces, 3, 3], none of a flat one; lengths are arbitrary."""
    unit = smooth_normals(name)
    if unit is None:
        return np.zeros((0, 3, 3), np.float32)
    inverse = np.linalg.inv(matrices[:, :, :3]).astype(np.float32)  # normals turn by its transpose
    return np.asarray(np.matmul(unit.reshape(1, -1, 3).astype(np.float32), inverse).reshape(-1, 3, 3))


def placed(x: float, y: float, z: float, yaw: float) -> Array:
    """The matrix [3, 4] that turns an object by `yaw` (radians, about z) and puts its origin at (x, y, z)."""
    c, s = np.cos(yaw), np.sin(yaw)
    return np.array([[c, -s, 0.0, x], [s, c, 0.0, y], [0.0, 0.0, 1.0, z]])
