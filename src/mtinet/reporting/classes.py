"""Names and colours of the classes of a dataset's tasks, from its module in mtinet/data."""

from __future__ import annotations

import importlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mtinet.data.layouts import datasets


@dataclass(frozen=True)
class Classes:
    """The classes of one task on one dataset, in the order of the labels; colours as "#rrggbb"."""

    names: tuple[str, ...]
    colours: tuple[str, ...]

    def __post_init__(self) -> None:
        if len(self.names) != len(self.colours):
            raise ValueError(f"{len(self.names)} classes, but {len(self.colours)} colours")

    def name(self, label: int) -> str:
        """What the class is called; a label beyond the classes by its number."""
        return self.names[label] if label < len(self.names) else f"class {label}"

    def colour(self, label: int) -> str:
        """Its colour; labels beyond the classes begin with the first again."""
        return self.colours[label % len(self.colours)]

    def palette(self) -> NDArray[np.uint8]:
        """The colours as uint8 [classes, 3]."""
        return np.array([list(bytes.fromhex(colour[1:])) for colour in self.colours], dtype=np.uint8)


def classes_of(dataset: str) -> dict[str, Classes]:
    """The classes of every task of `dataset` that has such, from CLASSES and PALETTES of <dataset>_classes.py.

    Those of a data set in folders are as params.yaml has them; UserError where it has not.
    """
    if dataset not in datasets():
        found = importlib.import_module("mtinet.data.folders").classes(dataset)
        return {task: Classes(names, colours) for task, (names, colours) in found.items()}
    module = importlib.import_module(f"mtinet.data.{dataset}_classes")
    return {task: Classes(tuple(names), tuple(module.PALETTES[task])) for task, names in module.CLASSES.items()}
