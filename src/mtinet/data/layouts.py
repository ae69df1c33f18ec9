"""What every dataset's on-disk layout offers, and the layouts by name: one module of this package each.

The layout of dataset `x` is the module mtinet.data.x. It is imported by its name, so that stages of one dataset
do not depend on another's; how its scenes are rendered is in mtinet.data.x_scenes, its classes in x_classes. Data sets
without such modules are in folders, one per task: mtinet.data.folders.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Executor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Protocol, cast

import numpy as np
from numpy.typing import NDArray

SPLITS = ("train", "val")
EXACT_FOLDER = "exact"  # beside the layout, while the stage dataset makes both
Size = tuple[int, int]
ANEW: dict[str, tuple[str, ...]] = {}  # see `distilling`


@dataclass(frozen=True)
class ArchiveCard:
    """What a published archive holds.

    `size`: of every image, None where they vary. `classes`: labels per task. Labels of `required` tasks must be
    there; the stage distill derives those of `derivable` tasks where they are not. Labels of `taught` tasks are
    predictions: the archive must have them, but those of `anew`, which are predicted again and may be missing; where
    scenes are rendered they come from teachers. `partial`: an image may lack the file of any label, and then has none.
    `other_versions`: folders at the root that give another version of the data away.
    """

    name: str
    size: Size | None
    counts: Mapping[str, int]
    classes: Mapping[str, int]
    required: tuple[str, ...]
    derivable: tuple[str, ...] = ()
    taught: tuple[str, ...] = ()
    other_versions: Mapping[frozenset[str], str] = field(default_factory=dict)
    partial: bool = False
    anew: tuple[str, ...] = ()

    @property
    def shipped(self) -> tuple[str, ...]:
        """Tasks whose labels the archive must have."""
        return (*self.required, *(task for task in self.taught if task not in self.anew))

    @property
    def expected(self) -> str:
        """What a folder should be."""
        return self.name if self.partial else f"{self.name} as published"

    @property
    def way_on(self) -> str:
        """What to do about one that is not."""
        return "put right what is listed" if self.partial else "get it again or name another archive in params.yaml"


class Layout(Protocol):
    """A dataset's on-disk layout. All functions raise UserError for a file that is missing or wrong."""

    ARCHIVE: ArchiveCard
    RAW_FOLDERS: tuple[str, ...]  # all folders of the layout, an output each of the stage dataset
    FOLDERS: Mapping[str, str]  # task -> the folder that its labels lie below
    EXACT: tuple[str, ...]  # tasks whose labels are predictions, but known exactly where scenes are rendered

    SCORED: tuple[str, ...]  # tasks whose predictions are compared with something else than the training target

    NEVER_EMPTY: tuple[str, ...]  # tasks that every image has a valid pixel of

    def read_scored(self, root: Path, task: str, image_id: str, shape: Size) -> NDArray[Any]: ...

    def split_path(self, root: Path, split: str) -> Path: ...

    def split_ids(self, root: Path, split: str) -> list[str]: ...

    def image_path(self, root: Path, image_id: str) -> Path: ...

    def image_size(self, root: Path, image_id: str) -> Size: ...

    def read_image(self, root: Path, image_id: str) -> NDArray[np.uint8]: ...

    def label_path(self, root: Path, task: str, image_id: str) -> Path: ...

    def label_size(self, root: Path, task: str, image_id: str) -> Size | None:
        """Height and width of a label as stored; None where it does not tell."""

    def read_label(
        self, root: Path, task: str, image_id: str, shape: Size, distilled: Path | None = None
    ) -> NDArray[Any]:
        """The label from the layout in `distilled` where that has it, else from `root`."""

    def write_label(self, root: Path, task: str, image_id: str, label: NDArray[Any]) -> None:
        """Write a label that the stage distill made."""

    def version_problems(
        self, root: Path, ids: Sequence[str], sizes: Sequence[Size | None], pool: Executor
    ) -> list[str]:
        """Signs, over all images together, that the data are another version than the published one."""


def layout(dataset: str) -> Layout:
    """The layout of `dataset`; UserError when there is none."""
    if dataset in datasets():
        found = importlib.import_module(f"mtinet.data.{dataset}")
        if dataset not in ANEW:
            return cast(Layout, found)
        return cast(Layout, SimpleNamespace(**{**vars(found), "ARCHIVE": replace(found.ARCHIVE, anew=ANEW[dataset])}))
    return cast(Layout, importlib.import_module("mtinet.data.folders").declared(dataset))


@contextmanager
def distilling(dataset: str, tasks: Sequence[str]) -> Iterator[None]:
    """Within it the archive of `dataset` need not have the labels of `tasks`: teachers predict them anew."""
    before = dict(ANEW)
    ANEW.update({dataset: tuple(tasks)} if tasks else {})
    try:
        yield
    finally:
        ANEW.clear()
        ANEW.update(before)


def datasets() -> list[str]:
    """The datasets that have a layout of their own: those with a module of classes beside it."""
    return sorted(path.stem.removesuffix("_classes") for path in Path(__file__).parent.glob("*_classes.py"))


def source_of(path: Path, root: Path, distilled: Path | None) -> Path:
    """The file `path` of a layout: below `distilled` when it is there, else below `root`."""
    if distilled is not None and (distilled / path).exists():
        return distilled / path
    return root / path


def exact_path(folder: Path, task: str, image_id: str) -> Path:
    """The file with an exactly known label, in the folder beside the layout."""
    return folder / task / f"{image_id}.npy"
