"""Procedural surfaces: patterns as functions of metric texture coordinates, with colours drawn at random.

Patterns and colours depend on what a thing is made of: wood is brown, painted or stained, porcelain mostly
white, cloth and print of any colour. Several classes share each stuff, so that a pixel's colour says no more
about its label than in real rooms (docs/scenes.md). Colours are linear RGB reflectances in [0, 1].
"""

from __future__ import annotations

import colorsys
from bisect import bisect
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Pattern = Callable[[Floats, Floats, Floats], Floats]
RGB = tuple[float, float, float]
TABLE = 256


@dataclass(frozen=True, eq=False)
class Material:
    """A surface: it mixes the colours `dark` and `light` by a pattern of the given period (metres).

    gloss in [0, 1] scales highlights and loses depth; mirror reflects the room; glow is emitted radiance
    relative to a bright room's (lamps, screens, windows by day).
    """

    pattern: str
    light: RGB
    dark: RGB
    period: float = 0.2
    gloss: float = 0.0
    mirror: float = 0.0
    glow: float = 0.0
    shift: tuple[float, float] = (0.0, 0.0)


@cache
def noise_tables() -> tuple[Floats, Floats]:
    """White and smooth noise in [0, 1], both tileable [TABLE * TABLE]; the smooth one has 8-cell bumps."""
    white = np.random.default_rng(20).random((TABLE, TABLE), np.float32)
    spectrum = np.fft.rfft2(white)
    fy, fx = np.fft.fftfreq(TABLE)[:, None] * 8, np.fft.rfftfreq(TABLE)[None, :] * 8
    smooth = np.fft.irfft2(spectrum * np.exp(-2 * (fx**2 + fy**2)), s=(TABLE, TABLE))
    ranks = smooth.ravel().argsort().argsort() / smooth.size
    return white.ravel(), ranks.astype(np.float32)


def smooth_noise(x: Floats, y: Floats) -> Floats:
    """Noise in [0, 1] that varies over a length of about 1 in x and y (bilinear in the table)."""
    column, row = np.floor(x * 8), np.floor(y * 8)
    right, below = x * 8 - column, y * 8 - row
    left, top = column.astype(np.int64) & (TABLE - 1), row.astype(np.int64) & (TABLE - 1)
    upper, lower = top * TABLE, ((top + 1) & (TABLE - 1)) * TABLE
    next_left, table = (left + 1) & (TABLE - 1), noise_tables()[1]
    first = table[upper + left] * (1 - right) + table[upper + next_left] * right
    second = table[lower + left] * (1 - right) + table[lower + next_left] * right
    return np.asarray(first * (1 - below) + second * below, np.float32)


def cell_noise(x: Floats, y: Floats) -> Floats:
    """One random number in [0, 1] per unit cell."""
    key = np.floor(x).astype(np.int64) * 71 + np.floor(y).astype(np.int64) * 7919
    return np.asarray(noise_tables()[0][key & (TABLE * TABLE - 1)], np.float32)


def joints(x: Floats, y: Floats, width: float, blur: Floats) -> Floats:
    """1 on the lines between unit cells, `width` wide, smeared over `blur` cells."""
    to_line = np.minimum(np.abs(x - np.round(x)), np.abs(y - np.round(y)))
    smeared = np.maximum(blur, 0.01)
    sharpness = np.clip((width / 2 - to_line) / smeared + 0.5, 0, 1)
    return np.asarray(sharpness * np.minimum(1, width / smeared), np.float32)


def plain(u: Floats, v: Floats, blur: Floats) -> Floats:
    return np.asarray(0.12 * smooth_noise(u, v), np.float32)


def stripes(u: Floats, v: Floats, blur: Floats) -> Floats:
    return np.asarray(np.clip(0.5 + np.sin(u * np.float32(2 * np.pi)) / (0.2 + 4 * blur), 0, 1), np.float32)


def checks(u: Floats, v: Floats, blur: Floats) -> Floats:
    product = np.sin(u * np.float32(np.pi)) * np.sin(v * np.float32(np.pi))
    return np.asarray(np.clip(0.5 + product / (0.15 + 4 * blur), 0, 1), np.float32)


def dots(u: Floats, v: Floats, blur: Floats) -> Floats:
    radius = np.hypot(u - np.round(u), v - np.round(v))
    return np.asarray(np.clip((0.28 - radius) / (0.05 + blur) + 0.5, 0, 1), np.float32)


def tiles(u: Floats, v: Floats, blur: Floats) -> Floats:
    return np.asarray(np.maximum(joints(u, v, 0.05, blur), 0.2 * cell_noise(u + 0.5, v + 0.5)), np.float32)


