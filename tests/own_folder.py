"""A small data set of one's own in folders: images of several sizes and kinds, of which some lack some labels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image
from synthetic import frame

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
