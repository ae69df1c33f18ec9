"""Archives from files, URLs and a pretended Drive: verified, unpacked safely, failing clearly."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import shutil
import tarfile
import threading
import zipfile
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from archive_layout import write_layout

from mtinet.config import Archive, Limits
from mtinet.data import archives, downloads, nyud
from mtinet.errors import UserError

ON = "set datasets.nyud.archive.path in params.yaml to it"


@pytest.fixture(autouse=True)
def elsewhere(monkeypatch, tmp_path):
    """Downloads and notes are kept under the working directory, and the archive is one of 3 + 2 small images."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(downloads, "PAUSE", 0.0)
    small = dataclasses.replace(nyud.ARCHIVE, size=(48, 64), counts={"train": 3, "val": 2})
    monkeypatch.setattr(nyud, "ARCHIVE", small)


def source(path: Path | str | None = None, drive: str | None = None, **fields) -> Archive:
    given = {"url": None, "sha256": None, **fields}
    return Archive(path=None if path is None else str(path), google_drive=drive, **given)


def contents(root: Path) -> dict[str, bytes]:
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}


@pytest.fixture
def tree(tmp_path):
    write_layout(tmp_path / "tree")
    return tmp_path / "tree"


@pytest.fixture
def tgz(tmp_path, tree):
    with tarfile.open(tmp_path / "NYUD_MT.tgz", "w:gz") as archive:
        archive.add(tree, "NYUD_MT")
    return tmp_path / "NYUD_MT.tgz"


def failure(archive: Archive, folder: Path) -> str:
    with pytest.raises(UserError) as caught:
        archives.fetch(archive, folder, "nyud")
    return str(caught.value)


# Local files and folders ------------------------------------------------------------------------------------


@pytest.mark.parametrize("top", ["NYUD_MT", ""])
def test_tar_is_unpacked_without_its_top_folder(tmp_path, tree, top):
    path = tmp_path / "archive.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        archive.add(tree, top or ".")
    digest = archives.fetch(source(path), tmp_path / "work", "nyud")
    assert contents(tmp_path / "work") == contents(tree)
    assert digest == hashlib.sha256(path.read_bytes()).hexdigest()


def test_zip_is_unpacked(tmp_path, tree):
    path = Path(shutil.make_archive(str(tmp_path / "archive"), "zip", tmp_path, "tree"))
    archives.fetch(source(path), tmp_path / "work", "nyud")
    assert contents(tmp_path / "work") == contents(tree)


def test_folder_is_copied_and_left_alone(tmp_path, tree):
    before = contents(tree)
    assert archives.fetch(source(tree), tmp_path / "work", "nyud") is None
    assert contents(tmp_path / "work") == before
    for path in (tmp_path / "work").rglob("*.npy"):
        path.write_bytes(b"")
    assert contents(tree) == before


def test_earlier_attempt_leaves_nothing_behind(tmp_path, tree):
    archives.fetch(source(tree), tmp_path / "work", "nyud")
    shutil.rmtree(tree / "normals")
    tgz = Path(shutil.make_archive(str(tmp_path / "archive"), "gztar", tree))
    archives.fetch(source(tgz), tmp_path / "work", "nyud")
    assert contents(tmp_path / "work") == contents(tree)


def test_file_url_is_a_local_file(tmp_path, tree, tgz):
    archives.fetch(source(url=tgz.as_uri()), tmp_path / "work", "nyud")
    assert contents(tmp_path / "work") == contents(tree)


def test_sha256_is_enforced(tmp_path, tgz):
    archives.fetch(source(tgz, sha256=hashlib.sha256(tgz.read_bytes()).hexdigest()), tmp_path / "work", "nyud")
    message = failure(source(tgz, sha256="0" * 64), tmp_path / "other")
    assert f"datasets.nyud.archive.sha256 expects {'0' * 64}" in message
    assert tgz.exists()


def test_missing_file_and_missing_source_are_named(tmp_path):
    message = failure(source(tmp_path / "none.tgz"), tmp_path / "work")
    assert "none.tgz: no such file or folder, named by datasets.nyud.archive in params.yaml" in message
    assert "set one of path, url, google_drive" in failure(source(), tmp_path / "work")


def test_archive_of_another_version_is_named_before_it_is_used(tmp_path):
    (tmp_path / "other" / "train" / "label").mkdir(parents=True)
    (tmp_path / "other" / "val").mkdir()
    path = Path(shutil.make_archive(str(tmp_path / "archive"), "gztar", tmp_path, "other"))
    for archive in (source(path), source(tmp_path / "other")):
        message = failure(archive, tmp_path / "work")
        assert f"{archive.path} is not NYUD_MT.tgz as published" in message
        assert "288x384 version with 13 classes" in message


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"<!DOCTYPE html><html>", "a web page"), (b"12345", r"begins with b'12345'"), (b"", "begins with b''")],
)
def test_what_is_no_archive_is_named(tmp_path, content, message):
    path = tmp_path / "NYUD_MT.tgz"
    path.write_bytes(content)
    assert message in failure(source(path), tmp_path / "work")
    with pytest.raises(UserError, match=r"not a \.tgz or \.zip archive"):
        archives.reachable(source(path))


