"""What every stage's entry point does: arguments, one-line errors, and how to get earlier results back."""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import subprocess
import sys
import traceback
from collections.abc import Iterator, Sequence
from pathlib import Path

import yaml

from mtinet import files, interruption, locks
from mtinet.errors import Interrupted, UserError, debugging

SAFE_LOADER = getattr(
    yaml, "CSafeLoader", yaml.SafeLoader
)  # dvc.lock is long: the one written in C where it is built in


def arguments(description: str | None, *names: str) -> argparse.Namespace:
    """The stage's command line; each name is required, `seed` is an integer."""
    parser = argparse.ArgumentParser(description=description)
    for name in names:
        parser.add_argument(f"--{name}", required=True, type=int if name == "seed" else str)
    return parser.parse_args()


@contextlib.contextmanager
def reporting_errors() -> Iterator[None]:
    """What surrounds a stage: a UserError or a full disk is one line on stderr and exit status 1.

    A scheduler's SIGTERM or SIGUSR1 is one line and exit status 75, Ctrl-C one line and 130 (see
    mtinet/interruption.py). With MTINET_DEBUG=1 the trace of the error stands above its line.
    """
    try:
        with interruption.raised():
            yield
        interruption.end()
    except UserError as error:
        say(error)
        sys.exit(1)
    except KeyboardInterrupt as told:
        print(f"INTERRUPTED: {told or interruption.said_of(signal.SIGINT)}", file=sys.stderr)
        interruption.leave(interruption.CTRL_C)
    except Interrupted as told:
        print(f"INTERRUPTED: {told}", file=sys.stderr)
        interruption.leave()
    except OSError as error:
        if not files.no_room(error):
            raise
        say(error, files.no_room_for(error.filename or Path.cwd(), error))
        sys.exit(1)


def say(error: BaseException, message: str = "") -> None:
    """One line for the error that is being handled; its trace above that where MTINET_DEBUG asks for it."""
    if debugging():
        traceback.print_exc()
    print(f"ERROR: {message or error}", file=sys.stderr)


@contextlib.contextmanager
def writing(cached: Sequence[Path] = (), in_git: Sequence[Path] = (), beside: Sequence[Path] = ()) -> Iterator[None]:
    """What surrounds the making of a stage's outputs: no other process makes them, a failure says how they come back.

    `cached` are the stage's outputs in the DVC cache, `in_git` those that git keeps. An orchestrator may
    have deleted them before the stage began (Snakemake does, DVC keeps them: they are `persist`).
    `beside`: what else the stage writes, which is nobody's output.
    """
    outputs = [*cached, *in_git]
    with locks.writing(outputs[0]):
        for path in (*outputs, *beside):
            files.recover(path)
        try:
            yield
        except (Interrupted, KeyboardInterrupt):
            raise
        except BaseException as error:
            if isinstance(error, UserError):
                say(error)
            for line in restoring(cached, in_git):
                print(line, file=sys.stderr)
            if isinstance(error, UserError):
                sys.exit(1)
            raise


def restoring(cached: Sequence[Path], in_git: Sequence[Path]) -> list[str]:
    """The commands that bring back the outputs of the last successful run, as far as cache and git hold them."""
    lines = []
    known = in_cache(cached)
    if known:
        lines.append(f"  dvc checkout --force {' '.join(map(str, known))}")
    known = in_index(in_git)
    if known:
        lines.append(f"  git restore {' '.join(map(str, known))}")
    return ["The earlier result of this stage, should it be gone or changed, comes back with:", *lines] if lines else []


def in_cache(outputs: Sequence[Path]) -> list[Path]:
    """Those of the outputs that dvc.lock names and DVC's cache holds."""
    lock = Path("dvc.lock")
    if not outputs or not lock.exists():
        return []
    recorded = yaml.load(lock.read_bytes(), Loader=SAFE_LOADER) or {}
    digests = {
        out["path"]: out.get("md5", "")
        for stage in recorded.get("stages", {}).values()
        for out in stage.get("outs", [])
    }
    folder = Path(answer("dvc", "cache", "dir") or ".dvc/cache") / "files/md5"
    found = [(path, digests.get(path.as_posix(), "")) for path in outputs]
    return [path for path, digest in found if digest and (folder / digest[:2] / digest[2:]).exists()]


def in_index(outputs: Sequence[Path]) -> list[Path]:
    """Those of the outputs that git tracks."""
    tracked = answer("git", "ls-files", "--", *map(str, outputs)).splitlines() if outputs else []
    return [path for path in outputs if path.as_posix() in tracked]


def answer(*command: str) -> str:
    """What a command says, stripped; empty where it fails or is missing."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


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
