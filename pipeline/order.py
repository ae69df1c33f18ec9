"""Which rules must come before which, by what they write and read."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePath

from pipeline.rule import Rule


def behind(rules: Sequence[Rule]) -> dict[str, frozenset[str]]:
    """Rule -> the rules whose outputs it reads, itself or through others; all by name, among those given."""
    outputs = {rule.name: [fixed(out.path, rule) for out in rule.outputs] for rule in rules}
    found = {
        rule.name: {
            name
            for name, written in outputs.items()
            if name != rule.name and any(meet(fixed(str(path), rule), out) for path in rule.inputs for out in written)
        }
        for rule in rules
    }
    grown = True
    while grown:
        grown = False
        for names in found.values():
            further = set().union(*(found[name] for name in names)) - names
            names |= further
            grown |= bool(further)
    return {name: frozenset(names) for name, names in found.items()}


def fixed(path: str, rule: Rule) -> PurePath:
    """A path up to the first part that differs between the rule's jobs."""
    kept = []
    for part in PurePath(path).parts:
        if any(f"{{{wildcard}}}" in part for wildcard in rule.matrix):
            break
        kept.append(part)
    return PurePath(*kept)


def meet(one: PurePath, other: PurePath) -> bool:
    """Whether one is the other, or in it."""
    return one.is_relative_to(other) or other.is_relative_to(one)
