"""The camera: the Kinect's intrinsics, scaled to the image's size, and poses at a person's height.

Camera coordinates: x to the right, y up, z towards the viewer (so that the camera looks along -z and a
surface that faces it has the normal (0, 0, 1)). Depth is the distance along the optical axis, -z.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from mtinet.data.scenes.classes import LABELS
from mtinet.data.scenes.geometry import Array
from mtinet.data.scenes.layout import Room
from mtinet.data.scenes.shading import OFFSET
from mtinet.data.scenes.tracing import Hits, Tracer

BASELINE = 0.075  # metres between the Kinect's projector and its infrared camera
KINECT = (518.86, 519.47, 325.58, 253.74)  # fx, fy, cx, cy in pixels of a 640 x 480 image
PROBE = (12, 16)  # rays down and across that judge a pose
HEIGHT = (1.38, 0.17)  # metres above the floor: mean and spread
LOWEST, HIGHEST = 0.85, 1.8
PITCH = (-0.06, 0.1)  # radians upwards from the way to the target: mean and spread
ROLL = 0.045
DISTANCE = (2.7, 0.4)  # wanted median depth: metres, and spread of its logarithm
TOWARDS = 0.4  # how far the camera tilts towards its target
CANDIDATES = 48
ENOUGH = 12  # good ones to choose from
ACCEPTED = -40.0
MARGIN = 0.25  # metres between camera and walls
LIT = 0.5  # share of the picture that the projector must reach
LARGEST = 0.3  # share of the picture that one thing may fill
USUAL = {LABELS["wall"]: 0.17, LABELS["floor"]: 0.14, LABELS["ceiling"]: 0.03}  # nobody takes a picture of more


def intrinsics(height: int, width: int) -> tuple[float, float, float, float]:
    """fx, fy, cx, cy in pixels for an image of the given size; pixel (u, v) has its centre at (u, v)."""
    fx, fy, cx, cy = KINECT
    across, down = width / 640, height / 480
    return fx * across, fy * down, (cx + 0.5) * across - 0.5, (cy + 0.5) * down - 0.5


@dataclass(frozen=True)
class Camera:
    """Position [3] in the room and rotation [3, 3], whose columns are the camera's axes in the room."""

    position: Array
    rotation: Array

    def directions(self, height: int, width: int) -> Array:
        """Rays [height * width, 3] in the room, scaled so that one unit along a ray is one metre of depth."""
        fx, fy, cx, cy = intrinsics(height, width)
        x, y = np.meshgrid((np.arange(width) - cx) / fx, (cy - np.arange(height)) / fy)
        rays = np.stack([x, y, np.full_like(x, -1.0)], axis=-1).reshape(-1, 3)
        return np.asarray(rays @ self.rotation.T)

    def lights(self, tracer: Tracer, hits: Hits) -> NDArray[np.bool_]:
        """Which of the points [N] that the camera sees are reached by the projector to its right."""
        projector = self.position + BASELINE * self.rotation[:, 0]
        return tracer.visible(hits.points + OFFSET * hits.normals, np.broadcast_to(projector, hits.points.shape))


def looking(position: Array, yaw: float, pitch: float, roll: float) -> Camera:
    """A camera that looks along `yaw` (about z, from +x), `pitch` upwards, turned by `roll`; radians."""
    forward = np.array([np.cos(pitch) * np.cos(yaw), np.cos(pitch) * np.sin(yaw), np.sin(pitch)])
    right = np.array([np.sin(yaw), -np.cos(yaw), 0.0])
    up = np.cross(right, forward)
    turned = np.cos(roll) * right + np.sin(roll) * up
    return Camera(position, np.stack([turned, np.cross(turned, forward), -forward], axis=1))


