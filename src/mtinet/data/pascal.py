"""The on-disk layout of PASCAL_MT.tgz: written from rendered pictures, read with every label checked.

    JPEGImages/<id>.jpg                   RGB, of varying size
    pascal-context/trainval/<id>.mat      LabelMap, PASCAL-Context's classes 1..459, 0 = none
    semseg/VOC12/<id>.png                 uint8, VOC's 21 classes, 255 = ignored; where an image has none:
    semseg/pascal-context/<id>.png        the same, derived from LabelMap
    human_parts/<id>.mat                  anno, PASCAL-Part's objects with the mask of every part
    normals_distill/<id>.png              a teacher's unit vectors n [H, W, 3] as (n + 1) * 255 / 2
    sal_distill/<id>.png                  a teacher's saliency in 0..255
    ImageSets/Context/{train,val}.txt     one id per line

`read_label` gives the coding used everywhere else: see there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from numpy.typing import NDArray
from skimage.morphology import thin

from mtinet import files
from mtinet.boundaries import boundaries_from_labels
from mtinet.data import formats
from mtinet.data.formats import expect
from mtinet.data.geometry import vectors_of
from mtinet.data.layouts import ArchiveCard, Size, source_of
from mtinet.errors import UserError

if TYPE_CHECKING:  # reading the archive must not depend on the renderer
    from mtinet.data.scenes.picture import Object, Picture

CLASSES = 21
IGNORED = 255
PERSON = 15  # of VOC's classes
CONTEXT_CLASSES = 459
LONGEST = 500  # pixels: VOC's images are no longer
SALIENT = 0.5 * 255
VOC_FOLDER = "semseg/VOC12"

RAW_FOLDERS = (
    "JPEGImages", "pascal-context", "semseg", "human_parts", "normals_distill", "sal_distill", "ImageSets",
)  # fmt: skip
FOLDERS = {
    "seg": "semseg",
    "parts": "human_parts",
    "sal": "sal_distill",
    "edge": "pascal-context",
    "normals": "normals_distill",
}
EXACT = ("normals", "sal")
SCORED = ("edge",)
NEVER_EMPTY = ("seg",)
ARCHIVE = ArchiveCard(
    "PASCAL_MT.tgz",
    size=None,
    counts={"train": 4998, "val": 5105},
    classes={"seg": CLASSES, "parts": 7},
    required=("seg", "parts", "edge"),
    taught=("sal", "normals"),
)

# Six parts of the 24 that PASCAL-Part has for a person, in the order of pascal_classes.PARTS from 1.
MERGED = (
    ("head", "lear", "rear", "leye", "reye", "lebrow", "rebrow", "mouth", "hair", "nose"),
    ("torso", "neck"),
    ("luarm", "ruarm"),
    ("llarm", "lhand", "rlarm", "rhand"),
    ("luleg", "ruleg"),
    ("llleg", "lfoot", "rlleg", "rfoot"),
)
PART_LABELS = {name: label for label, names in enumerate(MERGED, 1) for name in names}

# The teacher of the normals saw NYUD-v2, so that they are kept on classes that NYUD-v2 has too: those of the same
# name among its 40, and those that PASCAL-Context calls otherwise (blinds, clothes, books, refrigerator, television,
# floor mat). Not lamp, desk, dresser, whiteboard or bookshelf: no class here means just that.
# Numbers are positions in PASCAL-Context's labels.txt: 459 names in alphabetical order, from 1 (accordion) to 459
# (wool). They agree with the numbers by which the usual 59 classes are picked from LabelMap.
SHARED_CLASSES = {
    "bag": 9, "bathtub": 17, "bed": 18, "book": 33, "box": 37, "cabinet": 46, "ceiling": 68, "chair": 72,
    "cloth": 80, "counter": 96, "curtain": 105, "door": 115, "floor": 158, "fridge": 170, "mat": 244, "mirror": 252,
    "paper": 273, "person": 284, "picture": 287, "pillow": 290, "rug": 330, "shelves": 349, "sink": 357, "sofa": 368,
    "table": 397, "toilet": 408, "towel": 412, "tvmonitor": 427, "wall": 440, "window": 454, "window blinds": 455,
}  # fmt: skip
SHARED = np.isin(np.arange(CONTEXT_CLASSES + 1), list(SHARED_CLASSES.values()))


def image_path(root: Path, image_id: str) -> Path:
    """The photograph of an image."""
    return root / "JPEGImages" / f"{image_id}.jpg"


def label_path(root: Path, task: str, image_id: str) -> Path:
    """The file that an image's label for `task` is read from; UserError for another task than PASCAL's five."""
    if task not in FOLDERS:
        raise UserError(f"PASCAL has no labels for '{task}', expected one of {', '.join(FOLDERS)}")
    if task == "edge":
        return root / "pascal-context" / "trainval" / f"{image_id}.mat"
    if task == "parts":
        return root / "human_parts" / f"{image_id}.mat"
    if task == "seg":
        own = root / VOC_FOLDER / f"{image_id}.png"
        derived = root / "semseg" / "pascal-context" / f"{image_id}.png"
        return derived if derived.exists() and not own.exists() else own
    return root / FOLDERS[task] / f"{image_id}.png"


def split_path(root: Path, split: str) -> Path:
    """The list of a split's ids."""
    return root / "ImageSets" / "Context" / f"{split}.txt"


