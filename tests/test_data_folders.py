"""Data sets of one's own in folders: what is read, what is refused, and what the card says."""

from __future__ import annotations

import shutil
import tarfile
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from own_folder import IDS, SIZES, UNLABELLED, declare, labels_of, parameters, rooms, with_tasks
from PIL import ExifTags, Image

from mtinet import config
from mtinet.data import archives, cards, checking, labels, nyud, packing, photos
from mtinet.data.layouts import ArchiveCard, layout
from mtinet.data.packed import PackedSplit
from mtinet.errors import UserError
from mtinet.reporting.classes import classes_of
from mtinet.tasks import task as registered

__all__ = ["rooms"]


# What is read ---------------------------------------------------------------------------------------------------


def test_every_label_is_read_as_it_was_written_and_missing_ones_are_invalid(rooms: Path) -> None:
    data = layout("rooms")
    assert checking.faults(rooms, "rooms") == []
    for name in (name for names in IDS.values() for name in names):
        assert data.image_size(rooms, name) == data.read_image(rooms, name).shape[:2] == SIZES[name]
        for task, missing in UNLABELLED.items():
            label, written = data.read_label(rooms, task, name, SIZES[name]), labels_of(name)[task]
            if name in missing:
                assert (label == registered(task).invalid).all()
                assert (label.shape, label.dtype) == (written.shape, written.dtype)
            else:
                np.testing.assert_array_equal(label, written)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_photos_are_read_upright(tmp_path: Path, orientation: int) -> None:
    """Against the eight orientations as the EXIF standard words them: where the stored row 0 and column 0 are seen."""
    pixels = np.random.default_rng(0).integers(0, 256, (6, 9, 3), dtype=np.uint8)
    seen = {
        1: pixels, 2: pixels[:, ::-1], 3: pixels[::-1, ::-1], 4: pixels[::-1], 5: pixels.swapaxes(0, 1),
        6: pixels[::-1].swapaxes(0, 1), 7: pixels[::-1, ::-1].swapaxes(0, 1), 8: pixels[:, ::-1].swapaxes(0, 1),
    }  # fmt: skip
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    Image.fromarray(pixels).save(tmp_path / "a.png", exif=exif)
    np.testing.assert_array_equal(photos.read_photo(tmp_path / "a.png"), seen[orientation])
    assert photos.photo_size(tmp_path / "a.png") == seen[orientation].shape[:2]


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), height=st.integers(1, 12), width=st.integers(1, 12))
def test_files_of_another_writer_are_read(
    tmp_path_factory: pytest.TempPathFactory, seed: int, height: int, width: int
) -> None:
    """OpenCV writes them: millimetres, a mask's three values, the classes, and normals as colours."""
    root, generator = tmp_path_factory.mktemp("own"), np.random.default_rng(seed)
    normals = generator.normal(size=(height, width, 3))
    normals /= np.linalg.norm(normals, axis=-1, keepdims=True)
    stored = {
        "depth": generator.integers(0, 2**16, (height, width), dtype=np.uint16),
        "sal": generator.choice(np.array([0, 128, 255], np.uint8), (height, width)),
        "parts": generator.choice(np.array([*range(7), 255], np.uint8), (height, width)),
        "normals": np.rint((normals[..., ::-1] + 1) * 255 / 2).astype(np.uint8),  # OpenCV's colours are BGR
    }
    for name, pixels in stored.items():
        (root / name).mkdir()
        assert cv2.imwrite(str(root / name / "a.png"), pixels)
    data = with_tasks(*stored)
    found = {name: data.read_label(root, name, "a", (height, width)) for name in stored}
    np.testing.assert_allclose(found["depth"], stored["depth"] / 1000, rtol=1e-6)
    np.testing.assert_array_equal(found["sal"], np.vectorize({0: 0, 255: 1, 128: 255}.get)(stored["sal"]))
    np.testing.assert_array_equal(found["parts"], stored["parts"])
    assert np.degrees(np.arccos(np.clip((found["normals"] * normals).sum(-1), -1, 1))).max() < 0.6
    assert found["normals"].dtype == found["depth"].dtype == np.float32


def test_vectors_and_grey_pixels(tmp_path: Path) -> None:
    (tmp_path / "normals").mkdir()
    vectors = np.array([[[0, 0, 1], [0, 0.6, 0.8], [0, 0, 0]]], np.float32)
    np.save(tmp_path / "normals" / "a.npy", vectors)
    Image.new("RGB", (2, 1), (128, 127, 128)).save(tmp_path / "normals" / "b.png")
    data = with_tasks("normals")
    np.testing.assert_array_equal(data.read_label(tmp_path, "normals", "a", (1, 3)), vectors)
    assert not data.read_label(tmp_path, "normals", "b", (1, 2)).any()


