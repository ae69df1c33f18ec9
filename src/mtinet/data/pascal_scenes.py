"""How rendered pictures of the PASCAL-like set are numbered and made: the module of this kind for `pascal`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtinet.config import SceneSet
from mtinet.data import formats, pascal
from mtinet.data.layouts import EXACT_FOLDER, exact_path
from mtinet.data.scenes import pictures

# Ids are pictures' numbers: validation starts at a fixed one, so that it stays the same pictures when the number
# of training pictures changes.
FIRST = {"train": 1, "val": 500_001}
DIGITS = 6

write_splits = pascal.write_splits


def files_of(root: Path, image_id: str) -> list[Path]:
    """All files that `write` makes: no teacher's labels, but the geometry that these approximate."""
    labels = [pascal.label_path(root, task, image_id) for task in pascal.ARCHIVE.required]
    exact = [exact_path(root / EXACT_FOLDER, task, image_id) for task in pascal.EXACT]
    return [*labels, *exact, pascal.image_path(root, image_id)]


def write(root: Path, scene_set: SceneSet, image_id: str) -> None:
    """Render and write one picture; its number in the seeded sequence is its id."""
    assert scene_set.longest is not None
    picture = pictures.render_picture(scene_set.seed, int(image_id), scene_set.longest)
    pascal.write_picture(root, image_id, picture)
    exact: dict[str, NDArray[Any]] = {"normals": picture.normals, "sal": picture.salient.astype(np.uint8)}
    for task in pascal.EXACT:
        formats.write_array(exact_path(root / EXACT_FOLDER, task, image_id), exact[task])