def bricks(u: Floats, v: Floats, blur: Floats) -> Floats:
    row = np.floor(v * 2 + 0.5)
    along = np.asarray(u + 0.5 * (row % 2), np.float32)
    seams = joints(along, v * 2, 0.09, blur * 2)
    return np.asarray(np.maximum(seams, 0.5 * cell_noise(along + 0.5, v * 2 + 0.5)), np.float32)


def wood(u: Floats, v: Floats, blur: Floats) -> Floats:
    """Streaks along u: broad tones, veins, and fine fibres that distance blurs."""
    fibres = (smooth_noise(u * 0.5, v * 26) - 0.5) / (1 + 25 * blur)
    veins = smooth_noise(u * 0.22, v * 7)
    return np.asarray(0.45 * smooth_noise(u * 0.12, v * 1.3) + 0.4 * veins + 0.35 * fibres + 0.05, np.float32)


def grain(u: Floats, v: Floats, blur: Floats) -> Floats:
    """Wood whose fibres stand upright."""
    return wood(v, u, blur)


def planks(u: Floats, v: Floats, blur: Floats) -> Floats:
    row = np.asarray(np.floor(v + 0.5), np.float32)
    along = np.asarray(u / 9 + cell_noise(row, row * 0), np.float32)
    board = cell_noise(along + 0.5, row)
    fibres = smooth_noise(u * 0.2 + board * 20, v * 4)
    return np.asarray(np.maximum(joints(along, v, 0.04, blur), 0.4 * board + 0.35 * fibres), np.float32)


def fabric(u: Floats, v: Floats, blur: Floats) -> Floats:
    fine = cell_noise(u * 12, v * 12) - 0.5
    return np.asarray(0.4 + 0.8 * fine / (1 + 12 * blur) + 0.15 * (smooth_noise(u * 0.5, v * 0.5) - 0.5), np.float32)


def diamonds(u: Floats, v: Floats, blur: Floats) -> Floats:
    """Woven lozenges within lozenges, as on rugs and quilts."""
    ring = np.abs(u - np.round(u)) + np.abs(v - np.round(v))
    return np.asarray(np.clip(0.5 + np.sin(ring * np.float32(6 * np.pi)) / (0.3 + 9 * blur), 0, 1), np.float32)


def spine(u: Floats, v: Floats, blur: Floats) -> Floats:
    """The back of a book that stands on v = 0: two bands and a title."""
    bands = (np.abs(v - 0.12) < 0.02) | (np.abs(v - 0.82) < 0.03)
    title = (np.abs(v - 0.5) < 0.2) & (cell_noise(v * 40, v * 0) < 0.55) & (np.abs(u) < 0.05)
    return np.asarray((bands | title) / (1 + 3 * blur), np.float32)


def clouds(u: Floats, v: Floats, blur: Floats) -> Floats:
    return np.asarray(0.65 * smooth_noise(u, v) + 0.35 * smooth_noise(u * 2.7 + 3, v * 2.7), np.float32)


def shapes(u: Floats, v: Floats, blur: Floats) -> Floats:
    """Something like a painting or a print: flat areas of a few tones with crisp borders."""
    return np.asarray(np.floor(clouds(u, v, blur) * 6) / 5, np.float32)


def writing(u: Floats, v: Floats, blur: Floats) -> Floats:
    """Lines of short dark strokes on a light ground."""
    row = np.floor(v * 2)
    ink = cell_noise(u * 6 + row * 3, row) < 0.65 * (cell_noise(u * 0.7 + row, row) > 0.25)
    on_line = np.abs(v * 2 - row - 0.5) < 0.22
    return np.asarray((ink & on_line) / (1 + 6 * blur), np.float32)


def landscape(u: Floats, v: Floats, blur: Floats) -> Floats:
    """The view from a window: sky above a ragged horizon."""
    horizon = 1.35 + 0.7 * (smooth_noise(u * 1.5, u * 0 + 0.3) - 0.5)
    below = np.clip((horizon - v) * 12, 0, 1)
    leaves = 0.5 * smooth_noise(u * 3, v * 3) + 0.5 * smooth_noise(u * 9, v * 9)
    return np.asarray(np.clip(below * (0.25 + leaves), 0, 1), np.float32)


PATTERNS: dict[str, Pattern] = {
    function.__name__: function
    for function in (plain, stripes, checks, dots, tiles, bricks, wood, grain, planks, fabric, diamonds, spine,
                     clouds, shapes, writing, landscape)
}  # fmt: skip


