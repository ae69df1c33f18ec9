"""What DVC does again and again with the same text, once per process: `install()`, for `python -m pipeline.dvc`.

DVC parses params.yaml for every stage that names parameters, dvc.yaml and dvc.lock for every stage that it is asked
for, and for each parameter it compares the name with every path in the file: most of the time of a `dvc status` over
the paper's experiments. What is kept here goes by the text itself, never by a file's time: a changed file is read anew.
Where another DVC has no such function, it does as it always did.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from functools import cache, lru_cache
from importlib import import_module
from types import ModuleType
from typing import Any

KEPT = 16  # texts, with what they hold; of dvc.lock's many versions only the last ones
GLOB = frozenset("*?[")  # where a path has none of these, it names one place


def parsing(original: Callable[..., Any]) -> Callable[..., Any]:
    """DVC's parser of YAML; each caller gets a copy of its own. Trees that keep comments are always made anew."""

    @lru_cache(KEPT)
    def parsed(text: str | bytes, path: Any) -> Any:
        return original(text, path)

    def parse(text: str | bytes, path: Any, typ: str = "safe", **options: Any) -> Any:
        if typ != "safe" or options:
            return original(text, path, typ=typ, **options)
        return deepcopy(parsed(text, path))  # what an anchor shares is shared in the copy too: DVC writes it so

    return parse


def looking_up(original: Callable[..., Any]) -> Callable[..., Any]:
    """`dpath.get`, which goes straight to where a path leads through dicts; anything else is the original's."""
    plain: list[Any] = [None]  # the last tree found to be so: the tree of one file is asked for one key after another

    def get(obj: Any, glob: Any, separator: str = "/", **options: Any) -> Any:
        if isinstance(glob, str) and glob and not GLOB & set(glob) and type(obj) is dict:
            if plain[0] is not obj and only_text_as_keys(obj):
                plain[0] = obj
            node = obj if plain[0] is obj else None
            for part in glob.lstrip(separator).split(separator):
                if type(node) is not dict or part not in node:
                    break
                node = node[part]
            else:
                return node
        return original(obj, glob, separator, **options)

    return get


def only_text_as_keys(tree: Any) -> bool:
    """Whether all keys are words: dpath takes 1 and '1' for the same, and refuses a tree with an empty one."""
    if isinstance(tree, dict):
        return all(type(key) is str and key for key in tree) and all(map(only_text_as_keys, tree.values()))
    return all(map(only_text_as_keys, tree)) if isinstance(tree, list) else True


# Module, function and what takes its place; a parser is known under two names.
REPLACED: tuple[tuple[str, str, Callable[[Callable[..., Any]], Callable[..., Any]]], ...] = (
    ("dvc.utils.serialize._yaml", "parse_yaml", parsing),
    ("dvc.utils.strictyaml", "parse_yaml", parsing),
    ("dvc.parsing.interpolate", "parse_expr", cache),
    ("dpath", "get", looking_up),
)


def install() -> None:
    """Put the functions above into DVC, for as long as the process lives."""
    for place, name, faster in REPLACED:
        module = found(place)
        if callable(getattr(module, name, None)):
            setattr(module, name, faster(getattr(module, name)))


def found(place: str) -> ModuleType | None:
    try:
        return import_module(place)
    except ModuleNotFoundError:
        return None
