"""Answers that no honest host gives: each ends in the right bytes or one line, soon, and with bounded memory."""

from __future__ import annotations

import contextlib
import gzip
import random
import resource
import socket
import tarfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from archive_layout import write_layout
from faults import record

from mtinet.config import Archive, Limits
from mtinet.data import downloads
from mtinet.errors import UserError

Answer = Callable[[dict[str, str]], Iterator[bytes]]


class Host:
    """Answers the first request with the first of `answers`, and so on; the last one again and again."""

    def __init__(self, answers: list[Answer]) -> None:
        self.answers, self.asked = answers, 0
        self.server = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.server.getsockname()[1]}/a.tgz"
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self) -> None:
        while True:
            try:
                connection, _ = self.server.accept()
            except OSError:
                return
            threading.Thread(target=self.answer, args=(connection,), daemon=True).start()

    def answer(self, connection: socket.socket) -> None:
        try:
            with connection, connection.makefile("rb") as stream:
                lines = iter(lambda: stream.readline().decode().strip(), "")
                headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
                chosen = self.answers[min(self.asked, len(self.answers) - 1)]
                self.asked += 1
                for piece in chosen(headers):
                    connection.sendall(piece)
        except OSError:
            pass  # the other side had enough


def head(status: str, **fields: object) -> bytes:
    lines = [f"{name.replace('_', '-')}: {value}" for name, value in fields.items()]
    return "\r\n".join([f"HTTP/1.1 {status}", "Connection: close", *lines, "", ""]).encode("latin-1")


@pytest.fixture(scope="module")
def content(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    folder = tmp_path_factory.mktemp("archive")
    write_layout(folder / "tree")
    with tarfile.open(folder / "a.tgz", "w:gz") as archive:
        archive.add(folder / "tree", "NYUD_MT")
    return (folder / "a.tgz").read_bytes()


@pytest.fixture
def offer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Host]]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.setattr(downloads, "PAUSE", 0.0)
    monkeypatch.setattr(downloads, "TIMEOUT", 0.2)
    monkeypatch.setattr(downloads, "ATTEMPTS", 2)
    hosts: list[Host] = []

    def start(*answers: Answer) -> Host:
        hosts.append(Host(list(answers)))
        return hosts[-1]

    yield start
    for host in hosts:
        host.server.close()


def source(url: str | None, **fields: object) -> Archive:
    return Archive(**{"path": None, "url": url, "google_drive": None, "sha256": None, **fields})


def honest(content: bytes) -> Answer:
    """As a host should answer."""

    def give(headers: dict[str, str]) -> Iterator[bytes]:
        start = int(headers["range"].removeprefix("bytes=").removesuffix("-")) if "range" in headers else None
        if start is None:
            yield head("200 OK", Content_Length=len(content)) + content
        else:
            span = f"bytes {start}-{len(content) - 1}/{len(content)}"
            yield head("206 Partial Content", Content_Length=len(content) - start, Content_Range=span) + content[start:]

    return give


