"""SIGTERM and SIGUSR1, as schedulers send them before they kill: leave soon, with work kept and a status of its own.

Ctrl-C in a stage is one line too, and 130, the status that shells give it; a training goes on from its last checkpoint.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import NoReturn

from mtinet.errors import Interrupted

SIGNALS = (signal.SIGTERM, signal.SIGUSR1)
# EX_TEMPFAIL, "try again later": neither a failure (1) nor a death by signal (128 + n), so that a scheduler can be
# told to requeue exactly this (RequeueExit=75 in slurm.conf, a batch script's test of $?).
REQUEUE = os.EX_TEMPFAIL
CTRL_C = 128 + signal.SIGINT
GRACE = 3.0  # seconds in which a process that was told to leave may clean up
ANEW = "the same command begins this stage anew"
STAGES = Path(__file__).resolve().parents[2] / "stages"


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
    """Raise Interrupted where a signal arrives while the body runs, KeyboardInterrupt at Ctrl-C: temporary files are
    removed on the way out.

    Whatever the body waits for then, as for the calls that a pool has taken, or makes of the exception: a stage's
    process ends after GRACE seconds, as if it were killed. Others may be waiting for stages.
    """
    alone, ends, arrived = in_stage(), list[threading.Timer](), list[int]()

    def leave(number: int, frame: FrameType | None) -> None:
        if ends:  # it is leaving: another signal would only disturb that
            return
        arrived.append(number)
        ends.append(threading.Timer(GRACE, cut_off, [number]))
        ends[0].daemon = True
        if alone:
            ends[0].start()
        raise exception_of(number)

    try:
        with handled(leave, *keyboard()):
            yield
    except Interrupted:
        raise
    except Exception:
        if arrived:  # what a library made of the exception that it was given
            raise exception_of(arrived[0]) from None
        raise
    finally:
        for end in ends:
            end.cancel()


@contextlib.contextmanager
def cut_short() -> Iterator[None]:
    """End the body where a signal arrives, and hand that to the handler outside: for what may wait, as for a server."""
    arrived: list[int] = []

    def end(number: int, frame: FrameType | None) -> None:
        arrived.append(number)
        raise Interrupted(f"{signal.Signals(number).name} arrived")

    try:
        with handled(end):
            yield
    except Interrupted:
        if not arrived:
            raise
    finally:
        if arrived:
            signal.raise_signal(arrived[0])


@contextlib.contextmanager
def handled(handler: Callable[[int, FrameType | None], None], *more: int) -> Iterator[None]:
    """Have `handler` take the signals, and these too, where that is possible: in the main thread."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, handler) for number in (*SIGNALS, *more)}
    try:
        yield
    finally:
        for number, earlier in before.items():
            signal.signal(number, earlier)


def keyboard() -> tuple[int, ...]:
    """SIGINT, unless this process was started to ignore it, as shells start what a script puts into the background."""
    return () if signal.getsignal(signal.SIGINT) is signal.SIG_IGN else (signal.SIGINT,)


def exception_of(number: int) -> BaseException:
    """What a signal raises, with what is said of it."""
    return (KeyboardInterrupt if number == signal.SIGINT else Interrupted)(said_of(number))


def said_of(number: int) -> str:
    """What is said of a signal, in one line."""
    if number == signal.SIGINT:
        return "Ctrl-C; the same command goes on, or begins anew where there is nothing to go on from"
    return f"{signal.Signals(number).name} arrived; {ANEW}"


# Before and after a stage's work ----------------------------------------------------------------------------


def begin() -> None:
    """In a stage's process, called before the imports, which take seconds: until it is at work it may end anywhere.

    Ctrl-C reaches the processes that share its work as well; they leave it to the stage, with which they end.
    """
    script = Path(sys.argv[0] if sys.argv else "").resolve()
    if script.parent != STAGES:
        return
    if multiprocessing.current_process().name != "MainProcess":  # known before the stage's script is imported there
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        return
    for number in (*SIGNALS, *keyboard()):
        signal.signal(number, end_at_once)


def in_stage() -> bool:
    """Whether `begin` found this process to be a stage's and none of its work is going on."""
    return all(signal.getsignal(number) is end_at_once for number in SIGNALS)


def end() -> None:
    """In a stage's process whose results are published: a signal no longer has them made once more."""
    if in_stage():
        for number in (*SIGNALS, *keyboard()):
            signal.signal(number, signal.SIG_IGN)


def leave(status: int = REQUEUE) -> NoReturn:
    """End with the status of an interruption; a stage without unloading its libraries, which takes a second."""
    if in_stage():
        sys.stdout.flush()
        os._exit(status)
    sys.exit(status)


def end_at_once(number: int, frame: FrameType | None) -> None:
    """Leave before there is anything to keep."""
    cut_off(number)


def cut_off(number: int) -> None:
    """End this process with the status of an interruption, wherever it is."""
    os.write(2, f"INTERRUPTED: {said_of(number)}\n".encode())
    os._exit(CTRL_C if number == signal.SIGINT else REQUEUE)
