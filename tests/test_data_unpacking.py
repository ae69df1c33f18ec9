"""Archives from strangers: refused before anything is written."""

from __future__ import annotations

import copy
import dataclasses
import gzip
import io
import random
import resource
import shutil
import tarfile
import zipfile
from pathlib import Path

import pytest
from archive_layout import source, tree
from faults import record

from mtinet.config import Limits
from mtinet.data import archives, checking, nyud, unpacking
from mtinet.errors import UserError

__all__ = ["tree"]


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    card = dataclasses.replace(nyud.ARCHIVE, size=(48, 64), counts={"train": 3, "val": 2})
    monkeypatch.setattr(nyud, "ARCHIVE", card)


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


AMBIGUOUS: dict[str, tuple[list[tuple[str, bytes]], str]] = {
    "a file twice": ([("x/a", b"1"), ("x/a", b"2")], "'x/a' stands in it twice"),
    "a file twice, written otherwise": ([("x/a", b"1"), ("./x//a", b"2")], "'x/a' stands in it twice"),
    "a file and a folder": ([("x/a", b"1"), ("x/a/", b"")], "'x/a' stands in it twice"),
    "a folder and a file": ([("x/a/", b""), ("x/a", b"1")], "'x/a' stands in it twice"),
    "a file above a file": ([("x/a/b", b"1"), ("x/a", b"2")], "'x/a' stands in it as a file and as a folder"),
    "a file below a file": ([("x/a", b"1"), ("x/a/b", b"2")], "'x/a' stands in it as a file and as a folder"),
    "names that differ in case": ([("x/A.jpg", b"1"), ("x/a.JPG", b"2")], "'x/a.JPG' stands in it as 'x/A.jpg' too"),
    "names that look alike": ([("x/\u00e9", b"1"), ("x/e\u0301", b"2")], "as 'x/\u00e9' too"),
    "a detour": ([("x/a", b"1"), ("y/../x/b", b"2")], "'y/../x/b' would be written outside the folder"),
    "no name": ([("./", b""), ("x", b"1"), (".", b"2")], "a file without a name"),
    "a long name": ([("x/" + "a" * 256, b"1")], "is a name of 258 letters, expected at most 255"),
    "a long name of few letters": ([("x/" + "\u20ac" * 86, b"1")], "is a name of 88 letters"),
    "a long way": ([("/".join(["a" * 200] * 11), b"1")], "is a name of 2210 letters"),
}


@pytest.mark.filterwarnings("ignore:Duplicate name")  # zipfile says so when the test writes it
@pytest.mark.parametrize("kind", ["tar", "zip"])
@pytest.mark.parametrize(("members", "expected"), AMBIGUOUS.values(), ids=AMBIGUOUS.keys())
def test_names_that_no_disk_takes_or_that_stand_twice(
    tmp_path: Path, kind: str, members: list[tuple[str, bytes]], expected: str
) -> None:
    """Refused before anything is written: unpacking would stop in the middle, or one file replace another."""
    path = tmp_path / f"evil.{kind}"
    if kind == "zip":
        with zipfile.ZipFile(path, "w") as archive:
            for name, content in members:
                archive.writestr(name, content)
    else:
        with tarfile.open(path, "w") as tar:
            for name, content in members:
                folder = tarfile.DIRTYPE if name.endswith("/") else tarfile.REGTYPE
                tar.addfile(entry(name, type=folder, size=len(content)), io.BytesIO(content))
    assert expected in refused(path, tmp_path / "work")
    record("archives with a name twice, or one that no disk takes", 1, 0)


def test_a_folder_may_be_named_again_and_a_name_be_as_long_as_disks_take_it(tmp_path: Path) -> None:
    path, longest = tmp_path / "a.tar", "a" * 255
    with tarfile.open(path, "w") as tar:
        for member in (entry("./", type=tarfile.DIRTYPE), entry("x/", type=tarfile.DIRTYPE), entry(f"x/{longest}")):
            tar.addfile(member)
        tar.addfile(entry("x", type=tarfile.DIRTYPE))
    unpacking.unpack(path, tmp_path / "out", Limits())
    assert [item.name for item in (tmp_path / "out/x").iterdir()] == [longest]


