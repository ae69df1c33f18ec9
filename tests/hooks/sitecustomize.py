"""Put on PYTHONPATH by a test: every Python process notes which project files it imported and opened.

The notes go to $MTINET_NOTES as one JSON file per process: {"argv", "imported", "opened", "params"}; the last are
the keys of params.yaml that were read as attributes, those that its own validation reads left out.
"""

import atexit
import json
import os
import sys
from pathlib import Path
from typing import Any

ROOT = Path.cwd()
OPENED: set[str] = set()
READ: list[tuple[Any, str]] = []


def inside(path: object) -> str | None:
    """The path relative to the project, or None for anything outside or not a path."""
    try:
        found = Path(os.fsdecode(path)).absolute()  # type: ignore[arg-type]
        return found.relative_to(ROOT).as_posix()
    except (TypeError, ValueError):
        return None


def note(event: str, args: tuple[object, ...]) -> None:
    if event == "open" and isinstance(args[0], str | bytes | os.PathLike):
        mode, flags = args[1], args[2]
        reads = "r" in mode and "+" not in mode if isinstance(mode, str) else not (isinstance(flags, int) and flags & 3)
        path = inside(args[0]) if reads else None
        if path and not os.path.isdir(path):  # a folder is opened to have its entries flushed, not to be read
            OPENED.add(path)
        if path == "params.yaml" and not READ and "mtinet.config" in sys.modules:
            watch_params(sys.modules["mtinet.config"].Strict)


def watch_params(base: Any) -> None:
    """From now on note every attribute that is read from a section of params.yaml."""
    original = base.__getattribute__

    def noting(self: Any, name: str) -> Any:
        fields = type(self).__dict__.get("__pydantic_fields__", {})
        if name in fields and not loading():
            READ.append((self, name))
        return original(self, name)

    base.__getattribute__ = noting


def loading() -> bool:
    """Whether params.yaml is just being read and checked as a whole."""
    frame = sys._getframe(2)
    while frame is not None and frame.f_code.co_name != "load":
        frame = frame.f_back  # type: ignore[assignment]
    return frame is not None


def read_keys() -> list[str]:
    """The noted attributes as keys of params.yaml, sections left out."""
    places: dict[int, str] = {}

    def walk(value: Any, place: str) -> None:
        places[id(value)] = place
        inner = value if isinstance(value, dict) else vars(value) if hasattr(type(value), "model_fields") else {}
        for name, child in inner.items():
            walk(child, f"{place}.{name}" if place else str(name))

    noted = list(READ)
    for section, _ in noted:
        if type(section).__name__ == "Params":
            walk(section, "")
    keys = set()
    for section, name in noted:
        value = vars(section)[name]
        if id(section) in places and not hasattr(type(value), "model_fields"):
            keys.add(f"{places[id(section)]}.{name}".lstrip("."))
    return sorted(keys)


def write() -> None:
    imported = {inside(getattr(module, "__file__", None)) for module in list(sys.modules.values())}
    used = {"imported": sorted(filter(None, imported)), "opened": sorted(OPENED), "params": read_keys()}
    content = {"argv": sys.argv, **used}
    Path(os.environ["MTINET_NOTES"], f"{os.getpid()}.json").write_text(json.dumps(content))


if "MTINET_NOTES" in os.environ:
    sys.addaudithook(note)
    atexit.register(write)
