"""Two runs side by side or in turn: python -m benchmarks.side_by_side; writes reports/benchmarks/side_by_side.csv.

Two trainings of one network: one after the other with two threads each (plain, and what a loop over the experiments
does), and at once with one thread each, which is what `make repro` does. Loading is included.
"""

from __future__ import annotations

from benchmarks import frames, harness, networks, workers
from benchmarks.harness import Plan, Row, Way
from benchmarks.training import PRECISIONS
from benchmarks.workers import OURS, Worker
from mtinet import stage

NETWORKS = ("hrnet18-single-depth", "hrnet18-mti-ne")
STEPS = 4


def measure(quick: bool) -> list[Row]:
    """All lines."""
    frames.made(frames.LAPTOP)
    found: list[Row] = []
    with workers.started(*[("ours", OURS)] * 2) as users:
        for network in NETWORKS[:1] if quick else NETWORKS:
            for precision in PRECISIONS:
                found += compared(network, precision, users, quick)
                for user in users:
                    user.ask("forget")
    return found


def compared(network: str, precision: str, users: list[Worker], quick: bool) -> list[Row]:
    """Both ways of one network in one precision."""
    count = 1 if quick else STEPS
    cores = stage.cores()
    for user in users:
        user.build("one", network, networks.LAPTOP, 1, precision)
    images = len(users) * count * networks.LAPTOP.batch

    def in_turn() -> None:
        for user in users:
            user.ask("epoch", name="one", count=count, threads=cores)

    def at_once() -> None:
        workers.together(users, "epoch", name="one", count=count, threads=1)

    ways = {
        "plain": Way(in_turn, images, {"threads": cores, "processes": 1}),
        "side by side": Way(at_once, images, {"threads": 1, "processes": len(users)}),
    }
    plan = harness.QUICK if quick else Plan(repetitions=7, seconds=7, least=2)
    shared = {"device": "cpu", "batch": networks.LAPTOP.batch, "height": networks.LAPTOP.height,
              "width": networks.LAPTOP.width, "precision": precision}  # fmt: skip
    return harness.compared(f"two runs {network} {precision}", ways, plan, note="plain is in turn", **shared)[0]


if __name__ == "__main__":
    harness.main("side_by_side", __doc__, measure)
