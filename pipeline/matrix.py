"""Which jobs a rule stands for: one per combination of its matrix."""

from __future__ import annotations

import itertools
from typing import Any

from pipeline.dependencies import declared
from pipeline.rule import Rule


def looked_up(content: Any, key: str) -> Any:
    """The value at a dotted key; an empty key means the whole."""
    for part in key.split(".") if key else []:
        content = content[part]
    return content


def values(rule: Rule, wildcard: str) -> list[str]:
    """What a wildcard of the rule runs over: a mapping's keys or a list's items."""
    over = rule.matrix[wildcard]
    items = over if isinstance(over, tuple) else looked_up(declared(), over)
    return [str(item) for item in items]


def items(rule: Rule) -> list[dict[str, str]]:
    """All combinations of the rule's wildcards: one job each."""
    lists = [[(wildcard, value) for value in values(rule, wildcard)] for wildcard in rule.matrix]
    return [dict(combination) for combination in itertools.product(*lists)]


def dvc_name(rule: Rule, item: dict[str, str]) -> str:
    """What DVC calls the job."""
    return rule.name + ("@" + "-".join(item.values()) if item else "")
