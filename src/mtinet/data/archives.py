"""Getting a published archive: local file or folder, URL or Google Drive; verified and unpacked safely."""

from __future__ import annotations

import contextlib
import gzip
import lzma
import re
import shutil
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urljoin, urlsplit

import requests

from mtinet import files, paths
from mtinet.config import Archive
from mtinet.data import cards
from mtinet.data.layouts import layout
from mtinet.errors import UserError

DRIVE = "https://drive.google.com/uc"
TIMEOUT = 20.0  # seconds without an answer
CHUNK = 1 << 20
# Far beyond any archive of the paper's (NYUD_MT: about 8,000 files); a tampered one could fill the disk.
MOST_FILES, MOST_BYTES = 500_000, 200 << 30
BROKEN = (
    tarfile.TarError,
    zipfile.BadZipFile,
    gzip.BadGzipFile,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    ValueError,
)


class Damaged(UserError):
    """The archive file itself is not what it should be: broken, tampered with, or something else."""


def fetch(archive: Archive, folder: Path, dataset: str) -> str | None:
    """Put the archive's layout folders into `folder`; returns the archive file's SHA-256, None for a folder.

    The first of path, url and google_drive that is set is used. A finished download is kept (see `kept_download`)
    and used again unless it proves to be damaged. UserError names the source and the way on.
    """
    for name in layout(dataset).RAW_FOLDERS:
        files.remove(folder / name)
    local = local_path(archive, dataset)
    if local is not None and local.is_dir():
        copy_folders(local, folder, dataset)
        return None
    if local is not None:
        return take(local, archive, folder, dataset)
    kept = kept_download(archive)
    if not kept.exists():
        download(archive, kept, dataset)
    try:
        return take(kept, archive, folder, dataset)
    except Damaged:
        files.remove(kept)
        raise


def kept_download(archive: Archive) -> Path:
    """Where the download of a URL or a Google Drive id stays, so that no later run asks the network for it again."""
    source = {"url": archive.url} if archive.url else {"google_drive": archive.google_drive}
    return paths.unfinished("download", files.digest_of(source)) / "archive"


def take(path: Path, archive: Archive, folder: Path, dataset: str) -> str:
    """Verify the archive file and move its layout folders into `folder`; returns its SHA-256."""
    digest = verified(path, archive, dataset)
    work = folder / "unpacked"
    files.remove(work)
    try:
        unpack(path, work)
        root = layout_root(work, dataset)
        cards.check_folders(root, dataset, found_in=str(path))
        for name in layout(dataset).RAW_FOLDERS:
            if (root / name).is_dir():
                files.publish(root / name, folder / name)
    finally:
        files.remove(work)
    return digest


def reachable(archive: Archive, dataset: str = "nyud") -> None:
    """Raise UserError unless the archive's file or folder is there, or its host offers it. Loads nothing."""
    local = local_path(archive, dataset)
    if local is None and kept_download(archive).exists():
        return
    if local is None:
        url, fields = archive.url or DRIVE, {} if archive.url else {"id": archive.google_drive or ""}
        with network(url, dataset), requests.Session() as session:
            # GET, closed before the content: some hosts refuse HEAD.
            get(session, url, fields).close()
    elif local.is_dir():
        cards.check_folders(layout_root(local, dataset), dataset)
    else:
        kind_of(local)


def local_path(archive: Archive, dataset: str) -> Path | None:
    """The archive's local file or folder; None when it has to be downloaded."""
    if archive.path is None and archive.url is None and archive.google_drive is None:
        raise UserError(f"datasets.{dataset}.archive in {paths.PARAMS}: set one of path, url, google_drive")
    if archive.path is not None:
        path = Path(archive.path).expanduser()
    elif archive.url is not None and archive.url.startswith("file://"):
        path = Path(unquote(urlsplit(archive.url).path))
    else:
        return None
    if not path.exists():
        raise UserError(f"{path}: no such file or folder, named by datasets.{dataset}.archive in {paths.PARAMS}")
    return path


# Downloading ----------------------------------------------------------------------------------------------


def download(archive: Archive, target: Path, dataset: str) -> None:
    """Download the archive to `target`, which appears only when it is complete."""
    url = archive.url or DRIVE
    with network(url, dataset), requests.Session() as session:
        if archive.url is not None:
            response = get(session, archive.url, {})
        else:
            response = get_from_drive(session, archive.google_drive or "")
        with response, files.replacing(target) as part, part.open("wb") as stream:
            for block in response.iter_content(CHUNK):
                stream.write(block)
            stream.flush()
            expected = response.headers.get("Content-Length")
            if expected and "Content-Encoding" not in response.headers and part.stat().st_size != int(expected):
                raise requests.ConnectionError(f"{part.stat().st_size} of {expected} bytes came")


def get(session: requests.Session, url: str, fields: dict[str, str]) -> requests.Response:
    """The answer to a GET, content not yet read; requests.HTTPError for a status of 400 or more."""
    response = session.get(url, params=fields, stream=True, timeout=TIMEOUT)
    response.raise_for_status()
    return response