def albedo(materials: list[Material], material: NDArray[np.int64], uv: Floats, footprint: Floats) -> Floats:
    """Reflectance float32 [N, 3] of N surface points.

    material [N] indexes `materials`; uv [N, 2] in metres; footprint [N] is the size of a pixel on the
    surface in metres: patterns finer than it fade to their mean, which keeps distant floors from aliasing.
    """
    period = np.array([m.period for m in materials], np.float32)[material]
    shift = np.array([m.shift for m in materials], np.float32)[material]
    light = np.array([m.light for m in materials], np.float32)[material]
    dark = np.array([m.dark for m in materials], np.float32)[material]
    u, v = (uv / period[:, None] + shift).T
    blur = footprint / period
    names = list(PATTERNS)
    kind = np.array([names.index(m.pattern) for m in materials])[material]
    mix = np.zeros(len(material), np.float32)
    for number in np.unique(kind):
        chosen = np.flatnonzero(kind == number)
        mix[chosen] = PATTERNS[names[number]](u[chosen], v[chosen], blur[chosen])
    return np.asarray(light + np.clip(mix, 0, 1)[:, None] * (dark - light), np.float32)


def colour(rng: Generator, low: float = 0.06, high: float = 0.85, vivid: float = 0.75) -> RGB:
    """A random reflectance: its brightest channel in [low, high], its saturation up to `vivid`.

    Hues lean to the warm side, as they do in homes.
    """
    warm = rng.random() < 0.65
    hue = rng.uniform(0.02, 0.16) if warm else rng.random()
    saturation = vivid * rng.random() ** (1.5 if warm else 2.2)
    value = low * (high / low) ** (1 - rng.random() ** 1.4)
    red, green, blue = colorsys.hsv_to_rgb(hue, saturation, value)
    return float(red), float(green), float(blue)


def shade(base: RGB, factor: float) -> RGB:
    """A colour made lighter or darker."""
    red, green, blue = (min(0.95, channel * factor) for channel in base)
    return red, green, blue


Range = tuple[float, float]


@dataclass(frozen=True)
class Look:
    """One way in which a stuff looks: patterns to choose from, ranges of hue, saturation and value (HSV)."""

    weight: float
    patterns: tuple[str, ...]
    hue: Range
    saturation: Range
    value: Range
    period: Range = (0.15, 0.35)
    gloss: Range = (0.0, 0.0)


ANY, WARM, WOODEN = (0.0, 1.0), (0.03, 0.14), (0.045, 0.09)
SHINY, POLISHED, SATIN = (0.3, 0.7), (0.1, 0.45), (0.0, 0.25)
STUFF: dict[str, tuple[Look, ...]] = {
    "furniture": (
        Look(5, ("wood", "wood", "grain"), WOODEN, (0.4, 0.75), (0.05, 0.5), (0.15, 0.35), (0.0, 0.35)),
        Look(2, ("plain", "plain", "wood"), WARM, (0.0, 0.15), (0.5, 0.85), (0.15, 0.35), SATIN),
        Look(1, ("plain", "wood"), WARM, (0.0, 0.2), (0.02, 0.12), (0.15, 0.35), POLISHED),
        Look(0.4, ("plain",), ANY, (0.1, 0.6), (0.15, 0.6), (0.15, 0.35), SATIN),
    ),
    "textile": (
        Look(3, ("fabric", "fabric", "plain", "clouds"), WARM, (0.05, 0.45), (0.08, 0.75), (0.05, 0.2)),
        Look(2, ("fabric", "plain"), ANY, (0.0, 0.1), (0.03, 0.85), (0.05, 0.2)),
        Look(3, ("fabric", "fabric", "plain"), ANY, (0.2, 0.85), (0.06, 0.6), (0.05, 0.2)),
        Look(3, ("stripes", "checks", "dots", "diamonds", "shapes"), ANY, (0.05, 0.7), (0.1, 0.8), (0.06, 0.3)),
    ),
    "leather": (
        Look(3, ("clouds", "plain"), WARM, (0.2, 0.6), (0.02, 0.25), (0.1, 0.3), (0.2, 0.6)),
        Look(1, ("plain",), WARM, (0.05, 0.4), (0.3, 0.75), (0.1, 0.3), (0.15, 0.5)),
    ),
    "ceramic": (
        Look(5, ("plain",), WARM, (0.0, 0.1), (0.6, 0.9), (0.3, 0.6), SHINY),
        Look(1, ("plain",), ANY, (0.1, 0.7), (0.08, 0.7), (0.3, 0.6), SHINY),
    ),
    "stone": (
        Look(2, ("clouds", "fabric"), WARM, (0.05, 0.35), (0.15, 0.6), (0.06, 0.3), POLISHED),
        Look(1, ("clouds", "fabric"), ANY, (0.0, 0.15), (0.03, 0.2), (0.05, 0.3), SHINY),
        Look(1, ("plain", "tiles"), WARM, (0.0, 0.15), (0.5, 0.85), (0.1, 0.3), POLISHED),
    ),
    "metal": (Look(1, ("plain",), ANY, (0.0, 0.1), (0.08, 0.75), (0.3, 0.6), (0.4, 0.9)),),
    "plastic": (
        Look(3, ("plain", "plain", "writing"), WARM, (0.0, 0.15), (0.02, 0.85), (0.05, 0.2), POLISHED),
        Look(4, ("plain", "plain", "shapes", "writing"), ANY, (0.3, 0.95), (0.05, 0.7), (0.05, 0.2), POLISHED),
    ),
    "cardboard": (Look(1, ("plain", "plain", "writing"), (0.06, 0.1), (0.3, 0.6), (0.2, 0.55), (0.1, 0.3)),),
    "leaves": (Look(1, ("clouds",), (0.2, 0.38), (0.4, 0.8), (0.06, 0.35), (0.05, 0.2)),),
    "skin": (Look(1, ("plain",), (0.03, 0.07), (0.3, 0.6), (0.15, 0.75)),),
    "floor": (
        Look(3, ("planks",), WOODEN, (0.35, 0.7), (0.1, 0.5), (0.07, 0.14), (0.05, 0.4)),
        Look(3, ("fabric",), WARM, (0.05, 0.35), (0.15, 0.55), (0.1, 0.3)),
        Look(1, ("fabric",), ANY, (0.0, 0.3), (0.08, 0.4), (0.1, 0.3)),
    ),
    "tiled floor": (
        Look(3, ("tiles",), WARM, (0.05, 0.4), (0.25, 0.7), (0.2, 0.45), POLISHED),
        Look(1, ("checks", "diamonds"), WARM, (0.0, 0.2), (0.3, 0.7), (0.3, 0.6), POLISHED),
        Look(1, ("planks",), WOODEN, (0.35, 0.7), (0.1, 0.5), (0.07, 0.14), POLISHED),
    ),
    "wall": (
        Look(6, ("plain",), WARM, (0.02, 0.15), (0.5, 0.85)),
        Look(3, ("plain",), (0.06, 0.15), (0.15, 0.45), (0.4, 0.8)),
        Look(1.2, ("plain",), ANY, (0.06, 0.25), (0.3, 0.75)),
        Look(0.5, ("stripes", "diamonds", "bricks"), WARM, (0.05, 0.4), (0.35, 0.75), (0.15, 0.4)),
    ),
    "tiled wall": (Look(1, ("tiles",), WARM, (0.0, 0.2), (0.55, 0.85), (0.1, 0.25), POLISHED),),
    "ceiling": (Look(1, ("plain", "plain", "tiles"), WARM, (0.0, 0.12), (0.65, 0.9), (0.5, 0.7)),),
    "print": (
        Look(1, ("shapes", "shapes", "clouds", "landscape"), ANY, (0.1, 0.9), (0.1, 0.9), (0.08, 0.35), (0.0, 0.3)),
    ),
    "paper": (Look(1, ("writing", "writing", "plain"), WARM, (0.0, 0.12), (0.6, 0.95), (0.03, 0.06)),),
}
TONE_IN_TONE = ("wood", "grain", "planks", "tiles", "bricks", "plain", "clouds", "fabric")


