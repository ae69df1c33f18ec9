"""Stages as the orchestrators run them: their scripts in a process of its own, with a log of what they say."""

from __future__ import annotations

import argparse
import contextlib
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from types import FrameType
from typing import IO, TYPE_CHECKING

from mtinet.cli.progress import Progress, progress
from mtinet.cli.project import RunName, check_declared, enter, seeds_of
from mtinet.errors import DEBUG

if TYPE_CHECKING:
    from mtinet.config import Params

WORDS = {"train": "training", "evaluate": "scoring"}
PATIENCE = 1.0  # seconds for the last lines of a process that has ended, whose own children may hold its streams
Say = Callable[[str], None]


def command(stage: str, name: RunName, seed: int) -> list[str]:
    """The stage's command line behind `python`."""
    given = {"dataset": name.dataset, "experiment": name.experiment, "seed": str(seed)}
    return [f"stages/{stage}.py", *(word for key, value in given.items() for word in (f"--{key}", value))]


def log_of(params: Params, stage: str, name: RunName, seed: int) -> Path:
    """Where the stage's output is kept: the file that Snakemake keeps it in."""
    method, _ = params.experiment(name.dataset, name.experiment)
    rule = f"{stage}_{name.dataset}_{method}"
    return Path("logs") / params.study_name(name.dataset) / f"{rule}-{name.experiment}-{seed}.log"


def make(stage: str, given: argparse.Namespace, done: Callable[[Params, RunName], None], out: Say | None = None) -> int:
    """Run a stage for every seed that is asked for, up to the first that fails; returns its exit status.

    done: told of every seed that was made. out: takes the lines that the stage prints; None: stdout does.
    """
    from mtinet import config

    enter(given)
    params = config.load()
    check_declared(params, given.run)
    environment = os.environ | {"PYTHONUNBUFFERED": "1"} | ({DEBUG: "1"} if given.debug else {})
    for seed in seeds_of(params, given.run):
        name = RunName(given.run.dataset, given.run.experiment, seed)
        words, log = command(stage, name, seed), log_of(params, stage, name, seed)
        print(f"python {' '.join(words)}", file=sys.stderr, flush=True)
        with progress(f"{WORDS[stage]} {name.dataset}/{name.experiment}, seed {seed}") as shown:
            status = execute([sys.executable, *words], shown, log, environment, out)
        if status:
            print(f"all that it said: {log}", file=sys.stderr)
            return status
        done(params, name)
    return 0


def execute(
    words: Sequence[str], shown: Progress, log: Path, environment: dict[str, str] | None = None, out: Say | None = None
) -> int:
    """A command's exit status, as in shells 128 more than a signal that ended it; a scheduler's signals go on to it,
    and Ctrl-C.

    shown: what its output stands above. log: a file to which that is added.
    """
    from mtinet import interruption

    processes: list[subprocess.Popen[bytes]] = []
    early: list[int] = []

    def forward(number: int, frame: FrameType | None) -> None:
        early.append(number)
        for process in processes:
            process.send_signal(number)

    with (
        interruption.handled(forward, *interruption.keyboard()),
        opened(log, words) as stream,
        relayed(out or shown.result, stream) as stdout,
        relayed(shown.error, stream) as stderr,
        subprocess.Popen(words, env=environment, stdout=stdout, stderr=stderr) as process,
    ):
        processes.append(process)
        for number in early:  # they came before there was a process to take them
            process.send_signal(number)
        status = process.wait()
    return status if status >= 0 else 128 - status


@contextlib.contextmanager
def opened(log: Path, words: Sequence[str]) -> Iterator[IO[str]]:
    """The log, with the command and the time at which it begins."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("a", encoding="utf-8") as stream:
        print(f"[{datetime.now():%Y-%m-%d %H:%M:%S}] python {' '.join(words[1:])}", file=stream, flush=True)
        yield stream


@contextlib.contextmanager
def relayed(say: Say, log: IO[str]) -> Iterator[int]:
    """A pipe's end to write to: every line that comes goes to `say` and to the log."""
    source, target = os.pipe()
    reader = threading.Thread(target=relay, args=(source, say, log), daemon=True)
    reader.start()
    try:
        yield target
    finally:
        os.close(target)
        reader.join(PATIENCE)


def relay(source: int, say: Say, log: IO[str]) -> None:
    """Show and note every line that comes from a pipe, up to its end; what nobody takes any more is noted only."""
    with open(source, encoding="utf-8", errors="replace") as lines, contextlib.suppress(ValueError):
        for line in lines:
            log.write(f"{line.rstrip(chr(10))}\n")
            log.flush()
            with contextlib.suppress(BrokenPipeError):
                say(line.rstrip("\n"))
