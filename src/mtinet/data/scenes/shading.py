"""Light on surfaces: lamps with shadows, ambient light with occlusion, highlights, mirrors and glow."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, lru_cache

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from mtinet.data.scenes.geometry import Array, lengths
from mtinet.data.scenes.layout import Light
from mtinet.data.scenes.materials import albedo
from mtinet.data.scenes.tracing import Hits, Tracer

Floats = NDArray[np.float32]
OFFSET = 2e-3  # metres that secondary rays start above their surface
REACH = 0.7  # metres within which surfaces occlude each other's ambient light
FILL = (0.5, 1.1)  # power of the light that falls in from behind the camera where no lamp is lit
LAMPS = 3  # at most
DIM = 0.4  # share of the brightest lamp's power below which a third one is left out
AMBIENT = (0.07, 0.2)
DIRECTIONS = 4  # rays per ambient sample
GROUPS = 4  # of surfaces that are smoothed apart
TILE = 4  # neighbouring pixels share their samples in tiles of TILE x TILE, which a box filter then averages


@cache
def spread(count: int) -> Array:
    """`count` unit vectors evenly over the sphere [count, 3], in an order whose neighbours lie far apart."""
    height = 1 - (2 * np.arange(count) + 1) / count
    turn = np.arange(count) * np.pi * (3 - np.sqrt(5))
    ring = np.sqrt(1 - height**2)
    vectors = np.stack([ring * np.cos(turn), ring * np.sin(turn), height], axis=1)
    shuffled: Array = vectors[np.random.default_rng(count).permutation(count)]
    return shuffled


@lru_cache(maxsize=8)
def samples(shape: tuple[int, int], number: int = 0, total: int = 1) -> Floats:
    """Sample `number` of `total` of every pixel [H * W, 3]: each tile covers the whole sphere evenly."""
    rows, columns = np.indices(shape) % TILE
    chosen = (rows * TILE + columns).ravel() * total + number
    return np.asarray(spread(TILE * TILE * total)[chosen], np.float32)


@dataclass(frozen=True)
class Illumination:
    """All light in a room: lamps, and the ambient radiance (linear RGB) that comes from everywhere."""

    lights: list[Light]
    ambient: Array


def illumination(lights: list[Light], camera: Array, rng: Generator) -> Illumination:
    """The LAMPS strongest lamps, or one behind the camera, and ambient light of random strength and tint."""
    chosen = sorted(lights, key=lambda light: -light.power.sum())[:LAMPS]
    chosen = [light for i, light in enumerate(chosen) if i < 2 or light.power.sum() > DIM * chosen[0].power.sum()]
    if not chosen:
        behind = camera + np.array([*rng.normal(0, 0.9, 2), rng.uniform(0.3, 0.6)])
        chosen = [Light(behind, np.full(3, rng.uniform(*FILL)), 0.1)]
    tint = 1 + 0.12 * rng.standard_normal(3)
    return Illumination(chosen, rng.uniform(*AMBIENT) * np.clip(tint, 0.6, 1.4))


def surfaces(hits: Hits) -> NDArray[np.int64]:
    """A number for each point's instance and the direction of its surface [N]."""
    facing = (np.round(hits.normals) @ np.array([1.0, 3.0, 9.0])).astype(np.int64)
    return np.asarray(hits.instance * 101 + facing)


class Smoothing:
    """Averages samples over a tile's pixels without mixing most neighbouring surfaces, lest light leaks at edges.

    Surfaces are dealt out to a few groups at random; each group's pixels are averaged among themselves.
    """

    def __init__(self, hits: Hits, shape: tuple[int, int]) -> None:
        group = ((surfaces(hits) * 2654435761) >> 7).reshape(shape) % GROUPS
        self.masks = [(group == number).astype(np.float32) for number in range(GROUPS)]
        self.shares = [cv2.blur(mask, (TILE, TILE)) for mask in self.masks]

    def __call__(self, values: Floats) -> Floats:
        """Smoothed values [N]."""
        grid = values.reshape(self.masks[0].shape)
        total = np.zeros_like(grid)
        for mask, share in zip(self.masks, self.shares, strict=True):
            total += mask * cv2.blur(grid * mask, (TILE, TILE)) / np.maximum(share, np.float32(1e-3))
        return np.asarray(total.ravel(), np.float32)


