"""Work shared by several processes, whose results do not depend on their number."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from typing import Any

AHEAD = 4  # calls per process that may wait: their arguments are held in memory
Submit = Callable[..., "Future[Any]"]


@contextlib.contextmanager
def pool(workers: int) -> Iterator[ProcessPoolExecutor]:
    """An executor of `workers` processes that end with this one, even when it is killed.

    Spawned, not forked: the threads of OpenMP and of ray casters do not survive a fork.
    """
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=context, initializer=end_with_parent) as executor:
        yield executor


@contextlib.contextmanager
def sharing(workers: int) -> Iterator[Submit]:
    """A function that has `workers` processes call another one: submit(function, *arguments) -> future.

    With one worker the call is made here and now. Where too many wait, submitting waits too.
    """
    if workers == 1:
        yield done
        return
    waiting = threading.BoundedSemaphore(AHEAD * workers)
    with pool(workers) as executor:

        def submit(function: Callable[..., Any], /, *arguments: Any, **options: Any) -> Future[Any]:
            waiting.acquire()
            future = executor.submit(function, *arguments, **options)
            future.add_done_callback(lambda _: waiting.release())
            return future

        yield submit


def done(function: Callable[..., Any], /, *arguments: Any, **options: Any) -> Future[Any]:
    """A future that has the function's result already."""
    future: Future[Any] = Future()
    future.set_result(function(*arguments, **options))
    return future


def end_with_parent() -> None:
    """Let a worker end when the process that started it is killed, instead of waiting for work for ever."""
    parent = multiprocessing.parent_process()

    def watch() -> None:
        if parent is not None:
            parent.join()
            os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
