"""What differs between two sets of parameters, key by key."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

ABSENT = "–"
LONGEST = 100  # characters of a value


@dataclass(frozen=True)
class Change:
    """A key, dotted, whose value differs; `before` and `after` as printed, ABSENT where there is none."""

    key: str
    before: str
    after: str


def changes(before: Any, after: Any, key: str = "") -> list[Change]:
    """The smallest parts that differ, in the order of `after`; a section that only one side has is one part."""
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        names = [*after, *(name for name in before if name not in after)]
        return [
            change
            for name in names
            for change in changes(before.get(name, ABSENT), after.get(name, ABSENT), f"{key}.{name}".lstrip("."))
        ]
    return [] if shown(before) == shown(after) else [Change(key, short(before), short(after))]


def shown(value: Any) -> str:
    """A value as one line of text; of equal ones the same, whether they come from Python or from a file."""
    return value if value == ABSENT else json.dumps(value, ensure_ascii=False, sort_keys=True, default=str)


def short(value: Any) -> str:
    text = shown(value)
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 3]}..."
