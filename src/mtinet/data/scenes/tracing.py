"""Casting rays into a room with Embree, and the exact hit points from the planes of the faces hit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from embreex.mesh_construction import TriangleMesh
from embreex.rtcore_scene import EmbreeScene
from numpy.typing import NDArray

from mtinet.data.scenes.geometry import Array, Mesh, RoundMesh, lengths

FREE = -1  # what Embree's occlusion query answers for a ray that meets nothing


@dataclass(frozen=True)
class Hits:
    """What N rays met. Rays that met nothing have face -1 and zeros elsewhere.

    face int64 [N]; instance int64 [N] (-1 for none); depth float64 [N], in lengths of the ray's direction;
    points and normals float64 [N, 3] in the room, normals turned against the ray; weights float64 [N, 2],
    barycentric coordinates of the face's second and third corner.
    """

    face: NDArray[np.int64]
    instance: NDArray[np.int64]
    depth: Array
    points: Array
    normals: Array
    weights: Array


class Tracer:
    """Answers ray queries about one room; single-threaded, the same answers on every call."""

    def __init__(self, mesh: Mesh) -> None:
        self.mesh = mesh
        self.scene = EmbreeScene()
        self.geometry = TriangleMesh(self.scene, np.ascontiguousarray(mesh.corners, np.float32))

    def cast(self, origin: Array, directions: Array) -> Hits:
        """First hits of rays from `origin` ([3] or [N, 3]) along `directions` [N, 3] (any length)."""
        origins = np.broadcast_to(origin, directions.shape)
        answer = self.scene.run(np.array(origins, np.float32), np.asarray(directions, np.float32), output=1)
        face = answer["primID"].astype(np.int64)
        missed = face < 0
        corner, normals = self.mesh.corners[face, 0], self.mesh.normals[face]
        along = np.einsum("ij,ij->i", normals, directions)
        # Embree answers in single precision; the face's own plane gives the distance in double.
        flat = np.abs(along) < 1e-12
        depth = np.einsum("ij,ij->i", normals, corner - origins) / np.where(flat, 1.0, along)
        depth = np.where(flat, answer["tfar"], depth)
        normals = normals * np.where(along > 0, -1.0, 1.0)[:, None]
        points = origins + depth[:, None] * directions
        weights = np.stack([answer["u"], answer["v"]], axis=1).astype(np.float64)
        for array in (depth, points, normals, weights):
            array[missed] = 0.0
        return Hits(face, np.where(missed, -1, self.mesh.instance[face]), depth, points, normals, weights)

    def texture(self, hits: Hits) -> NDArray[np.float32]:
        """Texture coordinates of the hit points [N, 2], metres."""
        corners = self.mesh.uv[hits.face]
        second, third = hits.weights[:, :1], hits.weights[:, 1:]
        uv = corners[:, 0] * (1 - second - third) + corners[:, 1] * second + corners[:, 2] * third
        return np.asarray(uv, np.float32)

    def smooth_normals(self, hits: Hits) -> Array:
        """Unit normals [N, 3] of the round surfaces that faces stand for, never facing away from the viewer.

        The faces' own normals where these are flat.
        """
        mesh, normals = self.mesh, hits.normals.copy()
        if not isinstance(mesh, RoundMesh):
            return normals
        chosen = np.flatnonzero(mesh.round[hits.face] & (hits.face >= 0))
        corners, weights = mesh.corner_normals[mesh.first[hits.face[chosen]]].astype(float), hits.weights[chosen]
        corners /= lengths(corners)[..., None]
        found = corners[:, 0] * (1 - weights.sum(axis=1))[:, None]
        found = found + corners[:, 1] * weights[:, :1] + corners[:, 2] * weights[:, 1:]
        found *= np.sign(np.einsum("ij,ij->i", found, normals[chosen]))[:, None]
        length = lengths(found)[:, None]
        normals[chosen] = np.where(length > 1e-6, found / np.maximum(length, 1e-6), normals[chosen])
        return normals

    def visible(self, points: NDArray[Any], targets: NDArray[Any]) -> NDArray[np.bool_]:
        """Whether nothing stands between points [N, 3] and targets ([3] or [N, 3])."""
        directions = np.asarray(targets - points, np.float32)
        reach = np.full(len(points), 1.0, np.float32)
        found = self.scene.run(np.asarray(points, np.float32), directions, reach, query="OCCLUDED")
        return np.asarray(found == FREE)
