"""Progress on the terminal behind stderr, for whatever takes longer than two seconds; results go to stdout as ever.

Where stderr is no terminal nothing is shown, whatever FORCE_COLOR says: a log wants lines.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import Progress as Bar
    from rich.progress import TaskID


class Progress:
    """What a command says while it is at work, where nobody watches: results and errors alone."""

    def now(self, words: str, steps: int | None = None) -> None:
        """What is being done from here on, and in how many steps; None where that is not known."""

    def step(self) -> None:
        """One of the steps is done."""

    def result(self, line: str) -> None:
        """A line on stdout, at once."""
        print(line, flush=True)

    def error(self, line: str) -> None:
        """A line on stderr."""
        print(line, file=sys.stderr, flush=True)


class Shown(Progress):
    """The same for somebody who watches: a line at the bottom that goes when all is done, output above it."""

    def __init__(self, bar: Bar, one_terminal: bool) -> None:
        self.bar, self.one_terminal = bar, one_terminal
        self.task: TaskID | None = None

    def now(self, words: str, steps: int | None = None) -> None:
        if self.task is not None:
            self.bar.remove_task(self.task)
        self.task = self.bar.add_task(words, total=steps)

    def step(self) -> None:
        if self.task is not None:
            self.bar.advance(self.task)

    def result(self, line: str) -> None:
        if self.one_terminal:
            self.error(line)
        else:
            super().result(line)

    def error(self, line: str) -> None:
        self.bar.console.out(line, highlight=False)


@contextlib.contextmanager
def progress(words: str, steps: int | None = None) -> Iterator[Progress]:
    """Show on a terminal that `words` is what is being done while the body runs, and for how long already."""
    if not sys.stderr.isatty():
        yield Progress()
        return
    with bar() as shown:
        watched = Shown(shown, one_terminal())
        watched.now(words, steps)
        yield watched


def one_terminal() -> bool:
    """Whether stdout is the terminal that stderr is: what is printed there would stand amidst what is shown."""
    return sys.stdout.isatty() and os.path.sameopenfile(sys.stdout.fileno(), sys.stderr.fileno())


def bar() -> Bar:
    """What was done, of how much where that is known, and the time: gone by, and to come."""
    from rich import progress as rich
    from rich.console import Console
    from rich.text import Text

    class Counted(rich.ProgressColumn):
        """Steps done and in all, and the time that is left, of what is counted."""

        left = rich.TimeRemainingColumn(compact=True)

        def render(self, task: rich.Task) -> Text:
            if task.total is None:
                return Text("")
            words = f"{task.completed:.0f}/{task.total:.0f}"
            return Text(words if task.time_remaining is None else f"{words}, {self.left.render(task)} left")

    return rich.Progress(
        rich.SpinnerColumn(), rich.TextColumn("{task.description}", markup=False), rich.TimeElapsedColumn(), Counted(),
        console=Console(stderr=True), transient=True, redirect_stdout=False,
    )  # fmt: skip
