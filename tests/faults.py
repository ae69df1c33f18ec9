"""Faults for tests, and what the tests found, for docs/reliability.md: see benchmarks/reliability.py."""

from __future__ import annotations

import json
import os
from pathlib import Path


def record(fault: str, tried: int, lost: int) -> None:
    """Note that `fault` was tried so often and that in `lost` of the cases something was lost or taken for good.

    Call it after the assertions. One JSON line is appended to the file named by MTINET_FAULTS; nothing happens
    where that is unset.
    """
    path = os.environ.get("MTINET_FAULTS")
    if path:
        line = json.dumps({"fault": fault, "tried": tried, "lost": lost}) + "\n"
        # One write of a short line to a file opened for appending: processes do not mix theirs.
        with open(path, "a", encoding="utf-8") as stream:
            stream.write(line)


def tear(path: Path, place: float, how: str = "flip") -> None:
    """Damage a file at a relative place: one bit flipped, or cut off there."""
    content = bytearray(path.read_bytes())
    index = min(int(place * len(content)), len(content) - 1)
    content[index] ^= 1
    path.write_bytes(content[:index] if how == "cut" else content)
