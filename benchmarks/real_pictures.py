"""Summaries of the few real photographs of PASCAL at hand: python -m benchmarks.real_pictures.

Writes the `photographs` and `borders` of src/mtinet/studies/picture_statistics.yaml from the material beside the
repository; what others have published (`voc2012`) stays as it is in that file. Only summaries are kept.
"""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import yaml
from numpy.typing import NDArray
from PIL import Image

from mtinet.data.pascal import PART_LABELS, PERSON, objects_in
from mtinet.studies import picture_statistics as statistics
from mtinet.studies.picture_statistics import Shot

FIXTURES = Path(__file__).resolve().parents[2] / "shared" / "fixtures"
PHOTOGRAPHS = FIXTURES / "real" / "pascal"
BORDERS = FIXTURES / "edges" / "seism_HED.npz"
LONGEST = 240  # all measures of light and texture are taken at this size
SIDE = 500  # pixels: the longer side of nearly all photographs


def photographs() -> Iterator[tuple[str, tuple[int, int], Shot]]:
    """Name, size and labels of each photograph, brought to LONGEST."""
    for path in sorted(PHOTOGRAPHS.glob("*/*.jpg")):
        image = np.asarray(Image.open(path).convert("RGB"))
        annotated = path.with_suffix(".mat")
        labels = from_parts(annotated, image.shape[:2]) if annotated.exists() else from_classes(path)
        yield path.stem, (image.shape[0], image.shape[1]), shrunk(image, *labels)


def from_parts(path: Path, shape: tuple[int, ...]) -> tuple[NDArray[np.uint8], NDArray[np.uint8], tuple[int, ...]]:
    """Classes, parts and objects of a PASCAL-Part annotation; a later object lies over an earlier."""
    classes, parts, kinds = np.zeros(shape, np.uint8), np.zeros(shape, np.uint8), []
    for thing in objects_in(path):
        kind = int(thing["class_ind"].item())
        kinds.append(kind)
        classes[thing["mask"] != 0] = kind
        for part in thing["parts"].ravel() if kind == PERSON else ():
            parts[part["mask"] != 0] = PART_LABELS[str(part["part_name"].item())]
    return classes, parts, tuple(kinds)


def from_classes(path: Path) -> tuple[NDArray[np.uint8], NDArray[np.uint8], tuple[int, ...]]:
    """Classes of a VOC segmentation; its classes stand for its objects."""
    classes = np.asarray(Image.open(path.with_suffix(".png")))
    kinds = tuple(int(kind) for kind in np.unique(classes) if 0 < kind < 255)
    return classes, np.zeros_like(classes), kinds


def shrunk(image: NDArray[np.uint8], classes: NDArray[np.uint8], parts: NDArray[np.uint8],
           objects: tuple[int, ...]) -> Shot:  # fmt: skip
    """The labelled photograph at LONGEST: areas averaged, labels of the nearest pixel."""
    scale = LONGEST / max(image.shape[:2])
    size = round(image.shape[1] * scale), round(image.shape[0] * scale)
    small = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
    labels = [np.asarray(cv2.resize(label, size, interpolation=cv2.INTER_NEAREST), np.uint8)
              for label in (classes, parts)]  # fmt: skip
    return Shot(small, labels[0], labels[1], objects)


def summary() -> dict[str, Any]:
    """What is kept of the photographs."""
    names, sizes, shots = zip(*photographs(), strict=True)
    images = [shot.image for shot in shots]
    coloured = [image for image in images if statistics.saturation(image) > 0.02]
    looks = statistics.looks(images) | {"saturation": statistics.looks(coloured)["saturation"]}
    people = len(statistics.part_labels(shots)[0])
    guesses = statistics.guesses(shots, (people, len(shots)))
    return {
        "images": len(names),
        "sha256": sha256(b"".join(path.read_bytes() for path in sorted(PHOTOGRAPHS.glob("*/*.jpg")))).hexdigest(),
        "longest": LONGEST,
        "sizes": [list(size) for size in sizes],
        "with_parts": people,
        "looks": {name: round(value, 3) for name, value in looks.items()},
        "parts": [round(float(share), 3) for share in statistics.part_shares(shots)],
        "guesses": {name: round(value, 3) for name, value in guesses.items()},
    }


def borders() -> dict[str, Any]:
    """Border pixels of PASCAL-Context's label maps as the edge benchmark counted them, in longer sides."""
    counts = np.load(BORDERS, allow_pickle=False)["gt_pixels"] / SIDE
    steps = {
        name: round(float(np.quantile(counts, q)), 2) for name, q in (("low", 0.1), ("median", 0.5), ("high", 0.9))
    }
    return {"images": len(counts), "mean": round(float(counts.mean()), 2), **steps}


def main() -> None:
    path = statistics.REAL
    head = "".join(line for line in path.read_text().splitlines(keepends=True) if line.startswith("#"))
    found = statistics.real() | {"photographs": summary(), "borders": borders()}
    path.write_text(head + yaml.safe_dump(found, sort_keys=False, default_flow_style=None, width=120))
    print(path.read_text())


if __name__ == "__main__":
    main()
