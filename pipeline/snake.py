"""The rules as Snakemake takes them: wildcards, expanded inputs, and the very parameters a job depends on."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import IO, Any

from snakemake.io import ancient, directory

from mtinet import files, locks
from mtinet.errors import UserError
from pipeline.allocation import allocation, growing
from pipeline.dependencies import ROOT, declared
from pipeline.matrix import items, looked_up, values
from pipeline.rule import Rule
from pipeline.rules import rules

# Seconds of work: not worth a cluster's job.
LOCAL_STAGES = ("check", "compare", "track", "claims", "overview", "table", "figure", "report")


@dataclass(frozen=True)
class SnakeRule:
    """One rule of the Snakefile; the fields are its sections."""

    name: str
    inputs: dict[str, list[Any]]
    outputs: list[Any]
    parameters: Callable[[Any], str]
    constraints: dict[str, str]
    log: str
    benchmark: str
    threads: int
    gpu: int
    gpu_mem_mb: int
    mem_mb: Callable[[Any, int], int]
    minutes: Callable[[Any, int], int]
    local: bool
    command: str


def study(dataset: str) -> str:
    """The study's name, `<source>-<scale>`."""
    content = declared()["study"]
    return f"{content['source'][dataset]}-{content['scale']}"


def filled(rule: Rule, text: str) -> str:
    """Replace studies and {scale}; wildcards stay as Snakemake writes them."""
    wildcards = {wildcard: f"{{{wildcard}}}" for wildcard in rule.matrix}
    wildcards |= {f"study_{name}": study(name) for name in declared()["datasets"]}
    return text.format(study=study(rule.dataset), scale=declared()["study"]["scale"], **wildcards)


@cache
def read(path: str) -> Any:
    return files.read_yaml(ROOT / path)


def written_files(rule: Rule) -> list[str]:
    """Every output of every job of the rule."""
    paths = [filled(rule, out.path) for out in rule.outputs]
    return [path.format(**item) for item in items(rule) for path in paths]


def expanded(rule: Rule, text: str, everything: list[str]) -> list[str]:
    """An input: itself when a rule writes it, else every output that is written below that folder."""
    path = filled(rule, text)
    return [path] if "{" in path or path in everything else [file for file in everything if file.startswith(path + "/")]


def parameters(rule: Rule) -> Callable[[Any], str]:
    """The values that a job depends on, as text: Snakemake reruns the job when it changes."""

    def resolve(wildcards: Any) -> str:
        found = {}
        for key in rule.params:
            path, _, name = key.rpartition(":") if ":" in key else ("params.yaml", "", key)
            name = filled(rule, name).format(**dict(wildcards.items()))
            found[f"{path}:{name}"] = looked_up(read(path), name)
        return json.dumps(found, sort_keys=True)

    return resolve


def inputs_of(rule: Rule, everything: list[str]) -> dict[str, list[Any]]:
    """Code, data, and the check's file, which only says "go": a newer one must not rerun what it allowed.

    The check itself has no inputs and no parameters here: it runs at every start (CHECKS). A job that is due
    hides its successors' own reasons to run from Snakemake, which would then take stale results for current.
    """
    if rule.stage == "check":
        return {}
    data = [path for text in rule.inputs for path in expanded(rule, str(text), everything)]
    go = [path for path in data if path.endswith("-check.json")]
    return {
        "code": list(rule.code),
        "data": [path for path in data if path not in go],
        "go": [ancient(path) for path in go],
    }


def number(declaration: str | int) -> int:
    """A number, or the one at a key of params.yaml."""
    return declaration if isinstance(declaration, int) else int(looked_up(declared(), declaration))


def snake_rule(rule: Rule, everything: list[str]) -> SnakeRule:
    """`rule` in Snakemake's terms."""
    paths = [filled(rule, out.path) for out in rule.outputs]
    item = "".join(f"-{{{wildcard}}}" for wildcard in rule.matrix)
    processes = number(rule.processes)
    asked = allocation(rule)
    return SnakeRule(
        name=rule.name,
        inputs=inputs_of(rule, everything),
        outputs=[directory(path) if out.is_folder else path for path, out in zip(paths, rule.outputs, strict=True)],
        parameters=parameters(rule) if rule.stage != "check" else lambda wildcards: "",
        constraints={wildcard: "|".join(map(re.escape, values(rule, wildcard))) for wildcard in rule.matrix},
        log=f"logs/{study(rule.dataset)}/{rule.name}{item}.log",
        benchmark=f"logs/{study(rule.dataset)}/{rule.name}{item}.tsv",
        threads=processes * number(rule.threads),
        gpu=processes * asked.gpu,
        gpu_mem_mb=asked.gpu_mem_mb,
        mem_mb=growing(processes * asked.mem_mb),
        minutes=growing(asked.minutes),
        local=rule.stage in LOCAL_STAGES,
        command=filled(rule, rule.command),
    )


HELD: list[IO[str]] = []  # for as long as this process lives: what onstart assigns ends with it


def alone() -> None:
    """Keep all but Snakemake's own stages from starting in this folder while it runs; leave where one is at work."""
    try:
        HELD.append(locks.snakemake_alone())
    except UserError as error:
        sys.exit(f"ERROR: {error}")


DECLARED = rules()
EVERYTHING = [path for rule in DECLARED for path in written_files(rule)]
RULES = [snake_rule(rule, EVERYTHING) for rule in DECLARED]
ENDS = ("blind", "affinity", "track", "table", "figure", "report")
TARGETS = [path for rule in DECLARED if rule.stage in ENDS for path in written_files(rule)]
CHECKS = [rule.command for rule in DECLARED if rule.stage == "check"]