def test_cut_off_archive_is_named(tmp_path, tgz):
    tgz.write_bytes(tgz.read_bytes()[:-2000])
    assert "NYUD_MT.tgz: cannot be unpacked" in failure(source(tgz), tmp_path / "work")
    assert not contents(tmp_path / "work")


# What an archive must not do --------------------------------------------------------------------------------


def entry(name: str, **fields) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    for field, value in fields.items():
        setattr(info, field, value)
    return info


EVIL = {
    "parent": entry("../escaped"),
    "parent inside": entry("a/../../escaped"),
    "link out": entry("images", type=tarfile.SYMTYPE, linkname="../.."),
    "absolute link": entry("images", type=tarfile.SYMTYPE, linkname="/etc"),
    "hard link": entry("images", type=tarfile.LNKTYPE, linkname="../../secret"),
    "device": entry("null", type=tarfile.CHRTYPE, devmajor=1, devminor=3),
}


@pytest.mark.parametrize("member", EVIL.values(), ids=EVIL.keys())
def test_tar_cannot_leave_its_folder(tmp_path, tree, member):
    path = tmp_path / "evil.tar"
    with tarfile.open(path, "w") as archive:
        archive.add(tree, "NYUD_MT")
        archive.addfile(member, io.BytesIO(b""))
    before = {item for item in tmp_path.rglob("*") if "work" not in item.parts}
    assert "evil.tar: cannot be unpacked" in failure(source(path), tmp_path / "work")
    assert {item for item in tmp_path.rglob("*") if "work" not in item.parts} == before
    assert not contents(tmp_path / "work")


@pytest.mark.parametrize("name", ["../escaped", "/escaped", "a/../../escaped", "..\\escaped"])
def test_zip_cannot_leave_its_folder(tmp_path, name):
    with zipfile.ZipFile(tmp_path / "evil.zip", "w") as archive:
        archive.writestr(name, b"x")
    assert "would be written outside the folder" in failure(source(tmp_path / "evil.zip"), tmp_path / "work")
    assert not list(tmp_path.rglob("escaped"))


@pytest.mark.parametrize("limits", [Limits(files=10), Limits(gigabytes=5e-6)], ids=["files", "bytes"])
@pytest.mark.parametrize("kind", ["gztar", "zip"])
def test_size_is_bounded(tmp_path, tree, limits, kind):
    path = Path(shutil.make_archive(str(tmp_path / "archive"), kind, tmp_path, "tree"))
    assert "more than the limits" in failure(source(path, limits=limits), tmp_path / "work")
    assert not (tmp_path / "work").exists()


# Over the network -------------------------------------------------------------------------------------------

Answer = tuple[int, dict[str, str], bytes]


