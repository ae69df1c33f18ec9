"""What a rule's jobs ask of a scheduler: pipeline/allocation.yaml, read once for SLURM and workstations alike."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from mtinet import files
from mtinet.errors import UserError
from pipeline.dependencies import ROOT, declared
from pipeline.rule import Rule

FILE = "pipeline/allocation.yaml"
KEYS = ("mem_mb", "minutes", "gpu_mem_mb")


@dataclass(frozen=True)
class Allocation:
    """GPUs (0 or 1), MB of memory and of the GPU's, minutes on the clock; of a job's first attempt."""

    gpu: int
    gpu_mem_mb: int
    mem_mb: int
    minutes: int


def growing(amount: int) -> Callable[[Any, int], int]:
    """The amount as Snakemake takes one that grows with each attempt: what memory or time ended ends otherwise."""

    def asked(wildcards: Any, attempt: int) -> int:
        return amount * attempt

    return asked


def allocation(rule: Rule) -> Allocation:
    """What the file declares for the rule at the study's scale. UserError for entries that are none."""
    found = entry(content(), declared()["study"]["scale"], rule.name)
    gpu = int(rule.uses_gpu and declared()["compute"]["device"] != "cpu")
    return Allocation(gpu, found.get("gpu_mem_mb", 0) if gpu else 0, found["mem_mb"], found["minutes"])


def entry(scales: Mapping[str, Any], scale: str, name: str) -> dict[str, int]:
    """The entry with the longest name that the rule's name begins with, else `other`."""
    stages = scales.get(scale)
    if not isinstance(stages, Mapping) or "other" not in stages:
        raise UserError(f"{FILE}: expected the scale {scale!r} with an entry 'other'; found {sorted(scales)}")
    key = max((key for key in stages if f"{name}_".startswith(f"{key}_")), key=len, default="other")
    found = stages[key]
    needed = KEYS[:2]
    wrong = not isinstance(found, Mapping) or not set(needed) <= set(found) <= set(KEYS)
    if wrong or not all(type(value) is int and value > 0 for value in found.values()):
        raise UserError(f"{FILE}: {scale}.{key} is {found}: expected whole numbers above 0 for {', '.join(KEYS)}")
    return dict(found)


@cache
def content() -> dict[str, Any]:
    """The file's content."""
    found: dict[str, Any] = files.read_yaml(ROOT / FILE)
    return found