def lamp_light(tracer: Tracer, hits: Hits, facing: Floats, light: Light, shape: tuple[int, int],
               smooth: Smoothing | None) -> tuple[Floats, Floats]:  # fmt: skip
    """Irradiance [N, 1] of one lamp of unit power, shadows softened, and unit directions to it [N, 3].

    `facing` [N, 3] are the normals that shade, smooth where surfaces are round.
    """
    start = (hits.points + OFFSET * hits.normals).astype(np.float32)
    to_light = light.position.astype(np.float32) - start
    square = np.einsum("ij,ij->i", to_light, to_light)
    to_light /= np.sqrt(np.maximum(square, 1e-6))[:, None]
    cosine = np.maximum(np.einsum("ij,ij->i", to_light, facing), 0)
    lit = np.ones(len(cosine), np.float32)
    if light.radius:
        towards = np.flatnonzero(cosine > 0)
        target = (light.position + light.radius * samples(shape)[towards]).astype(np.float32)
        lit[towards] = tracer.visible(start[towards], target)
        lit = lit if smooth is None else smooth(lit)
    return np.asarray((cosine * lit / (0.6 + 0.35 * square))[:, None], np.float32), to_light


def ambient_access(tracer: Tracer, hits: Hits, shape: tuple[int, int]) -> Floats:
    """Share of ambient light that reaches each point [N], from rays at every second pixel, smoothed."""
    grid = np.arange(len(hits.face)).reshape(shape)[::2, ::2]
    coarse = grid.ravel()
    points, normals = hits.points[coarse] + OFFSET * hits.normals[coarse], hits.normals[coarse]
    free = np.zeros(len(coarse), np.float32)
    for number in range(DIRECTIONS):
        ball = samples((grid.shape[0], grid.shape[1]), number, DIRECTIONS)
        free += tracer.visible(points, points + REACH * (normals + 0.98 * ball))
    smooth = cv2.blur((free / DIRECTIONS).reshape(grid.shape), (TILE, TILE))
    return np.asarray(cv2.resize(smooth, shape[::-1], interpolation=cv2.INTER_LINEAR).ravel(), np.float32)


def radiance(tracer: Tracer, hits: Hits, directions: Array, light: Illumination, shape: tuple[int, int],
             pixel: float, reflected: bool = False) -> Floats:  # fmt: skip
    """Linear RGB [N, 3] that comes back along rays; `pixel` is the angle of a pixel in radians."""
    materials, number = tracer.mesh.materials, tracer.mesh.material[hits.face]
    gloss = np.array([m.gloss for m in materials], np.float32)[number]
    glow = np.array([m.glow for m in materials], np.float32)[number]
    length = lengths(directions)
    view = directions / length[:, None]
    slant = np.maximum(np.abs(np.einsum("ij,ij->i", view, hits.normals)), 0.12)
    footprint = (hits.depth * length * pixel / slant).astype(np.float32)
    colour = albedo(materials, number, tracer.texture(hits), footprint)
    access = np.ones(len(gloss), np.float32) if reflected else ambient_access(tracer, hits, shape)
    from_above = (0.8 + 0.2 * hits.normals[:, 2]).astype(np.float32)
    sight, facing = view.astype(np.float32), tracer.smooth_normals(hits).astype(np.float32)
    total = colour * (access * from_above)[:, None] * light.ambient.astype(np.float32)
    smooth = None if reflected else Smoothing(hits, shape)
    for lamp in light.lights:
        if reflected:
            lamp = Light(lamp.position, lamp.power, 0.0)
        strength, to_lamp = lamp_light(tracer, hits, facing, lamp, shape, smooth)
        power = lamp.power.astype(np.float32)
        total += colour * strength * power
        total += highlights(sight, to_lamp, facing, gloss)[:, None] * np.minimum(strength * 8, 1) * power
    total += colour * glow[:, None]
    if not reflected:
        reflect(total, tracer, hits, view, light, pixel)
    total[hits.face < 0] = 0.0
    return total


def highlights(view: Floats, to_lamp: Floats, normals: Floats, gloss: Floats) -> Floats:
    """Blinn's highlight of glossy surfaces [N]."""
    found = np.zeros(len(gloss), np.float32)
    shiny = np.flatnonzero(gloss > 0.05)
    half = to_lamp[shiny] - view[shiny]
    length = np.sqrt(np.maximum(np.einsum("ij,ij->i", half, half), 1e-9))
    cosine = np.maximum(np.einsum("ij,ij->i", half, normals[shiny]) / length, 0)
    found[shiny] = gloss[shiny] * 0.5 * cosine ** (20 + 100 * gloss[shiny])
    return found


def reflect(total: Floats, tracer: Tracer, hits: Hits, view: Array, light: Illumination, pixel: float) -> None:
    """Add to `total` what mirrors, dark windows and switched-off screens reflect."""
    share = np.array([m.mirror for m in tracer.mesh.materials], np.float32)[tracer.mesh.material[hits.face]]
    seen = np.flatnonzero((share > 0) & (hits.face >= 0))
    if not len(seen):
        return
    normals = hits.normals[seen]
    bounced = view[seen] - 2 * np.einsum("ij,ij->i", view[seen], normals)[:, None] * normals
    second = tracer.cast(hits.points[seen] + OFFSET * normals, bounced)
    found = radiance(tracer, second, bounced, light, (len(seen), 1), pixel, reflected=True)
    total[seen] += share[seen, None] * found
