"""Train one run: the very stage command that DVC and Snakemake give, from the project's folder.

Without a seed all declared ones are trained in turn. The stage ends with 0, with 1 where it failed, and with 75
where a scheduler's signal stopped it: then the same command goes on. DVC learns of it with 'dvc commit' or the next
'dvc repro', which trains again where it has no record.
"""

from __future__ import annotations

import argparse

from mtinet.cli import stages
from mtinet.cli.project import run_name

HELP = "train a run: the same stage command as the orchestrators'"
EXAMPLE = "mtinet run nyud/hrnet18-mti/seed0"


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", type=run_name, metavar="RUN", help="dataset/experiment[/seedN]")


def main(given: argparse.Namespace) -> int:
    return stages.make("train", given)
