"""Getting a published archive: local file or folder, URL or Google Drive; verified and unpacked safely."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from urllib.parse import unquote, urlsplit

from mtinet import files, paths
from mtinet.config import Archive
from mtinet.data import cards, downloads, unpacking
from mtinet.data.layouts import SPLITS, layout
from mtinet.data.unpacking import Damaged
from mtinet.errors import UserError

SAMPLES = 32  # files of each folder that `reachable` looks into


def fetch(archive: Archive, folder: Path, dataset: str) -> str | None:
    """Put the archive's layout folders into `folder`; returns the archive file's SHA-256, None for a folder.

    The first of path, url and google_drive that is set is used, and the mirrors after it. A finished download is
    kept (see `downloads.kept`) and used again unless it proves to be damaged. UserError names source and way on.
    """
    for name in layout(dataset).RAW_FOLDERS:
        files.remove(folder / name)
    local = local_path(archive, dataset)
    if local is not None and local.is_dir():
        copy_folders(local, folder, dataset)
        return None
    if local is not None:
        return take(local, archive, folder, dataset)
    downloaded = downloads.download(archive, dataset)
    try:
        return take(downloaded, archive, folder, dataset)
    except Damaged:
        files.remove(downloaded)
        raise


def take(path: Path, archive: Archive, folder: Path, dataset: str) -> str:
    """Verify the archive file and move its layout folders into `folder`; returns its SHA-256."""
    digest = files.digest_of_file(path)
    expect_digest(path, digest, archive, dataset)
    work = folder / "unpacked"
    files.remove(work)
    try:
        unpacking.unpack(path, work, archive.limits)
        root = layout_root(work, dataset)
        cards.check_folders(root, dataset, found_in=str(path))
        for name in layout(dataset).RAW_FOLDERS:
            if (root / name).is_symlink():  # it would lead to what is thrown away below
                raise Damaged(f"{path}: {name} is a link, expected a folder; get the archive again")
            if (root / name).is_dir():
                files.flush(root / name)
                files.publish(root / name, folder / name)
    finally:
        files.remove(work)
    return digest


def reachable(archive: Archive, dataset: str = "nyud") -> None:
    """Raise UserError unless the archive is there and, where it is at hand, looks like the published one.

    A host is only asked whether it offers the file. Of a local folder all is read. A local file, or a finished
    download, is listed: its folders, the lists of both splits, the files that they ask for, and the version by a sample
    of images and labels; the stage dataset reads all of it before it replaces anything.
    """
    local = local_path(archive, dataset)
    if local is not None and local.is_dir():
        checked(layout_root(local, dataset), dataset)
        return
    path = local or downloads.kept(archive)
    if local is None and not path.exists():
        downloads.offered(archive, dataset)
        return
    try:
        expect_digest(path, inspected(path, archive, dataset), archive, dataset)
    except Damaged:
        if local is not None:
            raise
        files.remove(path)  # the next stage downloads it again
        downloads.offered(archive, dataset)


def checked(root: Path, dataset: str) -> None:
    """Raise UserError, with all that is wrong, unless a folder is the published archive unpacked.

    To read all of it takes minutes: a folder of unchanged files is not read twice.
    """
    data = layout(dataset)
    found = (path for folder in data.RAW_FOLDERS for path in sorted((root / folder).rglob("*")))
    state = [(str(path), path.stat().st_size, path.stat().st_mtime_ns) for path in found if path.is_file()]
    note = paths.unfinished(
        "archive", f"{files.digest_of([dataset, dict(data.ARCHIVE.classes), str(root.resolve()), state])}.json"
    )
    if not note.exists():
        cards.check_archive(root, dataset)
        files.write_json(note, {"folder": str(root)})


def inspected(path: Path, archive: Archive, dataset: str) -> str:
    """The SHA-256 of an archive file that was listed and looks like the published one, by a note where there is one.

    To list it is to decompress it, half a minute for NYUD-v2: an unchanged file is not listed twice.
    """
    state = path.stat()
    limits = archive.limits.model_dump()
    key = files.digest_of([str(path.resolve()), state.st_size, state.st_mtime_ns, dataset, limits])
    note = paths.unfinished("archive", f"{key}.json")
    if note.exists():
        return str(files.read_json(note)["sha256"])
    data = layout(dataset)
    lists = frozenset(data.split_path(Path(), split).as_posix() for split in SPLITS)
    with tempfile.TemporaryDirectory() as name:
        unpacking.sketch(path, Path(name), archive.limits, lists, SAMPLES)
        cards.check_listing(layout_root(Path(name), dataset), dataset, SAMPLES, found_in=str(path))
    digest = files.digest_of_file(path)
    files.write_json(note, {"sha256": digest})
    return digest


# What was seen first ---------------------------------------------------------------------------------------


def expect_digest(path: Path, digest: str, archive: Archive, dataset: str) -> None:
    """Raise unless the file is the declared one or, where none is declared, the one that was used first.

    Nobody publishes a digest, so the first one that proved to be the published data is what later ones are held to.
    """
    key = f"datasets.{dataset}.archive.sha256"
    if archive.sha256 is not None:
        if digest != archive.sha256:
            raise Damaged(f"{path}: SHA-256 is {digest}, {key} expects {archive.sha256}; get the archive again")
        return
    note = first_use(dataset)
    known = files.read_json(note) if note.exists() else {}
    if known.get("sha256", digest) != digest:
        raise UserError(
            f"{path}: {path.stat().st_size} bytes with SHA-256 {digest}; on first use it had {known['size']} bytes with"
            f" {known['sha256']} ({note}); set {key} in {paths.PARAMS} to the one that you trust"
        )


def remember(archive: Archive, digest: str, dataset: str) -> None:
    """Note size and SHA-256 of an archive file that was seen to be the published data."""
    path = local_path(archive, dataset) or downloads.kept(archive)
    files.write_json(first_use(dataset), {"sha256": digest, "size": path.stat().st_size})


def first_use(dataset: str) -> Path:
    """Where size and digest of the archive first used are noted: no stage's output, so that no rerun forgets it."""
    return paths.unfinished("archive", f"{dataset}-first-use.json")


# Where it lies ---------------------------------------------------------------------------------------------


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
