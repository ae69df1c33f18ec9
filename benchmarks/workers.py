"""Processes that train when told to, each with its own threads and environment, and processes that only burn a core."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any

from benchmarks.harness import ROOT
from benchmarks.networks import Scale

SPIN = "GOMP_SPINCOUNT"
OURS = {SPIN: "10000"}  # what mtinet sets where the user has not
AS_TORCH_HAS_IT = {SPIN: None, "OMP_NUM_THREADS": None}
SPINNING_LITTLE = {**AS_TORCH_HAS_IT, **OURS}
BURN = "while True: pass"


class Worker:
    """A `benchmarks.trainer`; calls go to it one at a time, `send` and `receive` let several work at once."""

    def __init__(self, kind: str, device: str = "cpu", environment: Mapping[str, str | None] = OURS) -> None:
        told = dict(os.environ)
        for name, value in environment.items():
            told.pop(name, None)
            if value is not None:
                told[name] = value
        self.kind = kind
        command = [sys.executable, "-m", "benchmarks.trainer", kind, device]
        self.process = subprocess.Popen(
            command, cwd=ROOT, env=told, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def send(self, call: str, **arguments: Any) -> None:
        """Have it do something."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps({"call": call, **arguments}) + "\n")
        self.process.stdin.flush()

    def receive(self) -> dict[str, Any]:
        """Wait until it is done; RuntimeError when it died."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"the process that trains ({self.kind}) ended with {self.process.wait()}, see above")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def ask(self, call: str, **arguments: Any) -> dict[str, Any]:
        """Have it do something and wait."""
        self.send(call, **arguments)
        return self.receive()

    def build(self, name: str, network: str, scale: Scale, threads: int, precision: str) -> dict[str, Any]:
        """Have it make a network; see benchmarks.trainer.Session.build."""
        return self.ask("build", name=name, network=network, scale=asdict(scale), threads=threads, precision=precision)

    def close(self) -> None:
        """End it."""
        assert self.process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()
        try:
            self.process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


@contextlib.contextmanager
def started(*wanted: tuple[str, Mapping[str, str | None]], device: str = "cpu") -> Iterator[list[Worker]]:
    """Workers of these kinds and environments, ended with the block."""
    workers = [Worker(kind, device, environment) for kind, environment in wanted]
    try:
        yield workers
    finally:
        for worker in workers:
            worker.close()


def together(users: list[Worker], call: str, /, **arguments: Any) -> list[dict[str, Any]]:
    """Have all of them do the same at once."""
    for worker in users:
        worker.send(call, **arguments)
    return [worker.receive() for worker in users]


@contextlib.contextmanager
def busy(processes: int) -> Iterator[None]:
    """So many processes that keep a core each busy."""
    burning = [subprocess.Popen([sys.executable, "-c", BURN]) for _ in range(processes)]
    try:
        yield
    finally:
        for process in burning:
            process.kill()
            process.wait()
