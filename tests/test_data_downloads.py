"""Downloads from a host that drops, stalls, lies and changes its file: the right bytes or a clear error."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import random
import socket
import subprocess
import sys
import tarfile
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from archive_layout import write_layout
from faults import record

from mtinet.config import Archive, Limits
from mtinet.data import archives, downloads, nyud
from mtinet.errors import UserError

FAULTS = (
    "drop",
    "stall",
    "longer",
    "shorter",
    "no length",
    "no ranges",
    "wrong range",
    "change",
    "busy",
    "page",
    "gone",
)


class Host:
    """Offers `content`; each answer commits the next of `faults`, and none when they are used up."""

    def __init__(self, content: bytes, rng: random.Random) -> None:
        self.content, self.other, self.rng = content, content, rng
        self.faults: list[str] = []
        self.validators = True
        self.ranges: list[str | None] = []
        host = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                host.ranges.append(self.headers.get("Range"))
                host.answer(self, host.faults.pop(0) if host.faults else "")

            def log_message(self, *args: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/NYUD_MT.tgz"
        threading.Thread(target=lambda: self.server.serve_forever(poll_interval=0.02), daemon=True).start()

    def answer(self, request: BaseHTTPRequestHandler, fault: str) -> None:
        if fault in ("busy", "gone", "page"):
            body = b"<html>Sign in</html>" if fault == "page" else b""
            request.send_response({"busy": 503, "gone": 404, "page": 200}[fault])
            request.send_header("Content-Length", str(len(body)))
            request.send_header("Retry-After", "0")
            request.end_headers()
            request.wfile.write(body)
            return
        if fault == "change":
            self.content, self.other = self.other, self.content
        content, start = self.content, 0
        asked, condition = request.headers.get("Range"), request.headers.get("If-Range")
        tag = f'"{hashlib.sha256(content).hexdigest()[:8]}"'
        if asked and fault != "no ranges" and condition in (None, tag):
            start = int(asked.removeprefix("bytes=").removesuffix("-"))
            if start >= len(content):
                request.send_response(416)
                request.send_header("Content-Length", "0")
                request.end_headers()
                return
            begin = start + self.rng.randrange(1, 9) if fault == "wrong range" else start
            request.send_response(206)
            request.send_header("Content-Range", f"bytes {begin}-{len(content) - 1}/{len(content)}")
        else:
            request.send_response(200)
        if self.validators:
            request.send_header("ETag", tag)
        body = content[start:]
        length = len(body) + {"longer": 100, "shorter": -min(100, len(body) // 2)}.get(fault, 0)
        if fault != "no length":
            request.send_header("Content-Length", str(length))
        request.end_headers()
        sent = self.rng.randrange(len(body)) if fault in ("drop", "stall") else len(body)
        pieces = 50 if fault == "slow" else 1
        for piece in range(pieces):
            request.wfile.write(body[sent * piece // pieces : sent * (piece + 1) // pieces])
            request.wfile.flush()
            time.sleep(0.02 if fault == "slow" else 0)
        if fault == "stall":
            time.sleep(2.5 * downloads.TIMEOUT)
        if fault:
            request.connection.shutdown(socket.SHUT_RDWR)
            request.close_connection = True


def contents(root: Path) -> dict[str, bytes]:
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def versions(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[bytes, dict[str, bytes]]]:
    """Two archives of the same layout and other images, with the trees in them."""
    made = []
    for number, count in enumerate((3, 4)):
        folder = tmp_path_factory.mktemp("version")
        write_layout(folder / "tree", train=count)
        with tarfile.open(folder / "a.tgz", "w:gz") as archive:
            archive.add(folder / "tree", f"NYUD_MT{number}")
        made.append(((folder / "a.tgz").read_bytes(), contents(folder / "tree")))
    return made


@pytest.fixture
def host(versions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Host]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.setattr(downloads, "PAUSE", 0.0)
    monkeypatch.setattr(downloads, "TIMEOUT", 0.15)
    running = Host(versions[0][0], random.Random(0))
    yield running
    running.server.shutdown()
    running.server.server_close()


def source(url: str, **fields: object) -> Archive:
    return Archive(**{"path": None, "url": url, "google_drive": None, "sha256": None, **fields})


@pytest.mark.parametrize("declared", [False, True], ids=["no digest", "digest"])
def test_whatever_the_host_does(host: Host, versions, tmp_path: Path, declared: bool) -> None:
    """Seeded trials: 1 to 12 faults in a row, then a host without faults; nothing but a whole version is accepted."""
    rng, tried, wrong, finished = random.Random(7 + declared), 30, 0, 0
    messages: list[str] = []
    for trial in range(tried):
        first = rng.randrange(2)
        host.content, host.other = versions[first][0], versions[1 - first][0]
        host.validators, host.rng = rng.random() < 0.5, random.Random(trial)
        host.faults = rng.choices(FAULTS, weights=(9, 2, 2, 1, 2, 1, 2, 2, 2, 0.5, 0.5), k=rng.randint(1, 12))
        if declared and "change" in host.faults:
            host.faults.remove("change")
            host.other = host.content
        digest = hashlib.sha256(host.content).hexdigest() if declared else None
        archive = source(f"{host.url}?{declared}{trial}", sha256=digest)
        work = tmp_path / f"work{trial}"
        for _ in range(20):  # one attempt takes several answers; each may fail clearly
            try:
                archives.fetch(archive, work, "nyud")
                finished += 1
                break
            except UserError as error:
                messages.append(str(error))
        wrong += contents(work) not in ([versions[first][1]] if declared else [version[1] for version in versions])
    record("downloads from a host that drops, stalls, lies about length and changes its file", tried, wrong)
    assert wrong == 0
    assert finished == tried
    assert messages
    assert all("\n" not in message for message in messages)


def test_a_second_attempt_continues(host: Host, versions, tmp_path: Path) -> None:
    host.faults = ["drop", *["gone"]]
    archive, size = source(host.url), len(host.content)
    with pytest.raises(UserError, match=r"cannot download .*NYUD_MT\.tgz: 404"):
        archives.fetch(archive, tmp_path / "work", "nyud")
    came = part_size()
    assert 0 < came < size
    archives.fetch(archive, tmp_path / "work", "nyud")
    assert host.ranges[-1] == f"bytes={came - downloads.OVERLAP}-"
    assert contents(tmp_path / "work") == versions[0][1]
    assert [path.name for path in Path(".cache/download").rglob("*") if path.is_file()] == ["archive"]


def test_a_killed_download_is_continued(host: Host, versions, tmp_path: Path) -> None:
    """SIGKILL while the file comes, at a random size, several times over; nothing that had come is asked for again."""
    rng, size, came, kills = random.Random(3), len(host.content), 0, 4
    code = (
        "import sys; from mtinet.config import Archive; from mtinet.data import downloads;"
        "downloads.download(Archive(path=None, url=sys.argv[1], google_drive=None, sha256=None), 'nyud')"
    )
    for _ in range(kills):
        host.faults = ["slow"]
        process = subprocess.Popen([sys.executable, "-c", code, host.url], stderr=subprocess.DEVNULL)
        enough = came + rng.randrange(1, (size - came) // 2)
        while process.poll() is None and part_size() < enough:
            time.sleep(0.005)
        process.kill()
        process.wait()
        assert part_size() >= enough
        came = part_size()
    host.faults = []
    assert downloads.download(source(host.url), "nyud").read_bytes() == versions[0][0]
    assert host.ranges[-1] == f"bytes={came - downloads.OVERLAP}-"
    record("downloads killed while the file comes", kills, 0)


def part_size() -> int:
    """The bytes of a download that have come to the disk."""
    return max((path.stat().st_size for path in Path(".cache/download").rglob("part-*[0-9a-f]")), default=0)


def test_a_file_that_changes_is_never_mixed(host: Host, versions, tmp_path: Path) -> None:
    """Neither a validator nor another length tells: the same tree, packed so that bytes differ from somewhere on."""
    for validators in (True, False):
        for place in (1, 5000, len(host.content) // 2):
            host.validators = validators
            host.content = versions[0][0]
            host.other = host.content[:place] + bytes(byte ^ 0xFF for byte in host.content[place:])
            host.faults = ["drop", "change", "change"]
            archive = source(f"{host.url}?{validators}{place}")
            with contextlib.suppress(UserError):
                downloads.download(archive, "nyud")
            kept = downloads.kept(archive)
            assert not kept.exists() or kept.read_bytes() in (host.content, host.other)


def test_check_gives_a_damaged_download_up(host: Host, versions) -> None:
    """Cut off without a word from the host, it would otherwise be met again by every later check."""
    kept = downloads.kept(source(host.url))
    kept.parent.mkdir(parents=True)
    kept.write_bytes(versions[0][0][:-500])
    archives.reachable(source(host.url), "nyud")
    assert not kept.exists()
    assert len(host.ranges) == 1


def test_mirrors_are_tried_in_turn(host: Host, versions, tmp_path: Path) -> None:
    host.faults = ["gone", "page"]
    mirrors = [f"{host.url}?page", f"{host.url}?good"]
    archives.fetch(source(host.url, mirrors=mirrors), tmp_path / "work", "nyud")
    assert contents(tmp_path / "work") == versions[0][1]
    host.faults = ["gone", "page", "gone"]
    with pytest.raises(UserError) as caught:
        archives.fetch(source(f"{host.url}?2", mirrors=mirrors), tmp_path / "work", "nyud")
    assert "404" in str(caught.value)
    assert "a web page" in str(caught.value)
    assert str(caught.value).count("; nor ") == 2


def test_a_mirror_with_another_file_is_passed_over(host: Host, versions, tmp_path: Path) -> None:
    host.content = versions[1][0]
    digest = hashlib.sha256(versions[0][0]).hexdigest()
    good = Host(versions[0][0], random.Random(0))
    kept = downloads.download(source(host.url, mirrors=[good.url], sha256=digest), "nyud")
    assert kept.read_bytes() == versions[0][0]
    good.server.shutdown()
    good.server.server_close()


def test_a_trickle_is_a_stall(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(downloads, "SLOWEST", 10**9)
    monkeypatch.setattr(downloads, "TIMEOUT", -1.0)
    response = type("Response", (), {"raw": type("Raw", (), {"read1": lambda self, size, decode_content: b"x"})()})()
    with pytest.raises(OSError, match="stalled"):
        for _ in downloads.blocks(response):
            pass


def test_more_than_the_limit_is_not_loaded(host: Host) -> None:
    for fault in ("", "no length"):
        host.faults = [fault]
        with pytest.raises(UserError, match="limit"):
            downloads.download(source(f"{host.url}?{fault[:2]}", limits=Limits(gigabytes=1e-6)), "nyud")
        assert len(host.ranges) == 1
        host.ranges.clear()


def test_a_disk_that_cannot_be_written(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*args: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(downloads, "compare_and_write", full)
    with pytest.raises(UserError, match=r"cannot write .*No space left on device"):
        downloads.download(source(host.url), "nyud")
    assert len(host.ranges) == 1


def test_progress_is_told(host: Host, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(downloads, "REPORT", 0.0)
    downloads.download(source(host.url), "nyud")
    assert "nyud: 0 of 0 MB (100 %)" in capsys.readouterr().err


@pytest.mark.parametrize(
    "url", ["http://", "http://a..b/", "http://[::1", "http://x:99999/", "http://\udcff/", "http://%/"]
)
def test_odd_addresses(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.setattr(downloads, "PAUSE", 0.0)
    archive = Archive.model_construct(**dict(source("http://x")) | {"url": url})
    for attempt in (downloads.offered, downloads.download):
        with pytest.raises(UserError, match="cannot download"):
            attempt(archive, "nyud")


# What was seen first ------------------------------------------------------------------------------------------


def test_the_first_digest_is_enforced(host: Host, versions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """check and dataset refuse another file than the one first used, until it is declared."""
    small = dataclasses.replace(nyud.ARCHIVE, size=(48, 64), counts={"train": 4, "val": 2})
    monkeypatch.setattr(nyud, "ARCHIVE", small)
    path = tmp_path / "a.tgz"
    path.write_bytes(versions[0][0])
    local = source("http://x", path=str(path))
    digest = archives.fetch(local, tmp_path / "work", "nyud")
    archives.remember(local, digest, "nyud")
    archives.fetch(local, tmp_path / "work", "nyud")
    path.write_bytes(versions[1][0])
    other = hashlib.sha256(versions[1][0]).hexdigest()
    for attempt in (lambda given: archives.fetch(given, tmp_path / "work", "nyud"), archives.reachable):
        with pytest.raises(UserError, match=f"{other}; on first use it had {len(versions[0][0])} bytes with {digest}"):
            attempt(local)
    trusted = source("http://x", path=str(path), sha256=other)
    archives.reachable(trusted)
    archives.remember(trusted, archives.fetch(trusted, tmp_path / "work", "nyud"), "nyud")
    archives.reachable(local)