# Reading ---------------------------------------------------------------------------------------------------


def split_ids(root: Path, split: str) -> list[str]:
    """The ids of `split` ("train" or "val") in the file's order; UserError for a bad list."""
    return formats.read_ids(split_path(root, split))


def image_size(root: Path, image_id: str) -> Size:
    """Height and width of a photograph, from its header."""
    return formats.picture_size(image_path(root, image_id))


def label_size(root: Path, task: str, image_id: str) -> Size | None:
    """Height and width of a label as stored; None for persons' parts of which there are none."""
    path = label_path(root, task, image_id)
    if task == "edge":
        masks = [formats.read_mat(path, "LabelMap")]
    elif task == "parts":
        masks = [part["mask"] for thing in objects_in(path) for part in thing["parts"].ravel()]
    else:
        return formats.stored_size(path)
    return formats.array_size(masks[0]) if masks else None


def read_image(root: Path, image_id: str) -> NDArray[np.uint8]:
    """A photograph, uint8 [H, W, 3]; UserError when it is missing, broken or not 8-bit RGB."""
    return formats.read_picture(image_path(root, image_id), "RGB")


def read_label(root: Path, task: str, image_id: str, shape: Size, distilled: Path | None = None) -> NDArray[Any]:
    """An image's label of its `shape` (H, W); UserError names the file and what is wrong.

    seg: uint8 [H, W], 0..20, 255 ignored. parts: uint8 [H, W], 0..6, or 255 everywhere without a person.
    sal, edge: uint8 [H, W], {0, 1}. normals: float32 [H, W, 3], unit length or zero. The teachers' (sal, normals)
    are taken from `distilled`, of the same layout, where that has them.
    """
    path = label_path(root, task, image_id)
    if task in ARCHIVE.taught:
        path = source_of(label_path(Path(), task, image_id), root, distilled)
    if task == "normals":
        normals = read_normals(path, shape)
        normals[~SHARED[read_label_map(root, image_id, shape)]] = 0
        return normals
    if task == "edge":
        return edges_of(read_label_map(root, image_id, shape))
    return READERS[task](path, shape)


def read_scored(root: Path, task: str, image_id: str, shape: Size) -> NDArray[np.uint8]:
    """The boundaries that the edge benchmark compares with, uint8 [H, W], {0, 1}: not the training target."""
    if task not in SCORED:
        raise UserError(f"PASCAL has no labels of '{task}' apart from its training target, expected one of {SCORED}")
    return boundaries_from_labels(read_label_map(root, image_id, shape)).astype(np.uint8)


