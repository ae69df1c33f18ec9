"""Downloads that survive bad hosts: continued by range, repeated with growing pauses, taken from mirrors.

What has come stays in `<part>` beside a note of what the host said about the file. It is continued only while the
host offers the same: the same validator (ETag or date) and length where it names them, and the same bytes in an
overlap. So a file that changes on the way is loaded again from its beginning, and never mixed.
"""

from __future__ import annotations

import contextlib
import re
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from functools import partial
from http.client import HTTPException
from pathlib import Path
from typing import IO, Any, TypeVar
from urllib.parse import urlencode, urljoin

import requests
import urllib3

from mtinet import files, paths
from mtinet.config import Archive
from mtinet.data import pages, unpacking
from mtinet.errors import UserError

T = TypeVar("T")

DRIVE = "https://drive.google.com/uc"
TIMEOUT = 20.0  # seconds without an answer
SLOWEST = 100  # bytes per second over TIMEOUT: less is a stall
WHOLE = 3  # times TIMEOUT for all of an answer's headers, redirects included, and for a chunk to begin
CHUNK = 1 << 20
OVERLAP = 4096  # bytes that are loaded again where a part is continued, and compared
ATTEMPTS = 5  # in a row that bring nothing new
PAUSE, LONGEST_PAUSE = 1.0, 60.0  # seconds before the next attempt, doubled each time
REPORT = 15.0  # seconds between lines of progress
PASSING = (408, 425, 429, 500, 502, 503, 504)  # statuses that may be others a moment later


class Final(requests.RequestException):
    """A failure that another attempt at the same address would not change."""


class Changed(requests.ConnectionError):
    """The host now offers another file than the one that was begun."""


def kept(archive: Archive) -> Path:
    """Where the download of a URL or a Google Drive id stays, so that no later run asks the network for it again."""
    source = {"url": archive.url} if archive.url else {"google_drive": archive.google_drive}
    return paths.unfinished("download", files.digest_of(source)) / "archive"


def download(archive: Archive, dataset: str) -> Path:
    """The downloaded archive file, from the first source that has it; an interrupted download is continued.

    UserError says of every source why it failed, and the way on.
    """
    target = kept(archive)
    if target.exists():
        return target
    failures = []
    for url in sources(archive):
        part = Part(target.with_name(f"part-{files.digest_of(url)[:16]}"))
        try:
            with requests.Session() as session:
                persist(session, url, part, archive, dataset)
            check(part, archive)
            files.flush(part.path)
        except (requests.RequestException, unpacking.Damaged) as error:
            failures.append(f"{url.partition('?')[0]}: {unpacking.one_line(error)}")
            continue
        except OSError as error:
            raise UserError(f"cannot write {part.path}: {error.strerror or error}; the next run continues it") from None
        files.publish(part.path, target)
        for left in target.parent.glob("part-*"):
            files.remove(left)
        return target
    raise failed(failures, dataset)


def offered(archive: Archive, dataset: str) -> None:
    """Raise UserError unless a source offers the file; its content is not loaded."""
    failures = []
    for url in sources(archive):
        try:
            # GET, closed before the content: some hosts refuse HEAD.
            with failing_alike(), requests.Session() as session, closing(get(session, url, {})):
                return
        except requests.RequestException as error:
            failures.append(f"{url.partition('?')[0]}: {unpacking.one_line(error)}")
    raise failed(failures, dataset)


def sources(archive: Archive) -> list[str]:
    """The addresses to try, in this order."""
    drive = f"{DRIVE}?{urlencode({'id': archive.google_drive or '', 'export': 'download'})}"
    return [archive.url or drive, *archive.mirrors]


def failed(failures: list[str], dataset: str) -> UserError:
    """What was tried, and the way on."""
    key = f"datasets.{dataset}.archive"
    return UserError(
        f"cannot download {'; nor '.join(failures)}. Get the archive by other means and set {key}.path in"
        f" {paths.PARAMS} to it, name another of its addresses in {key}.mirrors, or use"
        f" study.source.{dataset}: scenes"
    )


def check(part: Part, archive: Archive) -> None:
    """Raise Damaged, and forget the part, when what came is no archive or not the declared one."""
    try:
        unpacking.kind_of(part.path)
        if archive.sha256 not in (None, digest := files.digest_of_file(part.path)):
            raise unpacking.Damaged(f"its SHA-256 is {digest}, expected {archive.sha256}")
    except unpacking.Damaged:
        part.forget()
        raise


# One source -------------------------------------------------------------------------------------------------


