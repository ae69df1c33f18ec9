"""Archive files from strangers: looked through before anything is written, then unpacked.

Refused are names that lead out of the folder, links that do, devices, two of one name, names that no disk takes, and
more files or bytes than declared.
"""

from __future__ import annotations

import gzip
import lzma
import os
import posixpath
import tarfile
import unicodedata
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from mtinet import files
from mtinet.config import Limits
from mtinet.errors import UserError

GIGABYTE = 10**9
LONGEST_HEADER = 1 << 20  # bytes of a tar header that holds a long name: tarfile reads it whole
LONGEST_PART, LONGEST_NAME = 255, 2048  # bytes; file systems take 4096, the folder that it is unpacked into included
BROKEN = (
    tarfile.TarError,
    zipfile.BadZipFile,
    gzip.BadGzipFile,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    ValueError,
    LookupError,  # of a hard link to nothing
    OverflowError,  # of a date that is none
    RuntimeError,  # of an encrypted zip, or of headers of headers without end
    NotImplementedError,  # of a zip with an unknown compression
)


class Damaged(UserError):
    """The archive file itself is not what it should be: broken, tampered with, or something else."""


@dataclass(frozen=True)
class Entry:
    """A file, folder or link in an archive; `name` is normalised and relative, `target` where a link leads."""

    name: str
    size: int
    kind: str  # file | folder | link | other
    target: str = ""


def kind_of(path: Path) -> str:
    """Either "tar" or "zip", by content; Damaged says what the file is instead."""
    try:
        with tarfile.open(path, tarinfo=Header):
            return "tar"
    except tarfile.TarError:
        pass
    except BROKEN as error:
        raise Damaged(f"{path}: not a readable archive ({one_line(error)}); get the archive again") from None
    if zipfile.is_zipfile(path):
        return "zip"
    with path.open("rb") as stream:
        begin = stream.read(16)
    page = " (a web page: the download needs a browser or a login)" if b"<" in begin[:1] else ""
    raise Damaged(f"{path}: not a .tgz or .zip archive, it begins with {begin!r}{page}; get the archive again")


def unpack(path: Path, folder: Path, limits: Limits) -> None:
    """Unpack a tar or zip archive into the new `folder`, which is not made before all of the archive was looked at."""
    kind = kind_of(path)
    try:
        for _ in entries(path, limits):
            pass
        folder.mkdir(parents=True)
        if kind == "tar":
            with tarfile.open(path, tarinfo=Header) as tar:
                # Entries were checked by name; "data" looks at what lies on the disk and drops odd permissions.
                tar.extractall(folder, filter="data")
        else:
            with zipfile.ZipFile(path) as archive:  # links in it become plain files
                archive.extractall(folder)
    except BROKEN as error:
        raise Damaged(f"{path}: cannot be unpacked ({one_line(error)}); get the archive again") from None
    except OSError as error:
        if files.no_room(error):
            raise UserError(files.no_room_for(f"{folder}, where {path} is unpacked", error)) from None
        raise UserError(f"{path}: cannot be unpacked into {folder} ({one_line(error)})") from None


def entries(path: Path, limits: Limits) -> Iterator[Entry]:
    """All entries of an archive; ValueError, before it is passed on, for one that must not be unpacked.

    Links are judged at the end, when all are known, since the way to a file may lead through several.
    """
    size, links = 0, {}
    kinds: dict[str, str] = {}
    seen: dict[str, Entry] = {}
    for number, entry in enumerate(tar_entries(path) if kind_of(path) == "tar" else zip_entries(path), 1):
        size += entry.size
        if number > limits.files or size > limits.gigabytes * GIGABYTE:
            raise ValueError(
                f"{number} files or {size} bytes are more than the limits, {limits.files} files or"
                f" {limits.gigabytes:g} gigabytes"
            )
        refuse_outside(entry)
        refuse_unwritable(entry)
        refuse_twice(entry, seen)
        refuse_both(entry, kinds)
        if entry.kind == "link":
            links[entry.name] = entry.target
        yield entry
    for name in (*kinds, *links.values()) if links else ():
        through = [str(part) for part in PurePosixPath(name).parents if str(part) in links]
        if through:
            raise ValueError(f"'{name}' lies behind the link '{through[0]}'")


def refuse_outside(entry: Entry) -> None:
    """Raise ValueError unless the entry is a file, folder or link that stays inside, by its name."""
    if entry.kind == "other":
        raise ValueError(f"'{entry.name}' is a device or the like, expected files and folders")
    for name, what in ((entry.name, "would be written"), (entry.target, "is a link that leads")):
        if name.startswith("/") or ".." in PurePosixPath(name).parts or "\0" in name:
            raise ValueError(f"'{entry.name}' {what} outside the folder")


