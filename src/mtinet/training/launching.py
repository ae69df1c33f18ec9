"""A stage's command in several processes of this machine, as torchrun would start them, but with the stages' manners:
an error that all of them meet is one line, and the status is 75 when all left because they were told to."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from types import FrameType
from typing import IO

import torch.distributed as dist

from mtinet import interruption
from mtinet.training.distributed import is_started

GRACE = 20.0  # seconds for the others to end when one has ended badly
PAUSE = 0.05


def start(processes: int) -> None:
    """Where several processes are to do this one's work and nobody has started them: start them, and end as they do."""
    if processes > 1 and not is_started():
        sys.exit(launch(processes))


def launch(processes: int) -> int:
    """Run this very command in so many processes; the exit status of the first that ended badly, or 0.

    Signals go on to all of them. The first process speaks; of the others what they say is shown when one crashes.
    """
    # Where they find one another.
    store = dist.TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)  # type: ignore[attr-defined]
    ranks: list[subprocess.Popen[bytes]] = []
    said = [tempfile.TemporaryFile() for _ in range(processes)]  # noqa: SIM115
    early: list[int] = []

    def forward(number: int, frame: FrameType | None) -> None:
        early.append(number)
        for each in ranks:
            each.send_signal(number)

    with interruption.handled(forward, *interruption.keyboard()):
        try:
            for rank in range(processes):
                ranks.append(started(rank, processes, store.port, said[rank]))
                for number in early:  # they came before there was a process to take them
                    ranks[rank].send_signal(number)
            culprit = first_to_fail(ranks)
        finally:
            end(ranks)
    if culprit is None:
        return 0
    said[culprit].seek(0)
    text = said[culprit].read().decode(errors="replace")
    if "Traceback" in text or ranks[0].returncode < 0:
        sys.stderr.write(text)
    status = ranks[culprit].returncode
    return status if status > 0 else 128 - status


def started(rank: int, processes: int, port: int, errors: IO[bytes]) -> subprocess.Popen[bytes]:
    """One of the processes, with torchrun's variables; only the first one is heard."""
    own = {
        "RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": processes, "LOCAL_WORLD_SIZE": processes,
        "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "TORCHELASTIC_USE_AGENT_STORE": True,
    }  # fmt: skip
    return subprocess.Popen(
        [sys.executable, *sys.argv],
        env=os.environ | {name: str(value) for name, value in own.items()},
        stdout=subprocess.DEVNULL if rank else None,
        stderr=errors if rank else None,
    )


def first_to_fail(ranks: Sequence[subprocess.Popen[bytes]]) -> int | None:
    """Wait until one has ended badly, and return which, or until all have ended well."""
    while True:
        states = [each.poll() for each in ranks]
        for rank, state in enumerate(states):
            if state:
                return rank
        if None not in states:
            return None
        time.sleep(PAUSE)


def end(ranks: Sequence[subprocess.Popen[bytes]]) -> None:
    """Let all end by themselves, and kill those that wait in vain for one that is gone."""
    last = time.monotonic() + GRACE
    while time.monotonic() < last and any(each.poll() is None for each in ranks):
        time.sleep(PAUSE)
    for each in ranks:
        each.kill()
        each.wait()
