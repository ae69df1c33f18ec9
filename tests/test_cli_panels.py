"""The panel of a photo: everything that is predicted is on it, in the colours that its key explains."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mtinet.reporting.classes import classes_of
from mtinet.reporting.side_by_side import ABREAST, side_by_side

CLASSES = classes_of("nyud")
GREEN = (10, 200, 30)


def share(panel: np.ndarray, colour: tuple[int, ...]) -> float:
    """How much of a panel has exactly this colour."""
    return float((panel == np.array(colour, np.uint8)).all(axis=-1).mean())


def drawn(path: Path, height: int, width: int, **predictions: np.ndarray) -> np.ndarray:
    photo = np.full((height, width, 3), GREEN, np.uint8)
    side_by_side("a title", photo, predictions, path, CLASSES)
    with Image.open(path) as panel:
        return np.asarray(panel.convert("RGB"))


def test_photo_classes_depth_and_keys_are_there(tmp_path: Path) -> None:
    seg = np.zeros((60, 90), np.uint8)
    seg[:, 45:], seg[30:, 45:] = 7, 11
    depth = np.tile(np.linspace(1, 5, 90, dtype=np.float32), (60, 1))
    panel = drawn(tmp_path / "a.png", 60, 90, seg=seg, depth=depth)
    palette = [tuple(map(int, CLASSES["seg"].palette()[label])) for label in (0, 7, 11)]
    cell = share(panel, GREEN)
    assert cell > 0.1
    # Half and quarters of a cell as large as the photo's, and their patches in the key.
    for colour, part in zip(palette, (1 / 2, 1 / 4, 1 / 4), strict=True):
        assert share(panel, colour) == pytest.approx(part * cell, rel=0.1)
    assert share(panel, tuple(map(int, CLASSES["seg"].palette()[20]))) == 0
    for end in ((68, 1, 84), (253, 231, 36)):  # the ends of viridis: once on the map, once on the scale
        assert share(panel, end) > 0


def test_more_tasks_take_more_rows_and_tall_photos_do_not_grow_beyond_bounds(tmp_path: Path) -> None:
    edge = np.zeros((60, 90), np.float32)
    some = drawn(tmp_path / "some.png", 60, 90, edge=edge, sal=edge)
    more = drawn(tmp_path / "more.png", 60, 90, edge=edge, sal=edge, depth=edge + 1)
    assert ABREAST == 3
    assert some.shape[1] == more.shape[1]
    assert more.shape[0] > some.shape[0] * 1.4
    tall = drawn(tmp_path / "tall.png", 900, 90, edge=np.zeros((900, 90), np.float32))
    assert tall.shape[0] < 1.5 * tall.shape[1]
    # Nothing is squeezed: the photo keeps its proportions.
    rows, columns = np.nonzero((tall == np.array(GREEN, np.uint8)).all(axis=-1))
    assert np.ptp(rows) / np.ptp(columns) == pytest.approx(10, rel=0.05)


def test_the_same_input_gives_the_same_bytes(tmp_path: Path) -> None:
    edge = np.random.default_rng(0).random((20, 30), dtype=np.float32)
    for name in ("one.png", "two.png"):
        drawn(tmp_path / name, 20, 30, edge=edge)
    assert (tmp_path / "one.png").read_bytes() == (tmp_path / "two.png").read_bytes()
