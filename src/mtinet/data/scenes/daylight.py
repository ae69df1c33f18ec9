"""Light on pictures: sun or lamps with shadows, light from all around, haze, and a sky with clouds."""

from __future__ import annotations

import colorsys
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from mtinet.data.scenes.geometry import Array, lengths
from mtinet.data.scenes.materials import RGB, albedo, smooth_noise
from mtinet.data.scenes.modelling import SmoothMesh, unit
from mtinet.data.scenes.sensor import TYPICAL, mean_colour
from mtinet.data.scenes.shading import OFFSET, TILE, ambient_access, highlights, samples
from mtinet.data.scenes.tracing import Hits, Tracer

Floats = NDArray[np.float32]
FAR = 300.0  # metres from which the sun shines
GRAZING = 0.02  # no visible surface turns further away from the viewer than this cosine


@dataclass(frozen=True)
class Lamp:
    """A source: its position [3] in metres, or for a sun the unit vector to it; its colour times strength at one
    metre (a sun: anywhere); its radius in metres (a sun: radians) softens the shadows."""

    position: Array
    power: Array
    radius: float
    sun: bool = False


@dataclass(frozen=True)
class Sky:
    """Colours at the horizon and the zenith and of the clouds, their share of the sky, their size and place."""

    horizon: RGB
    zenith: RGB
    cloud: RGB
    cover: float
    size: float
    shift: tuple[float, float]
    haze: float

    def colour(self, directions: Array) -> Floats:
        """Radiance [N, 3] from the given unit directions."""
        x, y, z = directions.astype(np.float32).T
        rise = np.clip(z, 0, 1)[:, None] ** np.float32(0.6)
        base = np.array(self.horizon, np.float32) * (1 - rise) + np.array(self.zenith, np.float32) * rise
        flat = np.maximum(z, 0.04) + 0.12
        u, v = x / flat / self.size + self.shift[0], y / flat / self.size + self.shift[1]
        noise = 0.6 * smooth_noise(u, v) + 0.28 * smooth_noise(2.3 * u, 2.3 * v) + 0.12 * smooth_noise(6 * u, 6 * v)
        share = np.clip((noise - 1 + self.cover) * 4 + 0.3, 0, 1) * np.clip(z * 12 + 0.4, 0, 1)
        lumps = np.float32(0.75) + np.float32(0.25) * noise[:, None]
        return np.asarray(base + share[:, None] * (np.array(self.cloud, np.float32) * lumps - base), np.float32)


@dataclass(frozen=True)
class Light:
    """All light in a picture: sources, light from all around (linear RGB), and the sky, None indoors."""

    lamps: tuple[Lamp, ...]
    ambient: Array
    sky: Sky | None


def random_sky(rng: Generator) -> Sky:
    """Blue, hazy, overcast, or at dawn and dusk in any warm or cold hue."""
    kind = rng.choice(["blue", "grey", "coloured"], p=[0.6, 0.25, 0.15])
    value = rng.uniform(0.4, 1.0)
    if kind == "grey":
        hue, vivid = rng.uniform(0.05, 0.7), rng.uniform(0.0, 0.12)
    elif kind == "blue":
        hue, vivid = rng.uniform(0.53, 0.61), rng.uniform(0.35, 0.8)
    else:
        hue, vivid = rng.uniform(-0.12, 0.15) % 1.0, rng.uniform(0.15, 0.6)
    zenith = colorsys.hsv_to_rgb(hue, vivid, value)
    pale = colorsys.hsv_to_rgb(rng.uniform(0.0, 0.15) if rng.random() < 0.4 else hue, vivid * rng.uniform(0.1, 0.6),
                               min(1.5, value * rng.uniform(1.0, 1.5)))  # fmt: skip
    white = value * rng.uniform(0.8, 1.6)
    cloud = white * (1 + 0.06 * rng.standard_normal(3))
    return Sky(pale, zenith, (float(cloud[0]), float(cloud[1]), float(cloud[2])), rng.uniform(0.1, 0.95),
               rng.uniform(0.5, 2.5), (rng.uniform(0, 30), rng.uniform(0, 30)),
               haze=float(np.exp(rng.uniform(np.log(600), np.log(8000)))))  # fmt: skip


def daylight(rng: Generator) -> Light:
    """A sun of random height and strength under a random sky; weak when overcast."""
    sky = random_sky(rng)
    height, turn = np.radians(rng.uniform(15, 75)), rng.uniform(0, 2 * np.pi)
    if rng.random() < 0.6:  # photographers like the sun behind them
        turn = -np.pi / 2 + rng.normal(0, 0.9)
    towards = np.array([np.cos(height) * np.cos(turn), np.cos(height) * np.sin(turn), np.sin(height)])
    strength = rng.uniform(0.1, 0.5) if rng.random() < 0.3 else rng.uniform(0.8, 2.2)
    tint = np.array([1.0, 0.93, 0.82]) ** rng.uniform(0.2, 1.5)
    sun = Lamp(towards, strength * tint, 0.01 if strength > 0.5 else 0.12, sun=True)
    mean = 0.5 * (np.array(sky.horizon) + np.array(sky.zenith))
    return Light((sun,), rng.uniform(0.28, 0.5) * (0.6 * mean.mean() + 0.4 * mean) + 0.05, sky)


