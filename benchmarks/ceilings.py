"""What the machine can do at most: python -m benchmarks.ceilings; writes reports/benchmarks/ceilings.csv.

Products of large matrices, and copies of blocks that fit a core's cache or do not, with one thread and with all.
docs/performance.md sets the training step against them: rates are those of the fastest repetition. ratio: to float32,
and to the copy in memory.
"""

from __future__ import annotations

from functools import partial

import torch

from benchmarks import harness
from benchmarks.harness import Plan, Row, Way
from mtinet import stage

SIDE = 1024  # of the matrices
BLOCKS = {"copy in cache": 1 << 18, "copy in memory": 1 << 28}  # bytes of the block
MOVED = 1 << 28  # bytes copied in one repetition
CALLS = 10_000
MEGA, GIGA = 1e6, 1e9


def measure(quick: bool) -> list[Row]:
    """All lines, on one thread and on all."""
    found = []
    for threads in (1,) if quick else sorted({1, stage.cores()}):
        found += on_threads(threads, quick)
    return found


def on_threads(threads: int, quick: bool) -> list[Row]:
    """All of it with so many threads."""
    torch.set_num_threads(threads)
    return products(threads, quick) + copies(threads, quick) + calls(threads, quick)


def products(threads: int, quick: bool) -> list[Row]:
    """Billions of operations a second, of which a multiply-add is two."""
    side = 256 if quick else SIDE
    ways = {}
    for kind in (torch.float32, torch.bfloat16):
        name = str(kind).removeprefix("torch.")
        first, second = (torch.rand(side, side).to(kind) for _ in range(2))
        ways[name] = Way(partial(multiply, first, second), 1, {"precision": name, "threads": threads})
    plan = harness.QUICK if quick else Plan(repetitions=15, warm_up=3, seconds=3)
    return rated(f"product of {side}x{side}", ways, plan, "float32", 2 * side**3, "GFLOP/s")


def multiply(first: torch.Tensor, second: torch.Tensor) -> None:
    first @ second


def copies(threads: int, quick: bool) -> list[Row]:
    """Billions of bytes a second, read and written ones together."""
    ways = {}
    for name, size in BLOCKS.items():
        source = torch.zeros(size // 4)
        target = torch.empty_like(source)
        again = (MOVED >> 4 if quick else MOVED) // size or 1
        ways[name] = Way(partial(copy, source, target, again), again * size, {"threads": threads})
    plan = harness.QUICK if quick else Plan(repetitions=15, warm_up=3, seconds=3)
    return rated("copy", ways, plan, "copy in memory", 2 * MOVED, "GB/s")


def copy(source: torch.Tensor, target: torch.Tensor, times: int) -> None:
    for _ in range(times):
        target.copy_(source)


def calls(threads: int, quick: bool) -> list[Row]:
    """Millions of operators a second on a single number, which is nothing but calling."""
    number = torch.zeros(1)
    ways = {"call": Way(partial(call, number), 1, {"threads": threads})}
    plan = harness.QUICK if quick else Plan(repetitions=15, warm_up=3, seconds=2)
    return rated("operator on one number", ways, plan, "call", CALLS, "million/s")


def call(number: torch.Tensor) -> None:
    for _ in range(CALLS):
        number.add_(1.0)


def rated(case: str, ways: dict[str, Way], plan: Plan, reference: str, work: int, unit: str) -> list[Row]:
    """Lines with the rate of the fastest repetition, of `work` operations or bytes in a repetition."""
    times = harness.interleaved(ways, plan)
    lines = harness.rows(case, ways, times, reference, plan, device="cpu")
    for line in lines:
        done = 2 * ways[str(line["way"])].images if unit == "GB/s" else work
        scale = MEGA if unit == "million/s" else GIGA
        line |= {"rate": harness.shown(done / min(times[str(line["way"])]) / scale), "unit": unit, "images_per_s": ""}
        print(f"    {line['rate']} {unit}", flush=True)
    return lines


if __name__ == "__main__":
    harness.main("ceilings", __doc__, measure)
