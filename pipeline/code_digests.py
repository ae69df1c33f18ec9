"""The code behind each stage in one small file: python -m pipeline.code_digests --dataset nyud.

DVC reads and writes its whole lock file again after every stage that ran, at about 0.2 ms a line. With each of the
fifty source files that a stage imports as a dependency of its own, 71 runs make that ten seconds a stage, more than
many stages take. So DVC has one stage per dataset that digests the code of each group of stages, and what they read of
the task registry and of table layouts; that file is their one dependency. Snakemake takes files and entries themselves.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

from mtinet import files, stage
from pipeline.dependencies import ROOT
from pipeline.matrix import looked_up
from pipeline.rule import Rule
from pipeline.rules import rules

FOLDER = Path("runs/code")
# Whatever the code of a rule is found by: the sources, the rules and what they are made for.
SOURCES = ("src/mtinet", "stages", "pipeline")
SECTIONS = ("datasets", "experiments", "pretraining", "readings", "controls", "study.readings",
            "study.controls", "study.latency", "teachers", "affinity.tasks")  # fmt: skip


def stage_name(dataset: str) -> str:
    """What DVC calls the stage."""
    return f"code_{dataset}"


def folder(dataset: str) -> Path:
    """Where a dataset's files are."""
    return FOLDER / dataset


def path_of(rule: Rule) -> Path:
    """Source file, or declaration as file:key, -> SHA-256."""
    return folder(rule.dataset) / f"{rule.name}.json"


def declarations(rule: Rule) -> list[str]:
    """The rule's entries of files other than params.yaml that no wildcard chooses."""
    return [key for key in rule.params if ":" in key and not key.endswith(":") and "{" not in key]


def digests(rule: Rule) -> dict[str, str]:
    """Of all that the rule's stages are besides parameters and data."""
    found = {source: files.digest_of_file(ROOT / source) for source in rule.code}
    for key in declarations(rule):
        path, _, name = key.partition(":")
        found[key] = files.digest_of(looked_up(content(path), name))
    return found


@cache
def content(path: str) -> Any:
    return files.read_yaml(ROOT / path)


def write(dataset: str, declared: Iterable[Rule]) -> None:
    """Write the files of the dataset's rules, and remove those of rules that are no more."""
    own = {path_of(rule): rule for rule in declared if rule.dataset == dataset}
    for path, rule in own.items():
        files.write_json(ROOT / path, digests(rule))
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