class Part:
    """What has come of a file, and what its host said about it."""

    def __init__(self, path: Path) -> None:
        self.path, self.note = path, path.with_name(f"{path.name}.json")
        path.parent.mkdir(parents=True, exist_ok=True)

    @property
    def size(self) -> int:
        return self.path.stat().st_size if self.path.exists() else 0

    def said(self) -> dict[str, Any]:
        """Validator and length as the host named them when the part was begun; empty when unknown."""
        try:
            found = files.read_json(self.note)
        except (OSError, ValueError):
            found = None
        return found if isinstance(found, dict) else {}

    def forget(self) -> None:
        files.remove(self.path)
        files.remove(self.note)


def persist(session: requests.Session, url: str, part: Part, archive: Archive, dataset: str) -> None:
    """Load the file into `part`, however often the host gives up, as long as something new comes."""
    most, fruitless = int(archive.limits.gigabytes * unpacking.GIGABYTE), 0
    while True:
        before = part.size
        try:
            with failing_alike():
                receive(session, url, part, most, dataset)
            return
        except Final:
            raise
        except requests.RequestException as error:
            fruitless = 0 if part.size > before else fruitless + 1
            if fruitless == ATTEMPTS:
                raise
            seconds = pause(error, fruitless)
            print(f"{dataset}: {unpacking.one_line(error)}; again in {seconds:.0f} s", file=sys.stderr)
            time.sleep(seconds)


def pause(error: requests.RequestException, fruitless: int) -> float:
    """Seconds to wait: what the host asks for, else twice as long as the last time."""
    wished = number(error.response.headers.get("Retry-After")) if error.response is not None else None
    return min(LONGEST_PAUSE, max(float(wished or 0), PAUSE * 2.0**fruitless))


def number(text: str | None) -> int | None:
    """The number in a header, None where it is none or beyond all measure."""
    return int(text) if text is not None and re.fullmatch(r"[0-9]{1,18}", text) else None


@contextlib.contextmanager
def failing_alike() -> Iterator[None]:
    """Raise what requests' libraries let through as requests' own errors, those without hope as Final."""
    try:
        yield
    except requests.HTTPError as error:
        if error.response.status_code in PASSING:
            raise
        raise Final(str(error), response=error.response) from None
    except (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError, Final):
        raise
    except requests.RequestException as error:
        raise Final(str(error)) from None
    except (urllib3.exceptions.HTTPError, HTTPException) as error:
        raise requests.ConnectionError(str(error)) from None
    except ValueError as error:  # of the libraries that take an address, or a redirect's, apart
        raise Final(f"not a valid address ({error})") from None


def receive(session: requests.Session, url: str, part: Part, most: int, dataset: str) -> None:
    """Write one answer of the host behind what has come; a requests error when the file is then incomplete."""
    said, size = part.said(), part.size
    wanted = max(0, size - OVERLAP) if size else None
    ask = {} if wanted is None else {"Range": f"bytes={wanted}-"}
    if size and said.get("validator"):
        ask["If-Range"] = said["validator"]
    with closing(get(session, url, ask)) as response:
        start, total = extent(response, wanted, part)
        now = {"validator": validator(response), "total": total}
        if start is not None and any(said.get(key) not in (None, now[key]) for key in now):
            part.forget()
            raise Changed("the file changed on its host")
        if total is not None and total > most:
            raise Final(f"offers {total} bytes, the limit is {most}")
        if start is None:
            part.forget()
            files.write_json(part.note, now)
        with part.path.open("r+b" if start is not None else "w+b") as stream:
            compare_and_write(response, stream, start or 0, part, most, Progress(dataset, total))
    if total is not None and part.size != total:
        too_long = part.size > total
        if too_long:
            part.forget()
        raise requests.ConnectionError(f"{'more than' if too_long else f'{part.size} of'} {total} bytes came")


def extent(response: requests.Response, asked: int | None, part: Part) -> tuple[int | None, int | None]:
    """Where the answer begins in the part, None for all of the file; and the file's length, None when not told."""
    if response.status_code == 206 and asked is not None:
        said = response.headers.get("Content-Range", "")
        given = re.fullmatch(r"bytes ([0-9]{1,18})-[0-9]{1,18}/([0-9]{1,18}|\*)", said)
        if given is None or int(given[1]) != asked:
            part.forget()
            raise Changed(f"asked for bytes from {asked} on, got {said[:80] or 'others'}")
        return asked, number(given[2])
    if response.status_code != 200:
        part.forget()
        raise Changed(f"the host answers with status {response.status_code}")
    return None, number(response.headers.get("Content-Length"))


def validator(response: requests.Response) -> str | None:
    """What tells the file from a later one: its strong ETag, or its date."""
    tag = response.headers.get("ETag", "")
    return tag if tag.startswith('"') else response.headers.get("Last-Modified")