def half(content: bytes) -> Answer:
    """The connection breaks in the middle."""
    return lambda headers: iter([head("200 OK", Content_Length=len(content)) + content[: len(content) // 2]])


def ranged(span: str, content: bytes, place: int = 0) -> Answer:
    """A range answered with a Content-Range of its own; {start}, {end} and {size} are what they should be."""

    def give(headers: dict[str, str]) -> Iterator[bytes]:
        if "range" not in headers:
            yield from honest(content)(headers)
            return
        start = int(headers["range"].removeprefix("bytes=").removesuffix("-"))
        said = span.format(start=start, end=len(content) - 1, size=len(content))
        body = content[start + place :]
        yield head("206 Partial Content", Content_Length=len(body), Content_Range=said) + body

    return give


SPANS = {
    "no range": ("", 0), "another start": ("bytes 7-{end}/{size}", 0), "beyond the end": ("bytes {start}-{end}/9", 0),
    "another length": ("bytes {start}-{end}/99999999", 0), "unknown length": ("bytes {start}-{end}/*", 0),
    "another unit": ("lines {start}-{end}/{size}", 0), "backwards": ("bytes {end}-{start}/{size}", 0),
    "negative": ("bytes -1--2/-3", 0), "huge": ("bytes {start}-{end}/" + "9" * 5000, 0),
    "right but other bytes": ("bytes {start}-{end}/{size}", 100),
}  # fmt: skip


@pytest.mark.parametrize(("span", "place"), SPANS.values(), ids=SPANS.keys())
def test_wrong_content_ranges(offer: Callable[..., Host], content: bytes, span: str, place: int) -> None:
    """Half the file, then a range that is none, then an honest host: the file, or a line and the file next time."""
    host = offer(half(content), *[ranged(span, content, place)] * 2, honest(content))
    for _ in range(3):
        with contextlib.suppress(UserError):
            downloads.download(source(host.url), "nyud")
    assert downloads.kept(source(host.url)).read_bytes() == content
    record("downloads with a wrong Content-Range", 1, 0)


def test_content_that_changes_between_two_attempts(offer: Callable[..., Host], content: bytes) -> None:
    """Of the same length, and neither ETag nor date: the bytes that are loaded twice tell."""
    rng = random.Random(1)
    for _ in range(5):
        place = rng.randrange(len(content) // 2)
        other = content[:place] + bytes(byte ^ 255 for byte in content[place:])
        host = offer(half(other), honest(content))
        assert downloads.download(source(host.url), "nyud").read_bytes() == content
    record("downloads whose content changed between two attempts", 5, 0)


def trickle(before: bytes, piece: bytes, pause: float) -> Answer:
    """Something, then a byte or so now and then, for ever."""

    def give(headers: dict[str, str]) -> Iterator[bytes]:
        yield before
        while True:
            time.sleep(pause)
            yield piece

    return give


def endless(before: bytes, piece: bytes) -> Answer:
    return trickle(before, piece, 0.0)


ODD: dict[str, Answer] = {
    "a redirect to itself": lambda headers: iter([head("302 Found", Location="/a.tgz", Content_Length=0)]),
    "a redirect to a file": lambda headers: iter([head("302 Found", Location="file:///etc/passwd", Content_Length=0)]),
    "a redirect to nowhere": lambda headers: iter([head("302 Found", Location="http://\x7f:x/", Content_Length=0)]),
    "a range unasked": lambda headers: iter([head("206 Partial Content", Content_Range="bytes 0-3/4") + b"abcd"]),
    "nothing": lambda headers: iter([b""]),
    "no HTTP": lambda headers: iter([b"220 ftp.example.org ready\r\n"]),
    "no content": lambda headers: iter([head("204 No Content")]),
    "a length that is no number": lambda headers: iter([head("200 OK", Content_Length="many") + b"abc"]),
    "two lengths": lambda headers: iter([b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 9\r\n\r\nabc"]),
    "chunks that are none": lambda headers: iter([head("200 OK", Transfer_Encoding="chunked") + b"zz\r\nabc\r\n"]),
    "a long header": lambda headers: iter([b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000 + b"\r\n\r\n"]),
    "headers without end": endless(b"HTTP/1.1 200 OK\r\n", b"X: y\r\n" * 100),
    "content without end": endless(head("200 OK"), b"x" * 65536),
    "a page without end": endless(head("200 OK", Content_Type="text/html"), b"<p>wait</p>" * 1000),
    "content that trickles": trickle(head("200 OK", Content_Length=10**6), b"x", 0.05),
    "headers that trickle": trickle(b"HTTP/1.1 200 OK\r\n", b"x", 0.05),
    "a status that trickles": trickle(b"", b"x", 0.05),
    "chunks that trickle": trickle(head("200 OK", Transfer_Encoding="chunked"), b"0", 0.05),
    "a packed bomb": lambda headers: iter(
        [head("200 OK", Content_Encoding="gzip", Content_Type="text/html") + gzip.compress(bytes(10**8))]
    ),
}


@pytest.mark.parametrize("drive", [False, True], ids=["url", "drive"])
@pytest.mark.parametrize("answer", ODD.values(), ids=ODD.keys())
def test_answers_that_are_none(
    offer: Callable[..., Host], monkeypatch: pytest.MonkeyPatch, answer: Answer, drive: bool
) -> None:
    host = offer(answer)
    archive = source(host.url, limits=Limits(gigabytes=0.01))
    if drive:
        monkeypatch.setattr(downloads, "DRIVE", host.url)
        archive = source(None, google_drive="id", limits=Limits(gigabytes=0.01))
    began, before = time.monotonic(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(UserError, match=r"cannot download http://127\.0\.0\.1") as caught:
        downloads.download(archive, "nyud")
    messages = [str(caught.value)]
    try:
        downloads.offered(archive, "nyud")
    except UserError as error:  # it does not look at the content
        messages.append(str(error))
    assert all(message.isprintable() for message in messages)
    assert time.monotonic() - began < 30
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 60_000  # kB
    assert not downloads.kept(archive).exists()
    record("answers that no honest host gives", 1, 0)