def test_zips_with_backslashes(tmp_path: Path) -> None:
    """Some tools write them instead of slashes: a listing would see folders where unpacking makes none."""
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("NYUD_MT\\images\\0001.jpg", b"x")
    assert "has backslashes, expected '/' between folders" in refused(tmp_path / "a.zip", tmp_path / "work")


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


def sparse_map(version: str, archived: bytes = b"") -> bytes:
    """A sparse file in the POSIX format, its map in a header or, in version 1.0, before the content."""
    maps = {"1.0": {}, "0.1": {"GNU.sparse.map": ",".join(["1"] * 100_000), "GNU.sparse.size": "5"}}
    info = entry("GNUSparseFile.0/f", size=len(archived))
    info.pax_headers = {"GNU.sparse.name": "f", "GNU.sparse.realsize": "10", **maps[version]}
    info.pax_headers |= dict(zip(("GNU.sparse.major", "GNU.sparse.minor"), version.split("."), strict=True))
    return info.tobuf(tarfile.PAX_FORMAT) + archived


def old_sparse() -> bytes:
    """One in GNU's own format, with more headers behind that never end."""
    header = bytearray(entry("f", type=tarfile.GNUTYPE_SPARSE).tobuf(tarfile.GNU_FORMAT))
    header[482] = 1
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    return bytes(header) + (b"00000000001\0" * 42 + b"\1").ljust(512, b"\0") * 1000


def test_sparse_files_whose_maps_would_fill_the_memory(tmp_path: Path) -> None:
    """The map of 1.0 announces 9e11 regions and goes on as long as the archive: the memory's end, not the disk's."""
    endless = sparse_map("1.0", b"900000000000\n" + b"1\n" * 10_000_000)
    for number, content in enumerate((endless, sparse_map("0.1"), old_sparse())):
        path = tmp_path / f"{number}.tgz"
        with gzip.open(path, "wb", compresslevel=1) as stream:
            stream.write(content)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        assert "is a sparse file, expected plain ones" in refused(path, tmp_path / "work")
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000  # kB; as numbers it would be 400 MB
    record("archives beyond the declared limits", 3, 0)


@pytest.mark.parametrize("kind", [b"x", b"g", b"L", b"K"])
def test_headers_of_headers_without_end(tmp_path: Path, kind: bytes) -> None:
    content = b"11 path=ab\n" if kind in b"xg" else b"abc\0"
    with gzip.open(tmp_path / "chain.tgz", "wb") as stream:
        header = entry("h", type=kind, size=len(content)).tobuf(tarfile.USTAR_FORMAT)
        stream.write((header + content.ljust(512, b"\0")) * 5000)
    refused(tmp_path / "chain.tgz", tmp_path / "work")
    record("archives with headers that contradict or never end", 1, 0)


@pytest.mark.parametrize("header", [{"mtime": "1e400"}, {"size": "-5"}, {"size": "9" * 50}, {"path": "../../escaped"}])
def test_headers_that_say_what_cannot_be(tmp_path: Path, tree: Path, header: dict[str, str]) -> None:
    path = tmp_path / "odd.tgz"
    with tarfile.open(path, "w:gz", format=tarfile.PAX_FORMAT) as archive:
        archive.add(tree, "NYUD_MT")
        archive.addfile(entry("NYUD_MT/f", size=3, pax_headers=header), io.BytesIO(b"abc"))
    with pytest.raises(UserError) as caught:
        archives.fetch(source(path), tmp_path / "work", "nyud")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "escaped").exists()
    record("archives with headers that contradict or never end", 1, 0)