# What is refused ------------------------------------------------------------------------------------------------


def test_all_faults_are_named_at_once(rooms: Path) -> None:
    Image.new("RGB", (64, 48)).save(rooms / "images" / "kitchen.png")  # a second kitchen
    (rooms / "images" / "porch.jpg").write_bytes(b"no picture")
    Image.new("L", (64, 48), 3).save(rooms / "seg" / "kitchen.png")  # classes are 0..2
    Image.new("L", (64, 48), 1).save(rooms / "edge" / "cellar.png")  # 0 and 1, and the wrong size
    Image.new("L", (40, 72), 1).save(rooms / "depth" / "hall.png")
    np.save(rooms / "depth" / "loft.npy", np.full((64, 48), 2500, np.float32))
    Image.new("L", (72, 40)).save(rooms / "seg" / "attic.png")  # as the photo is stored, not as it is seen
    shutil.copy(rooms / "seg" / "loft.png", rooms / "seg" / "loft_label.png")
    (rooms / "splits" / "val.txt").write_text("porch\nloft\nhall\nnowhere\n")
    found = checking.faults(rooms, "rooms")
    expected = [
        "splits lists 1 images in both splits, e.g. hall",
        "images: found 2 called 'kitchen', expected one",
        "seg: found loft_label.png of no image (1 such), expected one <id>.png of each",
        "seg/kitchen.png: found class 3, expected 0..2, the 3 classes of 'seg' in params.yaml",
        "depth/hall.png: found mode L with 8 bits, expected a grey PNG of 16 bits",
        "seg/attic.png: found shape (40, 72), expected (72, 40), the size of the upright image",
        "edge/cellar.png: found the value 1, expected 255 (yes), 0 (no) or 128 (no label)",
        "images/porch.jpg: cannot be read as a picture",
        "depth/loft.npy: found depth 2500 to 2500, expected metres in 0..1000",
        "images/nowhere.jpg: no such file, though a split lists 'nowhere'; put it there",
    ]
    assert [line for line in expected if not any(said.startswith(line) for said in found)] == []
    assert len(found) == len(expected), found
    with pytest.raises(UserError, match=r"my-rooms is not a data set in folders.*problems\); put right what is listed"):
        archives.reachable(config.load().datasets["rooms"].archive, "rooms")


def test_photos_are_called_as_cameras_and_people_call_them(rooms: Path) -> None:
    """With spaces and letters of any language; lists written on any system, with or without its marks."""
    for folder in ("images", "seg", "depth"):
        for path in (rooms / folder).glob("loft.*"):
            path.rename(path.with_name(f"Über dem Flur (2){path.suffix}"))
    (rooms / "splits" / "val.txt").write_bytes("\ufeffporch\r\nÜber dem Flur (2)\r\n\r\n".encode())
    assert layout("rooms").split_ids(rooms, "val") == ["porch", "Über dem Flur (2)"]
    (rooms / "edge" / "loft.png").unlink()
    assert checking.faults(rooms, "rooms") == []


@pytest.mark.parametrize("task", ["depth", "edge"])
def test_one_task_is_enough_and_it_may_come_as_an_archive(rooms: Path, task: str) -> None:
    """A data set without segmentation, packed into a file: checked, unpacked, and read."""
    content = parameters(task)
    content["datasets"]["rooms"]["archive"] = {"path": "rooms.tar.gz"}
    declare(content)
    for other in {"seg", "depth", "edge"} - {task}:
        shutil.rmtree(rooms / other)
    with tarfile.open("rooms.tar.gz", "w:gz") as archive:
        archive.add(rooms, "my-rooms")
    given = config.load().datasets["rooms"].archive
    archives.reachable(given, "rooms")
    Path("work").mkdir()
    archives.fetch(given, Path("work"), "rooms")
    cards.check_archive(Path("work"), "rooms")
    card = cards.make_card(Path("work"), "rooms", "archive")
    assert (card["folders"], card["labels"]) == (["images", "splits", task], {task: "source"})
    for split in IDS:
        packing.pack(Path("work"), None, IDS[split], [task], Path(f"packed-{split}"), 1, layout("rooms"))
    with_label = [name for name in IDS["train"] if name not in UNLABELLED[task]]
    packed = PackedSplit(Path("packed-train"))
    for index, name in enumerate(packed.ids):
        expected = labels_of(name)[task] if name in with_label else registered(task).invalid
        np.testing.assert_array_equal(packed.label(task, index), np.broadcast_to(expected, SIZES[name]))