@cache
def thresholds(stuff: str) -> list[float]:
    """Where in [0, 1] the share of one look ends and that of the next begins."""
    weights = np.cumsum([one.weight for one in STUFF[stuff]])
    return [float(end) for end in weights[:-1] / weights[-1]]


def look(stuff: str, rng: Generator) -> tuple[Look, RGB]:
    """One of the looks of a stuff and its main colour; light values are drawn evenly by their logarithm."""
    chosen = STUFF[stuff][bisect(thresholds(stuff), rng.random())]
    low, high = chosen.value
    value = low * (high / low) ** rng.random()
    red, green, blue = colorsys.hsv_to_rgb(rng.uniform(*chosen.hue) % 1.0, rng.uniform(*chosen.saturation), value)
    return chosen, (float(red), float(green), float(blue))


def made_of(stuff: str, rng: Generator, contrast: float | None = None) -> Material:
    """A random material of the given kind: an entry of STUFF. `contrast` sets how dark its dark colour is."""
    chosen, base = look(stuff, rng)
    pattern = chosen.patterns[rng.integers(len(chosen.patterns))]
    mild = pattern in TONE_IN_TONE or "wall" in stuff
    other = shade(base, contrast if contrast is not None else rng.uniform(0.45, 0.8) if mild else rng.uniform(0.1, 0.6))
    if not mild and rng.random() < 0.6:
        other = look(stuff, rng)[1]
    return Material(pattern, base, other, rng.uniform(*chosen.period), gloss=rng.uniform(*chosen.gloss),
                    shift=(rng.uniform(0, 30), rng.uniform(0, 30)))  # fmt: skip


def glowing(rng: Generator, strength: float, pattern: str = "plain") -> Material:
    """Something that shines by itself, nearly white."""
    base = shade(colour(rng, 0.7, 0.95, 0.3), 1.0)
    return Material(pattern, base, shade(base, 0.6), 0.3, glow=strength)