def compare_and_write(
    response: requests.Response, stream: IO[bytes], start: int, part: Part, most: int, progress: Progress
) -> None:
    """Write the answer from `start` on; what the part has already must be the same."""
    stream.seek(start)
    for block in blocks(response):
        there = stream.read(len(block))
        if block[: len(there)] != there:
            stream.close()
            part.forget()
            raise Changed("the file changed on its host")
        stream.write(block[len(there) :])
        if stream.tell() > most:
            raise Final(f"sends more than the limit of {most} bytes")
        progress.show(stream.tell())


def blocks(response: requests.Response) -> Iterator[bytes]:
    """The content as it comes, undecoded; requests.ConnectionError when it trickles.

    Some hosts call a .tgz gzip-encoded: to decode it would give another file than the one that they offer.
    """
    since, came = time.monotonic(), 0
    read = partial(response.raw.read1, CHUNK, decode_content=False)
    if getattr(response.raw, "chunked", False):  # the line before a chunk may trickle where no one looks
        read = partial(within, WHOLE * TIMEOUT, read)
    while block := read():
        yield block
        came += len(block)
        passed = time.monotonic() - since
        if passed > TIMEOUT:
            if came < SLOWEST * passed:
                raise requests.ConnectionError(f"stalled: {came} bytes in {passed:.0f} s")
            since, came = time.monotonic(), 0


class Progress:
    """A line on stderr now and then: how much has come."""

    def __init__(self, dataset: str, total: int | None) -> None:
        self.dataset, self.total, self.last, self.before = dataset, total, time.monotonic(), 0

    def show(self, size: int) -> None:
        passed = time.monotonic() - self.last
        if passed < REPORT:
            return
        share = f" of {self.total / 1e6:.0f} MB ({100 * size / self.total:.0f} %)" if self.total else " MB"
        rate = f", {(size - self.before) / 1e6 / passed:.1f} MB/s" if self.before else ""
        print(f"{self.dataset}: {size / 1e6:.0f}{share}{rate}", file=sys.stderr, flush=True)
        self.last, self.before = time.monotonic(), size


# Asking -----------------------------------------------------------------------------------------------------


def get(session: requests.Session, url: str, ask: dict[str, str]) -> requests.Response:
    """The answer to a GET, content not yet read; an error for a status of 400 or more, 416 apart.

    Large files of Google Drive come behind a page that asks for confirmation.
    """
    response = answer(session, url, ask)
    if not url.startswith(DRIVE) or not pages.is_page(response):
        return response
    form, text = pages.ConfirmForm(), page(response)
    form.feed(text)
    token = next((value for name, value in session.cookies.items() if name.startswith("download_warning")), None)
    if form.action:
        response = answer(session, urljoin(response.url, form.action), ask, form.fields)
    elif token:
        response = answer(session, url, ask, {"confirm": token})
    else:
        raise Final(f"Google Drive sent a page instead of the file: {pages.words(text)}")
    if pages.is_page(response):
        raise Final(f"Google Drive sent a page instead of the file: {pages.words(page(response))}")
    return response


def page(response: requests.Response) -> str:
    """The beginning of a page, as much as is needed of it."""
    content = b""
    with closing(response):
        for block in blocks(response):
            content += block
            if len(content) > pages.LONGEST:
                break
    return content[: pages.LONGEST].decode(errors="replace")


def answer(
    session: requests.Session, url: str, ask: dict[str, str], fields: dict[str, str] | None = None
) -> requests.Response:
    """The answer to one request."""
    headers = {"Accept-Encoding": "identity", **ask}
    ask_host = partial(session.get, url, params=fields, headers=headers, stream=True, timeout=TIMEOUT)
    response = within(WHOLE * TIMEOUT, ask_host)
    if response.status_code != 416:  # a range beyond the end: the file is another one now
        response.raise_for_status()
    return response


@contextlib.contextmanager
def closing(response: requests.Response) -> Iterator[requests.Response]:
    """Close the answer at the end; one whose next chunk is still being waited for closes later, or never."""
    try:
        yield response
    finally:
        with contextlib.suppress(requests.ConnectionError):
            within(TIMEOUT, response.close)


def within(seconds: float, call: Callable[[], T]) -> T:
    """What `call` returns or raises; requests.ConnectionError where it takes longer, and it is left alone then.

    requests' own timeout is for each piece that comes, however small.
    """
    future: Future[T] = Future()

    def run() -> None:
        try:
            future.set_result(call())
        except BaseException as error:
            future.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    try:
        return future.result(seconds)
    except TimeoutError:
        if future.done():
            raise
        raise requests.ConnectionError(f"stalled: no whole answer in {seconds:.0f} s") from None
