"""Training beside a plain PyTorch loop: python -m benchmarks.training; writes reports/benchmarks/training.csv.

`step`: on one batch in memory. `epoch`: with loading. On a GPU, where there is one, the step at
paper scale too. Ways: plain as torch has it by default (see benchmarks/plain.py), ours in float32 and in bfloat16, and
two runs of ours side by side, a thread each, which is what `make repro` does.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from benchmarks import frames, harness, networks, workers
from benchmarks.harness import Plan, Row, Way
from benchmarks.networks import Scale
from benchmarks.workers import AS_TORCH_HAS_IT, OURS, SPINNING_LITTLE, Worker
from mtinet import stage

STEPS = 1  # of one repetition
LONG = ("hrnet18-single-depth", "hrnet18-mti-ne")  # trained with loading, too
EPOCH = 6  # steps with loading in one repetition
WORKERS = 2  # of the plain loader
PRECISIONS = networks.precisions("cpu")
LITTLE = "plain, GOMP_SPINCOUNT=10000"  # what mtinet sets: without it two threads suffer from any neighbour
Calls = dict[str, Any]


def measure(quick: bool) -> list[Row]:
    """All lines."""
    frames.made(frames.LAPTOP)
    cases = networks.NETWORKS[:1] if quick else networks.NETWORKS
    long = LONG[:1] if quick else LONG
    found: list[Row] = []
    wanted = [("plain", AS_TORCH_HAS_IT), ("plain", SPINNING_LITTLE), ("ours", OURS), ("ours", OURS)]
    with workers.started(*wanted) as (*plain, first, second):
        for network in cases:
            found += on_cpu(network, plain, [first, second], network in long, quick)
    return found + list(on_gpu(quick))


def on_cpu(network: str, plain: list[Worker], ours: list[Worker], with_epoch: bool, quick: bool) -> list[Row]:
    """Steps of one network, and epochs where wanted."""
    built(network, plain, ours, networks.LAPTOP)
    shared = {"device": "cpu", "tf32": "none", "height": networks.LAPTOP.height, "width": networks.LAPTOP.width,
              "batch": networks.LAPTOP.batch}  # fmt: skip
    count, images = STEPS, STEPS * networks.LAPTOP.batch
    threads = stage.cores()
    ways = {"plain": way(plain[:1], "steps", images, threads, "float32", name="float32", count=count)}
    ways |= our_ways(ours, "steps", count)
    plan = harness.QUICK if quick else Plan(repetitions=15, seconds=6, least=2)
    found, _ = harness.compared(f"step {network}", ways, plan, **shared)
    if with_epoch:
        found += epochs(network, plain, ours, quick, shared)
    for worker in (*plain, *ours):
        worker.ask("forget")
    return found


def built(network: str, plain: list[Worker], ours: list[Worker], scale: Scale) -> None:
    """Have every process make the network in its precisions."""
    for worker in plain:
        worker.build("float32", network, scale, 0, "float32")
    for worker in ours:
        for precision in PRECISIONS:
            worker.build(precision, network, scale, 1, precision)


def way(users: list[Worker], call: str, images: int, threads: int, precision: str, **arguments: Any) -> Way:
    """One call of some processes at once; what it did is counted over all of them, till the last is done."""

    def run() -> float:
        return max(float(told["seconds"]) for told in workers.together(users, call, **arguments))

    told = {"threads": threads, "processes": len(users), "precision": precision}
    return Way(run, images * len(users), told)


def our_ways(ours: list[Worker], call: str, count: int) -> dict[str, Way]:
    """Each precision alone, and the best one twice side by side."""
    images = count * networks.LAPTOP.batch
    users = {f"ours, {precision}": (ours[:1], precision) for precision in PRECISIONS}
    users[f"ours, two side by side, {PRECISIONS[-1]}"] = (ours, PRECISIONS[-1])
    return {
        name: way(chosen, call, images, 1, precision, name=precision, count=count)
        for name, (chosen, precision) in users.items()
    }


def epochs(network: str, plain: list[Worker], ours: list[Worker], quick: bool, shared: Calls) -> list[Row]:
    """Steps with loading; plain also with less spinning, and with the loading in its own process."""
    default, little = plain
    count = 2 if quick else EPOCH
    images, threads = count * networks.LAPTOP.batch, stage.cores()
    shares = {"plain": (default, WORKERS), LITTLE: (little, WORKERS), f"{LITTLE}, no workers": (little, 0)}
    ways = {
        name: way([worker], "epoch", images, threads, "float32", name="float32", count=count, workers=loaders)
        for name, (worker, loaders) in shares.items()
    }
    ways |= our_ways(ours, "epoch", count)
    plan = harness.QUICK if quick else Plan(repetitions=5, warm_up=0, seconds=20, least=1)
    # Loader's workers start, and files come into memory, before anything is timed.
    for worker, loaders in shares.values():
        worker.ask("epoch", name="float32", count=1, workers=loaders)
    for precision in PRECISIONS:
        workers.together(ours, "epoch", name=precision, count=1)
    found, _ = harness.compared(f"epoch {network}", ways, plan, note=f"{count} steps, loading included", **shared)
    return found


# On a GPU -----------------------------------------------------------------------------------------------------


def on_gpu(quick: bool) -> Iterator[Row]:
    """The step at paper scale; where there is no GPU, a line that says so."""
    case = "step hrnet18-mti-ne"
    if not Path("/dev/nvidiactl").exists():
        yield harness.row(case=case, way="plain and ours", device="cuda", batch=networks.PAPER.batch,
                          height=networks.PAPER.height, width=networks.PAPER.width,
                          note="not measured: no GPU here")  # fmt: skip
        return
    yield from on_device("cuda", "hrnet18-mti-ne", networks.PAPER, quick)


def on_device(device: str, network: str, scale: Scale, quick: bool) -> Sequence[Row]:
    """Plain and ours on one device, with the memory that each takes; each in a process of its own."""
    frames.made(frames.PAPER)
    computing = networks.precisions(device)
    wanted = [("plain", AS_TORCH_HAS_IT), *(("ours", OURS) for _ in computing)]
    count = 1 if quick else 10
    peaks: dict[str, float] = {}
    with workers.started(*wanted, device=device) as (plain, *ours):
        plain.build("float32", network, scale, 0, "float32")
        ways = {"plain": noting(peaks, "plain", plain, scale, count, "float32", "default")}
        for worker, precision in zip(ours, computing, strict=True):
            worker.build(precision, network, scale, 1, precision)
            ways[f"ours, {precision}"] = noting(peaks, f"ours, {precision}", worker, scale, count, precision, "off")
        plan = harness.QUICK if quick else Plan(repetitions=7, warm_up=2, seconds=60)
        shared = {"device": device, "batch": scale.batch, "height": scale.height, "width": scale.width}
        found, _ = harness.compared(f"step {network}", ways, plan, **shared)
    for line in found:
        line["note"] = f"at most {peaks[line['way']]:.0f} MiB"
    return found


def noting(
    peaks: dict[str, float], name: str, worker: Worker, scale: Scale, count: int, precision: str, tf32: str
) -> Way:
    """A way that also notes the memory that it took."""

    def run() -> None:
        peaks[name] = worker.ask("steps", name=precision, count=count)["peak"]

    return Way(run, count * scale.batch, {"precision": precision, "tf32": tf32, "processes": 1})


if __name__ == "__main__":
    harness.main("training", __doc__, measure)
