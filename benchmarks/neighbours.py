"""Training beside busy processes: python -m benchmarks.neighbours; writes reports/benchmarks/neighbours.csv.

One training step while nothing else runs, beside one process that keeps a core busy, and beside one per core. Plain:
as many threads as cores, with libgomp's own spinning (GOMP_SPINCOUNT unset) and with as little as mtinet sets; ours: a
thread per process. `ratio` is to plain beside the same neighbours; `note` has how many times slower than on free cores.
"""

from __future__ import annotations

from benchmarks import frames, harness, networks, workers
from benchmarks.harness import Plan, Row, Way
from benchmarks.training import LITTLE, PRECISIONS, way
from benchmarks.workers import AS_TORCH_HAS_IT, OURS, SPINNING_LITTLE
from mtinet import stage

NETWORK = "hrnet18-mti-ne"


def measure(quick: bool) -> list[Row]:
    """All lines."""
    frames.made(frames.LAPTOP)
    network = "hrnet18-single-depth" if quick else NETWORK
    wanted = [("plain", AS_TORCH_HAS_IT), ("plain", SPINNING_LITTLE), ("ours", OURS)]
    found: list[Row] = []
    free: dict[str, float] = {}
    with workers.started(*wanted) as users:
        spinning, little, ours = users
        ways = {}
        for name, user in (("plain", spinning), (LITTLE, little)):
            user.build("float32", network, networks.LAPTOP, 0, "float32")
            ways[name] = way([user], "steps", networks.LAPTOP.batch, stage.cores(), "float32", name="float32", count=1)
        for precision in PRECISIONS:
            ours.build(precision, network, networks.LAPTOP, 1, precision)
            ways[f"ours, {precision}"] = way(
                [ours], "steps", networks.LAPTOP.batch, 1, precision, name=precision, count=1
            )
        for number in (0, 1) if quick else sorted({0, 1, stage.cores()}):
            found += beside(number, network, ways, free, quick)
    return found


def beside(number: int, network: str, ways: dict[str, Way], free: dict[str, float], quick: bool) -> list[Row]:
    """Steps beside so many busy processes; `free` gets, then has, the seconds on free cores."""
    plan = harness.QUICK if quick else Plan(repetitions=7, warm_up=0 if number else 2, seconds=6, least=1)
    with workers.busy(number):
        times = harness.interleaved(ways, plan)
    shared = {"device": "cpu", "batch": networks.LAPTOP.batch, "height": networks.LAPTOP.height,
              "width": networks.LAPTOP.width}  # fmt: skip
    lines = harness.rows(f"{number} busy {network}", ways, times, "plain", plan, **shared)
    for line in lines:
        name = str(line["way"])
        free.setdefault(name, harness.median(times[name]))
        line["note"] = f"{harness.median(times[name]) / free[name]:.1f} times the seconds on free cores"
    return lines


if __name__ == "__main__":
    harness.main("neighbours", __doc__, measure)
