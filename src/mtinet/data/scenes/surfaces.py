"""Natural surfaces of pictures, which have detail at every scale: grass, leaves, gravel, fur, ripples, plaster.

Their patterns are added to the room renderer's table of patterns. Unlike its wood and tiles they do not fade to
their mean where a pixel covers more than a period: what grows and lies about is rough at any distance.
"""

from __future__ import annotations

import colorsys

import numpy as np
from numpy.random import Generator

from mtinet.data.scenes.materials import PATTERNS, RGB, Floats, Material, shade, smooth_noise
from mtinet.data.scenes.paints import hue

FINEST = 2.0  # pixels: the width of the finest bumps
COARSEST = 0.5  # cells per period: no grain is coarser
STRENGTH = 2.4  # of the grain: neighbouring bumps shall differ as much as far ones


def grain(u: Floats, v: Floats, blur: Floats, stretch: float = 1.0) -> Floats:
    """Noise in [0, 1] whose bumps are about a pixel wide at any distance, `stretch` times as long along v."""
    level = np.log2(np.maximum(1 / np.maximum(FINEST * blur, 1e-4), COARSEST))
    base = np.floor(level)
    share, size = np.asarray(level - base, np.float32), np.exp2(base).astype(np.float32)
    long = np.float32(1 / stretch)
    coarse = smooth_noise(u * size, v * size * long)
    fine = smooth_noise(u * size * 2 + 7, v * size * 2 * long)
    return np.asarray(STRENGTH * (coarse + share * (fine - coarse) - 0.5) + 0.5, np.float32)


def turf(u: Floats, v: Floats, blur: Floats) -> Floats:
    """Blades, tufts and worn patches."""
    tufts = smooth_noise(u * 5, v * 5)
    return np.asarray(0.6 * grain(u, v, blur) + 0.2 * tufts + 0.3 * smooth_noise(u * 0.4, v * 0.4) - 0.05, np.float32)


def foliage(u: Floats, v: Floats, blur: Floats) -> Floats:
    """Leaves before dark gaps."""
    leaves = smooth_noise(u * 4, v * 4)
    return np.asarray(1.5 * (0.5 * grain(u, v, blur) + 0.5 * leaves) - 0.3, np.float32)


def gravel(u: Floats, v: Floats, blur: Floats) -> Floats:
    """Grains, stones and stains."""
    stains = 0.6 * smooth_noise(u * 0.5, v * 0.5) + 0.4 * smooth_noise(u * 2, v * 2)
    return np.asarray(0.5 * grain(u, v, blur) + 0.5 * stains, np.float32)


def fur(u: Floats, v: Floats, blur: Floats) -> Floats:
    """Strands along v in soft patches."""
    patches = np.clip(3 * smooth_noise(u * 0.7, v * 0.5) - 1, 0, 1)
    return np.asarray(0.45 * grain(u, v, blur, 4.0) + 0.55 * patches, np.float32)


def pelt(u: Floats, v: Floats, blur: Floats) -> Floats:
    """Strands along v, hardly patched."""
    return np.asarray(0.75 * grain(u, v, blur, 4.0) + 0.25 * smooth_noise(u, v), np.float32)


def patched(u: Floats, v: Floats, blur: Floats) -> Floats:
    """Large crisp patches of two colours, as cows, cats and dogs have them."""
    edge = smooth_noise(u * 0.5, v * 0.5) + 0.12 * smooth_noise(u * 4, v * 4) - 0.56
    return np.asarray(np.clip(edge * 18 + 0.5, 0, 1) * 0.85 + 0.15 * grain(u, v, blur, 4.0), np.float32)


def tabby(u: Floats, v: Floats, blur: Floats) -> Floats:
    """Wavy rings around body and legs."""
    waves = np.sin(np.float32(9) * v + np.float32(5) * smooth_noise(u, v))
    return np.asarray(0.35 + 0.4 * np.clip(2 * waves, -1, 1) + 0.3 * (grain(u, v, blur, 4.0) - 0.5), np.float32)


def ripples(u: Floats, v: Floats, blur: Floats) -> Floats:
    """Waves across the view, small ones on large ones."""
    swell = smooth_noise(u * 0.25, v * 1.2)
    return np.asarray(0.5 * grain(u * 0.4, v, blur * 0.5) + 0.5 * swell, np.float32)


def plaster(u: Floats, v: Floats, blur: Floats) -> Floats:
    """A weathered wall: roughness, and streaks that rain has left."""
    streaks = smooth_noise(u * 1.5, v * 0.2)
    return np.asarray(0.35 * grain(u, v, blur) + 0.4 * streaks + 0.25 * smooth_noise(u * 0.3, v * 0.3), np.float32)


