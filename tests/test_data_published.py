"""What `check` says of an archive, packed or not: all of it is read, whatever else is wrong."""

from __future__ import annotations

import dataclasses
import os
import resource
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType

import numpy as np
import pascal_layout
import pytest
from archive_layout import source, tree, write_layout
from faults import record
from PIL import Image
from scipy.io import loadmat, savemat

from mtinet.config import Limits
from mtinet.data import archives, cards, nyud, pascal, unpacking
from mtinet.errors import UserError

__all__ = ["tree"]


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    for module, size in ((nyud, (48, 64)), (pascal, None)):
        published(module, monkeypatch, size=size, counts={"train": 3, "val": 2})


def published(module: ModuleType, monkeypatch: pytest.MonkeyPatch, **fields: object) -> None:
    """Take an archive with these fields for the published one."""
    monkeypatch.setattr(module, "ARCHIVE", dataclasses.replace(module.ARCHIVE, **fields))


def given_as(kind: str, root: Path) -> Path:
    """The tree as it lies, or packed below a folder of the archive's name."""
    if kind == "folder":
        return root
    return Path(shutil.make_archive(str(root.parent / "packed"), kind, root.parent, root.name))


def refusal(path: Path, dataset: str, **fields: object) -> list[str]:
    """The lines of what check says, which names nothing of the place where the archive was unpacked."""
    with pytest.raises(UserError) as caught:
        archives.reachable(source(path, **fields), dataset)
    assert left() == []
    assert ".cache" not in str(caught.value)
    return str(caught.value).splitlines()


def left() -> list[Path]:
    """What a check leaves below the working directory but for notes and locks."""
    return [path for path in Path(".cache/archive").glob("*") if path.is_dir()]


def expect_lines(found: list[str], expected: Mapping[str, str], problems: int) -> None:
    """Each file is named with what is wrong in a line of its own, and nothing else is."""
    assert f"({problems} problems)" in found[0], found
    for name, says in expected.items():
        assert sum(name in line and says in line for line in found) == 1, (name, says, found)
    assert len(found) == 1 + len(expected), found


# Several faults at once, far from the beginning -----------------------------------------------------------------

MANY = {"train": 36, "val": 6}


@pytest.mark.parametrize("kind", ["gztar", "zip", "folder"])
def test_every_fault_of_nyud_comes_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    """A photo that is missing, empty files and a list that is gone hide none of the others."""
    published(nyud, monkeypatch, counts=MANY)
    root = tmp_path / "NYUD_MT"
    write_layout(root, **MANY)
    archives.reachable(source(given_as(kind, root)), "nyud")
    (root / "images/0042.jpg").unlink()
    (root / "depth/0042.npy").write_bytes(b"")
    Image.fromarray(np.full((48, 64), 300, np.uint16)).save(root / "segmentation/0042.png")
    (root / "images/0041.jpg").write_bytes(b"")
    np.save(root / "edge/0041.npy", np.full((48, 64), 2, np.uint8))
    for name in ("0038", "0039", "0040"):
        np.save(root / f"normals/{name}.npy", np.full((48, 64, 3), np.nan, np.float32))
    (root / "gt_sets/train.txt").unlink()  # which names the following
    (root / "depth/0036.npy").unlink()
    np.save(root / "depth/0035.npy", np.full((48, 64), -1, np.float32))
    expected = {
        "gt_sets/train.txt": "cannot read it",
        "no images/0042.jpg": "though gt_sets lists '0042'",
        "depth/0042.npy": "not a readable .npy file",
        "segmentation/0042.png": "found mode I;16, expected an 8-bit picture",
        "images/0041.jpg": "not a readable picture",
        "edge/0041.npy": "expected only 0 and 1",
        "normals/0038.npy": "(and 2 more such in normals/)",
        "no depth/0036.npy": "though segmentation/0036.png is there",
        "depth/0035.npy": "found depth -1",
    }
    expect_lines(refusal(given_as(kind, root), "nyud"), expected, 11)
    record("faults in a packed archive at once", 11, 0)