def smoothed(hits: Hits, mesh: SmoothMesh, directions: Array) -> Hits:
    """The same hits with the smooth surface's normals, which never face away from the viewer."""
    second, third = hits.weights[:, :1], hits.weights[:, 1:]
    corners = mesh.smooth[hits.face]
    normals = unit(corners[:, 0] * (1 - second - third) + corners[:, 1] * second + corners[:, 2] * third)
    flipped = np.einsum("ij,ij->i", normals, hits.normals) < 0
    normals = np.where(flipped[:, None], -normals, normals)
    view = unit(directions)
    away = np.maximum(np.einsum("ij,ij->i", normals, view) + GRAZING, 0)
    normals = unit(normals - away[:, None] * view)
    normals[hits.face < 0] = 0.0
    return replace(hits, normals=normals)


def lamp_light(tracer: Tracer, hits: Hits, smooth: Hits, lamp: Lamp, shape: tuple[int, int]) -> tuple[Floats, Floats]:
    """Irradiance [N] of a source of unit power, shadows softened, and unit directions to it [N, 3]."""
    raised = hits.points + np.maximum(OFFSET, 4e-4 * hits.depth)[:, None] * hits.normals
    start = raised.astype(np.float32)
    if lamp.sun:
        to_lamp, falloff = np.tile(lamp.position.astype(np.float32), (len(start), 1)), np.ones(len(start), np.float32)
        target = start + np.float32(FAR) * (to_lamp + np.float32(lamp.radius) * samples(shape))
    else:
        offset = lamp.position.astype(np.float32) - start
        square = np.einsum("ij,ij->i", offset, offset)
        to_lamp, falloff = offset / np.sqrt(np.maximum(square, 1e-6))[:, None], 1 / (0.6 + 0.35 * square)
        target = (lamp.position + lamp.radius * samples(shape)).astype(np.float32)
    cosine = np.maximum(np.einsum("ij,ij->i", to_lamp, smooth.normals.astype(np.float32)), 0)
    facing = np.flatnonzero((cosine > 0) & (np.einsum("ij,ij->i", to_lamp, hits.normals.astype(np.float32)) > 0))
    lit = np.zeros(len(start), np.float32)
    lit[facing] = tracer.visible(start[facing], target[facing])
    lit = np.asarray(cv2.blur(lit.reshape(shape), (TILE - 1, TILE - 1)).ravel(), np.float32)
    return np.asarray(cosine * lit * falloff, np.float32), np.asarray(to_lamp, np.float32)


def radiance(tracer: Tracer, hits: Hits, smooth: Hits, directions: Array, light: Light, shape: tuple[int, int],
             pixel: float) -> Floats:  # fmt: skip
    """Linear RGB [H * W, 3] along the rays of one picture; `pixel` is the angle of a pixel in radians."""
    materials, number = tracer.mesh.materials, tracer.mesh.material[hits.face]
    gloss, glow, mirror = (np.array([getattr(m, name) for m in materials], np.float32)[number]
                           for name in ("gloss", "glow", "mirror"))  # fmt: skip
    view = unit(directions)
    slant = np.maximum(np.abs(np.einsum("ij,ij->i", view, hits.normals)), 0.05)
    distance = hits.depth * lengths(directions)
    colour = albedo(materials, number, tracer.texture(hits), (distance * pixel / slant).astype(np.float32))
    sight, facing = view.astype(np.float32), smooth.normals.astype(np.float32)
    above = np.float32(0.75) + np.float32(0.25) * facing[:, 2]
    total = colour * (ambient_access(tracer, hits, shape) * above)[:, None] * light.ambient.astype(np.float32)
    for lamp in light.lamps:
        strength, to_lamp = lamp_light(tracer, hits, smooth, lamp, shape)
        power = lamp.power.astype(np.float32)
        total += colour * strength[:, None] * power
        total += (highlights(sight, to_lamp, facing, gloss) * np.minimum(strength * 4, 1))[:, None] * power
    total += colour * glow[:, None]
    bounced = view - 2 * np.einsum("ij,ij->i", view, smooth.normals)[:, None] * smooth.normals
    around = light.ambient.astype(np.float32) * 0.6
    if light.sky is not None:
        fade = np.exp(-distance / light.sky.haze).astype(np.float32)[:, None]
        shiny = np.flatnonzero((mirror > 0) & (hits.face >= 0))
        total[shiny] += mirror[shiny, None] * light.sky.colour(bounced[shiny])
        total = total * fade + np.array(light.sky.horizon, np.float32) * (1 - fade)
        empty = np.flatnonzero(hits.face < 0)
        total[empty] = light.sky.colour(view[empty])
    else:
        total += mirror[:, None] * around
        total[hits.face < 0] = around
    return total


def exposed(radiance: Floats, rng: Generator) -> Floats:
    """The picture's radiance brought to the sensor's range, a little too dark or too bright, hard or soft, dull or
    vivid, as cameras develop it."""
    grey = mean_colour(radiance)[:, None]
    level = 0.5 * np.median(grey) + 0.5 * grey.mean() + 1e-6
    vivid = np.maximum(grey + np.float32(rng.uniform(1.15, 2.0)) * (radiance - grey), 0)
    relative = np.maximum(grey / level, 1e-4) ** np.float32(rng.uniform(0.05, 0.45))
    return np.asarray(vivid * relative * np.float32(TYPICAL / level * np.exp(rng.normal(-0.4, 0.35))), np.float32)
