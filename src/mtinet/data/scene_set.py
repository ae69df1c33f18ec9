"""A set of rendered scenes in the on-disk layout of a dataset's archive, made by several processes, resumable."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol, cast

from mtinet import files, processes
from mtinet.config import SceneSet
from mtinet.data.layouts import SPLITS
from mtinet.errors import UserError


class Renderer(Protocol):
    """How a dataset's scenes are numbered, rendered and written: mtinet.data.<dataset>_scenes, imported by name."""

    FIRST: dict[str, int]  # split -> number of its first frame
    DIGITS: int  # of an id

    def write_splits(self, root: Path, ids: dict[str, list[str]]) -> None: ...

    def files_of(self, root: Path, image_id: str) -> list[Path]: ...

    def write(self, root: Path, scene_set: SceneSet, image_id: str) -> None: ...


def renderer(dataset: str) -> Renderer:
    """What renders the scenes of `dataset`."""
    return cast(Renderer, importlib.import_module(f"mtinet.data.{dataset}_scenes"))


def scene_ids(scene_set: SceneSet, dataset: str = "nyud") -> dict[str, list[str]]:
    """The ids of rendered frames, one number per frame, e.g. training from 0001, validation from 5001."""
    first, digits = renderer(dataset).FIRST, renderer(dataset).DIGITS
    counts = {"train": scene_set.train, "val": scene_set.val}
    for split, limit in (("train", first["val"] - first["train"]), ("val", 10**digits - first["val"])):
        if counts[split] > limit:
            raise UserError(f"scenes.{split} is {counts[split]} in params.yaml, expected at most {limit}")
    return {split: [f"{first[split] + step:0{digits}d}" for step in range(counts[split])] for split in SPLITS}


def write_scenes(
    root: Path,
    scene_set: SceneSet,
    workers: int,
    progress: Callable[[int, int], None] | None = None,
    dataset: str = "nyud",
) -> None:
    """Render the scene set of `dataset` into `root`; frames that an interrupted call completed are kept as they are.

    `workers` processes render (1: this one); the bytes do not depend on their number. `progress` is called
    with the numbers of finished and of all frames.
    """
    ids = scene_ids(scene_set, dataset)
    for stale in root.rglob(".part-*"):
        files.remove(stale)
    every = [name for split in SPLITS for name in ids[split]]
    todo = [name for name in every if not complete(root, name, dataset)]
    for done, _ in enumerate(rendered(root, scene_set, todo, workers, dataset), len(every) - len(todo) + 1):
        if progress:
            progress(done, len(every))
    renderer(dataset).write_splits(root, ids)


def complete(root: Path, image_id: str, dataset: str) -> bool:
    """Whether all files of a frame are there (they appear whole)."""
    return all(path.exists() for path in renderer(dataset).files_of(root, image_id))


def rendered(root: Path, scene_set: SceneSet, ids: list[str], workers: int, dataset: str) -> Iterator[None]:
    """Render the frames `ids`, giving None for each when it is written."""
    arguments = ([root] * len(ids), [scene_set] * len(ids), ids, [dataset] * len(ids))
    if workers == 1 or len(ids) < 2:
        yield from map(render_one, *arguments)
        return
    with processes.pool(workers) as pool:
        yield from pool.map(render_one, *arguments)


def render_one(root: Path, scene_set: SceneSet, image_id: str, dataset: str) -> None:
    """Render and write one frame, in this process or another."""
    renderer(dataset).write(root, scene_set, image_id)
