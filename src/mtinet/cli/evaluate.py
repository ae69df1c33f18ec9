"""Score one trained run: the very stage command that DVC and Snakemake give, from the project's folder.

Without a seed all declared ones are scored in turn. It ends as the stage does: with 0, or with 1 where it failed.
"""

from __future__ import annotations

import argparse

from mtinet.cli import stages
from mtinet.cli.project import run_name

HELP = "score a trained run: the same stage command as the orchestrators'"
EXAMPLE = "mtinet evaluate nyud/hrnet18-mti/seed0"


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", type=run_name, metavar="RUN", help="dataset/experiment[/seedN]")


def main(given: argparse.Namespace) -> int:
    return stages.make("evaluate", given)
