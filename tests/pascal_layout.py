"""Small data sets in PASCAL's on-disk layout, of pictures drawn without the renderer."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mtinet.data import pascal
from mtinet.data.scenes.picture import Object, Picture

SIZE = (48, 64)
# Where each of a person's parts is, in sixteenths of its height and halves of its width: top, bottom, left, right.
BODY = {
    "head": (0, 3, 0, 2), "leye": (1, 2, 0, 1), "hair": (0, 1, 0, 2), "neck": (3, 4, 0, 2), "torso": (4, 8, 0, 2),
    "luarm": (4, 6, 0, 1), "llarm": (6, 7, 0, 1), "lhand": (7, 8, 0, 1), "ruarm": (4, 6, 1, 2),
    "luleg": (8, 11, 0, 1), "llleg": (11, 14, 0, 1), "lfoot": (14, 16, 0, 1), "ruleg": (8, 11, 1, 2),
}  # fmt: skip


def synthetic_picture(index: int, height: int = 48, width: int = 64, person: bool = True) -> Picture:
    """A wall (440) above a floor (158), a person (unless not wanted) and a car: every label consistent."""
    rng = np.random.default_rng([11, index])
    label_map = np.full((height, width), 440, np.uint16)
    label_map[height // 2 :] = 158
    normals = np.zeros((height, width, 3), np.float32)
    normals[: height // 2, :, 2] = 1
    normals[height // 2 :, :, 1] = 1
    depth = np.where(label_map == 158, 2.0, 4.0).astype(np.float32)
    salient = np.zeros((height, width), bool)
    semseg = np.zeros((height, width), np.uint8)
    objects = []
    if person:
        box = (int(rng.integers(0, height - 33)), int(rng.integers(0, width - 13)), 32, 12)
        objects.append(standing(box, height, width))
    car = np.zeros((height, width), bool)
    car[-12:-4, 2 : width // 3] = True
    objects.append(Object(7, "car", car, (("wheel_1", car & (np.arange(width) < 6)),)))
    for thing, context, normal in zip(
        objects, (284, 59)[-len(objects) :], ([0.6, 0, 0.8], [0, 0.6, 0.8]), strict=False
    ):
        label_map[thing.mask], semseg[thing.mask], normals[thing.mask] = context, thing.category, normal
        depth[thing.mask] = 1.5
        salient |= thing.mask
    semseg[:2] = 255
    label_map[-1, :3] = 0
    image = (label_map[..., None] * [3, 5, 7] % 256 + rng.normal(0, 8, (height, width, 3))).clip(0, 255)
    return Picture(image.astype(np.uint8), label_map, semseg, tuple(objects), normals, depth, salient)


def standing(box: tuple[int, int, int, int], height: int, width: int) -> Object:
    """A person that fills `box` (top, left, height, width)."""
    top, left, tall, wide = box
    mask = np.zeros((height, width), bool)
    mask[top : top + tall, left : left + wide] = True
    parts = []
    for name, (first, last, start, end) in BODY.items():
        part = np.zeros((height, width), bool)
        rows = slice(top + first * tall // 16, top + last * tall // 16)
        part[rows, left + start * wide // 2 : left + end * wide // 2] = True
        parts.append((name, part))
    return Object(15, "person", mask, tuple(parts))


def write_layout(root: Path, train: int = 3, val: int = 2, taught: bool = True) -> list[str]:
    """Write `train` + `val` pictures of varying size into `root`, with teachers' labels if `taught`; all ids."""
    ids = [f"2008_{number:06d}" for number in range(1, train + val + 1)]
    for number, name in enumerate(ids):
        picture = synthetic_picture(number, 48 + number, 64 - 2 * (number % 20), person=number != 1)
        pascal.write_picture(root, name, picture)
        if taught:
            pascal.write_label(root, "normals", name, picture.normals)
            pascal.write_label(root, "sal", name, picture.salient)
    pascal.write_splits(root, {"train": ids[:train], "val": ids[train:]})
    return ids


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """One picture, id `a`, with the teachers' labels."""
    picture = synthetic_picture(0)
    pascal.write_picture(tmp_path, "a", picture)
    pascal.write_label(tmp_path, "normals", "a", picture.normals)
    pascal.write_label(tmp_path, "sal", "a", picture.salient)
    return tmp_path