@pytest.mark.parametrize("kind", ["gztar", "zip", "folder"])
def test_every_fault_of_pascal_comes_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    """Of an image without photo and readable pictures too, whose size only the labels in .mat files tell."""
    published(pascal, monkeypatch, counts=MANY)
    root = tmp_path / "PASCAL_MT"
    ids = pascal_layout.write_layout(root, **MANY)
    archives.reachable(source(given_as(kind, root)), "pascal")
    shutil.rmtree(root / "sal_distill")
    for task in ("seg", "normals"):
        pascal.label_path(root, task, ids[-1]).write_bytes(b"")
    pascal.image_path(root, ids[-1]).unlink()
    path = pascal.label_path(root, "edge", ids[-1])
    savemat(path, {"LabelMap": loadmat(path)["LabelMap"] + np.uint16(400)})
    savemat(pascal.label_path(root, "parts", ids[-1]), {"other": 1})
    pascal.image_path(root, ids[-2]).write_bytes(b"")
    pascal.label_path(root, "edge", ids[-2]).unlink()
    Image.new("I;16", (5, 5)).save(pascal.label_path(root, "normals", ids[-2]))
    lists = root / "ImageSets/Context"
    (lists / "val.txt").write_text("".join(f"{name}\n" for name in [*ids[36:], ids[-1], "../x", "y" * 300]))
    (lists / "train.txt").write_bytes(b"\xff")
    savemat(pascal.label_path(root, "edge", ids[35]), {"more": 2})
    pascal.label_path(root, "parts", ids[34]).unlink()
    expected = {
        "no folder sal_distill with files": "expected JPEGImages",
        "ImageSets/Context/train.txt": "cannot read it",
        "ImageSets/Context/val.txt": "twice or not a file name",
        f"no JPEGImages/{ids[-1]}.jpg": "though ImageSets/Context lists",
        f"semseg/VOC12/{ids[-1]}.png": "not a readable picture",
        f"normals_distill/{ids[-1]}.png": "not a readable picture",
        f"pascal-context/trainval/{ids[-1]}.mat": "expected 1..459",
        f"human_parts/{ids[-1]}.mat": "found the keys other, expected the key anno",
        f"JPEGImages/{ids[-2]}.jpg": "not a readable picture",
        f"no pascal-context/trainval/{ids[-2]}.mat": "though ImageSets/Context lists",
        f"normals_distill/{ids[-2]}.png": "found mode I;16",
        f"pascal-context/trainval/{ids[35]}.mat": "found the keys more, expected the key LabelMap",
        f"no human_parts/{ids[34]}.mat": f"though semseg/VOC12/{ids[34]}.png is there",
    }
    expect_lines(refusal(given_as(kind, root), "pascal"), expected, 13)
    record("faults in a packed archive at once", 13, 0)


def test_kinds_of_faults_in_one_folder_do_not_hide_those_of_another(tmp_path: Path) -> None:
    """However many kinds there are; what a kind's lines differ in is numbers and names alone."""
    odd = [
        f"seg/{letter}{number}.png: broken ({letter * 3})"
        for letter in "abcdefghijklmnopqrstuvwxyz"
        for number in (1, 2)
    ]
    found = cards.by_folder([*odd, "depth/é.npy: found -1e-05 in depth/é.npy", "depth/z.npy: found 7.5 in depth/z.npy"])
    assert found[0] == "seg/a1.png: broken (aaa) (and 1 more such in seg/)"
    assert found[cards.SHOWN :] == [
        f"and {2 * (26 - cards.SHOWN)} others in seg/",
        "depth/é.npy: found -1e-05 in depth/é.npy (and 1 more such in depth/)",
    ]


# Unpacked aside -------------------------------------------------------------------------------------------------


def test_a_full_disk_is_one_line_and_leaves_nothing(tmp_path: Path, tree: Path) -> None:
    """The limit on a file's size stands for it: to the stage both are the same error."""
    path = given_as("gztar", tree)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (8000, before[1]))
    try:
        with pytest.raises(UserError) as caught:
            archives.reachable(source(path), "nyud")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert str(caught.value).startswith(f"no room to write .cache/archive/nyud-unpacked, where {path} is unpacked (")
    assert "\n" not in str(caught.value)
    assert left() == []
    archives.reachable(source(path), "nyud")


