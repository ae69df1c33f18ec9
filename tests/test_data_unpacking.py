"""Archives from strangers: refused before anything is written, and other versions named by a look from outside."""

from __future__ import annotations

import dataclasses
import gzip
import io
import os
import random
import shutil
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pascal_layout
import pytest
from archive_layout import write_layout
from faults import record
from PIL import Image

from mtinet.config import Archive, Limits
from mtinet.data import archives, nyud, pascal, unpacking
from mtinet.errors import UserError


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    for module, size in ((nyud, (48, 64)), (pascal, None)):
        card = dataclasses.replace(module.ARCHIVE, size=size, counts={"train": 3, "val": 2})
        monkeypatch.setattr(module, "ARCHIVE", card)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    write_layout(tmp_path / "tree")
    return tmp_path / "tree"


def source(path: Path, **fields: object) -> Archive:
    return Archive(**{"path": str(path), "url": None, "google_drive": None, "sha256": None, **fields})


def entry(name: str, **fields: object) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    for field, value in fields.items():
        setattr(info, field, value)
    return info


def link(name: str, target: str, kind: bytes = tarfile.SYMTYPE) -> tarfile.TarInfo:
    return entry(name, type=kind, linkname=target)


EVIL: dict[str, list[tarfile.TarInfo]] = {
    "parent": [entry("../escaped")],
    "parent deeper": [entry("a/../../escaped")],
    "parent doubled": [entry("a//..//../escaped")],
    "absolute": [entry("/tmp/escaped")],
    "absolute doubled": [entry("//tmp/escaped")],
    "link out": [link("a", "..")],
    "link out from below": [link("a/b", "../../x")],
    "absolute link": [link("a", "/etc/passwd")],
    "hard link out": [link("a", "../secret", tarfile.LNKTYPE)],
    "absolute hard link": [link("a", "/etc/passwd", tarfile.LNKTYPE)],
    "behind a link": [link("a", "images"), entry("a/file")],
    "behind a link to come": [entry("a/b/file"), link("a/b", "images")],
    "link through a link": [link("a", "images"), link("b", "a/../..")],
    "hard link through a link": [link("a", "."), link("b", "a/x", tarfile.LNKTYPE)],
    "character device": [entry("null", type=tarfile.CHRTYPE, devmajor=1, devminor=3)],
    "block device": [entry("disk", type=tarfile.BLKTYPE, devmajor=8)],
    "pipe": [entry("pipe", type=tarfile.FIFOTYPE)],
    "socket or what": [entry("odd", type=b"Z")],
}


def refused(path: Path, work: Path, **fields: object) -> str:
    """What fetch and check say; nothing is written where the archive should be unpacked, or beside it."""
    before = sorted(item for item in path.parent.rglob("*") if ".cache" not in item.parts)
    with pytest.raises(UserError) as caught:
        archives.fetch(source(path, **fields), work, "nyud")
    with pytest.raises(UserError) as seen:
        archives.reachable(source(path, **fields), "nyud")
    assert not work.exists() or not list(work.iterdir())
    assert sorted(item for item in path.parent.rglob("*") if ".cache" not in item.parts) == before
    assert str(seen.value) == str(caught.value)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("members", EVIL.values(), ids=EVIL.keys())
@pytest.mark.parametrize("mode", ["w", "w:gz"])
def test_tar_that_leaves_its_folder(tmp_path: Path, tree: Path, members: list[tarfile.TarInfo], mode: str) -> None:
    path = tmp_path / "evil.tgz"
    with tarfile.open(path, mode) as archive:
        archive.add(tree, "NYUD_MT")
        for member in members:
            archive.addfile(member, io.BytesIO(b""))
    message = refused(path, tmp_path / "work")
    assert any(word in message for word in ("outside the folder", "behind the link", "is a device"))
    record("archives that lead out of their folder or hold devices", 1, 0)


def test_links_inside_are_unpacked(tmp_path: Path, tree: Path) -> None:
    path = tmp_path / "a.tgz"
    with tarfile.open(path, "w:gz") as archive:
        archive.add(tree, "NYUD_MT")
        archive.addfile(link("NYUD_MT/images/again.jpg", "0001.jpg"))
        archive.addfile(link("NYUD_MT/images/hard.jpg", "NYUD_MT/images/0001.jpg", tarfile.LNKTYPE))
    archives.reachable(source(path))
    archives.fetch(source(path), tmp_path / "work", "nyud")
    first = (tmp_path / "work" / "images" / "0001.jpg").read_bytes()
    assert (tmp_path / "work" / "images" / "again.jpg").read_bytes() == first
    assert (tmp_path / "work" / "images" / "hard.jpg").read_bytes() == first


