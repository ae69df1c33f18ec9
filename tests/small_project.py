"""A folder in which a training stage runs in seconds: params.yaml at smoke scale and a packed split of a few frames."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml
from archive_layout import write_layout

from mtinet import paths
from mtinet.data import nyud, packing

ROOT = Path(__file__).resolve().parents[1]
STUDY = "scenes-smoke"
TASKS = ("seg", "depth", "normals", "edge")


def unchanged(content: Any) -> None:
    """Parameters as they are."""


def write_project(folder: Path, images: int = 8, change: Callable[[Any], None] = unchanged, **scale: Any) -> Path:
    """Write params.yaml, with `scale` as changes of NYUD's smoke scale, and the packed training split."""
    folder.mkdir(parents=True, exist_ok=True)
    write_params(folder, change, **scale)
    write_layout(folder / "raw", train=images, val=1)
    ids = nyud.split_ids(folder / "raw", "train")
    packing.pack(folder / "raw", None, ids, TASKS, folder / paths.packed(STUDY, "nyud", "train"), workers=1)
    return folder


def copy_code(folder: Path) -> None:
    """Put the project's code into `folder`, to be changed or to be run from there."""
    for part in ("src", "stages", "pipeline"):
        shutil.copytree(ROOT / part, folder / part, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))


def write_params(folder: Path, change: Callable[[Any], None] = unchanged, **scale: Any) -> None:
    """The project's parameters at smoke scale, on one thread of the CPU."""
    content = yaml.safe_load((ROOT / "params.yaml").read_text())
    content["study"] |= {"scale": "smoke", "source": {"nyud": "scenes", "pascal": "scenes"}}
    content["compute"] = {"threads": 1, "device": "cpu"}
    content["scales"]["smoke"]["nyud"] |= {"batch_size": 4, "input": {"height": 32, "width": 32}, **scale}
    change(content)
    (folder / "params.yaml").write_text(yaml.safe_dump(content, sort_keys=False))


def results(folder: Path, experiment: str) -> dict[str, Path]:
    """What the stage train publishes for seed 0 and what must be the same each time."""
    location = (STUDY, "nyud", experiment, 0)
    made = {"weights": paths.weights, "history": paths.history, "manifest": paths.manifest}
    return {name: folder / place(*location) for name, place in made.items()}


def contents(folder: Path, experiment: str) -> dict[str, bytes]:
    """The bytes of all of them."""
    return {name: path.read_bytes() for name, path in results(folder, experiment).items()}
