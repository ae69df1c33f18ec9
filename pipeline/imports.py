"""Which project files a script imports, read off its source: a stage's code dependencies."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

PACKAGE = "mtinet"


def imported_files(root: Path, scripts: Iterable[str]) -> list[str]:
    """The scripts and all files of the library that they import, directly or not, sorted, relative to `root`.

    Imports inside functions count; under `if TYPE_CHECKING` they do not, since they never run. What is imported
    by a name computed at run time cannot be seen: give those files as further scripts.
    """
    found: set[Path] = set()
    waiting = [root / script for script in scripts]
    while waiting:
        path = waiting.pop()
        if path in found:
            continue
        found.add(path)
        waiting += directly_imported(root, path)
    return sorted(path.relative_to(root).as_posix() for path in found)


@cache
def directly_imported(root: Path, path: Path) -> tuple[Path, ...]:
    """The files that run because the one at `path` does, without what they import; each looked up once a process."""
    above = packages_above(root, path) if path.is_relative_to(root / "src") else []
    return (*above, *(file for module in imported_modules(path) for file in files_of(root, module)))


def packages_above(root: Path, path: Path) -> list[Path]:
    """The __init__.py files that run before the module at `path`."""
    folders = [folder for folder in path.parents if folder.is_relative_to(root / "src" / PACKAGE)]
    return [folder / "__init__.py" for folder in folders if (folder / "__init__.py").exists()]


def files_of(root: Path, module: str) -> list[Path]:
    """The file of a module of the library: [] for an attribute or a foreign module."""
    if module.split(".")[0] != PACKAGE:
        return []
    base = root / "src" / Path(*module.split("."))
    return [path for path in (base.with_suffix(".py"), base / "__init__.py") if path.exists()]


@cache
def imported_modules(path: Path) -> tuple[str, ...]:
    """Dotted names that the file imports; `from a import b` may mean the module a.b, so both are given."""
    if path.suffix != ".py":
        return ()
    names: list[str] = []
    for node in running_nodes(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return tuple(names)


def running_nodes(tree: ast.AST) -> Iterator[ast.AST]:
    """All nodes but those that only a type checker sees."""
    for child in ast.iter_child_nodes(tree):
        if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            continue
        yield child
        yield from running_nodes(child)
