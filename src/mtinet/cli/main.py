"""The command `mtinet`: its subcommands, and what becomes of their errors.

Exit status: 0 fine, 1 a problem found (said in one line on stderr; with --debug with its trace), 2 a command line
that says nothing sensible, 130 Ctrl-C. `run` and `evaluate` end as their stage does: with 75 where a signal stopped it,
128 more than the signal where that killed it.
"""

from __future__ import annotations

import argparse
import os
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

from mtinet import interruption
from mtinet.cli import (
    check_data,
    completion,
    demo,
    diff,
    doctor,
    evaluate,
    export,
    import_released,
    listing,
    predict,
    resources,
    run,
)
from mtinet.errors import DEBUG, UserError, debugging

COMMANDS: dict[str, ModuleType] = {
    "list": listing,
    "doctor": doctor,
    "check-data": check_data,
    "run": run,
    "evaluate": evaluate,
    "resources": resources,
    "diff": diff,
    "predict": predict,
    "demo": demo,
    "export": export,
    "import-released": import_released,
    "completion": completion,
}
DESCRIPTION = "MTI-Net as a workflow. Runs are named dataset/experiment or dataset/experiment/seedN, see 'mtinet list'."
EXAMPLE = "mtinet list --state stale"


def build_parser() -> argparse.ArgumentParser:
    """The command line with all subcommands."""
    parser = new_parser(argparse.ArgumentParser, DESCRIPTION, EXAMPLE, prog="mtinet")
    parser.add_argument("-C", dest="repository", type=Path, metavar="FOLDER", help="the project, if not around here")
    parser.add_argument(
        "--debug",
        action="store_true",
        help=f"show the full trace of an error; so does {DEBUG}=1, also where an orchestrator runs the stages",
    )
    subparsers = parser.add_subparsers(metavar="COMMAND", required=True)
    for name, module in COMMANDS.items():
        sub = new_parser(subparsers.add_parser, module.__doc__, module.EXAMPLE, name=name, help=module.HELP)
        sub.add_argument("--debug", action="store_true", default=argparse.SUPPRESS, help=argparse.SUPPRESS)
        module.arguments(sub)
        sub.set_defaults(main=module.main)
    return parser


def new_parser(make: object, description: str | None, example: str, **names: str) -> argparse.ArgumentParser:
    """A parser, made by the class or a method of it, whose help ends with an example."""
    assert callable(make)
    name = (names.pop("name"),) if "name" in names else ()
    parser: argparse.ArgumentParser = make(
        *name,
        description=description,
        epilog=f"example:\n  {example}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        **names,
    )
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    given = build_parser().parse_args(arguments)
    try:
        status: int = given.main(given)
        sys.stdout.flush()
    except BrokenPipeError:  # the reader, `head` say, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        return interruption.CTRL_C
    except Exception as error:
        if given.debug or debugging():
            traceback.print_exc()
        print(f"ERROR: {said(error)}", file=sys.stderr)
        return 1
    return status


def said(error: Exception) -> str:
    """An error in one line; one that nobody foresaw with its kind and how to see more."""
    if isinstance(error, UserError):
        return str(error)
    reason = " ".join(str(error).split())[:300]
    return f"{type(error).__name__}: {reason} (the same command with --debug shows where)"