def get_from_drive(session: requests.Session, file_id: str) -> requests.Response:
    """The content of a public file; large ones come behind a page that asks for confirmation."""
    response = get(session, DRIVE, {"id": file_id, "export": "download"})
    if not is_page(response):
        return response
    form = ConfirmForm()
    form.feed(response.text)
    token = next((value for name, value in session.cookies.items() if name.startswith("download_warning")), None)
    if form.action:
        response = get(session, urljoin(response.url, form.action), form.fields)
    elif token:
        response = get(session, DRIVE, {"id": file_id, "export": "download", "confirm": token})
    if is_page(response):
        text = re.sub(r"<(script|style).*?</\1>|<[^>]+>", " ", response.text, flags=re.DOTALL)
        said = " ".join(text.split())
        raise requests.RequestException(f"Google Drive sent a page instead of file {file_id}: {said[:200]}")
    return response


def is_page(response: requests.Response) -> bool:
    """Whether the answer is HTML for a reader and not a file."""
    named = "attachment" in response.headers.get("Content-Disposition", "")
    return not named and response.headers.get("Content-Type", "").startswith("text/html")


class ConfirmForm(HTMLParser):
    """Action and fields of the form with which Google Drive lets one download a file it did not scan."""

    def __init__(self) -> None:
        super().__init__()
        self.action = ""
        self.fields: dict[str, str] = {}
        self.inside = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form" and "download" in given.get("id", "") + given.get("action", ""):
            self.action, self.inside = given.get("action", ""), True
        elif tag == "input" and self.inside and given.get("name"):
            self.fields[given["name"]] = given.get("value", "")

    def handle_endtag(self, tag: str) -> None:
        self.inside = self.inside and tag != "form"


@contextlib.contextmanager
def network(url: str, dataset: str) -> Iterator[None]:
    """Turn a failed request for `url` into a UserError with the way on."""
    try:
        yield
    except OSError as error:  # all of requests' exceptions are, and a full disk is too
        reason = " ".join(str(error).split())
        raise UserError(
            f"cannot download {url}: {reason}. Get the archive by other means and set "
            f"datasets.{dataset}.archive.path in {paths.PARAMS} to it, or use study.source.{dataset}: scenes"
        ) from None


# Verifying and unpacking ----------------------------------------------------------------------------------


def verified(path: Path, archive: Archive, dataset: str) -> str:
    """The SHA-256 of the file; raises Damaged when params.yaml expects another."""
    digest = files.digest_of_file(path)
    if archive.sha256 not in (None, digest):
        where = f"datasets.{dataset}.archive.sha256"
        raise Damaged(f"{path}: SHA-256 is {digest}, {where} expects {archive.sha256}; get the archive again")
    return digest


def kind_of(path: Path) -> str:
    """Either "tar" or "zip", by content; Damaged says what the file is instead."""
    if tarfile.is_tarfile(path):
        return "tar"
    if zipfile.is_zipfile(path):
        return "zip"
    with path.open("rb") as stream:
        begin = stream.read(16)
    page = " (a web page: the download needs a browser or a login)" if b"<" in begin[:1] else ""
    raise Damaged(f"{path}: not a .tgz or .zip archive, it begins with {begin!r}{page}; get the archive again")


def unpack(path: Path, folder: Path) -> None:
    """Unpack a tar or zip archive into the new `folder`; nothing may leave it and sizes are bounded."""
    folder.mkdir(parents=True)
    try:
        if kind_of(path) == "tar":
            with tarfile.open(path) as tar:
                # "data" refuses paths and links out of the folder, devices, and odd permissions.
                tar.extractall(folder, members=bounded(tar), filter="data")
        else:
            unpack_zip(path, folder)
    except BROKEN as error:
        raise Damaged(f"{path}: cannot be unpacked ({error}); get the archive again") from None
    except OSError as error:
        raise UserError(f"{path}: cannot be unpacked into {folder} ({error})") from None


def bounded(tar: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    """The members of a tar archive, as long as their number and size are believable."""
    size = 0
    for number, member in enumerate(tar, 1):
        size += member.size
        check_bounds(number, size)
        yield member


def unpack_zip(path: Path, folder: Path) -> None:
    """Unpack a zip archive; links in it become plain files."""
    with zipfile.ZipFile(path) as archive:
        check_bounds(len(archive.infolist()), sum(member.file_size for member in archive.infolist()))
        for member in archive.infolist():
            name = PurePosixPath(member.filename.replace("\\", "/"))
            if name.is_absolute() or ".." in name.parts:
                raise ValueError(f"'{member.filename}' would be written outside the folder")
        archive.extractall(folder)


def check_bounds(number: int, size: int) -> None:
    """Raise ValueError for more files or bytes than any archive of the paper holds."""
    if number > MOST_FILES or size > MOST_BYTES:
        raise ValueError(f"{number} files or {size} bytes are more than {MOST_FILES} or {MOST_BYTES}")


def layout_root(folder: Path, dataset: str) -> Path:
    """The folder that holds the layout: `folder`, or the one folder in it (most archives have such a top)."""
    inside = [path for path in folder.iterdir() if path.is_dir() and not path.name.startswith((".", "__"))]
    if len(inside) == 1 and inside[0].name not in layout(dataset).RAW_FOLDERS:
        return inside[0]
    return folder


def copy_folders(local: Path, folder: Path, dataset: str) -> None:
    """Copy an unpacked archive's layout folders: no links, since a cache may set them read-only."""
    root = layout_root(local, dataset)
    cards.check_folders(root, dataset)
    for name in layout(dataset).RAW_FOLDERS:
        if (root / name).is_dir():
            with files.replacing(folder / name) as work:
                shutil.copytree(root / name, work)
