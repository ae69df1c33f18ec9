"""Train one run: the very stage command that DVC and Snakemake give, from the project's folder.

Without a seed all declared ones are trained in turn. The stage ends with 0, with 1 where it failed, with 75 where a
scheduler's signal stopped it and with 130 at Ctrl-C: then the same command goes on. What it said is kept below logs/,
where Snakemake keeps it. DVC learns of the run with 'dvc commit' or the next 'dvc repro', which trains again where it
has no record.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from mtinet.cli import stages
from mtinet.cli.project import RunName, run_name

if TYPE_CHECKING:
    from mtinet.config import Params

HELP = "train a run: the same stage command as the orchestrators'"
EXAMPLE = "mtinet run nyud/hrnet18-mti/seed0"


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", type=run_name, metavar="RUN", help="dataset/experiment[/seedN]")


def main(given: argparse.Namespace) -> int:
    return stages.make("train", given, say_where)


def say_where(params: Params, name: RunName) -> None:
    """Where the weights of a trained run are, and what comes next."""
    from mtinet import paths

    weights = paths.weights(params.study_name(name.dataset), name.dataset, name.experiment, name.seed or 0)
    print(f"{name}: {weights}; next: mtinet evaluate {name}")
