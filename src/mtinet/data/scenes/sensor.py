"""From radiance to an 8-bit photograph, and from exact depth to what a structured-light sensor returns."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from mtinet.data.scenes.camera import Camera
from mtinet.data.scenes.geometry import lengths
from mtinet.data.scenes.materials import smooth_noise
from mtinet.data.scenes.shading import surfaces
from mtinet.data.scenes.tracing import Hits, Tracer

Floats = NDArray[np.float32]
TYPICAL = 0.22  # radiance of an average room
WARMER = np.array([1.0, 0.15, -1.0])  # how a warmer white balance changes red, green and blue
NEAREST, FARTHEST = 0.5, 9.9
BORDER = 7.5 / 480  # of the image's height


@dataclass(frozen=True)
class Film:
    """How radiance becomes brightness.

    target      range of the brightness of the middle of the photograph, 0..1
    adaptation  1: every photograph is exposed for its own scene, 0: all alike
    balance     mean white balance
    spread      standard deviations of the balance: of each channel by itself, and from cool to warm
    contrast    darkens shadows and brightens lights, 0..1
    white       radiance beyond which nothing gets brighter
    noise       range of the noise's standard deviation in a white area, 0..1
    """

    target: tuple[float, float] = (0.4, 0.5)
    adaptation: float = 0.15
    balance: tuple[float, float, float] = (1.0, 1.0, 1.0)
    spread: tuple[float, float] = (0.08, 0.0)
    contrast: float = 0.0
    white: float = np.inf
    noise: tuple[float, float] = (0.004, 0.02)


INDOORS = Film((0.34, 0.54), 0.65, (1.05, 1.0, 0.93), (0.02, 0.09), 0.7, 1.5, (0.003, 0.014))  # lamps tint the picture


def mean_colour(radiance: Floats) -> Floats:
    """The mean of the channels [...] of RGB [..., 3]: numpy's own gives the same and takes several times as long."""
    return np.asarray((radiance[..., 0] + radiance[..., 1] + radiance[..., 2]) / np.float32(3), np.float32)


def photograph(
    radiance: Floats, rng: Generator, film: Film = Film(), outline: NDArray[np.bool_] | None = None
) -> NDArray[np.uint8]:
    """uint8 [H, W, 3] from linear radiance: lens blur, exposure, white balance, film curve, gamma, noise.

    `outline` [H, W] are pixels at borders of surfaces: one ray per pixel leaves them jagged, so they blur more.
    """
    unit = max(1.0, radiance.shape[0] / 480)
    limited = np.minimum(radiance, np.float32(film.white))
    blurred = np.asarray(cv2.GaussianBlur(limited, (0, 0), 0.55 * unit), np.float32)
    if outline is not None:
        blurred[outline] = cv2.GaussianBlur(limited, (0, 0), 1.0 * unit)[outline]
    grey = mean_colour(blurred)
    level = (0.5 * np.median(grey) + 0.5 * grey.mean() + 1e-6) / TYPICAL
    exposure = rng.uniform(*film.target) ** 2.2 * 2.2 / (level**film.adaptation * TYPICAL)
    drawn = rng.standard_normal(3)
    balance = np.array(film.balance) * np.clip(
        1 + film.spread[0] * drawn + film.spread[1] * drawn[0] * WARMER, 0.75, 1.25
    )
    scaled = np.maximum(blurred * (exposure * balance).astype(np.float32), 0)
    curve = scaled * (1 + scaled / 4) / (1 + scaled)  # Reinhard's curve, white at four times the middle
    noise = rng.standard_normal(radiance.shape, np.float32) * np.float32(rng.uniform(*film.noise))
    tone = np.clip(curve, 0, 1) ** np.float32(1 / 2.2)
    if film.contrast:
        tone += np.float32(film.contrast) * tone * (1 - tone) * (2 * tone - 1)
    image = tone + noise * np.sqrt(curve + 0.15)
    return np.asarray(np.clip(image * 255 + 0.5, 0, 255), np.uint8)


def dropouts(tracer: Tracer, hits: Hits, camera: Camera, directions: NDArray[np.float64], radiance: Floats,
             shape: tuple[int, int], rng: Generator) -> NDArray[np.bool_]:  # fmt: skip
    """Which pixels [H * W] a Kinect would leave without depth.

    Shadow bands are traced: a point that the projector beside the camera does not light has no depth. Dark,
    shiny and slanting surfaces lose it in patches, mirrors and panes wholly; depth beyond the range does too.
    """
    materials, number = tracer.mesh.materials, tracer.mesh.material[hits.face]
    gloss = np.array([m.gloss for m in materials], np.float32)[number]
    pane = np.array([m.mirror > 0.3 or m.pattern == "landscape" for m in materials])[number]
    lost = ~camera.lights(tracer, hits)
    slant = np.abs(np.einsum("ij,ij->i", directions, hits.normals)) / lengths(directions)
    dark = np.clip(1 - 6 * mean_colour(radiance.reshape(-1, 3)) / (radiance.mean() * 1.2 + 1e-6), 0, 1)
    risk = 0.95 * pane + 0.35 * gloss * (slant > 0.75) + 0.4 * dark * (hits.depth > 1.2) + 0.02
    risk = risk + np.clip((0.22 - slant) / 0.14, 0, 1) + 0.15 * np.clip((hits.depth - 4.5) / 4, 0, 1)
    lost |= patches(shape, rng) < risk
    lost = ragged(lost.reshape(shape), rng).ravel()
    return lost | (hits.face < 0) | (hits.depth < NEAREST) | (hits.depth > FARTHEST)


def outlines(hits: Hits, shape: tuple[int, int]) -> NDArray[np.bool_]:
    """Pixels [H, W] next to which another instance or a surface of another direction begins."""
    surface = surfaces(hits).reshape(shape)
    differs = np.zeros(shape, np.uint8)
    differs[:, :-1] |= surface[:, :-1] != surface[:, 1:]
    differs[:-1] |= surface[:-1] != surface[1:]
    return np.asarray(cv2.dilate(differs, np.ones((2, 2), np.uint8)) > 0)


def bordered(frame_shape: tuple[int, int]) -> NDArray[np.bool_]:
    """Pixels [H, W] of the white border that NYUD-v2's frames have: about 7 of 480 rows and 640 columns a side."""
    height, width = frame_shape
    wide = round(BORDER * height)
    border = np.ones(frame_shape, bool)
    border[wide : height - wide, wide : width - wide] = False
    return border


def patches(shape: tuple[int, int], rng: Generator) -> Floats:
    """Noise in [0, 1] whose blobs are about a thirtieth of the image wide [H * W]."""
    x, y = np.meshgrid(np.arange(shape[1], dtype=np.float32), np.arange(shape[0], dtype=np.float32))
    size, shift = shape[0] / 30, rng.uniform(0, 30, 2).astype(np.float32)
    coarse = smooth_noise(x / size + shift[0], y / size + shift[1])
    return np.asarray((0.85 * coarse + 0.15 * rng.random(shape, np.float32)).ravel(), np.float32)


def ragged(lost: NDArray[np.bool_], rng: Generator) -> NDArray[np.bool_]:
    """Grow holes by a pixel here and there, and drop single pixels."""
    grown = cv2.dilate(lost.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    noise = rng.random(lost.shape, np.float32)
    return lost | (grown & (noise < 0.5)) | (noise > 0.997)
