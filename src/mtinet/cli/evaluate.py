"""Score one trained run: the very stage command that DVC and Snakemake give, from the project's folder.

Without a seed all declared ones are scored in turn. It ends as the stage does: with 0, or with 1 where it failed. Each
task's figure is printed, and the file that has all of them; what the stage said is kept below logs/.
"""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING, Any

from mtinet.cli import stages
from mtinet.cli.project import RunName, print_json, run_name

if TYPE_CHECKING:
    from pathlib import Path

    from mtinet.config import Params

HELP = "score a trained run: the same stage command as the orchestrators'"
EXAMPLE = "mtinet evaluate nyud/hrnet18-mti/seed0"


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", type=run_name, metavar="RUN", help="dataset/experiment[/seedN]")
    parser.add_argument("--json", action="store_true", help="print all metrics as JSON for a script")


def main(given: argparse.Namespace) -> int:
    made: list[dict[str, Any]] = []

    def done(params: Params, name: RunName) -> None:
        from mtinet import files

        path = metrics_of(params, name)
        scores = files.read_json(path)
        made.append({"run": str(name), "file": str(path), **scores})
        if not given.json:
            print(f"{name}: {in_short(scores)}")
            print(path)

    status = stages.make("evaluate", given, done, out=to_stderr if given.json else None)
    if given.json:
        print_json(made)
    return status


def metrics_of(params: Params, name: RunName) -> Path:
    """The file of a run's metrics."""
    from mtinet import paths

    return paths.metrics(params.study_name(name.dataset), name.dataset, name.experiment, name.seed or 0)


def in_short(scores: dict[str, Any]) -> str:
    """Every task's own figure as tables print it, auxiliary tasks last, and how many images were scored."""
    from mtinet.tasks import task

    said = []
    for name, found in (scores["tasks"] | scores["auxiliary"]).items():
        shown = task(name)
        value = found[shown.metric]
        figure = "none" if value is None else f"{value * shown.scale:.{shown.digits}f} {shown.unit}"
        said.append(f"{name} {shown.metric} {figure}" + (" (auxiliary)" if name in scores["auxiliary"] else ""))
    return f"{', '.join(said)}; {scores['images']} images"


def to_stderr(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
