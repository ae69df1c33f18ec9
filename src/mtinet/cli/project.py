"""What the subcommands share: the project's folder, names of runs, and how results are printed."""

from __future__ import annotations

import argparse
import difflib
import json
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mtinet.errors import UserError

if TYPE_CHECKING:
    from mtinet.config import Params

MARKS = ("params.yaml", "stages")  # what the project's folder holds
NAME = re.compile(r"(?P<dataset>[\w-]+)/(?P<experiment>[\w-]+)(/seed(?P<seed>\d+))?")


@dataclass(frozen=True)
class RunName:
    """dataset/experiment, or dataset/experiment/seedN."""

    dataset: str
    experiment: str
    seed: int | None = None

    def __str__(self) -> str:
        return f"{self.dataset}/{self.experiment}" + ("" if self.seed is None else f"/seed{self.seed}")


def run_name(text: str) -> RunName:
    """A run's name as argparse takes it."""
    found = NAME.fullmatch(text)
    if found is None:
        raise argparse.ArgumentTypeError(f"'{text}' is no run, expected dataset/experiment or dataset/experiment/seedN")
    seed = found["seed"]
    return RunName(found["dataset"], found["experiment"], None if seed is None else int(seed))


def absolute(text: str) -> Path:
    """A path of the user's as argparse takes it: commands change into the project's folder."""
    return Path(text).expanduser().absolute()


def enter(given: argparse.Namespace) -> Path:
    """Change into the project's folder: that of -C, or the first one upwards that looks like it."""
    start = Path.cwd()
    folders = [given.repository.absolute()] if given.repository else [start, *start.parents]
    for folder in folders:
        if all((folder / mark).exists() for mark in MARKS):
            os.chdir(folder)
            return folder
    where = folders[0] if given.repository else f"{start} and above it"
    raise UserError(f"no project in {where}, expected a folder with {' and '.join(MARKS)}; go there or name it with -C")


def check_declared(params: Params, name: RunName) -> None:
    """Raise UserError, with what may have been meant, unless params.yaml declares the experiment."""
    declared = [f"{dataset}/{name}" for dataset in params.experiments for name in params.names(dataset)]
    wanted = f"{name.dataset}/{name.experiment}"
    if wanted not in declared:
        close = difflib.get_close_matches(wanted, declared, n=3)
        hint = f" (did you mean {' or '.join(close)}?)" if close else ""
        raise UserError(f"params.yaml declares no experiment '{wanted}'{hint}; 'mtinet list' names all of them")


def seeds_of(params: Params, name: RunName) -> list[int]:
    """The seed that a name has, or else all that params.yaml declares."""
    return [name.seed] if name.seed is not None else list(params.seeds_of(name.dataset, name.experiment))


def print_json(content: Any) -> None:
    """One JSON document on stdout."""
    print(json.dumps(content, indent=1, ensure_ascii=False))


def columns(rows: Sequence[Sequence[str]], right: Sequence[int] = ()) -> str:
    """Rows as text in columns; those of the numbers `right` end at the right."""
    widths = [max(len(row[index]) for row in rows) for index in range(len(rows[0]))] if rows else []
    lines = []
    for row in rows:
        cells = [
            text.rjust(width) if index in right else text.ljust(width)
            for index, (text, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)
