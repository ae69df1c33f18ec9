"""Print a script that completes mtinet's subcommands and options in a shell.

bash: put it into ~/.local/share/bash-completion/completions/mtinet; zsh: as _mtinet into a folder of $fpath.
"""

from __future__ import annotations

import argparse

HELP = "print a shell's completion script"
EXAMPLE = "mtinet completion bash > ~/.local/share/bash-completion/completions/mtinet"


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("shell", choices=("bash", "zsh", "tcsh"))


def main(given: argparse.Namespace) -> int:
    import shtab

    from mtinet.cli.main import build_parser

    print(shtab.complete(build_parser(), shell=given.shell))
    return 0