def test_nothing_stays_of_what_was_unpacked(tmp_path: Path, tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After success, a refusal, an interruption, and a check that was killed before."""
    path = given_as("gztar", tree)
    Path(".cache/archive/nyud-unpacked/tree/images").mkdir(parents=True)
    before = sorted(path for path in tmp_path.rglob("*") if ".cache" not in path.parts)

    def interrupted(*args: object, **named: object) -> None:
        assert (left()[0] / "tree/images/0001.jpg").exists()
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(cards, "check_archive", interrupted)
        with pytest.raises(KeyboardInterrupt):
            archives.reachable(source(path), "nyud")
    assert left() == []
    archives.reachable(source(path), "nyud")
    assert left() == []
    assert sorted(path for path in tmp_path.rglob("*") if ".cache" not in path.parts) == before
    assert "more than the limits" in refusal(path, "nyud", limits=Limits(files=10))[0]


def test_an_unchanged_archive_is_unpacked_once(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = given_as("gztar", tree)
    done = []
    unpack = unpacking.unpack
    monkeypatch.setattr(unpacking, "unpack", lambda *given: (done.append(given), unpack(*given)))
    archives.reachable(source(path))
    archives.reachable(source(path))
    assert len(done) == 1
    os.utime(path, ns=(1, 1))
    archives.reachable(source(path))
    assert len(done) == 2


@pytest.mark.parametrize("kind", ["gztar", "folder"])
def test_a_changed_expectation_is_checked_anew(tree: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    """Labels that the published archive must have after all, and other numbers of images."""
    shutil.rmtree(tree / "edge")
    path = given_as(kind, tree)
    archives.reachable(source(path), "nyud")
    with monkeypatch.context() as patched:
        published(nyud, patched, required=("seg", "depth", "edge"))
        assert "no folder edge with files" in refusal(path, "nyud")[1]
    with monkeypatch.context() as patched:
        published(nyud, patched, counts={"train": 2, "val": 2})
        assert "gt_sets/train.txt lists 3 images, expected 2" in refusal(path, "nyud")[1]
    archives.reachable(source(path), "nyud")


# Other versions -------------------------------------------------------------------------------------------------


def labels_of_41(root: Path) -> None:
    for path in (root / "segmentation").iterdir():
        Image.fromarray(np.where(np.array(Image.open(path)) == 0, 41, 3).astype(np.uint8)).save(path)


def labels_from_0(root: Path) -> None:
    for path in (root / "segmentation").iterdir():
        Image.fromarray((np.array(Image.open(path)) - np.uint8(1)).astype(np.uint8)).save(path)


def with_13_classes(root: Path) -> None:
    for split in ("train", "val"):
        (root / split / "label").mkdir(parents=True)
        np.save(root / split / "label" / "0.npy", np.zeros((288, 384)))
    for name in nyud.RAW_FOLDERS:
        shutil.rmtree(root / name)


def lost(root: Path) -> None:
    (root / "images" / "0002.jpg").unlink()
    (root / "depth" / "0005.npy").unlink()


WRONG: dict[str, tuple[Callable[[Path], object], tuple[str, ...]]] = {
    "41 classes": (labels_of_41, ("labels up to 41", "expected 0 = unlabelled and 1..40: labels of another version")),
    "40 classes from 0": (labels_from_0, ("segmentation is coded 0..39 with 255 unlabelled",)),
    "448x576": (lambda root: write_layout(root, height=448, width=576), ("448x576", "crops of another version")),
    "13 classes": (with_13_classes, ("288x384 version with 13 classes",)),
    "288x384": (lambda root: write_layout(root, height=288, width=384), ("288x384 version with 13 classes",)),
    "no folder": (lambda root: shutil.rmtree(root / "depth"), ("no folder depth with files",)),
    "other counts": (lambda root: write_layout(root, train=4), ("gt_sets/train.txt lists 4 images, expected 3",)),
    "files lost": (lost, ("no images/0002.jpg", "no depth/0005.npy, though gt_sets lists '0005'")),
    "no list": (lambda root: (root / "gt_sets" / "val.txt").unlink(), ("gt_sets/val.txt: cannot read it",)),
    "empty split": (lambda root: (root / "gt_sets" / "val.txt").write_text("\n"), ("val.txt: found nothing",)),
}


@pytest.mark.parametrize("kind", ["gztar", "zip", "folder"])
@pytest.mark.parametrize(("change", "expected"), WRONG.values(), ids=WRONG.keys())
def test_other_versions_are_named_by_check(
    tmp_path: Path, tree: Path, change: Callable[[Path], object], expected: tuple[str, ...], kind: str
) -> None:
    change(tree)
    path = tree if kind == "folder" else Path(shutil.make_archive(str(tmp_path / "other"), kind, tree))
    message = "\n".join(refusal(path, "nyud"))
    assert f"{path} is not NYUD_MT.tgz as published" in message
    for text in expected:
        assert text in message
    assert "/tmp" not in message.replace(str(tmp_path), "")
    record("data sets of another version", 1, 0)


def test_pascal_is_looked_into(tmp_path: Path) -> None:
    pascal_layout.write_layout(tmp_path / "tree")
    good = Path(shutil.make_archive(str(tmp_path / "good"), "gztar", tmp_path, "tree"))
    archives.reachable(source(good), "pascal")
    for path in (tmp_path / "tree" / "semseg" / "VOC12").iterdir():
        Image.fromarray(np.full_like(np.array(Image.open(path)), 59)).save(path)
    other = Path(shutil.make_archive(str(tmp_path / "other"), "gztar", tmp_path, "tree"))
    with pytest.raises(UserError, match=r"labels up to 59 \(5 images\), expected VOC's"):
        archives.reachable(source(other), "pascal")
