"""Getting a published archive: local file or folder, URL or Google Drive; verified and unpacked safely."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

from mtinet import files, locks, paths
from mtinet.config import Archive
from mtinet.data import cards, downloads, unpacking
from mtinet.data.layouts import layout
from mtinet.data.unpacking import Damaged
from mtinet.errors import UserError


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
    with unpacked(path, folder / "unpacked", archive, dataset) as root:
        cards.check_folders(root, dataset, found_in=str(path))
        for name in layout(dataset).RAW_FOLDERS:
            if (root / name).is_dir():
                files.flush(root / name)
                files.publish(root / name, folder / name)
    return digest


@contextlib.contextmanager
def unpacked(path: Path, work: Path, archive: Archive, dataset: str) -> Iterator[Path]:
    """Unpack an archive file into `work` and yield the folder there that holds the layout; removed at the end."""
    files.remove(work)
    try:
        unpacking.unpack(path, work, archive.limits)
        root = layout_root(work, dataset)
        for name in layout(dataset).RAW_FOLDERS:
            if (root / name).is_symlink():  # it would lead to what is removed
                raise Damaged(f"{path}: {name} is a link, expected a folder; get the archive again")
        yield root
    finally:
        files.remove(work)


def reachable(archive: Archive, dataset: str = "nyud") -> None:
    """Raise UserError, with all that is wrong, unless the archive is there and is the published one.

    A host is only asked whether it offers the file. All of a local folder is read; a local file, or a finished
    download, is unpacked aside for that.
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
        inspected(path, archive, dataset)
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
    note = note_of(dataset, str(root.resolve()), state)
    if not note.exists():
        cards.check_archive(root, dataset)
        files.write_json(note, {"folder": str(root)})


def inspected(path: Path, archive: Archive, dataset: str) -> None:
    """Raise UserError, with all that is wrong, unless an archive file is the published one.

    It is unpacked below .cache, on the disk that the data go to, and all of it is read. That takes minutes and the
    room: an unchanged file is not unpacked twice, nor by two processes at once.
    """
    state = path.stat()
    limits = archive.limits.model_dump()
    note = note_of(dataset, str(path.resolve()), [state.st_size, state.st_mtime_ns, limits])
    work = paths.unfinished("archive", f"{dataset}-unpacked")
    with locks.writing(work):
        if note.exists():
            expect_digest(path, str(files.read_json(note)["sha256"]), archive, dataset)
            return
        digest = files.digest_of_file(path)
        expect_digest(path, digest, archive, dataset)
        with unpacked(path, work, archive, dataset) as root:
            cards.check_archive(root, dataset, found_in=str(path))
        files.write_json(note, {"sha256": digest})


def note_of(dataset: str, place: str, state: object) -> Path:
    """Where it is noted that the archive at `place`, its files in this state, is what is expected of the dataset."""
    card = layout(dataset).ARCHIVE
    expected = [card.size, dict(card.counts), dict(card.classes), card.shipped, card.derivable]
    return paths.unfinished("archive", f"{files.digest_of([dataset, expected, place, state])}.json")


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
