"""A contact sheet: pictures of the PASCAL-like set with every label drawn beside them.

python -m mtinet.data.scenes.picture_sheet --count 24 --seed 0 --longest 240 --out sheet.png
"""

from __future__ import annotations

import argparse
import colorsys
import zlib
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from mtinet.data.scenes.picture import Picture
from mtinet.data.scenes.pictures import render_picture

Pixels = NDArray[np.uint8]
WHITE = np.uint8(255)


def palette(count: int) -> Pixels:
    """Colours [count, 3], black for 0, neighbours in the list well apart."""
    hues = [(number * 0.381966) % 1.0 for number in range(count - 1)]
    colours = [colorsys.hsv_to_rgb(hue, 0.5 + 0.2 * (i % 3), 0.65 + 0.17 * (i % 2)) for i, hue in enumerate(hues)]
    return (np.array([(0.0, 0.0, 0.0), *colours]) * 255).astype(np.uint8)


def part_colours(picture: Picture) -> Pixels:
    """The parts of all objects [H, W, 3], a colour for each name; objects without parts are grey."""
    drawn = np.zeros_like(picture.image)
    for thing in picture.objects:
        drawn[thing.mask] = 70
        for name, mask in sorted(thing.parts, key=lambda part: -part[1].sum()):
            number = zlib.crc32(name.rstrip("0123456789").encode()) % 997
            drawn[mask] = np.array(colorsys.hsv_to_rgb(number * 0.618034 % 1.0, 0.65, 0.95)) * 255
    return drawn


def panels(picture: Picture) -> Pixels:
    """Image, VOC classes, parts, PASCAL-Context labels, normals and saliency side by side [H, 6 W, 3]."""
    classes = np.append(palette(21), np.full((235, 3), WHITE), axis=0)[picture.semseg]
    normals = ((picture.normals + 1) / 2 * 255).astype(np.uint8)
    normals[~picture.normals.any(axis=2)] = 0
    salient = np.repeat(picture.salient[..., None] * WHITE, 3, axis=2)
    context = palette(460)[picture.label_map]
    return np.hstack([picture.image, classes, part_colours(picture), context, normals, salient])


def square(drawn: Pixels, longest: int) -> Pixels:
    """Panels padded in height to `longest`, each in width likewise, so that they stack."""
    parts = np.split(drawn, 6, axis=1)
    down, across = longest - drawn.shape[0], longest - parts[0].shape[1]
    return np.hstack([np.pad(part, ((0, down), (0, across), (0, 0)), constant_values=128) for part in parts])


def sheet(seed: int, first: int, count: int, longest: int, columns: int = 1) -> Pixels:
    """Pictures first .. first + count - 1 of the set `seed`, `columns` of them in a row."""
    rows = [square(panels(render_picture(seed, first + number, longest)), longest) for number in range(count)]
    rows += [np.full_like(rows[0], 128)] * (-count % columns)
    return np.vstack([np.hstack(rows[start : start + columns]) for start in range(0, len(rows), columns)])


def main() -> None:
    """Command line; see the module's docstring."""
    parser = argparse.ArgumentParser(description="Draw rendered pictures with their labels.")
    parser.add_argument("--count", type=int, default=24)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--longest", type=int, default=240)
    parser.add_argument("--columns", type=int, default=2)
    parser.add_argument("--out", type=Path, required=True)
    chosen = parser.parse_args()
    drawn = sheet(chosen.seed, chosen.first, chosen.count, chosen.longest, chosen.columns)
    if not cv2.imwrite(str(chosen.out), drawn[..., ::-1]):
        raise SystemExit(f"cannot write {chosen.out}; name a .png or .jpg file in an existing folder")


if __name__ == "__main__":
    main()
