"""Stages as the orchestrators run them: their scripts in a process of its own."""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Sequence
from types import FrameType

from mtinet.cli.progress import Progress, progress
from mtinet.cli.project import RunName, check_declared, enter, seeds_of

WORDS = {"train": "training", "evaluate": "scoring"}


def command(stage: str, name: RunName, seed: int) -> list[str]:
    """The stage's command line behind `python`."""
    given = {"dataset": name.dataset, "experiment": name.experiment, "seed": str(seed)}
    return [f"stages/{stage}.py", *(word for key, value in given.items() for word in (f"--{key}", value))]


def make(stage: str, given: argparse.Namespace) -> int:
    """Run a stage for every seed that is asked for, up to the first that fails; returns its exit status."""
    from mtinet import config

    enter(given)
    params = config.load()
    check_declared(params, given.run)
    for seed in seeds_of(params, given.run):
        words = command(stage, given.run, seed)
        print(f"python {' '.join(words)}", file=sys.stderr, flush=True)
        with progress(f"{WORDS[stage]} {given.run.dataset}/{given.run.experiment}, seed {seed}") as shown:
            status = execute([sys.executable, *words], shown)
        if status:
            return status
    return 0


def execute(words: Sequence[str], shown: Progress) -> int:
    """A command's exit status, as in shells 128 more than a signal that ended it; a scheduler's signals go on to it.

    shown: what its output stands above.
    """
    from mtinet import interruption

    processes: list[subprocess.Popen[bytes]] = []
    early: list[int] = []

    def forward(number: int, frame: FrameType | None) -> None:
        early.append(number)
        for process in processes:
            process.send_signal(number)

    with interruption.handled(forward), shown.relayed() as streams, subprocess.Popen(words, **streams) as process:
        processes.append(process)
        for number in early:  # they came before there was a process to take them
            process.send_signal(number)
        status = process.wait()
    return status if status >= 0 else 128 - status
