"""What a wrong archive of PASCAL is told: every fault at once, other versions by their names."""

from __future__ import annotations

import dataclasses
import shutil
import tarfile
from pathlib import Path

import cv2
import numpy as np
import pytest
from pascal_layout import write_layout
from PIL import Image
from scipy.io import savemat

from mtinet.config import Archive
from mtinet.data import archives, cards, pascal
from mtinet.errors import UserError


@pytest.fixture
def small_archive(tmp_path, monkeypatch):
    """A tree that is the published archive, were that 3 + 2 images."""
    write_layout(tmp_path)
    monkeypatch.setattr(pascal, "ARCHIVE", dataclasses.replace(pascal.ARCHIVE, counts={"train": 3, "val": 2}))
    cards.check_archive(tmp_path, "pascal")
    return tmp_path


def problems(root: Path) -> str:
    with pytest.raises(UserError) as caught:
        cards.check_archive(root, "pascal")
    assert "is not PASCAL_MT.tgz as published" in str(caught.value)
    return str(caught.value)


def given_as(form: str, root: Path, folder: Path) -> Archive:
    """The tree as it lies, or packed as it is published, its folders in an order of their own."""
    if form == "tgz":
        with tarfile.open(folder / "PASCAL_MT.tgz", "w:gz") as archive:
            for number, name in enumerate(pascal.RAW_FOLDERS):
                paths = [path for path in (root / name).rglob("*") if path.is_file()]
                for path in sorted(paths, reverse=number % 2 == 0):
                    archive.add(path, f"PASCAL_MT/{path.relative_to(root)}")
    place = root if form == "folder" else folder / "PASCAL_MT.tgz"
    return Archive(path=str(place), url=None, google_drive=None, sha256=None)


@pytest.mark.parametrize("form", ["folder", "tgz"])
def test_faults_of_every_kind_are_reported_at_once_and_before_anything_is_touched(
    small_archive, monkeypatch, tmp_path, form
):
    """A folder that is missing, .mat files without their keys, pictures of 16 bits: by `check`, in one error."""
    monkeypatch.chdir(tmp_path)
    archives.reachable(given_as(form, small_archive, tmp_path), "pascal")
    shutil.rmtree(small_archive / "sal_distill")
    ids = [*pascal.split_ids(small_archive, "train"), *pascal.split_ids(small_archive, "val")]
    savemat(pascal.label_path(small_archive, "parts", ids[0]), {"other": 1})
    savemat(pascal.label_path(small_archive, "edge", ids[1]), {"more": 2})
    for task in ("seg", "normals"):
        path = pascal.label_path(small_archive, task, ids[2])
        height, width = pascal.image_size(small_archive, ids[2])
        shape = (height, width) if task == "seg" else (height, width, 3)
        cv2.imwrite(str(path), np.full(shape, 300, np.uint16))
    with pytest.raises(UserError) as caught:
        archives.reachable(given_as(form, small_archive, tmp_path), "pascal")
    lines = str(caught.value).splitlines()
    assert "(5 problems)" in lines[0]
    for words in (
        "no folder sal_distill with files",
        f"human_parts/{ids[0]}.mat: found the keys other, expected the key anno",
        f"pascal-context/trainval/{ids[1]}.mat: found the keys more, expected the key LabelMap",
        f"semseg/VOC12/{ids[2]}.png: found mode I;16, expected an 8-bit picture",
        f"normals_distill/{ids[2]}.png: found mode RGB with 16 bits, expected an 8-bit picture",
    ):
        assert sum(words in line for line in lines) == 1, (words, lines)


