"""The contact sheet: every label of every image in its place, and the lines of blind predictors among the curves."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from numpy.random import default_rng
from numpy.typing import NDArray
from PIL import Image

from mtinet.reporting.classes import Classes
from mtinet.reporting.curves import BLIND, epochs_in_words, learning_curves
from mtinet.reporting.runs import Shown
from mtinet.reporting.sheet import PIXELS, picture, place_of, sheet, shrunk, title

SEG = Classes(("one", "two"), ("#ff0000", "#0000ff"))
SHOWN = [Shown("a-seg", "hrnet", "Single task", ("seg",)), Shown("a-depth", "hrnet", "Single task", ("depth",))]


class Split:
    """A few images of varying size with labels of every kind."""

    labels = ("edge", "edge_scored", "seg", "normals", "normals_exact", "depth", "sal")

    def __init__(self, count: int) -> None:
        self.count, self.asked = count, set[tuple[str, int]]()

    def __len__(self) -> int:
        return self.count

    def shape(self, index: int) -> tuple[int, int]:
        return (60, 90) if index % 2 else (90, 60)

    def image(self, index: int) -> NDArray[np.uint8]:
        return default_rng(index).integers(0, 255, (*self.shape(index), 3), dtype=np.uint8)

    def label(self, task: str, index: int) -> NDArray:
        self.asked.add((task, index))
        rng, shape = default_rng(index), self.shape(index)
        if task.startswith("normals"):
            return np.broadcast_to(np.float32([0, 0, 1]), (*shape, 3))
        if task == "depth":
            return rng.uniform(0, 5, shape).astype(np.float32)
        return rng.integers(0, 2, shape).astype(np.uint8)


def test_every_label_of_evenly_spaced_images_is_drawn(tmp_path: Path) -> None:
    split = Split(31)
    sheet(split, tmp_path / "a.png", {"seg": SEG})
    sheet(split, tmp_path / "b.png", {"seg": SEG})
    assert split.asked == {(label, index) for label in split.labels for index in CHOSEN}
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    sheet(Split(2), tmp_path / "few.png", {"seg": SEG})
    assert Image.open(tmp_path / "few.png").height < Image.open(tmp_path / "a.png").height / 3


CHOSEN = (0, 3, 7, 10, 13, 17, 20, 23, 27, 30)


def test_columns_are_in_the_registrys_order_and_named() -> None:
    names = sorted(Split.labels, key=place_of)
    assert names.index("edge_scored") == names.index("edge") + 1
    assert names.index("normals_exact") == names.index("normals") + 1
    assert names[:2] == ["seg", "depth"]
    assert title("edge_scored") == "Edge\nas scored"


def test_large_images_are_shrunk_and_lines_survive_it() -> None:
    label = np.zeros((4 * PIXELS, 4 * PIXELS), np.uint8)
    label[:, 101] = 1
    drawn = picture(label, "edge", {})
    assert drawn.shape == (PIXELS, PIXELS, 3)
    assert (drawn.min(axis=(1, 2)) == 0).all()
    assert shrunk(np.full((4 * PIXELS, 4 * PIXELS, 3), 7, np.uint8)).shape == (PIXELS, PIXELS, 3)
    classes = picture(np.ones((40, 40), np.uint8), "seg", {"seg": SEG})
    assert (classes == (0, 0, 255)).all()


def test_levels_are_drawn_across_their_tasks_panels(tmp_path: Path) -> None:
    """A line at each level, in the legend too; without levels the figure is as before."""
    histories = {
        ("a-seg", 0): pd.DataFrame({"epoch": [1, 2], "steps": [3, 6], "lr": 0.1, "loss": 1.0, "seg": [2.0, 1.5]}),
        ("a-depth", 0): pd.DataFrame({"epoch": [1, 2], "steps": [3, 6], "lr": 0.1, "loss": 1.0, "depth": [2.0, 1.5]}),
    }
    levels = {"seg": {"constant": 1.8, "position": 1.6}}
    learning_curves(histories, tmp_path / "with.svg", SHOWN, levels)
    learning_curves(histories, tmp_path / "without.svg", SHOWN)
    learning_curves(histories, tmp_path / "none.svg", SHOWN, {})
    counts = {path.stem: path.read_text().count("stroke-dasharray") for path in tmp_path.glob("*.svg")}
    assert counts["with"] == counts["without"] + 2 * len(BLIND)  # in one panel and in the legend
    assert counts["none"] == counts["without"]


def test_the_axis_says_what_an_epoch_is() -> None:
    """Of a part of an epoch there is one row: it is not called an epoch."""
    whole = pd.DataFrame({"epoch": [1, 2], "steps": [20, 40]})
    part = pd.DataFrame({"epoch": [1], "steps": [10]})
    assert epochs_in_words({("a", 0): whole, ("b", 0): whole}) == "epoch (20 steps)"
    assert epochs_in_words({("a", 0): part}) == "all that is trained (10 steps)"
    assert epochs_in_words({("a", 0): whole, ("b", 0): part}) == "epoch"
