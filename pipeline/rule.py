"""What a rule is: one stage with its inputs, outputs, parameters and code, whatever runs it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Out:
    """An output; a path without suffix is a folder. `git`: kept in git instead of the DVC cache."""

    path: str
    git: bool = False
    metric: bool = False
    plot: tuple[tuple[str, str], ...] = ()

    @property
    def is_folder(self) -> bool:
        return not Path(self.path).suffix


@dataclass(frozen=True)
class Rule:
    """One stage: `matrix` maps each wildcard to a key of params.yaml (its keys or items) or to a list.

    `inputs` are files and folders that other rules write; `params` are keys of params.yaml, or
    "file:key" for another YAML file, or "file:" for all of it; `code` are the project's source files.
    `threads` are those of each of `processes`, a number or a key of params.yaml; each has its GPU where one is used.
    """

    stage: str
    dataset: str
    inputs: tuple[Path | str, ...]
    outputs: tuple[Out, ...]
    params: tuple[str, ...]
    code: tuple[str, ...]
    arguments: tuple[str, ...] = ()
    method: str | None = None
    table: str | None = None
    matrix: dict[str, str | tuple[str, ...]] = field(default_factory=dict)
    uses_gpu: bool = False
    threads: str | int = 1
    processes: str | int = 1

    @property
    def name(self) -> str:
        return "_".join(part for part in (self.stage, self.dataset, self.method, self.table) if part)

    @property
    def command(self) -> str:
        return " ".join(["python", f"stages/{self.stage}.py", f"--dataset {self.dataset}", *self.arguments])


def datasets_of(rules: Iterable[Rule]) -> list[str]:
    """Every dataset that has a rule, once, in the rules' order."""
    return list(dict.fromkeys(rule.dataset for rule in rules))


def out(path: Path, **kinds: Any) -> Out:
    return Out(path.as_posix(), **kinds)