@dataclass(frozen=True)
class Subjects:
    """What pictures of a room are taken of: middles of its things [N, 3], and where in [0, 1] each one's share ends.

    Large things are looked at more often: pictures are taken of beds and sofas, not of cups.
    """

    room: Room
    centres: Array
    shares: Array

    @classmethod
    def of(cls, room: Room) -> Subjects:
        """The subjects of a furnished room."""
        sizes = np.cumsum([thing.extent for thing in room.things] or [1.0])
        return cls(room, np.array([thing.centre for thing in room.things]).reshape(-1, 3), sizes / sizes[-1])

    def pick(self, rng: Generator) -> Array:
        """The middle of a thing, drawn by its size, or a random place in the room."""
        if not len(self.centres) or rng.random() < 0.12:
            return np.array([rng.uniform(0, self.room.width), rng.uniform(0, self.room.depth), rng.uniform(0.3, 1.6)])
        return np.asarray(self.centres[np.searchsorted(self.shares, rng.random())])


def random_pose(subjects: Subjects, distance: float, rng: Generator) -> Camera:
    """A pose that looks at one of the room's things from about `distance` metres, or just into the room."""
    room, target, away = subjects.room, subjects.pick(rng), distance * rng.uniform(0.7, 1.6)
    turn = rng.uniform(0, 2 * np.pi)
    at = target[:2] + away * np.array([np.cos(turn), np.sin(turn)])
    ground = np.clip(at, MARGIN, np.array([room.width, room.depth]) - MARGIN)
    position = np.array([*ground, np.clip(rng.normal(*HEIGHT), LOWEST, HIGHEST)])
    offset = target - position
    yaw = np.arctan2(offset[1], offset[0]) + rng.normal(0, 0.22)
    level = np.arctan2(offset[2], np.hypot(offset[0], offset[1]))
    pitch = np.clip(TOWARDS * level + rng.normal(*PITCH), -0.75, 0.2)
    return looking(position, float(yaw), float(pitch), float(rng.normal(0, ROLL)))


def choose(room: Room, tracer: Tracer, rng: Generator) -> Camera:
    """The best of several poses by `merit`, from as many trials as it takes to find a few good ones.

    Each image has its own wanted distance, so that a set holds close-ups as well as whole halls. A pose whose
    projector stands behind something makes a picture without depth, however good its view is.
    """
    subjects, distance = Subjects.of(room), float(np.exp(rng.normal(np.log(DISTANCE[0]), DISTANCE[1])))
    best, score, good = random_pose(subjects, distance, rng), -np.inf, 0
    for _ in range(CANDIDATES):
        camera = random_pose(subjects, distance, rng)
        found = merit(tracer, camera, distance) + rng.normal(0, 2.0)
        good += found > ACCEPTED
        if found > score and measurable(tracer, camera):
            best, score = camera, found
        if good == ENOUGH:
            break
    return best


def measurable(tracer: Tracer, camera: Camera) -> bool:
    """Whether the Kinect's projector reaches enough of what a pose's probing rays hit."""
    return float(np.mean(camera.lights(tracer, tracer.cast(camera.position, camera.directions(*PROBE))))) >= LIT


def merit(tracer: Tracer, camera: Camera, distance: float) -> float:
    """How good a picture a pose makes, judged by a few probing rays; below ACCEPTED when it is too close.

    It counts the instances in view, against more bare wall, floor and ceiling than usual, against a thing that
    fills the picture, against a median depth other than `distance` (metres) and against standing inside or right
    before something. The probe has its own fixed size, so that the pose does not depend on the image's.
    """
    hits = tracer.cast(camera.position, camera.directions(*PROBE))
    outside = np.mean(hits.face < 0)
    nearest, middle = np.quantile(hits.depth, [0.05, 0.5])
    crammed = max(0.0, 0.7 - nearest) + max(0.0, 1.1 - middle) + 2 * outside
    if crammed > 0.02:
        return float(2 * ACCEPTED - 100 * crammed)
    seen = np.bincount(tracer.mesh.labels[hits.instance], minlength=41) / hits.instance.size
    bare = np.maximum(seen[list(USUAL)] - list(USUAL.values()), 0.0).sum()
    structure = np.isin(tracer.mesh.labels[hits.instance], list(USUAL))
    off = abs(np.log(middle / distance))
    counts = np.bincount(hits.instance[~structure])
    filling = np.maximum(counts.max(initial=0) / hits.instance.size - LARGEST, 0.0)
    instances = min(int(np.count_nonzero(counts)), 20)
    return float(0.6 * instances - 50 * bare - 20 * off - 40 * filling)
