"""A process that trains when told to: python -m benchmarks.trainer plain|ours (what benchmarks.workers starts).

It reads one call as a line of JSON from its input, and writes the answer as another: `build` a network, `steps` on one
batch that is in memory, `epoch` with loading. Ours are the functions of mtinet.training.loop; plain ones are in
benchmarks.plain.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from collections.abc import Iterator, Mapping
from typing import Any, Protocol

import torch
from torch import Tensor

from benchmarks import frames, networks, plain
from benchmarks.networks import Scale
from mtinet import models
from mtinet.models.procedure import Progress
from mtinet.training import batches, loop

MEGABYTE = 1 << 20
SETTLING = 0.5  # seconds
Batch = Mapping[str, Tensor]


class Trainer(Protocol):
    """A network with its optimiser; the batches that it is trained on."""

    def step(self, batch: Batch) -> None: ...

    def batches(self, workers: int) -> Iterator[Batch]: ...


class Ours:
    """As the stage train does it."""

    def __init__(self, network: str, scale: Scale, threads: int, precision: str, device: torch.device) -> None:
        self.run = networks.run_of(network, scale, threads, precision)
        self.device = device
        loop.prepare_torch(self.run)
        model = loop.build_model(self.run).to(device)
        model = model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.procedure = models.procedure(self.run.method, model)
        self.optimizer = loop.optimizer_of(self.run, self.procedure.parameter_groups())
        self.procedure.net.train()
        self.scenes = scenes_of(scale)

    def step(self, batch: Batch) -> None:
        progress = Progress(0, 1, 0, 1)
        rate = self.run.learning_rate
        loop.train_step(self.run, self.procedure, self.optimizer, batch, rate, progress, self.device)

    def batches(self, workers: int) -> Iterator[Batch]:
        """Those of the training loop, epoch after epoch."""
        split = frames.packed(self.scenes, "train", networks.LAPTOP.images)
        number = 0
        while True:
            yield from batches.epoch(self.run, split, number)
            number += 1


class Plain:
    """As a straightforward script does it."""

    def __init__(self, network: str, scale: Scale, threads: int, precision: str, device: torch.device) -> None:
        if threads:
            torch.set_num_threads(threads)
        self.run = networks.run_of(network, scale, max(threads, 1), "float32")
        self.device, self.scale = device, scale
        torch.manual_seed(self.run.seed)
        self.net = loop.build_model(self.run).to(device)
        self.net.train()
        rate, decay = self.run.learning_rate, self.run.experiment.weight_decay
        self.optimizer = torch.optim.Adam(self.net.parameters(), lr=rate, weight_decay=decay)

    def step(self, batch: Batch) -> None:
        plain.train_step(self.net, self.optimizer, batch, self.device)

    def batches(self, workers: int) -> Iterator[Batch]:
        """Those of a DataLoader with so many workers."""
        root = frames.made(scenes_of(self.scale)) / "raw"
        zooms = self.run.scale.augmentation.zoom or [1.0]
        size = (self.scale.height, self.scale.width)
        read = plain.Frames(root, self.run.tasks, size, zooms, networks.LAPTOP.images)
        return plain.batches(read, self.scale.batch, workers)


KINDS: dict[str, type[Ours] | type[Plain]] = {"ours": Ours, "plain": Plain}


def scenes_of(scale: Scale) -> Any:
    """The frames that fit the input: stored ones are larger."""
    return frames.PAPER if scale.height > frames.LAPTOP.height else frames.LAPTOP  # type: ignore[operator]


class Session:
    """What a process keeps between calls: networks by name, each with one batch, and streams of batches."""

    def __init__(self, kind: str, device: torch.device) -> None:
        self.kind, self.device = KINDS[kind], device
        self.trainers: dict[str, Trainer] = {}
        self.fixed: dict[str, Batch] = {}
        self.streams: dict[tuple[str, int], Iterator[Batch]] = {}

    def build(self, name: str, network: str, scale: dict[str, int], threads: int, precision: str) -> dict[str, Any]:
        """Make a network and call it `name`; the earlier ones are let go."""
        size = Scale(**scale)
        self.streams = {key: stream for key, stream in self.streams.items() if key[0] != name}
        self.trainers[name] = self.kind(network, size, threads, precision, self.device)
        self.fixed[name] = fixed_batch(network, size)
        return {"threads": torch.get_num_threads()}

    def forget(self) -> dict[str, Any]:
        """Let all networks go."""
        for held in (self.trainers, self.fixed, self.streams):
            held.clear()
        if self.device.type == "cuda":
            torch.cuda.empty_cache()
        return {}

    def steps(self, name: str, count: int) -> dict[str, Any]:
        """Train on the one batch that is in memory; GPU memory at its most, in MiB."""
        if self.device.type == "cuda":
            torch.cuda.reset_peak_memory_stats()
        began = time.perf_counter()
        for _ in range(count):
            self.trainers[name].step(self.fixed[name])
        return {"peak": peak(self.device), "seconds": time.perf_counter() - began}

    def epoch(self, name: str, count: int, workers: int = 0, threads: int | None = None) -> dict[str, Any]:
        """Train on so many batches that are loaded; returns the seconds, and those of them waited for batches."""
        if threads:
            torch.set_num_threads(threads)
        if (name, workers) not in self.streams:
            self.streams[name, workers] = self.trainers[name].batches(workers)
        stream, waited = self.streams[name, workers], 0.0
        for _ in range(workers * plain.AHEAD):  # what the workers made in advance, while nothing was timed
            next(stream)
        started = time.perf_counter()
        for _ in range(count):
            began = time.perf_counter()
            batch = next(stream)
            waited += time.perf_counter() - began
            self.trainers[name].step(batch)
        seconds = time.perf_counter() - started
        if workers:
            time.sleep(SETTLING)  # while they make batches in advance: that must not fall on who is timed next
        return {"waited": waited, "seconds": seconds}


def fixed_batch(network: str, scale: Scale) -> Batch:
    """The same first batch of rendered frames for every way."""
    run = networks.run_of(network, scale, 1, "float32")
    split = frames.packed(scenes_of(scale), "train", scale.batch)
    return next(batches.epoch(run, split, 0))


def peak(device: torch.device) -> float:
    """The most memory so far in MiB: the GPU's, else of this process."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated() / MEGABYTE
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what libraries print must not stand among the answers
    session = Session(sys.argv[1], torch.device(sys.argv[2]))
    for line in sys.stdin:
        call = json.loads(line)
        answer = getattr(session, call.pop("call"))(**call)
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main()
