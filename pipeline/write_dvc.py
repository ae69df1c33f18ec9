"""Write dvc.yaml from the rules: `python -m pipeline.write_dvc` (or `make pipeline`)."""

from __future__ import annotations

import sys
from typing import Any

import yaml

from mtinet.errors import UserError
from mtinet.paths import PARAMS
from mtinet.stage import reporting_errors
from pipeline import code_digests
from pipeline.dependencies import ROOT, declared
from pipeline.rule import Out, Rule, datasets_of
from pipeline.rules import rules

TARGET = ROOT / "dvc.yaml"
HEADER = """\
# Written by `make pipeline` from pipeline/rules.py: change that file, not this one (a test compares them).
# Outputs are `persist`, so that DVC keeps them until the stage replaces them: a failing stage loses nothing.
"""


def study(dataset: str) -> str:
    """The study's name as DVC interpolates it."""
    return f"${{study.source.{dataset}}}-${{study.scale}}"


def filled(rule: Rule, text: str) -> str:
    """Placeholders as DVC's interpolation: studies and scale from params.yaml, wildcards from the matrix."""
    values = {wildcard: f"${{item.{wildcard}}}" for wildcard in rule.matrix}
    values |= {f"study_{name}": study(name) for name in declared()["datasets"]}
    return text.format(study=study(rule.dataset), scale="${study.scale}", **values)


def dependencies(rule: Rule) -> list[str]:
    """The code's digests first, then declarations that count as a whole, then what other stages wrote."""
    whole = [key.removesuffix(":") for key in rule.params if key.endswith(":") and key != f"{PARAMS}:"]
    return [str(code_digests.path_of(rule)), *whole, *(filled(rule, str(path)) for path in rule.inputs)]


def parameters(rule: Rule) -> list[Any]:
    """Keys of params.yaml as strings; those of other files, where no digest stands for them, grouped by file."""
    own: list[Any] = [filled(rule, key) for key in rule.params if ":" not in key]
    digested = code_digests.declarations(rule)
    others: dict[str, list[str]] = {}
    for key in rule.params:
        path, _, name = key.partition(":")
        if name and key not in digested:
            others.setdefault(path, []).append(filled(rule, name))
    everything: list[Any] = [{str(PARAMS): None}] if f"{PARAMS}:" in rule.params else []
    return own + everything + [{path: names} for path, names in others.items()]


def output(rule: Rule, out: Out) -> dict[str, Any]:
    """One output with its flags."""
    flags: dict[str, Any] = {"persist": True}
    if out.git:
        flags["cache"] = False
    return {filled(rule, out.path): flags | dict(out.plot)}


def stage(rule: Rule) -> dict[str, Any]:
    """One entry under `stages`."""
    kinds: dict[str, list[Any]] = {"outs": [], "metrics": [], "plots": []}
    for out in rule.outputs:
        kind = "metrics" if out.metric else "plots" if out.plot else "outs"
        kinds[kind].append(output(rule, out))
    entry: dict[str, Any] = {}
    if rule.matrix:
        entry["matrix"] = {
            wildcard: list(values) if isinstance(values, tuple) else f"${{{values}}}"
            for wildcard, values in rule.matrix.items()
        }
    entry |= {"cmd": filled(rule, rule.command), "deps": dependencies(rule)}
    if found := parameters(rule):
        entry["params"] = found
    return entry | {kind: entries for kind, entries in kinds.items() if entries}


def code_stage(dataset: str) -> dict[str, Any]:
    """The entry that digests the code behind a dataset's other stages."""
    return {
        "cmd": f"python -m pipeline.code_digests --dataset {dataset}",
        "deps": list(code_digests.SOURCES),
        "params": list(code_digests.SECTIONS),
        "outs": [{str(code_digests.folder(dataset)): {"persist": True}}],
    }


def dvc_yaml() -> str:
    """The text of dvc.yaml."""
    found = rules()
    stages = {code_digests.stage_name(dataset): code_stage(dataset) for dataset in datasets_of(found)}
    stages |= {rule.name: stage(rule) for rule in found}
    return HEADER + yaml.safe_dump({"stages": stages}, sort_keys=False, width=110)


def check() -> None:
    """Raise UserError unless dvc.yaml is what the rules make of the declarations: its dependencies would be others."""
    if not TARGET.exists() or TARGET.read_text() != dvc_yaml():
        raise UserError(
            "dvc.yaml is not what pipeline/rules.py and the declarations make it: run 'make pipeline' and commit it"
        )


def main() -> None:
    with reporting_errors():
        if "--check" in sys.argv:
            check()
            return
        TARGET.write_text(dvc_yaml())
        print(f"{TARGET.name}: {len(rules())} stage groups")


if __name__ == "__main__":
    main()