@pytest.mark.parametrize("name", ["../escaped", "/escaped", "a/../../escaped", "..\\escaped", "a\\..\\..\\escaped"])
def test_zip_that_leaves_its_folder(tmp_path: Path, name: str) -> None:
    with zipfile.ZipFile(tmp_path / "evil.zip", "w") as archive:
        archive.writestr(name, b"x")
    assert "would be written outside the folder" in refused(tmp_path / "evil.zip", tmp_path / "work")


def test_bombs(tmp_path: Path) -> None:
    """A file that announces more than the limit, and one that announces little and holds much."""
    many, large, header = tmp_path / "many.tgz", tmp_path / "large.tgz", tmp_path / "header.tgz"
    with tarfile.open(many, "w:gz") as archive:
        for number in range(101):
            archive.addfile(entry(f"images/{number}"))
    assert "more than the limits, 100 files" in refused(many, tmp_path / "work", limits=Limits(files=100))
    with gzip.open(large, "wb") as stream:  # the 10 TB that it announces are not there
        stream.write(entry("images/0001.jpg", size=10**13).tobuf(tarfile.GNU_FORMAT))
    assert "10000000000000 bytes are more than the limits" in refused(large, tmp_path / "work")
    with gzip.open(header, "wb") as stream:
        stream.write(entry("././@LongLink", type=tarfile.GNUTYPE_LONGNAME, size=10**12).tobuf(tarfile.GNU_FORMAT))
    assert "a header of 1000000000000 bytes" in refused(header, tmp_path / "work")
    with zipfile.ZipFile(tmp_path / "large.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("images/0001.jpg", b"\0" * 10**6)
    message = refused(tmp_path / "large.zip", tmp_path / "work", limits=Limits(gigabytes=1e-4))
    assert "1000000 bytes are more than the limits, 500000 files or 0.0001 gigabytes" in message
    record("archives beyond the declared limits", 4, 0)


@pytest.mark.parametrize("kind", ["gztar", "zip", "tar"])
def test_archives_broken_anywhere(tmp_path: Path, tree: Path, kind: str) -> None:
    """Cut off or changed at a random byte: refused in one line, or unpacked to files of which none is half."""
    path = Path(shutil.make_archive(str(tmp_path / "whole"), kind, tree))
    whole, rng, tried, wrong = path.read_bytes(), random.Random(5), 40, 0
    original = {file.relative_to(tree).as_posix(): file.read_bytes() for file in tree.rglob("*") if file.is_file()}
    for trial in range(tried):
        place, work = rng.randrange(len(whole)), tmp_path / f"work{trial}"
        broken = whole[:place] if trial % 2 else whole[:place] + bytes([whole[place] ^ 255]) + whole[place + 1 :]
        (tmp_path / "broken").write_bytes(broken)
        try:
            archives.fetch(source(tmp_path / "broken"), work, "nyud")
        except UserError:
            continue
        found = {file.relative_to(work).as_posix(): file.read_bytes() for file in work.rglob("*") if file.is_file()}
        if kind == "tar":  # without a checksum: what is wrong in a file is for the checks of its contents
            wrong += any(len(content) != len(original.get(name, content)) for name, content in found.items())
        else:
            wrong += any(content != original[name] for name, content in found.items() if name in original)
    assert wrong == 0
    record(f"archives ({kind}) cut off or changed at a random byte", tried, wrong)


# Other versions, as check sees them ---------------------------------------------------------------------------


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
    with pytest.raises(UserError) as caught:
        archives.reachable(source(path), "nyud")
    assert f"{path} is not NYUD_MT.tgz as published" in str(caught.value)
    for text in expected:
        assert text in str(caught.value)
    assert "/tmp" not in str(caught.value).replace(str(tmp_path), "")
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


def test_an_unchanged_archive_is_listed_once(tmp_path: Path, tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = Path(shutil.make_archive(str(tmp_path / "a"), "gztar", tree))
    listed = []
    sketch = unpacking.sketch
    monkeypatch.setattr(unpacking, "sketch", lambda *given: (listed.append(given), sketch(*given)))
    archives.reachable(source(path))
    archives.reachable(source(path))
    assert len(listed) == 1
    os.utime(path, ns=(1, 1))
    archives.reachable(source(path))
    assert len(listed) == 2
