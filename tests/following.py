"""What commands said when a test followed a change through them, for docs/comparing.md: see benchmarks/comparing.py."""

from __future__ import annotations

import json
import os
import re
import shlex
from collections.abc import Sequence

from workflow import Project


def follow(project: Project, *command: str, only: str = "") -> str:
    """Run a command; its output, of which the lines that match `only` are noted in the file of MTINET_COMPARING."""
    output = project.run(*command)
    note(command, [line for line in output.splitlines() if re.search(only, line)], project)
    return output


def note(command: Sequence[str], lines: Sequence[str], project: Project) -> None:
    path = os.environ.get("MTINET_COMPARING")
    if path:
        text = "\n".join(lines).strip("\n").replace(f"{project.folder.as_uri()}/", "").replace(f"{project.folder}/", "")
        with open(path, "a", encoding="utf-8") as stream:
            stream.write(json.dumps({"command": shlex.join(command), "output": text}) + "\n")
