"""Who may write what: one process per stage's outputs, and one orchestrator per folder.

DVC and Snakemake each refuse a second process of their own; of one another, of a stage started by hand and of one
that outlived its orchestrator they know nothing. Locks are those of the system (flock) on files of an undeclared
folder: they end with their process, however that ends.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from mtinet.errors import UserError

FOLDER = Path(".cache/locks")
# Set by the Snakefile for its jobs: the lock on the folder is then held by the process that started them.
SNAKEMAKE = "MTINET_SNAKEMAKE"


@contextlib.contextmanager
def writing(output: Path) -> Iterator[None]:
    """Be the only process that makes a stage's outputs, named by the first of them; wait for another one to end.

    UserError while Snakemake works in this folder, unless it is what started this process.
    """
    with contextlib.ExitStack() as stack:
        if SNAKEMAKE not in os.environ:
            stack.enter_context(beside_no_snakemake())
        stream = stack.enter_context(opened(lock_name(output)))
        if not taken(stream, fcntl.LOCK_EX):
            print(f"WAITING: process {holder(stream)} is writing {output}; this one goes on when it ends", flush=True)
            fcntl.flock(stream, fcntl.LOCK_EX)
        sign(stream)
        yield


def at_work(output: Path) -> bool:
    """Whether a process of this folder is making the stage's outputs, named by the first of them."""
    with opened(lock_name(output)) as stream:
        return not taken(stream, fcntl.LOCK_SH)


def lock_name(output: Path) -> str:
    return output.as_posix().replace("/", "-")


@contextlib.contextmanager
def beside_no_snakemake() -> Iterator[None]:
    """Keep Snakemake from starting in this folder; UserError when it has. Any number of stages may do so."""
    with opened("snakemake") as stream:
        if not taken(stream, fcntl.LOCK_SH):
            raise UserError(
                f"Snakemake (process {holder(stream)}) is at work in {Path.cwd()}: expected one orchestrator at a"
                " time, so that results do not mix; run this again when it has ended"
            )
        yield


@contextlib.contextmanager
def repro_alone() -> Iterator[None]:
    """Be the only `make repro` of this folder, without Snakemake beside it; UserError names the process that is there.

    DVC would let a second one wait, stage by stage, and both would say how long all of it will take.
    """
    with beside_no_snakemake(), opened("repro") as stream:
        if not taken(stream, fcntl.LOCK_EX):
            raise UserError(
                f"`make repro` (process {holder(stream)}) is at work in {Path.cwd()}: expected one at a time; run this"
                " again when it has ended"
            )
        sign(stream)
        yield


def snakemake_alone() -> IO[str]:
    """Let no stage begin in this folder but Snakemake's own, until the returned stream is closed.

    UserError when a stage that DVC or a hand started is at work.
    """
    stream = open_lock("snakemake")
    if not taken(stream, fcntl.LOCK_EX):
        raise UserError(
            f"a stage that Snakemake did not start is at work in {Path.cwd()} ('dvc repro'?): expected one"
            " orchestrator at a time, so that results do not mix; run this again when it has ended"
        )
    sign(stream)
    return stream


def open_lock(name: str) -> IO[str]:
    """The lock's file, opened for reading and writing; UserError when the folder takes no file."""
    try:
        FOLDER.mkdir(parents=True, exist_ok=True)
        return (FOLDER / f"{name}.lock").open("a+", encoding="utf-8")
    except OSError as error:
        raise UserError(f"cannot write to {FOLDER}, where locks are: {error}; make it writable") from None


@contextlib.contextmanager
def opened(name: str) -> Iterator[IO[str]]:
    """The lock's file, closed at the end, which gives the lock back."""
    with open_lock(name) as stream:
        yield stream


def taken(stream: IO[str], kind: int) -> bool:
    """Take the lock if it is free."""
    try:
        fcntl.flock(stream, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def sign(stream: IO[str]) -> None:
    """Write this process's number into the file; on a full disk nobody will know it, which does no harm."""
    with contextlib.suppress(OSError):
        stream.truncate(0)
        stream.write(str(os.getpid()))
        stream.flush()


def holder(stream: IO[str]) -> str:
    """The number of the process that signed last."""
    stream.seek(0)
    return stream.read().strip() or "unknown"
