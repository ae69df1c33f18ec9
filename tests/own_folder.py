"""A small data set of one's own in folders: images of several sizes and kinds, of which some lack some labels."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from numpy.typing import NDArray
from PIL import ExifTags, Image
from synthetic import frame

from mtinet.data import folders
from mtinet.data.layouts import ArchiveCard

ROOT = Path(__file__).resolve().parents[1]
IDS = {"train": ["kitchen", "hall", "attic", "cellar"], "val": ["porch", "loft"]}
SIZES = {
    "kitchen": (48, 64),
    "hall": (48, 64),
    "attic": (72, 40),
    "cellar": (40, 72),
    "porch": (48, 64),
    "loft": (64, 48),
}
UNLABELLED = {"seg": ("hall",), "depth": ("attic", "porch"), "edge": ("kitchen", "hall", "porch")}
CHANNELS = {"seg": 3, "depth": 1, "normals": 3, "parts": 7, "sal": 1, "edge": 1}
CLASSES = {"seg": 3, "parts": 7}
EDGES = {"max_dist": 0.05, "protocol": "released", "flavour": "seism"}
SCALE = {
    "input": {"height": 32, "width": 64}, "epochs": 1, "epochs_of": {}, "batch_size": 2, "optimizer": None,
    "lr_factor": 1.0, "augmentation": {"zoom": [1.0], "flip": True}, "pretrained": "none",
}  # fmt: skip
LYING = "attic"  # stored on its side, as cameras do
BOX = 2  # the class of what synthetic frames have as 5
LIES_LEFT = 6  # EXIF: to be turned clockwise


def labels_of(name: str) -> dict[str, NDArray]:
    """Image and labels in the coding that `read_label` gives, whether they are in the folder or not."""
    number = list(SIZES).index(name)
    made = frame(np.random.default_rng([11, number]), *SIZES[name])
    made["seg"][made["seg"] == 5] = BOX
    made["depth"] = (np.round(made["depth"] * 1000) / np.float32(1000)).astype(np.float32)
    return made


def write_own(root: Path, tasks: tuple[str, ...] = ("seg", "depth", "edge")) -> Path:
    """Write the data set with these of seg, depth, edge."""
    for split, names in IDS.items():
        (root / "splits").mkdir(parents=True, exist_ok=True)
        (root / "splits" / f"{split}.txt").write_text("".join(f"{name}\n" for name in names))
        for name in names:
            made = labels_of(name)
            write_image(root / "images", name, made["image"])
            for task in tasks:
                (root / task).mkdir(exist_ok=True)
                if name not in UNLABELLED[task]:
                    write_label(root / task, task, name, made[task])
    return root


def write_image(folder: Path, name: str, pixels: NDArray) -> None:
    """A JPEG; one is a PNG in capitals, and one lies on its side."""
    folder.mkdir(exist_ok=True)
    if name == "cellar":
        Image.fromarray(pixels).save(folder / f"{name}.PNG")
    elif name == LYING:
        exif = Image.Exif()
        exif[ExifTags.Base.Orientation] = LIES_LEFT
        Image.fromarray(np.rot90(pixels)).save(folder / f"{name}.jpg", exif=exif)
    else:
        Image.fromarray(pixels).save(folder / f"{name}.jpg")


def write_label(folder: Path, task: str, name: str, label: NDArray) -> None:
    """A PNG as docs/extending.md has it; depth of one image as metres."""
    if task == "depth" and name == "loft":
        np.save(folder / f"{name}.npy", label)
        return
    if task == "depth":
        label = np.rint(label * 1000).astype(np.uint16)
    if task == "edge":
        label = np.select([label == 1, label == 0], [255, 0], 128).astype(np.uint8)
    Image.fromarray(label).save(folder / f"{name}.png")


def parameters(*tasks: str) -> Any:
    """params.yaml with a data set `rooms` in folders that has these tasks."""
    content = yaml.safe_load((ROOT / "params.yaml").read_text())
    content["study"]["source"]["rooms"] = "archive"
    for sets in content["scales"].values():
        sets["rooms"] = copy.deepcopy(SCALE)
    entries = {name: {"weight": 1.0, **({"classes": CLASSES[name]} if name in CLASSES else {})} for name in tasks}
    content["datasets"]["rooms"] = {
        "layout": "folders", "archive": {"path": "my-rooms"}, "tasks": entries, "edges": dict(EDGES),
    }  # fmt: skip
    return content


def declare(content: Any) -> None:
    Path("params.yaml").write_text(yaml.safe_dump(content, sort_keys=False))


@pytest.fixture
def rooms(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder `my-rooms` of a project that declares it with segmentation, depth and edges."""
    monkeypatch.chdir(tmp_path)
    declare(parameters("seg", "depth", "edge"))
    return write_own(tmp_path / "my-rooms")


def with_tasks(*names: str) -> folders.Folders:
    card = ArchiveCard("own", None, {}, CLASSES, tuple(names), partial=True)
    return folders.Folders({name: CLASSES.get(name) for name in names}, card)