def read_label_map(root: Path, image_id: str, shape: Size) -> NDArray[np.uint16]:
    """PASCAL-Context's classes, uint16 [H, W], 1..459, 0 none."""
    path = label_path(root, "edge", image_id)
    stored = formats.read_mat(path, "LabelMap")
    expect(stored.dtype.kind in "ui", path, f"LabelMap of dtype {stored.dtype}", "whole numbers")
    expect_shape(stored, shape, path)
    low, high = int(stored.min()), int(stored.max())
    fine = low >= 0 and high <= CONTEXT_CLASSES
    expect(fine, path, f"labels {low} to {high}", f"1..{CONTEXT_CLASSES}, 0 for none")
    return stored.astype(np.uint16)


def read_seg(path: Path, shape: Size) -> NDArray[np.uint8]:
    """VOC's classes, 0..20 and 255."""
    stored = formats.read_picture(path, "L")
    expect_shape(stored, shape, path)
    odd = stored[(stored >= CLASSES) & (stored != IGNORED)]
    expect(not odd.size, path, f"label {odd.max(initial=0)}", f"0..{CLASSES - 1}, 255 for ignored")
    return stored


def read_sal(path: Path, shape: Size) -> NDArray[np.uint8]:
    """Salient (1) where the teacher is more than half sure."""
    stored = formats.read_picture(path, "L")
    expect_shape(stored, shape, path)
    return (stored > SALIENT).astype(np.uint8)


def read_normals(path: Path, shape: Size) -> NDArray[np.float32]:
    """Unit vectors, or zero where the stored one has no direction; float32 [H, W, 3]."""
    stored = formats.read_picture(path, "RGB")
    expect_shape(stored, (*shape, 3), path)
    return vectors_of(stored)


def read_parts(path: Path, shape: Size) -> NDArray[np.uint8]:
    """The parts of all persons together, a later one over an earlier, as in the file; 255 without a person."""
    persons = [thing for thing in objects_in(path) if int(thing["class_ind"].item()) == PERSON]
    label = np.full(shape, 0 if persons else IGNORED, np.uint8)
    for person in persons:
        for part in person["parts"].ravel():
            name, mask = str(part["part_name"].item()), part["mask"]
            expect(name in PART_LABELS, path, f"a person's part '{name}'", f"one of {', '.join(PART_LABELS)}")
            expect_shape(mask, shape, path)
            expect(bool(np.isin(mask, (0, 1)).all()), path, f"'{name}' with values up to {mask.max()}", "0 and 1")
            label[mask != 0] = PART_LABELS[name]
    return label


def objects_in(path: Path) -> NDArray[Any]:
    """The annotated objects of an image, records with class, class_ind, mask and parts (part_name, mask)."""
    anno = formats.read_mat(path, "anno")
    try:
        objects: NDArray[Any] = anno[0, 0]["objects"].ravel()
        for thing in objects:
            check_object(thing)
    except (IndexError, KeyError, ValueError, AttributeError, TypeError, OverflowError) as error:
        raise UserError(
            f"{path}: found anno without PASCAL-Part's fields ({formats.said(error)}), expected objects with class_ind"
            " and parts, these with part_name and mask; put the right file there"
        ) from None
    return objects


def check_object(thing: Any) -> None:
    """Raise what comes of it, ValueError among others, unless a record has a class and parts as they must be."""
    index = thing["class_ind"].item()
    if int(index) != index:
        raise ValueError(f"class_ind {index!r}")
    for part in thing["parts"].ravel():
        str(part["part_name"].item())
        if not isinstance(part["mask"], np.ndarray) or part["mask"].dtype.kind not in "buif":
            raise ValueError("a mask that is no array of numbers")


READERS: dict[str, Callable[[Path, Size], NDArray[np.uint8]]] = {
    "seg": read_seg,
    "parts": read_parts,
    "sal": read_sal,
}


def expect_shape(stored: NDArray[Any], shape: tuple[int, ...], path: Path) -> None:
    """Raise the UserError of a label that is not of its image's size."""
    expect(stored.shape == shape, path, f"shape {stored.shape}", f"{shape}, the size of the image")


def edges_of(label_map: NDArray[np.uint16]) -> NDArray[np.uint8]:
    """The training target for edges: the labels' non-zero Laplacian, thinned; uint8 [H, W], {0, 1}."""
    # Sums of five labels up to 459 are exact in float32.
    laplacian = cv2.Laplacian(label_map.astype(np.float32), cv2.CV_32F)
    edge: NDArray[np.uint8] = thin(laplacian != 0).astype(np.uint8)
    return edge