def test_an_unchanged_folder_is_read_once(small_archive, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    given = Archive(path=str(small_archive), url=None, google_drive=None, sha256=None)
    archives.reachable(given, "pascal")
    monkeypatch.setattr(cards, "check_archive", lambda *_, **__: pytest.fail("read again"))
    archives.reachable(given, "pascal")
    path = pascal.label_path(small_archive, "sal", "2008_000002")
    path.write_bytes(path.read_bytes() + b" ")
    with pytest.raises(pytest.fail.Exception):
        archives.reachable(given, "pascal")


def test_published_counts():
    assert pascal.ARCHIVE.counts == {"train": 4998, "val": 5105}
    assert pascal.ARCHIVE.size is None


def test_wrong_counts_and_missing_folders_are_named(small_archive):
    pascal.write_splits(small_archive, {"train": ["2008_000001", "2008_000004"]})
    message = problems(small_archive)
    assert "ImageSets/Context/train.txt lists 2 images, expected 3" in message
    assert "ImageSets/Context lists 1 images in both splits, e.g. 2008_000004, expected none" in message
    (small_archive / "human_parts").rename(small_archive / "parts")
    message = problems(small_archive)
    assert "no folder human_parts with files; expected JPEGImages, ImageSets, semseg, human_parts" in message


def test_all_wrong_contents_are_named_together(small_archive):
    pascal.label_path(small_archive, "parts", "2008_000001").write_bytes(b"nothing")
    Image.new("I;16", (62, 49)).save(pascal.label_path(small_archive, "sal", "2008_000002"))
    Image.new("RGB", (5, 5)).save(pascal.label_path(small_archive, "normals", "2008_000003"))
    pascal.image_path(small_archive, "2008_000004").write_bytes(b"nothing")
    message = problems(small_archive)
    assert "(4 problems)" in message
    for part in ("human_parts/2008_000001.mat", "mode I;16", "shape (5, 5, 3)", "JPEGImages/2008_000004.jpg"):
        assert part in message


def test_other_versions_are_named(small_archive):
    for name in ("2008_000002", "2008_000005"):
        path = pascal.label_path(small_archive, "seg", name)
        Image.fromarray(np.array(Image.open(path)) // 255 * 58 + np.uint8(1)).save(path)
    Image.new("RGB", (640, 480)).save(pascal.image_path(small_archive, "2008_000001"))
    message = problems(small_archive)
    assert "semseg has labels up to 59 (2 images), expected VOC's 0..20 and 255" in message
    assert "1 images are larger than VOC's, e.g. 480x640, expected at most 500 pixels" in message


# Distilled labels and packing -------------------------------------------------------------------------------


def test_segmentation_of_pascal_context_alone_is_a_missing_folder(small_archive):
    own, derived = small_archive / "semseg" / "VOC12", small_archive / "semseg" / "pascal-context"
    derived.mkdir(exist_ok=True)
    for path in own.iterdir():
        path.rename(derived / path.name)
    message = problems(small_archive)
    assert "(1 problem)" in message
    assert "no folder semseg/VOC12 with files" in message


def test_labels_of_an_unreadable_image_are_read(small_archive):
    """Mending the image must not bring up the next fault."""
    pascal.image_path(small_archive, "2008_000001").write_bytes(b"nothing")
    savemat(pascal.label_path(small_archive, "parts", "2008_000001"), {"other": 1})
    message = problems(small_archive)
    assert "(2 problems)" in message
    assert "JPEGImages/2008_000001.jpg" in message
    assert "human_parts/2008_000001.mat: found the keys other" in message


def test_faults_of_several_kinds_in_a_folder_have_a_line_each(small_archive):
    names = [*pascal.split_ids(small_archive, "train"), *pascal.split_ids(small_archive, "val")]
    for name in names[:3]:
        pascal.label_path(small_archive, "parts", name).write_bytes(b"nothing")
    savemat(pascal.label_path(small_archive, "parts", names[3]), {"other": 1})
    pascal.label_path(small_archive, "parts", names[4]).unlink()
    message = problems(small_archive)
    assert "(5 problems)" in message
    assert sum("human_parts/" in line for line in message.splitlines()[1:]) == 3
    assert "(and 2 more such in human_parts/)" in message
