"""Pictures rendered apart from a study's own, with exact labels, for what is trained before the experiments."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mtinet.config import SceneSet
from mtinet.data import formats, packing, scene_set
from mtinet.data.layouts import EXACT_FOLDER, exact_path, layout


def pack(dataset: str, tasks: Sequence[str], scenes: SceneSet, work: Path, workers: int) -> Path:
    """Render the training split of `scenes` into `work`, what is missing of it, and pack images and labels of `tasks`.

    Returns the packed split. Labels that the archive has as predictions are exact here, through its 8 bits.
    """
    data, root, packed = layout(dataset), work / "pictures", work / "packed"
    ids = scene_set.scene_ids(scenes, dataset)["train"]
    todo = [name for name in ids if not scene_set.complete(root, name, dataset)]
    for _ in scene_set.rendered(root, scenes, todo, workers, dataset):
        pass
    for task in set(tasks) & set(data.ARCHIVE.taught):
        for name in ids:
            exact = formats.read_array(exact_path(root / EXACT_FOLDER, task, name))
            data.write_label(root, task, name, exact)
    packing.pack(root, None, ids, tasks, packed, layout=data)
    return packed