def test_a_task_without_labels_is_named(rooms: Path) -> None:
    shutil.rmtree(rooms / "depth")
    for path in (rooms / "edge").iterdir():
        if path.stem not in IDS["val"]:
            path.unlink()
    found = checking.faults(rooms, "rooms")
    assert [line.partition(";")[0] for line in found] == [
        "no folder depth with files",
        "depth: found a label of no image in splits/train.txt, expected some",
        "edge: found a label of no image in splits/train.txt, expected some",
    ]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda c: c["study"]["source"].update(rooms="scenes"), "study.source.rooms: found scenes, expected archive"),
        (
            lambda c: c["datasets"]["rooms"].update(names={"seg": ["a"]}),
            "names.seg: found 1 names, expected those of 3",
        ),
        (lambda c: c["datasets"]["rooms"].update(names={"depth": ["a"]}), "names.depth: found 1 names"),
        (lambda c: c["datasets"]["rooms"].update(layout="folder"), "datasets.rooms.layout: found 'folder'"),
        (lambda c: c["scales"]["laptop"]["nyud"].pop("scenes"), "scales.laptop.nyud: lacks 'scenes'"),
        (lambda c: c["pretraining"].update(rooms={}), "pretraining.rooms: a data set in folders has no rendered"),
    ],
)
def test_what_cannot_be_is_refused(rooms: Path, change: Any, expected: str) -> None:
    content = parameters("seg", "edge")
    change(content)
    declare(content)
    with pytest.raises(UserError) as caught:
        config.load()
    assert expected in str(caught.value)


def test_undeclared_data_sets_have_no_layout(rooms: Path) -> None:
    with pytest.raises(
        UserError, match=r"'flats', expected one of nyud, pascal, or one that params.yaml declares with"
    ):
        layout("flats")
    with pytest.raises(UserError, match="no data layout for dataset 'flats'"):
        classes_of("flats")


def test_classes_are_called_by_name_or_number(rooms: Path) -> None:
    content = parameters("seg", "parts")
    content["datasets"]["rooms"]["names"] = {"seg": ["wall", "floor", "box"]}
    declare(content)
    found = classes_of("rooms")
    assert found["seg"].names == ("wall", "floor", "box")
    assert found["parts"].names[6] == "class 6"
    assert len({*found["parts"].colours}) == len(found["parts"].palette()) == 7


# Cards and derived labels -----------------------------------------------------------------------------------------


def test_the_card_says_what_is_there(rooms: Path) -> None:
    card = cards.make_card(rooms, "rooms", "archive")
    assert card["counts"] == {"train": 4, "val": 2}
    assert card["classes"] == {"seg": 3}
    assert card["labels"] == dict.fromkeys(("seg", "depth", "edge"), "source")
    assert card["sizes"] == [list(size) for size in sorted({*SIZES.values()})]
    cards.check_card(rooms, card)
    labels.derive_missing(rooms, card, Path("new"))
    assert not Path("new").exists()
    (rooms / "seg" / "porch.png").unlink()
    with pytest.raises(UserError, match="digest is"):
        cards.check_card(rooms, card)


@pytest.mark.parametrize(("kept", "derived"), [("seg", "edge"), ("depth", "normals")])
def test_only_what_there_are_labels_for_is_derived(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kept: str, derived: str
) -> None:
    """Sets in NYUD-v2's layout that have segmentation or depth alone."""
    from archive_layout import write_layout

    write_layout(tmp_path / "raw")
    for folder in {*nyud.FOLDERS.values()} - {nyud.FOLDERS[kept]}:
        shutil.rmtree(tmp_path / "raw" / folder)
    card = ArchiveCard("own", None, {}, {}, (kept,), derivable=("normals", "edge"))
    monkeypatch.setattr(nyud, "ARCHIVE", card)
    made = cards.make_card(tmp_path / "raw", "nyud", "archive")
    assert made["labels"] == {
        "seg": "absent",
        "depth": "absent",
        "normals": "derived",
        "edge": "derived",
        kept: "source",
    }
    labels.derive_missing(tmp_path / "raw", made, tmp_path / "new")
    assert [path.name for path in (tmp_path / "new").iterdir()] == [derived]
