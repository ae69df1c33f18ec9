"""SIGTERM and SIGUSR1, as schedulers send them before they kill: leave soon, with work kept and a status of its own."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType

from mtinet.errors import Interrupted

SIGNALS = (signal.SIGTERM, signal.SIGUSR1)
# EX_TEMPFAIL, "try again later": neither a failure (1) nor a death by signal (128 + n), so that a scheduler can be
# told to requeue exactly this (RequeueExit=75 in slurm.conf, a batch script's test of $?).
REQUEUE = os.EX_TEMPFAIL


class Note:
    """The name of the signal that arrived, None so far."""

    name: str | None = None


@contextlib.contextmanager
def noted() -> Iterator[Note]:
    """Only note the signals while the body runs, which looks at the note where it can leave."""
    note = Note()

    def write_down(number: int, frame: FrameType | None) -> None:
        note.name = signal.Signals(number).name

    with handled(write_down):
        yield note


@contextlib.contextmanager
def raised() -> Iterator[None]:
    """Raise Interrupted where a signal arrives while the body runs: temporary files are removed on the way out."""

    def leave(number: int, frame: FrameType | None) -> None:
        raise Interrupted(f"{signal.Signals(number).name} arrived; the same command begins this stage anew")

    with handled(leave):
        yield


@contextlib.contextmanager
def handled(handler: Callable[[int, FrameType | None], None]) -> Iterator[None]:
    """Have `handler` take the signals, where that is possible: in the main thread."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, handler) for number in SIGNALS}
    try:
        yield
    finally:
        for number, earlier in before.items():
            signal.signal(number, earlier)
