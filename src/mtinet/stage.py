"""What every stage's entry point does: arguments, one-line errors, and how to get earlier results back."""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from mtinet import files
from mtinet.errors import UserError


def arguments(description: str | None, *names: str) -> argparse.Namespace:
    """The stage's command line; each name is required, `seed` is an integer."""
    parser = argparse.ArgumentParser(description=description)
    for name in names:
        parser.add_argument(f"--{name}", required=True, type=int if name == "seed" else str)
    return parser.parse_args()


@contextlib.contextmanager
def reporting_errors(cached: Sequence[Path] = (), in_git: Sequence[Path] = ()) -> Iterator[None]:
    """Turn a UserError into one line on stderr, say how earlier outputs come back, and exit with 1.

    `cached` are the stage's outputs in the DVC cache, `in_git` those that git keeps. An orchestrator may
    have deleted them before the stage began (Snakemake does, DVC keeps them: they are `persist`).
    """
    try:
        yield
    except UserError as error:
        print(f"ERROR: {error}", file=sys.stderr)
        for line in restoring(cached, in_git):
            print(line, file=sys.stderr)
        sys.exit(1)
    except BaseException:
        for line in restoring(cached, in_git):
            print(line, file=sys.stderr)
        raise


def restoring(cached: Sequence[Path], in_git: Sequence[Path]) -> list[str]:
    """The commands that bring back the outputs of the last successful run."""
    lines = []
    if cached:
        lines.append(f"  dvc checkout --force {' '.join(map(str, cached))}")
    if in_git:
        lines.append(f"  git restore {' '.join(map(str, in_git))}")
    return ["The earlier result of this stage, should it be gone or changed, comes back with:", *lines] if lines else []


def cores() -> int:
    """The CPU cores that this process may use: a scheduler may have given it fewer than there are."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


ROOT = Path(__file__).resolve().parents[2]


def code_files() -> list[str]:
    """The project's source files that this process has imported, the stage's script included, from ROOT, sorted."""
    project = (f"{ROOT}/src/", f"{ROOT}/stages/")
    names = (getattr(module, "__file__", None) for module in list(sys.modules.values()))
    loaded = {os.path.abspath(name) for name in names if name}
    return sorted(Path(path).relative_to(ROOT).as_posix() for path in loaded if path.startswith(project))


def code_hash(names: Sequence[str]) -> str:
    """SHA-256 over the project's source files `names`; one that is gone counts as such."""
    return files.digest_of_files((ROOT / name for name in names if (ROOT / name).exists()), ROOT)
