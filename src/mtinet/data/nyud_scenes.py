"""How rendered frames of the NYUD-like set are numbered and made: the module of this kind for `nyud`."""

from __future__ import annotations

from pathlib import Path

from mtinet.config import SceneSet
from mtinet.data import nyud, scenes

# Ids are frames' numbers: validation frames start at a fixed one, so that they stay the same frames when the
# number of training frames changes.
FIRST = {"train": 1, "val": 5001}
DIGITS = 4

write_splits = nyud.write_splits


def files_of(root: Path, image_id: str) -> list[Path]:
    """All files that `write` makes."""
    return [nyud.image_path(root, image_id), *(nyud.label_path(root, task, image_id) for task in nyud.FOLDERS)]


def write(root: Path, scene_set: SceneSet, image_id: str) -> None:
    """Render and write one frame; its number in the seeded sequence is its id."""
    assert scene_set.height is not None
    assert scene_set.width is not None
    frame = scenes.render(scene_set.seed, int(image_id), scene_set.height, scene_set.width)
    nyud.write_frame(root, image_id, frame)
