"""A contact sheet: rendered frames with every label drawn beside them.

python -m mtinet.data.scenes.contact_sheet --count 12 --seed 0 --out sheet.png
"""

from __future__ import annotations

import argparse
import colorsys
from pathlib import Path

import cv2
import matplotlib
import numpy as np
from numpy.typing import NDArray

from mtinet.data.scenes import Frame, render

Pixels = NDArray[np.uint8]
DEEPEST = 8.0  # metres at the dark end of the depth scale


def palette() -> Pixels:
    """Colours [41, 3] of the labels, black for unlabelled, neighbours in the list well apart."""
    hues = [(number * 0.381966) % 1.0 for number in range(40)]
    colours = [colorsys.hsv_to_rgb(hue, 0.5 + 0.2 * (i % 3), 0.65 + 0.17 * (i % 2)) for i, hue in enumerate(hues)]
    return (np.array([(0.0, 0.0, 0.0), *colours]) * 255).astype(np.uint8)


def panels(frame: Frame) -> Pixels:
    """Image, labels, depth, normals and edges of a frame side by side [H, 5 W, 3]; missing is black."""
    depth = (matplotlib.colormaps["turbo"](frame.depth / DEEPEST)[..., :3] * 255).astype(np.uint8)
    depth[frame.depth == 0] = 0
    normals = ((frame.normals + 1) / 2 * 255).astype(np.uint8)
    normals[~frame.normals.any(axis=2)] = 0
    edge = np.repeat((1 - frame.edge)[..., None] * np.uint8(255), 3, axis=2)
    return np.hstack([frame.image, palette()[frame.segmentation], depth, normals, edge])


def sheet(seed: int, count: int, height: int, width: int) -> Pixels:
    """Frames 0 .. count - 1 of the set `seed`, one row each."""
    return np.vstack([panels(render(seed, index, height, width)) for index in range(count)])


def main() -> None:
    """Command line; see the module's docstring."""
    parser = argparse.ArgumentParser(description="Draw rendered scenes with their labels.")
    parser.add_argument("--count", type=int, default=12)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--height", type=int, default=240)
    parser.add_argument("--width", type=int, default=320)
    parser.add_argument("--out", type=Path, required=True)
    chosen = parser.parse_args()
    drawn = sheet(chosen.seed, chosen.count, chosen.height, chosen.width)
    if not cv2.imwrite(str(chosen.out), drawn[..., ::-1]):
        raise SystemExit(f"cannot write {chosen.out}; name a .png or .jpg file in an existing folder")


if __name__ == "__main__":
    main()