def knit(u: Floats, v: Floats, blur: Floats) -> Floats:
    """Cloth with soft folds."""
    folds = np.clip(2.2 * smooth_noise(u * 0.9, v * 0.25) - 0.6, 0, 1)
    return np.asarray(0.3 * grain(u, v, blur) + 0.7 * folds, np.float32)


PATTERNS.update({pattern.__name__: pattern for pattern in
                 (turf, foliage, gravel, fur, pelt, patched, tabby, ripples, plaster, knit)})  # fmt: skip

HUES = {  # hue, saturation and value ranges of what the earth is covered with
    "leaves": ((0.1, 0.36), (0.35, 0.85), (0.1, 0.45)),
    "grass": ((0.15, 0.33), (0.3, 0.75), (0.15, 0.5)),
    "road": ((0.0, 1.0), (0.0, 0.15), (0.12, 0.5)),
    "paving": ((0.0, 0.15), (0.0, 0.35), (0.2, 0.65)),
    "sand": ((0.06, 0.14), (0.2, 0.55), (0.35, 0.75)),
    "earth": ((0.03, 0.12), (0.3, 0.7), (0.12, 0.5)),
    "litter": ((0.0, 0.14), (0.4, 0.9), (0.25, 0.6)),
    "snow": ((0.5, 0.65), (0.0, 0.1), (0.75, 0.95)),
    "water": ((0.4, 0.65), (0.2, 0.7), (0.04, 0.35)),
    "rock": ((0.0, 0.7), (0.0, 0.35), (0.15, 0.55)),
    "mountain": ((0.1, 0.65), (0.15, 0.5), (0.1, 0.4)),
}
COVERS = {
    "leaves": ("foliage",),
    "litter": ("foliage",),
    "grass": ("turf",),
    "road": ("gravel", "gravel", "plaster"),
    "paving": ("tiles", "bricks", "checks", "planks", "gravel"),
    "water": ("ripples",),
    "mountain": ("foliage", "gravel"),
}
DEPTHS = {"leaves": (0.1, 0.4), "litter": (0.15, 0.5), "grass": (0.2, 0.6), "snow": (0.8, 0.95), "rock": (0.25, 0.6)}


def cover(kind: str, rng: Generator, period: float) -> Material:
    """A natural surface of one of HUES; its pattern repeats after about `period` metres."""
    hue_value, saturation, value = (rng.uniform(*limits) for limits in HUES[kind])
    red, green, blue = colorsys.hsv_to_rgb(hue_value, saturation, value)
    patterns = COVERS.get(kind, ("gravel",))
    other = colorsys.hsv_to_rgb(hue_value + rng.normal(0, 0.03), min(1.0, saturation * rng.uniform(0.8, 1.3)), value)
    return Material(patterns[rng.integers(len(patterns))], (red, green, blue),
                    shade(other, rng.uniform(*DEPTHS.get(kind, (0.4, 0.8)))), period * rng.uniform(0.6, 1.6),
                    mirror=rng.uniform(0.2, 0.55) if kind == "water" else 0.0,
                    shift=(rng.uniform(0, 30), rng.uniform(0, 30)))  # fmt: skip


def natural(rng: Generator) -> RGB:
    """White, black, grey, or any brown between sand and liver."""
    value = 0.03 * (0.85 / 0.03) ** rng.random() ** 0.8
    red, green, blue = colorsys.hsv_to_rgb(rng.uniform(0.03, 0.11), rng.uniform(0.0, 0.7), value)
    return red, green, blue


def coat(rng: Generator, period: float = 0.3) -> Material:
    """Fur, wool and feathers: patched, ringed, streaked or of one colour, natural or not."""
    pattern = str(rng.choice(["fur", "pelt", "pelt", "patched", "tabby"], p=[0.25, 0.2, 0.2, 0.2, 0.15]))
    base = natural(rng) if rng.random() < 0.75 else hue(rng, 0.5)
    other = natural(rng) if pattern in ("patched", "fur") else shade(base, rng.uniform(0.25, 0.6))
    return Material(pattern, base, other, period * rng.uniform(0.6, 1.5),
                    shift=(rng.uniform(0, 30), rng.uniform(0, 30)))  # fmt: skip


def livery(rng: Generator) -> Material:
    """Shining paint as vehicles wear it: white, black and greys, or strong colours of any hue."""
    vivid = rng.uniform(0.5, 0.95) if rng.random() < 0.5 else rng.uniform(0.0, 0.2)
    base = colorsys.hsv_to_rgb(rng.random(), vivid, rng.uniform(0.05, 0.85))
    return Material("plain", base, shade(base, 0.6), 0.5, gloss=rng.uniform(0.2, 0.7), mirror=rng.uniform(0.0, 0.1))