# Other versions --------------------------------------------------------------------------------------------


def version_problems(root: Path, ids: Sequence[str], sizes: Sequence[Size | None], pool: Executor) -> list[str]:
    """Images beyond VOC's size, and segmentation in another coding than VOC's 21 classes or without VOC's own."""
    problems = []
    # A missing file alone is no fault, since PASCAL-Context's stands in for it; the folder holds some thousands.
    if (root / "semseg").is_dir() and not any((root / VOC_FOLDER).glob("*.png")):
        problems.append(f"no folder {VOC_FOLDER} with files; expected it beside semseg/pascal-context")
    large = [size for size in sizes if size is not None and max(size) > LONGEST]
    if large:
        found = "{}x{}".format(*large[0])
        problems.append(f"{len(large)} images are larger than VOC's, e.g. {found}, expected at most {LONGEST} pixels")
    codes = [code for code in pool.map(lambda name: highest_class(root, name), ids) if code >= CLASSES]
    if codes:
        problems.append(
            f"semseg has labels up to {max(codes)} ({len(codes)} images), expected VOC's 0..{CLASSES - 1} and 255: "
            "labels of another version"
        )
    return problems


def highest_class(root: Path, image_id: str) -> int:
    """The highest class in a segmentation file; 0 when it cannot be read, which is reported elsewhere."""
    try:
        pixels = formats.read_picture(label_path(root, "seg", image_id), "L")
    except UserError:
        return 0
    return int(pixels[pixels != IGNORED].max(initial=0))


# Writing ---------------------------------------------------------------------------------------------------


def write_picture(root: Path, image_id: str, picture: Picture) -> None:
    """Write what the archive holds of a rendered picture but the teachers' predictions; same picture, same bytes."""
    formats.write_mat(label_path(root, "edge", image_id), "LabelMap", picture.label_map)
    formats.write_picture(root / VOC_FOLDER / f"{image_id}.png", picture.semseg)
    formats.write_mat(label_path(root, "parts", image_id), "anno", annotation(image_id, picture.objects))
    formats.write_jpeg(image_path(root, image_id), picture.image)


def annotation(image_id: str, objects: Sequence[Object]) -> NDArray[Any]:
    """PASCAL-Part's record of an image's objects."""
    rows = [(thing.name, thing.category, thing.mask.astype(np.uint8), parts_of(thing)) for thing in objects]
    listed = records(rows, ("class", "class_ind", "mask", "parts"))
    return records([(image_id, listed)], ("imname", "objects"))


def parts_of(thing: Object) -> NDArray[Any]:
    """PASCAL-Part's record of an object's parts; an empty matrix where it has none."""
    rows = [(name, mask.astype(np.uint8)) for name, mask in thing.parts]
    return records(rows, ("part_name", "mask")) if rows else np.zeros((0, 0), np.uint8)


def records(rows: Sequence[tuple[Any, ...]], fields: Sequence[str]) -> NDArray[Any]:
    """A struct array [1, rows] as MATLAB has it."""
    array = np.empty((1, len(rows)), [(field, object) for field in fields])
    for index, row in enumerate(rows):
        array[0, index] = row
    return array


def write_label(root: Path, task: str, image_id: str, label: NDArray[Any]) -> None:
    """Write a teacher's prediction: normals [H, W, 3], unit vectors or zero; sal [H, W], probabilities or {0, 1}."""
    if task not in ARCHIVE.taught:
        raise ValueError(f"'{task}' is no teacher's task")
    values = (label + 1.0) / 2 if task == "normals" else label.astype(np.float64)
    formats.write_picture(label_path(root, task, image_id), np.rint(values * 255).clip(0, 255).astype(np.uint8))


def write_splits(root: Path, ids: dict[str, list[str]]) -> None:
    """Write ImageSets/Context/<split>.txt for every split."""
    for split, names in ids.items():
        files.write_text(split_path(root, split), "".join(f"{name}\n" for name in names))
