"""Print a script that completes mtinet's subcommands and options in a shell, in bash the names of runs too.

bash: put it into ~/.local/share/bash-completion/completions/mtinet; zsh: as _mtinet into a folder of $fpath.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

from mtinet.cli.applying import run_or_folder
from mtinet.cli.project import absolute, run_name

HELP = "print a shell's completion script"
EXAMPLE = "mtinet completion bash > ~/.local/share/bash-completion/completions/mtinet"

# The names are those of the project that the words before name, or that is around here; where no name fits, folders are
# offered to the commands that take them.
BASH = """\
_mtinet_runs() {
  local -a folder=()
  [[ "${COMP_WORDS[1]}" == -C ]] && folder=(-C "${COMP_WORDS[2]/#\\~/$HOME}")
  compgen -W "$("${COMP_WORDS[0]/#\\~/$HOME}" "${folder[@]}" list --names 2>/dev/null)" -- "$1"
}

_mtinet_runs_and_networks() {
  _mtinet_runs "$1" || compgen -d -S / -- "$1"
}
"""
NAMES = {run_name: "_mtinet_runs", run_or_folder: "_mtinet_runs_and_networks"}


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("shell", choices=("bash", "zsh", "tcsh"))


def main(given: argparse.Namespace) -> int:
    import shtab

    from mtinet.cli.main import build_parser

    parser = build_parser()
    for action in actions_of(parser):  # `complete` is shtab's way of marking them
        if action.type in (Path, absolute):
            action.complete = shtab.FILE  # type: ignore[attr-defined]
        elif action.type in NAMES and given.shell == "bash":
            action.complete = {"bash": NAMES[action.type], "preamble": {"bash": BASH}}  # type: ignore[attr-defined]
    print(shtab.complete(parser, shell=given.shell))
    return 0


def actions_of(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    """The arguments of a parser and its subcommands."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for sub in action.choices.values():
                yield from actions_of(sub)
        else:
            yield action
