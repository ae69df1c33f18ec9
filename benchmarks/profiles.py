"""Where a training step's time goes: python -m benchmarks.profiles; writes reports/benchmarks/profiles.csv, limits.csv.

torch's profiler over some steps on one thread, before (plain: float32, NCHW, Adam not fused) and after (ours, in the
precision that the loop chooses): each operator's own time. And what a step has to do: FLOPs (a multiply-add is two;
convolutions and products alone) and bytes, operator by operator, beside what the machine can do at most
(benchmarks.ceilings), measured in the same run.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch.profiler import ProfilerActivity, profile
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import flop_registry

from benchmarks import ceilings, frames, harness, networks
from benchmarks.harness import Row
from benchmarks.trainer import KINDS, fixed_batch
from mtinet.training import precision

NETWORKS = ("hrnet18-mti-ne", "r18fpn-mti-ne")
STEPS, SHOWN = 3, 12
CPU = torch.device("cpu")
COLUMNS = ("network", "way", "operator", "calls", "ms", "share")
LIMITS = ("network", "way", "precision", "step_ms", "low_ms", "high_ms", "gflop", "megabytes", "operators",
          "gflop_per_s", "least_ms", "calling_ms", "limit_share")  # fmt: skip


class Work(TorchDispatchMode):
    """Notes of every operator the FLOPs, as torch counts them, and the bytes of the tensors that it reads and writes.

    operators: (FLOPs, bytes, whether it computes in bfloat16) each; views, which do nothing, are left out.
    """

    def __init__(self) -> None:
        super().__init__()
        self.operators: list[tuple[int, int, bool]] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        result = func(*args, **kwargs)
        if not is_view(func):
            count = flop_registry.get(func._overloadpacket)
            flops = count(*args, **kwargs, out_val=result) if count else 0
            small = any(tensor.dtype == torch.bfloat16 for tensor in tensors_in(args)[:1])
            self.operators.append((flops, moved(func, args, kwargs, result), small))
        return result

    @property
    def flops(self) -> int:
        return sum(flops for flops, _, _ in self.operators)

    @property
    def bytes(self) -> int:
        return sum(moved for _, moved, _ in self.operators)

    def least(self, rates: Mapping[str, float]) -> float:
        """Seconds at least: every operator computes or moves, whichever takes it longer, at the machine's limit."""
        return sum(
            max(flops / rates["bfloat16" if small else "float32"], moved / rates["copy in cache"]) / ceilings.GIGA
            for flops, moved, small in self.operators
        )


def is_view(func: Any) -> bool:
    """Whether an operator returns another look at its input's memory."""
    returned = [value.alias_info for value in func._schema.returns]
    return any(alias is not None and not alias.is_write for alias in returned)


def moved(func: Any, args: Any, kwargs: Mapping[str, Any], result: Any) -> int:
    """Bytes that an operator reads, those of all its tensors, and writes: what it changes in place, and new ones."""
    given = dict(zip((argument.name for argument in func._schema.arguments), args, strict=False)) | dict(kwargs)
    changed = [given.get(argument.name) for argument in func._schema.arguments if in_place(argument)]
    whole = result if isinstance(result, tuple) else (result,)
    new = [made for made, declared in zip(whole, func._schema.returns, strict=False) if not in_place(declared)]
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors_in((list(given.values()), changed, new)))


def in_place(declared: Any) -> bool:
    """Whether an argument, or what is returned, is memory that the operator writes to."""
    return declared.alias_info is not None and declared.alias_info.is_write


def tensors_in(tree: Any) -> list[torch.Tensor]:
    """All tensors in nested lists, tuples and dicts."""
    return [leaf for leaf in tree_leaves(tree) if isinstance(leaf, torch.Tensor)]


def way_of(kind: str, network: str) -> tuple[Callable[[], None], str]:
    """A function that makes one step, and the precision that it computes in."""
    wanted = "auto" if kind == "ours" else "float32"
    if kind == "plain":  # what ours set for the process before
        torch.use_deterministic_algorithms(False)
        torch.utils.deterministic.fill_uninitialized_memory = True  # type: ignore[attr-defined]
    trainer = KINDS[kind](network, networks.LAPTOP, 1, wanted, CPU)
    batch = fixed_batch(network, networks.LAPTOP)
    return lambda: trainer.step(batch), precision.chosen(wanted, CPU)


def operators(network: str, kind: str, step: Callable[[], None], steps: int) -> list[Row]:
    """The operators with the most time of their own, per step, and the others together."""
    with profile(activities=[ProfilerActivity.CPU]) as profiled:
        for _ in range(steps):
            step()
    events = sorted(profiled.key_averages(), key=lambda event: event.self_cpu_time_total, reverse=True)
    whole = sum(event.self_cpu_time_total for event in events)
    rows = [(event.key, event.count, event.self_cpu_time_total) for event in events[:SHOWN]]
    rest = events[SHOWN:]
    rows.append(("others", sum(event.count for event in rest), sum(event.self_cpu_time_total for event in rest)))
    return [
        {"network": network, "way": kind, "operator": name, "calls": round(calls / steps),
         "ms": harness.shown(spent / steps / 1e3), "share": harness.shown(spent / whole)}
        for name, calls, spent in rows
    ]  # fmt: skip


def limits(network: str, kind: str, step: Callable[[], None], used: str, rates: Mapping[str, float]) -> Row:
    """What one step has to do, how long that takes at least, and how long it takes."""
    work, times = Work(), []
    with work:
        step()
    for _ in range(2 * STEPS):
        began = time.perf_counter()
        step()
        times.append(time.perf_counter() - began)
    low, middle, high = harness.quartiles(times)
    least, calling = work.least(rates), len(work.operators) / (rates["call"] * ceilings.MEGA)
    found = {
        "network": network, "way": kind, "precision": used, "step_ms": 1e3 * middle, "low_ms": 1e3 * low,
        "high_ms": 1e3 * high, "gflop": work.flops / 1e9, "megabytes": work.bytes / 1e6,
        "operators": len(work.operators), "gflop_per_s": work.flops / 1e9 / middle, "least_ms": 1e3 * least,
        "calling_ms": 1e3 * calling, "limit_share": (least + calling) / middle,
    }  # fmt: skip
    return {name: harness.shown(value) for name, value in found.items()}


def main() -> None:
    given = harness.arguments(__doc__)
    head = [*harness.conditions("profiles")[:3], f"one thread, {networks.LAPTOP}; per step", *given.note]
    torch.set_num_threads(1)
    frames.made(frames.LAPTOP)
    ceiling = ceilings.on_threads(1, given.quick)
    rates = {str(line["way"]): float(line["rate"]) for line in ceiling}
    profiled: list[Row] = []
    limited: list[Row] = []
    for network in NETWORKS[:1] if given.quick else NETWORKS:
        for kind in ("plain", "ours"):
            step, used = way_of(kind, network)
            step()
            limited.append(limits(network, kind, step, used, rates))
            profiled += operators(network, kind, step, 1 if given.quick else STEPS)
            print(limited[-1], flush=True)
    harness.write("profiles", profiled, [*head, "ms: the operator's own time"], given.folder, COLUMNS)
    explained = (
        "megabytes: read and written, by every operator by itself; least_ms: sum over the operators of the longer of"
        " computing and moving (in cache) at the machine's limits, measured in the same run; calling_ms: operators"
        " times what one on a single number takes; limit_share: both over step_ms"
    )
    harness.write("limits", limited, [*head, explained], given.folder, LIMITS)


if __name__ == "__main__":
    main()
