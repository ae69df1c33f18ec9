"""Mistakes in params.yaml as one line each, which names the key's path, what was found and what was expected."""

from __future__ import annotations

import difflib
from collections.abc import Hashable
from types import UnionType
from typing import Any, Union, get_args, get_origin

import yaml
from pydantic import BaseModel, JsonValue

from mtinet import files

MOST_VALUES = 100_000  # in a file, those behind an alias counted wherever it stands


class UniqueKeys(files.Yaml12Numbers):
    """YAML whose mappings have every key once; PyYAML would silently take the last.

    ValueError too for a few lines of aliases of aliases that stand for more values than any computer holds.
    """

    def get_single_node(self) -> Any:
        node = super().get_single_node()
        if node is not None and values_below(node, {}) > MOST_VALUES:
            raise ValueError(f"its aliases stand for more than {MOST_VALUES} values, expected a file of parameters")
        return node

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: dict[Any, int] = {}
        for key, _ in node.value:
            # Keys that "<<" has brought stand elsewhere in the text, and may be overridden here.
            own = node.start_mark.index <= key.start_mark.index < node.end_mark.index
            if not own or not isinstance(key, yaml.ScalarNode):
                continue
            name, line = (key.tag, key.value), key.start_mark.line + 1
            if name in seen:
                raise ValueError(f"the key '{key.value}' stands in lines {seen[name]} and {line}, expected it once")
            seen[name] = line
        return super().construct_mapping(node, deep)


def values_below(node: yaml.Node, counted: dict[int, int]) -> int:
    """How many values a node stands for; one that holds itself counts once, and is refused when it is made."""
    if id(node) not in counted:
        counted[id(node)] = 1
        inner = node.value if isinstance(node, yaml.SequenceNode) else []
        inner = [part for pair in node.value for part in pair] if isinstance(node, yaml.MappingNode) else inner
        counted[id(node)] += sum(values_below(part, counted) for part in inner)
    return counted[id(node)]


def known(where: str, name: str, options: Any, what: str = "") -> None:
    """Raise ValueError naming `where`, the odd `name` and what was expected, unless it is an option."""
    if name in options:
        return
    close = difflib.get_close_matches(name, list(options), n=1)
    hint = f" (did you mean '{close[0]}'?)" if close else ""
    lead = f"lacks {what}" if what else "unknown name"
    listed = f"one of: {', '.join(options)}" if options else "none at all"
    raise ValueError(f"{where}: {lead} '{printable(name)}', expected {listed}{hint}")


def problem(item: Any, whole: type[BaseModel]) -> str:
    """One line for one of pydantic's errors on `whole`: the key's path, what was found, what was expected."""
    location = without_kinds(tuple(part for part in item["loc"] if part != "[key]"), whole)
    where = ".".join(printable(part) for part in location)
    if item["type"] == "extra_forbidden":
        siblings = section_fields(location, whole)
        close = difflib.get_close_matches(str(location[-1]), siblings, n=1)
        hint = f"; did you mean '{close[0]}'?" if close else ""
        return f"{where}: unknown parameter, expected one of: {', '.join(siblings)}{hint}"
    if item["type"] == "missing":
        return f"{where}: missing, add it"
    if item["type"] == "value_error":
        return ": ".join(part for part in (where, str(item["ctx"]["error"])) if part)
    if item["loc"][-1:] == ("[key]",):
        return f"{where}: found this name, expected letters, digits, '-' and '_', up to 64, the first no sign"
    expected = item["msg"].removeprefix("Input should be ")
    if item["type"] in ("model_type", "dict_type"):
        expected = "a section of keys and values"
    return f"{where or 'all of it'}: found {shown(item['input'])}, expected: {expected}"


def printable(part: Any) -> str:
    """A part of a key's path in one line."""
    text = shown(part) if not isinstance(part, str) else part
    return text if text.isprintable() and 0 < len(text) <= 80 else shown(part)


def shown(value: Any) -> str:
    """A value in one line of bounded length."""
    try:
        text = repr(value)
    except (ValueError, RecursionError):  # Python does not print integers of more than 4300 digits
        text = f"a huge {type(value).__name__}"
    return text if len(text) <= 80 else f"{text[:77]}..."


def without_kinds(location: tuple[Any, ...], whole: type[BaseModel]) -> tuple[Any, ...]:
    """The keys in a location of pydantic's: where a value may be of several kinds, it names the kind after the key."""
    kind: Any = whole
    keys = []
    for part in location:
        if kind is JsonValue or len([one for one in alternatives(kind) if one is not type(None)]) > 1:
            kind = None
            continue
        keys.append(part)
        kind = inside(kind, part)
    return tuple(keys)


def alternatives(kind: Any) -> tuple[Any, ...]:
    """The types that a union offers; none of another type."""
    return get_args(kind) if get_origin(kind) in (Union, UnionType) else ()


def section_fields(location: tuple[Any, ...], whole: type[BaseModel]) -> list[str]:
    """The keys that the section holding `location` may have."""
    kind: Any = whole
    for part in location[:-1]:
        kind = inside(kind, part)
    return list(kind.model_fields) if is_section(kind) else []


def inside(kind: Any, part: Any) -> Any:
    """What stands below `part` in a section, mapping or list of type `kind`."""
    if is_section(kind):
        kind = kind.model_fields[part].annotation if part in kind.model_fields else None
    else:
        kind = (get_args(kind) or (None,))[-1]
    return next((one for one in alternatives(kind) if is_section(one)), kind)


def is_section(kind: Any) -> bool:
    """Whether a type is a section of the parameters."""
    return isinstance(kind, type) and issubclass(kind, BaseModel)
