"""A stage up to its work: python -m benchmarks.begin MARK STAGE [ARGUMENT ..] prints the clock there and ends.

MARK is module:function. Of `mtinet.config:load` the return counts, since stages begin by reading params.yaml; of any
other the call. The clock is the system's, the same in all processes.
"""

from __future__ import annotations

import importlib.util
import os
import runpy
import sys
import time
from collections.abc import Callable
from typing import Any

LOADED = "mtinet.config:load"


def told() -> None:
    """Print the clock and end at once."""
    print(time.monotonic(), flush=True)
    os._exit(0)


def marked(original: Callable[..., Any], returns: bool) -> Callable[..., Any]:
    """The function, but that it is the last one that runs."""

    def function(*arguments: Any, **options: Any) -> None:
        if returns:
            original(*arguments, **options)
        told()

    return function


class Finder:
    """Marks the function when the stage itself imports its module: nothing is imported sooner than it would be."""

    def __init__(self, mark: str) -> None:
        self.mark = mark
        self.module, _, self.name = mark.partition(":")

    def find_spec(self, name: str, path: Any, target: Any = None) -> Any:
        """The usual finders' answer; the module is marked once it is loaded."""
        if name != self.module:
            return None
        sys.meta_path.remove(self)  # type: ignore[arg-type]
        spec = importlib.util.find_spec(name)
        assert spec is not None
        assert spec.loader is not None
        execute = spec.loader.exec_module

        def exec_module(module: Any) -> None:
            execute(module)
            setattr(module, self.name, marked(getattr(module, self.name), self.mark == LOADED))

        spec.loader.exec_module = exec_module  # type: ignore[method-assign]
        return spec


def main() -> None:
    mark, script, *arguments = sys.argv[1:]
    sys.meta_path.insert(0, Finder(mark))  # type: ignore[arg-type]
    sys.argv = [script, *arguments]
    sys.path[0] = os.path.dirname(os.path.abspath(script))  # as for a script
    runpy.run_path(script, run_name="__main__")


if __name__ == "__main__":
    main()
