"""Writing results so that they are whole or absent: to a temporary name beside the target, then renamed."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import yaml

from mtinet.errors import UserError

NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
ALL_BUT_FULL = 1 << 16  # bytes free: numpy's writers say neither "full" nor an error's number


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary path in the same folder; on success it takes the place of `path` (file or folder).

    The temporary has the suffix of `path`, from which writers tell the format. Its content is on the disk before
    it gets its name, so that not even a power cut leaves half of it. When the body raises, it is removed and
    whatever stood at `path` stays as it was; UserError names `path` when the disk is full.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".part-{os.getpid()}-{path.name}")
    try:
        yield temporary
        flush(temporary)
        publish(temporary, path)
    except Exception as error:
        if not isinstance(error, UserError) and (no_room(error) or all_but_full(path.parent)):
            raise UserError(no_room_for(path, error)) from error
        raise
    finally:
        remove(temporary)


def no_room(error: BaseException | None) -> bool:
    """Whether the error, or one that it came of, is that a disk, a quota or a limit takes no more bytes."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in NO_ROOM:
            return True
        if isinstance(error, shutil.Error) and any(os.strerror(number) in str(error) for number in NO_ROOM):
            return True  # of a whole folder's files, each in words
        error = error.__cause__ or error.__context__
    return False


def all_but_full(folder: Path) -> bool:
    """Whether the disk of a folder has hardly a byte left."""
    return folder.exists() and shutil.disk_usage(folder).free < ALL_BUT_FULL


def no_room_for(path: Path | str, error: BaseException) -> str:
    """The message of a write that found no room."""
    reason = " ".join(str(error).split())[:200]
    return (
        f"no room to write {path} ({reason}): expected space on its disk; make some and run the same command again,"
        " what stood there before is unchanged"
    )


def flush(path: Path) -> None:
    """Have the system write a file, or a folder with all in it, to the disk."""
    for entry in [path, *(path.rglob("*") if path.is_dir() else [])]:
        if entry.is_dir():
            flush_names(entry)
        elif entry.is_file():
            with entry.open("rb") as stream:
                os.fsync(stream.fileno())


def flush_names(folder: Path) -> None:
    """Have the system write what stands in a folder, by name; not every file system does so."""
    descriptor = os.open(folder, os.O_RDONLY)
    with contextlib.suppress(OSError):
        os.fsync(descriptor)
    os.close(descriptor)


def publish(source: Path, target: Path) -> None:
    """Move `source` to `target` on the same file system, replacing what stands there."""
    if source.is_dir() and target.exists():
        # A rename cannot replace a folder with content: step the old one aside first.
        old, gone = (target.with_name(f".part-{os.getpid()}-{kind}-{target.name}") for kind in ("old", "gone"))
        try:
            target.rename(old)
            source.rename(target)
        except BaseException:
            if old.exists() and not target.exists():
                old.rename(target)
            raise
        old.rename(gone)  # half of it, after a kill, is not what `recover` brings back
        remove(gone)
    else:
        source.replace(target)
    flush_names(target.parent)


def recover(path: Path) -> None:
    """Clear what a killed process left beside `path`; no other may be writing there.

    A folder that had just stepped aside for its successor comes back; half-written successors go.
    """
    if not path.parent.is_dir():
        return
    for old in path.parent.glob(f".part-*-old-{path.name}"):
        if re.fullmatch(r"\.part-\d+-old", old.name.removesuffix(f"-{path.name}")) and not path.exists():
            old.rename(path)
    for left in path.parent.glob(f".part-*-{path.name}"):
        if re.fullmatch(r"\.part-\d+(-old|-gone)?", left.name.removesuffix(f"-{path.name}")):
            remove(left)


def remove(path: Path) -> None:
    """Delete a file or folder if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Replace `path` by a text file."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_bytes(path: Path, content: bytes | memoryview) -> None:
    """Replace `path` by a file of these bytes."""
    with replacing(path) as temporary:
        temporary.write_bytes(content)


def write_json(path: Path, content: Any) -> None:
    """Replace `path` by readable, deterministic JSON; NaN and infinity are refused."""
    write_text(path, json.dumps(content, indent=1, allow_nan=False) + "\n")


def read_json(path: Path) -> Any:
    """The content of a JSON file."""
    return json.loads(path.read_text(encoding="utf-8"))


class Yaml12Numbers(yaml.SafeLoader):
    """YAML as DVC reads it: 1e-5 is a number, for PyYAML (YAML 1.1) it would be a string.

    `dvc exp run -S lr=1.0e-5` writes 1e-05 into params.yaml, so both must agree.
    """


Yaml12Numbers.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"^[-+]?[0-9]+(\.[0-9]*)?[eE][-+]?[0-9]+$"),
    list("-+0123456789"),
)


def read_yaml(path: Path) -> Any:
    """The content of a YAML file; raises yaml.YAMLError and OSError."""
    return yaml.load(path.read_text(encoding="utf-8"), Loader=Yaml12Numbers)


def digest_of(content: Any) -> str:
    """SHA-256 of plain data, independent of the order of keys."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def digest_of_file(path: Path) -> str:
    """SHA-256 of a file's content."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def verified(named: str, key: str, expected: str) -> Path:
    """The file of "path#sha256=0123..", whose content is seen to have that digest.

    The digest is required, so that a file with other content is another parameter. UserError names `key`, where it
    is declared; `expected` says what it should be when there is no file.
    """
    name, _, wanted = named.partition("#sha256=")
    if not Path(name).is_file():
        raise UserError(f"{key}: found '{name}', expected {expected}")
    found = digest_of_file(Path(name))
    if found != wanted:
        due = f"SHA-256 {wanted}" if wanted else "its SHA-256 behind its name"
        raise UserError(
            f"{key}: {name} has SHA-256 {found}, expected {due}; if it is the file you mean, write"
            f" '{name}#sha256={found}'"
        )
    return Path(name)


def digest_of_files(files: Iterable[Path], root: Path) -> str:
    """SHA-256 over the sorted relative names and contents of `files`."""
    total = hashlib.sha256()
    for path in sorted(files):
        total.update(path.relative_to(root).as_posix().encode() + b"\0")
        total.update(bytes.fromhex(digest_of_file(path)))
    return total.hexdigest()
