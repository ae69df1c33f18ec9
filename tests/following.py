"""What commands said when a test followed a change through them, for docs/comparing.md: see benchmarks/comparing.py."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import shlex
import time
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


def experiments(project: Project, *names: str) -> list[dict[str, str]]:
    """The rows of `dvc exp show` with these names, of any commit."""
    listed = project.run("dvc", "exp", "show", "--all-commits", "--csv")
    rows = {row["Experiment"]: row for row in csv.DictReader(io.StringIO(listed[listed.index("Experiment,") :]))}
    return [rows[name] for name in names]


def ended(project: Project, tasks: int, seconds: float = 900) -> int:
    """Wait until that many queued tasks have ended; how many workers were seen at work at once.

    A task that a worker has just taken is for a moment neither queued nor running, so those are not counted.
    """
    end, most = time.monotonic() + seconds, 0
    while time.monotonic() < end:
        status = project.run("dvc", "queue", "status")
        most = max(most, *map(int, re.findall(r"(\d+) active", status)))
        if len(re.findall(r"\b(Success|Failed)\b", status)) == tasks:
            return most
        time.sleep(1)
    raise AssertionError(f"the queue did not end:\n{status}")


def file_at(project: Project, revision: str, path: str) -> str:
    """A file's content at HEAD or in a DVC experiment."""
    return project.run("git", "show", f"{revision if revision == 'HEAD' else exp_ref(project, revision)}:{path}")


def exp_ref(project: Project, name: str) -> str:
    """The commit behind a DVC experiment."""
    refs = project.run("git", "for-each-ref", "--format=%(refname)", "refs/exps").split()
    (found,) = [ref for ref in refs if ref.endswith(f"/{name}")]
    return found
