"""Put on PYTHONPATH by a test: every Python process notes which project files it imported and opened.

The notes go to $MTINET_NOTES as one JSON file per process: {"argv", "imported", "opened"}.
"""

import atexit
import json
import os
import sys
from pathlib import Path

ROOT = Path.cwd()
OPENED: set[str] = set()


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
        if path:
            OPENED.add(path)


def write() -> None:
    imported = {inside(getattr(module, "__file__", None)) for module in list(sys.modules.values())}
    content = {"argv": sys.argv, "imported": sorted(filter(None, imported)), "opened": sorted(OPENED)}
    Path(os.environ["MTINET_NOTES"], f"{os.getpid()}.json").write_text(json.dumps(content))


if "MTINET_NOTES" in os.environ:
    sys.addaudithook(note)
    atexit.register(write)
