"""The task registry: what tasks.yaml says, as typed plain data. Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path
from typing import Any, Literal

from mtinet import files
from mtinet.errors import UserError

REGISTRY = Path(__file__).with_name("tasks.yaml")


@dataclass(frozen=True)
class Task:
    """One dense prediction task; the fields are explained at the top of tasks.yaml."""

    name: str
    label: str
    symbol: str
    channels: int | None
    loss: str
    statistics: str
    metric: str
    better: Literal["higher", "lower"]
    unit: str
    scale: float
    digits: int
    interpolation: Literal["nearest", "linear"]
    invalid: float
    geometry: Literal["none", "depth", "normals", "lines"]
    draw: Literal["palette", "depth", "normals", "grey"]


@cache
def registry() -> dict[str, Task]:
    """All tasks by name, in the order of the file."""
    entries: dict[str, dict[str, Any]] = files.read_yaml(REGISTRY)
    expected = {field.name for field in fields(Task)} - {"name"}
    for name, entry in entries.items():
        if set(entry) != expected:
            odd = sorted(set(entry) ^ expected)
            raise UserError(f"task '{name}' in {REGISTRY.name}: missing or unknown fields {odd}")
    return {name: Task(name=name, **entry) for name, entry in entries.items()}


def task(name: str) -> Task:
    """The task called `name`; raises UserError for a name that the registry lacks."""
    if name not in registry():
        raise UserError(f"unknown task '{name}', expected one of {', '.join(registry())}")
    return registry()[name]
