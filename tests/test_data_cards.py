"""Data cards notice changed data; the fixed card of the real archive names other versions."""

import dataclasses
import tarfile

import numpy as np
import pytest
from archive_layout import write_layout
from PIL import Image
from real_frames import REAL, needs_real_frames
from scipy.io import loadmat

from mtinet.data import cards, nyud
from mtinet.errors import UserError


@pytest.fixture
def root(tmp_path):
    write_layout(tmp_path / "nyud")
    return tmp_path / "nyud"


def test_card_says_what_is_there(root):
    card = cards.make_card(root, "nyud", "scenes")
    digest = card.pop("digest")
    assert card == {
        "source": "scenes",
        "dataset": "nyud",
        "sizes": [[48, 64]],
        "counts": {"train": 3, "val": 2},
        "classes": {"seg": 40},
        "folders": ["images", "segmentation", "depth", "normals", "edge", "gt_sets"],
        "labels": {"seg": "source", "depth": "source", "normals": "source", "edge": "source"},
    }
    assert len(digest) == 64
    cards.check_card(root, {**card, "digest": digest})


def test_absent_normals_and_edges_are_to_be_derived(root):
    for folder in ("normals", "edge"):
        for path in (root / folder).iterdir():
            path.unlink()
    card = cards.make_card(root, "nyud", "archive")
    assert card["labels"] == {"seg": "source", "depth": "source", "normals": "derived", "edge": "derived"}
    assert "normals" not in card["folders"]


@pytest.mark.parametrize("folder", ["segmentation", "normals"])
def test_partly_absent_labels_are_named(root, folder):
    path = next((root / folder).glob("0002.*"))
    path.unlink()
    with pytest.raises(UserError, match=f"no {folder}/{path.name}, though gt_sets lists '0002'"):
        cards.make_card(root, "nyud", "archive")


def test_every_difference_from_the_card_is_named(root):
    card = cards.make_card(root, "nyud", "scenes")
    depth = nyud.label_path(root, "depth", "0003")
    content = bytearray(depth.read_bytes())
    content[-1] ^= 1
    depth.write_bytes(content)
    with pytest.raises(UserError, match=r"digest is [0-9a-f]{64}, the card says") as caught:
        cards.check_card(root, card)
    assert "sizes" not in str(caught.value)
    Image.new("RGB", (32, 32)).save(nyud.image_path(root, "0001"))
    nyud.write_splits(root, {"train": ["0001"], "val": ["0004", "0005"]})
    with pytest.raises(UserError, match=r"sizes is \[\[32, 32\], \[48, 64\]\], the card says") as caught:
        cards.check_card(root, card)
    assert "counts is {'train': 1, 'val': 2}, the card says {'train': 3, 'val': 2}" in str(caught.value)


def test_renamed_file_changes_the_digest_and_hidden_ones_do_not(root):
    before = cards.digest(root)
    (root / "depth" / ".gitignore").write_text("/x")
    assert cards.digest(root) == before
    (root / "depth" / "0001.npy").rename(root / "depth" / "0009.npy")
    assert cards.digest(root) != before


def test_unknown_dataset_is_named(root):
    with pytest.raises(UserError, match="no data layout for dataset 'nyu', expected one of nyud, pascal"):
        cards.make_card(root, "nyu", "scenes")


# The real archive's card ------------------------------------------------------------------------------------


@pytest.fixture
def small_archive(root, monkeypatch):
    """A tree that is the published archive, were that 3 + 2 images of 48x64."""
    small = dataclasses.replace(nyud.ARCHIVE, size=(48, 64), counts={"train": 3, "val": 2})
    monkeypatch.setattr(nyud, "ARCHIVE", small)
    cards.check_archive(root, "nyud")
    return root


def problems(root) -> str:
    with pytest.raises(UserError) as caught:
        cards.check_archive(root, "nyud")
    assert "NYUD_MT.tgz" in str(caught.value)
    return str(caught.value)


def change_labels(root, change) -> None:
    for path in (root / "segmentation").iterdir():
        Image.fromarray(change(np.array(Image.open(path))).astype(np.uint8)).save(path)