def test_names_that_would_act_on_the_terminal(tmp_path: Path) -> None:
    """Escape sequences, a right-to-left override, a second line that looks like another message."""
    for number, name in enumerate(("../\x1b[2Jx", "../\u202egpj.x", "../x\nERROR: all is well", "../\udcff")):
        path = tmp_path / f"{number}.tgz"
        with tarfile.open(path, "w:gz") as archive:
            archive.addfile(entry(name))
        message = refused(path, tmp_path / "work")
        assert "outside the folder" in message
        assert message.isprintable()


def test_zips_that_lie(tmp_path: Path) -> None:
    """A size that is not the content's, one content under many names, a file that is a folder too.

    What only the content shows is found while it is unpacked; nothing of it stays.
    """

    def unpacked(path: Path, expected: str, **fields: object) -> None:
        with pytest.raises(UserError, match=expected) as caught:
            archives.fetch(source(path, **fields), tmp_path / "work", "nyud")
        assert "\n" not in str(caught.value)
        assert not list((tmp_path / "work").glob("*"))

    lie, overlap, both = tmp_path / "lie.zip", tmp_path / "overlap.zip", tmp_path / "both.zip"
    with zipfile.ZipFile(lie, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("images/0001.jpg", b"\0" * 10**7)
    lie.write_bytes(lie.read_bytes().replace((10**7).to_bytes(4, "little"), (10).to_bytes(4, "little")))
    unpacked(lie, "Bad CRC-32")
    with zipfile.ZipFile(overlap, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("f", b"\0" * 10**6)
        for number in range(50):
            again = copy.copy(archive.infolist()[0])
            again.filename = f"g{number}"
            archive.filelist.append(again)
    unpacked(overlap, "cannot be unpacked")
    unpacked(overlap, "more than the limits", limits=Limits(gigabytes=0.02))
    with zipfile.ZipFile(both, "w") as archive:
        archive.writestr("a", b"x")
        archive.writestr("a/b", b"y")
    unpacked(both, "cannot be unpacked")
    record("archives with headers that contradict or never end", 3, 0)


def test_links_in_zips_become_files(tmp_path: Path, tree: Path) -> None:
    path = Path(shutil.make_archive(str(tmp_path / "a"), "zip", tree))
    with zipfile.ZipFile(path, "a") as archive:
        link = zipfile.ZipInfo("images/9999.jpg")
        link.external_attr = 0o120777 << 16
        archive.writestr(link, "/etc/passwd")
    archives.fetch(source(path), tmp_path / "work", "nyud")
    made = tmp_path / "work" / "images" / "9999.jpg"
    assert not made.is_symlink()
    assert made.read_text() == "/etc/passwd"


@pytest.mark.parametrize("place", ["images", "NYUD_MT/images"])
def test_a_folder_that_is_a_link(tmp_path: Path, tree: Path, place: str) -> None:
    (tree / "images").rename(tree / "photographs")
    path = tmp_path / "a.tgz"
    with tarfile.open(path, "w:gz") as archive:
        archive.add(tree, str(Path(place).parent))
        archive.addfile(link(place, "photographs"))
    with pytest.raises(UserError, match="images is a link, expected a folder"):
        archives.fetch(source(path), tmp_path / "work", "nyud")


def test_links_in_a_circle_are_files_that_cannot_be_read(tmp_path: Path, tree: Path) -> None:
    (tree / "images" / "0001.jpg").unlink()
    path = tmp_path / "a.tgz"
    with tarfile.open(path, "w:gz") as archive:
        archive.add(tree, ".")
        archive.addfile(link("images/0001.jpg", "x.jpg"))
        archive.addfile(link("images/x.jpg", "0001.jpg"))
    archives.fetch(source(path), tmp_path / "work", "nyud")
    (line,) = checking.faults(tmp_path / "work", "nyud")
    assert line.startswith("images/0001.jpg: ")


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
