"""Wrong files in PASCAL's layout: each is named with what was found and what was expected."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from pascal_layout import SIZE, root
from PIL import Image
from scipy.io import savemat

from mtinet.data import pascal
from mtinet.data.scenes.picture import Object
from mtinet.errors import UserError

__all__ = ["root"]


def refusal(root: Path, task: str, shape: tuple[int, int] = SIZE) -> str:
    with pytest.raises(UserError) as caught:
        pascal.read_label(root, task, "a", shape)
    message = str(caught.value)
    assert "\n" not in message
    assert str(pascal.label_path(root, task, "a")) in message
    return message


@pytest.mark.parametrize("task", pascal.FOLDERS)
def test_missing_and_broken_files_are_named(root, task):
    path = pascal.label_path(root, task, "a")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    assert any(text in refusal(root, task) for text in ("not a readable", "broken picture"))
    path.write_bytes(b"")
    assert "not a readable" in refusal(root, task)
    path.unlink()
    assert "no such file" in refusal(root, task)


@pytest.mark.parametrize("task", pascal.FOLDERS)
def test_another_size_than_the_images_is_named(root, task):
    message = refusal(root, task, (48, 65))
    assert "found shape (48, 64" in message
    assert "expected (48, 65" in message


@pytest.mark.parametrize(("task", "key"), [("edge", "LabelMap"), ("parts", "anno")])
def test_a_mat_file_without_its_key_is_named(root, task, key):
    savemat(pascal.label_path(root, task, "a"), {"other": 1, "more": 2})
    message = refusal(root, task)
    assert f"found the keys other, more, expected the key {key}" in message


@pytest.mark.parametrize("task", ["seg", "sal", "normals"])
def test_pictures_of_16_bits_or_other_channels_are_named(root, task):
    path = pascal.label_path(root, task, "a")
    Image.fromarray(np.zeros(SIZE, np.uint16)).save(path)
    assert "found mode I;16, expected an 8-bit picture" in refusal(root, task)
    Image.fromarray(np.zeros((*SIZE, 4), np.uint8)).save(path)
    assert "found mode RGBA" in refusal(root, task)
    cv2.imwrite(str(path), np.full((*SIZE, 3), 257, np.uint16))
    colours = "RGB with 16 bits" if task == "normals" else "RGB"
    assert f"found mode {colours}, expected an 8-bit picture" in refusal(root, task)


@pytest.mark.parametrize(
    ("label_map", "text"),
    [
        (np.full(SIZE, 460, np.uint16), "labels 460 to 460, expected 1..459"),
        (np.full(SIZE, -1, np.int16), "labels -1 to -1"),
        (np.full(SIZE, 3.5), "LabelMap of dtype float64, expected whole numbers"),
    ],
)
def test_label_maps_out_of_range_are_named(root, label_map, text):
    savemat(pascal.label_path(root, "edge", "a"), {"LabelMap": label_map})
    for task in ("edge", "normals"):
        with pytest.raises(UserError, match=text):
            pascal.read_label(root, task, "a", SIZE)


def test_segmentation_out_of_range_is_named(root):
    Image.fromarray(np.full(SIZE, 21, np.uint8)).save(pascal.label_path(root, "seg", "a"))
    assert "found label 21, expected 0..20, 255 for ignored" in refusal(root, "seg")


def test_odd_parts_are_named(root):
    path = pascal.label_path(root, "parts", "a")
    mask = np.ones(SIZE, np.uint8)

    def write(parts):
        person = Object(15, "person", mask.astype(bool), ())
        anno = pascal.annotation("a", [person])
        anno[0, 0]["objects"][0, 0]["parts"] = pascal.records(parts, ("part_name", "mask"))
        savemat(path, {"anno": anno})

    write([("tail", mask)])
    assert "found a person's part 'tail', expected one of head, lear" in refusal(root, "parts")
    write([("head", 2 * mask)])
    assert "'head' with values up to 2, expected 0 and 1" in refusal(root, "parts")
    write([("head", mask[:-1])])
    assert "shape (47, 64)" in refusal(root, "parts")
    savemat(path, {"anno": np.zeros((3, 3))})
    assert "without PASCAL-Part's fields" in refusal(root, "parts")
    savemat(path, {"anno": pascal.records([("a", pascal.records([(1,)], ("kind",)))], ("imname", "objects"))})
    assert "without PASCAL-Part's fields" in refusal(root, "parts")


def test_unknown_task_and_bad_lists_are_named(root):
    with pytest.raises(UserError, match="no labels for 'depth', expected one of seg, parts"):
        pascal.read_label(root, "depth", "a", SIZE)
    with pytest.raises(ValueError, match="'seg' is no teacher's task"):
        pascal.write_label(root, "seg", "a", np.zeros(SIZE))
    with pytest.raises(UserError, match="cannot read it"):
        pascal.split_ids(root, "train")
    pascal.write_splits(root, {"train": ["a", "a"]})
    with pytest.raises(UserError, match="twice"):
        pascal.split_ids(root, "train")


def test_images_that_are_no_rgb_are_named(root):
    Image.fromarray(np.zeros(SIZE, np.uint8)).save(pascal.image_path(root, "a"))
    with pytest.raises(UserError, match="found mode L, expected an 8-bit picture of mode RGB"):
        pascal.read_image(root, "a")
    pascal.image_path(root, "a").unlink()
    with pytest.raises(UserError, match="no such file"):
        pascal.image_size(root, "a")
