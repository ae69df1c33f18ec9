"""Print a script that completes mtinet's subcommands and options in a shell.

bash: put it into ~/.local/share/bash-completion/completions/mtinet; zsh: as _mtinet into a folder of $fpath.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

from mtinet.cli.project import absolute

HELP = "print a shell's completion script"
EXAMPLE = "mtinet completion bash > ~/.local/share/bash-completion/completions/mtinet"


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("shell", choices=("bash", "zsh", "tcsh"))


def main(given: argparse.Namespace) -> int:
    import shtab

    from mtinet.cli.main import build_parser

    parser = build_parser()
    for action in paths_of(parser):
        action.complete = shtab.FILE  # type: ignore[attr-defined]  # shtab's way of marking them
    print(shtab.complete(parser, shell=given.shell))
    return 0


def paths_of(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    """The arguments of a parser and its subcommands that are files or folders."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for sub in action.choices.values():
                yield from paths_of(sub)
        elif action.type in (Path, absolute):
            yield action
