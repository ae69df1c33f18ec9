"""A set of rendered scenes in the on-disk layout of NYUD_MT.tgz, made by several processes, resumable."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from mtinet import files, processes
from mtinet.config import SceneSet
from mtinet.data import nyud, scenes
from mtinet.errors import UserError

# Ids of rendered frames are their numbers: validation frames start at a fixed one, so that they stay the same
# frames when the number of training frames changes.
FIRST = {"train": 1, "val": 5001}


def scene_ids(scene_set: SceneSet) -> dict[str, list[str]]:
    """The ids of rendered frames, one number per frame: training from 0001, validation from 5001."""
    counts = {"train": scene_set.train, "val": scene_set.val}
    for split, limit in (("train", FIRST["val"] - FIRST["train"]), ("val", 10_000 - FIRST["val"])):
        if counts[split] > limit:
            raise UserError(f"scenes.{split} is {counts[split]} in params.yaml, expected at most {limit}")
    return {split: [f"{FIRST[split] + step:04d}" for step in range(counts[split])] for split in nyud.SPLITS}


def write_scenes(
    root: Path, scene_set: SceneSet, workers: int, progress: Callable[[int, int], None] | None = None
) -> None:
    """Render the scene set into `root`; frames that an interrupted call completed are kept as they are.

    `workers` processes render (1: this one); the bytes do not depend on their number. `progress` is called
    with the numbers of finished and of all frames.
    """
    ids = scene_ids(scene_set)
    for stale in root.glob("*/.part-*"):
        files.remove(stale)
    every = [name for split in nyud.SPLITS for name in ids[split]]
    todo = [name for name in every if not complete(root, name)]
    for done, _ in enumerate(rendered(root, scene_set, todo, workers), len(every) - len(todo) + 1):
        if progress:
            progress(done, len(every))
    nyud.write_splits(root, ids)


def complete(root: Path, image_id: str) -> bool:
    """Whether all files of a frame are there (they appear whole)."""
    paths = [nyud.image_path(root, image_id), *(nyud.label_path(root, task, image_id) for task in nyud.FOLDERS)]
    return all(path.exists() for path in paths)


def rendered(root: Path, scene_set: SceneSet, ids: list[str], workers: int) -> Iterator[None]:
    """Render the frames `ids`, giving None for each when it is written."""
    arguments = ([root] * len(ids), [scene_set] * len(ids), ids)
    if workers == 1 or len(ids) < 2:
        yield from map(render_one, *arguments)
        return
    with processes.pool(workers) as pool:
        yield from pool.map(render_one, *arguments)


def render_one(root: Path, scene_set: SceneSet, image_id: str) -> None:
    """Render and write one frame; its number in the seeded sequence is its id."""
    frame = scenes.render(scene_set.seed, int(image_id), scene_set.height, scene_set.width)
    nyud.write_frame(root, image_id, frame)
