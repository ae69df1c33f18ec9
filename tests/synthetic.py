"""A tiny data set in memory: boxes on a slanted floor, with all four NYUD labels consistent."""

from __future__ import annotations

import hashlib

import cv2
import numpy as np


class SyntheticSplit:
    """Has what training and scoring use of a PackedSplit."""

    def __init__(self, images: int, height: int = 80, width: int = 112, seed: int = 0) -> None:
        self.ids = [f"{index:04d}" for index in range(images)]
        self.frames = [frame(np.random.default_rng([seed, index]), height, width) for index in range(images)]
        self.digest = hashlib.sha256(b"".join(image["image"].tobytes() for image in self.frames)).hexdigest()

    def __len__(self) -> int:
        return len(self.ids)

    def image(self, index: int) -> np.ndarray:
        return self.frames[index]["image"]

    def label(self, task: str, index: int) -> np.ndarray:
        return self.frames[index][task]


def frame(generator: np.random.Generator, height: int, width: int) -> dict[str, np.ndarray]:
    """Floor (class 1) and wall (class 0) with one box (class 5): image, seg, depth, normals, edge."""
    rows = np.arange(height)[:, None] * np.ones((1, width))
    horizon = int(height * generator.uniform(0.3, 0.6))
    floor = rows > horizon
    depth = np.where(floor, 4.0 * horizon / np.maximum(rows, 1), 4.0).astype(np.float32)
    seg = floor.astype(np.uint8)
    normals = np.where(floor[..., None], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]).astype(np.float32)
    top, left = int(generator.integers(0, height // 2)), int(generator.integers(0, width // 2))
    box = np.s_[top : top + height // 3, left : left + width // 3]
    seg[box], depth[box], normals[box] = 5, 1.5, [0.0, 0.0, 1.0]
    edge = np.zeros((height, width), np.uint8)
    edge[:, 1:] |= seg[:, 1:] != seg[:, :-1]
    edge[1:] |= seg[1:] != seg[:-1]
    colours = generator.integers(30, 220, (6, 3))
    image = (colours[seg] + generator.normal(0, 8, (height, width, 3))).clip(0, 255).astype(np.uint8)
    depth[: height // 10, : width // 10], seg[-3:, :3] = 0.0, 255
    return {"image": image, "seg": seg, "depth": depth, "normals": normals, "edge": edge}


def after_jpeg(image: np.ndarray) -> np.ndarray:
    """What is left of an image [H, W, 3] after OpenCV's JPEG of quality 95, colours not subsampled."""
    settings = [cv2.IMWRITE_JPEG_QUALITY, 95, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444]
    written, content = cv2.imencode(".jpg", np.ascontiguousarray(image[..., ::-1]), settings)
    assert written
    return cv2.imdecode(content, cv2.IMREAD_COLOR)[..., ::-1]
