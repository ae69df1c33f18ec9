"""The code behind each stage in one small file: python -m pipeline.code_digests --dataset nyud.

DVC writes its whole lock file again after every stage that ran, at about 0.2 ms a line. With each of the fifty
source files that a stage imports as a dependency of its own, 71 runs make that ten seconds a stage, more than many
stages take. So DVC has one stage per dataset that digests the code of each group of stages, of which that file is the
one dependency. Snakemake takes the source files themselves.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from pathlib import Path

from mtinet import files, stage
from pipeline.dependencies import ROOT
from pipeline.rule import Rule
from pipeline.rules import rules

FOLDER = Path("runs/code")
# Whatever the code of a rule is found by: the sources, the rules and what they are made for.
SOURCES = ("src/mtinet", "stages", "pipeline", "params.yaml")


def stage_name(dataset: str) -> str:
    """What DVC calls the stage."""
    return f"code_{dataset}"


def folder(dataset: str) -> Path:
    """Where a dataset's files are."""
    return FOLDER / dataset


def path_of(rule: Rule) -> Path:
    """Source file -> SHA-256, of the rule's code."""
    return folder(rule.dataset) / f"{rule.name}.json"


def write(dataset: str, declared: Iterable[Rule]) -> None:
    """Write the files of the dataset's rules, and remove those of rules that are no more."""
    own = {path_of(rule): rule for rule in declared if rule.dataset == dataset}
    for path, rule in own.items():
        files.write_json(ROOT / path, {source: files.digest_of_file(ROOT / source) for source in rule.code})
    for left in (ROOT / folder(dataset)).glob("*.json"):
        if left.relative_to(ROOT) not in own:
            files.remove(left)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dataset", required=True)
    given = parser.parse_args()
    with stage.reporting_errors():
        write(given.dataset, rules())


if __name__ == "__main__":
    main()