class Host:
    """A host on the loopback: `answers` maps paths to functions of query and cookie."""

    def __init__(self) -> None:
        self.answers: dict[str, Callable[[dict[str, str], str], Answer]] = {}
        self.asked: list[str] = []
        host = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                host.asked.append(self.path)
                parts = urlsplit(self.path)
                query = {key: values[0] for key, values in parse_qs(parts.query).items()}
                answer = host.answers.get(parts.path, lambda query, cookie: (404, {}, b""))
                status, headers, body = answer(query, self.headers.get("Cookie", ""))
                self.send_response(status)
                for name, value in {"Content-Length": str(len(body)), **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def file(self, path: str, content: bytes, **headers: str) -> None:
        self.answers[path] = lambda query, cookie: (200, headers, content)


@pytest.fixture
def host(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "*")
    running = Host()
    monkeypatch.setattr(downloads, "DRIVE", f"{running.url}/uc")
    yield running
    running.server.shutdown()
    running.server.server_close()


def test_download_is_recorded_and_used_again(tmp_path, host, tree, tgz):
    host.file("/NYUD_MT.tgz", tgz.read_bytes())
    archive = source(url=f"{host.url}/NYUD_MT.tgz")
    digest = archives.fetch(archive, tmp_path / "work", "nyud")
    assert digest == hashlib.sha256(tgz.read_bytes()).hexdigest()
    shutil.rmtree(tmp_path / "work")
    archives.reachable(archive)
    assert archives.fetch(archive, tmp_path / "work", "nyud") == digest
    assert len(host.asked) == 1
    assert contents(tmp_path / "work") == contents(tree)


def test_damaged_download_is_not_met_again(tmp_path, host, tree, tgz):
    archive = source(url=f"{host.url}/NYUD_MT.tgz")
    for content in (b"<html>sorry</html>", tgz.read_bytes()[:-2000]):
        host.file("/NYUD_MT.tgz", content)
        failure(archive, tmp_path / "work")
    host.file("/NYUD_MT.tgz", tgz.read_bytes())
    archives.fetch(archive, tmp_path / "work", "nyud")
    assert (tmp_path / "work" / "images" / "0001.jpg").exists()


def test_interrupted_download_is_named_and_leaves_nothing(tmp_path, host, tgz):
    content = tgz.read_bytes()
    host.file("/NYUD_MT.tgz", content[:-100], **{"Content-Length": str(len(content))})
    message = failure(source(url=f"{host.url}/NYUD_MT.tgz"), tmp_path / "work")
    assert f"cannot download {host.url}/NYUD_MT.tgz" in message
    assert ON in message
    assert "\n" not in message
    assert not contents(tmp_path / "work")


def test_refusals_are_named_by_check_and_by_fetch(tmp_path, host):
    with_file = source(url=f"{host.url}/none.tgz")
    for attempt in (
        lambda: archives.reachable(with_file),
        lambda: archives.fetch(with_file, tmp_path, "nyud"),
    ):
        with pytest.raises(UserError, match=r"cannot download .*none\.tgz: 404") as caught:
            attempt()
        assert ON in str(caught.value)


def test_no_network_is_named(tmp_path, host):
    host.server.shutdown()
    host.server.server_close()
    for archive in (source(url=f"{host.url}/NYUD_MT.tgz"), source(drive="abc")):
        for attempt in (archives.reachable, lambda given: archives.fetch(given, tmp_path, "nyud")):
            with pytest.raises(UserError, match=r"cannot download .*[Cc]onnection refused") as caught:
                attempt(archive)
            assert ON in str(caught.value)
            assert "\n" not in str(caught.value)


def test_unknown_host_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("NO_PROXY", "*")
    message = failure(source(url="http://nowhere.invalid/NYUD_MT.tgz"), tmp_path)
    assert "cannot download http://nowhere.invalid/NYUD_MT.tgz" in message


def test_reachable_loads_nothing(tmp_path, host, tree, tgz):
    host.file("/NYUD_MT.tgz", tgz.read_bytes())
    for archive in (
        source(tree),
        source(tgz),
        source(url=f"{host.url}/NYUD_MT.tgz"),
        source(url=tgz.as_uri()),
    ):
        archives.reachable(archive)
    shutil.rmtree(tree / "depth")
    with pytest.raises(UserError, match="no folder depth"):
        archives.reachable(source(tree))


# Google Drive -----------------------------------------------------------------------------------------------

FORM = """<html><head><style>p {{}}</style></head><p>Google Drive can't scan this file for viruses.</p>
<form id="search" action="/search"><input type="text" name="q" value=""></form>
<form id="download-form" action="{action}" method="get"><input type="submit" value="Download anyway"/>
<input type="hidden" name="id" value="abc"><input type="hidden" name="export" value="download">
<input type="hidden" name="confirm" value="t">
<input type="hidden" name="uuid" value="1-2&amp;3"></form></html>"""
PAGE = {"Content-Type": "text/html; charset=utf-8"}
FILE = {
    "Content-Type": "application/octet-stream",
    "Content-Disposition": 'attachment; filename="NYUD_MT.tgz"',
}


def test_small_file_comes_at_once(tmp_path, host, tgz):
    host.file("/uc", tgz.read_bytes(), **FILE)
    archives.fetch(source(drive="abc"), tmp_path / "work", "nyud")
    assert parse_qs(urlsplit(host.asked[0]).query) == {"id": ["abc"], "export": ["download"]}


@pytest.mark.parametrize("other", ["/download", "{url}/download"])
def test_confirm_form_is_answered(tmp_path, host, tree, tgz, other):
    wanted = {"id": "abc", "export": "download", "confirm": "t", "uuid": "1-2&3"}
    page = FORM.format(action=other.format(url=host.url)).encode()
    host.file("/uc", page, **PAGE)
    host.answers["/download"] = lambda query, cookie: (
        (200, FILE, tgz.read_bytes()) if query == wanted else (400, {}, b"")
    )
    archives.fetch(source(drive="abc"), tmp_path / "work", "nyud")
    assert (tmp_path / "work" / "images" / "0001.jpg").read_bytes() == (tree / "images" / "0001.jpg").read_bytes()


def test_confirm_cookie_is_answered(tmp_path, host, tgz):
    def answer(query: dict[str, str], cookie: str) -> Answer:
        if query.get("confirm") == "XyZ" and "download_warning_1=XyZ" in cookie:
            return 200, FILE, tgz.read_bytes()
        return 200, {**PAGE, "Set-Cookie": "download_warning_1=XyZ"}, b"<html>Are you sure?</html>"

    host.answers["/uc"] = answer
    archives.fetch(source(drive="abc"), tmp_path / "work", "nyud")
    assert (tmp_path / "work" / "gt_sets" / "train.txt").exists()


def test_exceeded_quota_is_said(tmp_path, host):
    page = b"<html><style>a{}</style><p>Too many users have viewed or downloaded this file</p></html>"
    host.file("/uc", page, **PAGE)
    message = failure(source(drive="abc"), tmp_path / "work")
    assert "a page instead of the file: Too many users have viewed or downloaded this file. Get" in message
    assert ON in message