def refuse_unwritable(entry: Entry) -> None:
    """Raise ValueError for a name that file systems do not take."""
    parts = [len(os.fsencode(part)) for part in PurePosixPath(entry.name).parts]
    if not parts and entry.kind != "folder":
        raise ValueError(f"a {entry.kind} without a name")
    if max(parts, default=0) > LONGEST_PART or sum(parts) + len(parts) > LONGEST_NAME:
        raise ValueError(
            f"'{entry.name[:40]}...' is a name of {len(entry.name)} letters, expected at most {LONGEST_PART} between"
            " two slashes"
        )


def refuse_twice(entry: Entry, seen: dict[str, Entry]) -> None:
    """Raise ValueError where an entry has another's name, to any file system; one folder may be named again.

    Which of them is meant nobody can tell, and where case counts for nothing one would take the other's place.
    """
    other = seen.setdefault(unicodedata.normalize("NFC", entry.name).casefold(), entry)
    if other is not entry and (other.name, other.kind, entry.kind) != (entry.name, "folder", "folder"):
        how = "twice" if other.name == entry.name else f"as '{other.name}' too"
        raise ValueError(f"'{entry.name}' stands in it {how}, expected every name once, whatever its case")


def refuse_both(entry: Entry, kinds: dict[str, str]) -> None:
    """Raise ValueError for a file that others lie below; `kinds` gets the entry and the folders above it."""
    above = {str(folder): "folder" for folder in PurePosixPath(entry.name).parents}
    for name, kind in {**above, entry.name: entry.kind}.items():
        if {kind, kinds.setdefault(name, kind)} == {"file", "folder"}:
            raise ValueError(f"'{name}' stands in it as a file and as a folder")


class Header(tarfile.TarInfo):
    """A tar header; what would be read into memory beyond all measure is refused before that.

    Such are long names and the maps of sparse files, which need be no longer than the archive to fill a memory.
    """

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Header:
        found = super().frombuf(buf, encoding, errors)
        if found.type == tarfile.GNUTYPE_SPARSE:
            raise ValueError(f"'{found.name}' {SPARSE}")
        special = (tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE, *LONG_NAMES)
        if found.type in special and found.size > LONGEST_HEADER:
            raise ValueError(f"a header of {found.size} bytes, expected at most {LONGEST_HEADER}")
        return found

    def _proc_gnusparse_10(self, following: tarfile.TarInfo, *others: object) -> None:
        """Where tarfile would read the map of a sparse file in the POSIX format (version 1.0)."""
        raise ValueError(f"'{following.name}' {SPARSE}")


SPARSE = "is a sparse file, expected plain ones (tar without -S)"
LONG_NAMES = (tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK)


def tar_entries(path: Path) -> Iterator[Entry]:
    """The members of a tar archive, compressed or not."""
    with tarfile.open(path, tarinfo=Header) as tar:
        for member in tar:
            name, target = straight(member.name), ""
            if member.issparse():
                raise ValueError(f"'{name}' {SPARSE}")
            kind = "file" if member.isreg() else "folder" if member.isdir() else "other"
            if member.issym() or member.islnk():
                # A symbolic link leads on from its own folder, a hard one from the archive's root.
                above = "" if member.islnk() else posixpath.dirname(name)
                kind, target = "link", plain(posixpath.join(above, member.linkname))
            yield Entry(name, member.size, kind, target)
        refuse_more(tar)


def refuse_more(tar: tarfile.TarFile) -> None:
    """Raise ValueError when much follows what tarfile takes for the end: a damaged header looks like one.

    To read on is also what makes gzip and others compare their checksum of everything before.
    """
    if tar.fileobj is None:
        return
    tar.fileobj.seek(tar.offset)
    rest = tar.fileobj.read(LONGEST_HEADER + 1)
    if rest.strip(b"\0"):
        raise ValueError(f"a damaged header after {tar.offset} bytes, or more content behind the archive's end")


def zip_entries(path: Path) -> Iterator[Entry]:
    """The members of a zip archive."""
    with zipfile.ZipFile(path) as archive:
        for member in archive.infolist():
            kind = "folder" if member.is_dir() else "file"
            name = straight(member.filename.replace("\\", "/"))
            yield Entry(name, member.file_size, kind)
            if "\\" in member.filename:
                raise ValueError(f"'{member.filename}' has backslashes, expected '/' between folders")


def straight(name: str) -> str:
    """A path without "." and doubled slashes; ".." stays, since tar and zip do not agree about where it leads."""
    return str(PurePosixPath(name))


def plain(name: str) -> str:
    """A link's target without "." and doubled slashes; ".." stays only where it leads outside."""
    return posixpath.normpath(name) if name else "."


def one_line(error: Exception) -> str:
    """What an exception says, without line breaks and what else a stranger's names may do to a terminal."""
    text = " ".join(str(error).split()) or type(error).__name__
    return "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in text)