def test_archive_without_normals_and_edges_passes(small_archive):
    for folder in ("normals", "edge"):
        for path in (small_archive / folder).iterdir():
            path.unlink()
        (small_archive / folder).rmdir()
    cards.check_archive(small_archive, "nyud")


def test_labels_of_more_classes_are_named(small_archive):
    change_labels(small_archive, lambda seg: np.where(seg == 0, 41, seg))
    assert "labels up to 41 (5 images), expected 0 = unlabelled and 1..40" in problems(small_archive)


def test_labels_from_zero_are_named(small_archive):
    change_labels(small_archive, lambda seg: np.where(seg == 0, 255, seg - 1.0))
    assert "coded 0..39 with 255 unlabelled in 5 images, expected 0 = unlabelled" in problems(small_archive)


@pytest.mark.parametrize(("size", "version"), [((448, 576), "crops"), ((288, 384), "13 classes")])
def test_other_image_sizes_are_named(small_archive, size, version):
    write_layout(small_archive, height=size[0], width=size[1])
    message = problems(small_archive)
    assert f"5 images are {size[0]}x{size[1]}, expected 48x64: the {size[0]}x{size[1]}" in message
    assert version in message


def test_missing_folder_is_named(small_archive):
    (small_archive / "depth").rename(small_archive / "depths")
    message = problems(small_archive)
    assert "no folder depth with files; expected images, gt_sets, segmentation, depth; found" in message


def test_layout_of_the_version_with_13_classes_is_named(tmp_path):
    for folder in ("train", "val"):
        (tmp_path / folder / "label").mkdir(parents=True)
    assert "split into folders train/ and val/, as the 288x384 version with 13 classes" in problems(tmp_path)


def test_wrong_counts_and_shared_images_are_named(small_archive):
    nyud.write_splits(small_archive, {"train": ["0001", "0002"], "val": ["0002", "0005"]})
    message = problems(small_archive)
    assert "gt_sets/train.txt lists 2 images, expected 3" in message
    assert "lists 1 images in both splits, e.g. 0002" in message


def test_all_problems_are_counted_and_those_of_a_kind_share_a_line(small_archive):
    for name in ("0001", "0002", "0003"):
        for task in nyud.FOLDERS:
            nyud.label_path(small_archive, task, name).unlink()
    message = problems(small_archive)
    assert "(12 problems)" in message
    assert message.count("though gt_sets lists") == len(nyud.FOLDERS)
    for folder in nyud.FOLDERS.values():
        assert f"(and 2 more such in {folder}/)" in message


def test_wrong_contents_of_several_files_are_named_together(small_archive):
    nyud.image_path(small_archive, "0001").write_bytes(b"nothing")
    nyud.label_path(small_archive, "seg", "0002").write_bytes(b"nothing")
    np.save(nyud.label_path(small_archive, "depth", "0004"), np.full((48, 64), np.nan))
    message = problems(small_archive)
    assert "(3 problems)" in message
    for name in ("images/0001.jpg", "segmentation/0002.png", "depth/0004.npy"):
        assert name in message


@needs_real_frames
def test_fixed_card_has_the_published_split():
    splits = loadmat(REAL / "splits.mat")
    counts = {"train": splits["trainNdxs"].size, "val": splits["testNdxs"].size}
    assert nyud.ARCHIVE.counts == counts


@needs_real_frames
def test_published_label_maps_are_of_the_expected_coding(tmp_path):
    with tarfile.open(REAL / "nyuv2_test_class40.tgz") as archive:
        names = [name for name in archive.getnames() if name.endswith(".png")]
        assert len(names) == nyud.ARCHIVE.counts["val"]
        archive.extractall(tmp_path, members=[archive.getmember(name) for name in names[::20]], filter="data")
    seen: set[int] = set()
    (tmp_path / "segmentation").mkdir()
    for name in names[::20]:
        path = (tmp_path / name).rename(tmp_path / "segmentation" / (tmp_path / name).name)
        label = nyud.read_label(tmp_path, "seg", path.stem, nyud.ARCHIVE.size)
        seen |= set(np.unique(label).tolist())
    assert 255 in seen
    assert max(seen - {255}) <= 39
    assert len(seen) > 30
