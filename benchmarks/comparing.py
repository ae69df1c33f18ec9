"""One change followed through DVC's comparisons, with what they said: python -m benchmarks.comparing (minutes).

Runs the tests that follow changes, which note every command and its output (tests/following.py), and writes them into
docs/comparing.md. A failing test leaves the document as it was.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from mtinet import files

ROOT = Path(__file__).resolve().parents[1]
DOCUMENT = ROOT / "docs/comparing.md"
BEGIN, END = "<!-- output: python -m benchmarks.comparing -->", "<!-- end of output -->"
TESTS = ("tests/test_workflow_dvc.py", "-k", "learning_rate or queued")
MARKDOWN = "mtinet"  # what this command prints is for a page, not for a terminal


def notes() -> list[dict[str, str]]:
    """Run the tests; the commands and their outputs, in order. Exits when a test fails."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "notes.jsonl"
        environment = {"MTINET_COMPARING": str(path), "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT / "src")}
        command = [sys.executable, "-m", "pytest", "-q", *TESTS]
        if subprocess.run(command, cwd=ROOT, env=os.environ | environment, check=False).returncode:
            sys.exit(f"ERROR: tests that follow a change fail: {DOCUMENT.relative_to(ROOT)} stays as it is")
        return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def shown(note: dict[str, str]) -> str:
    """A command and what it said."""
    command, output = f"$ {note['command']}", note["output"]
    if note["command"].startswith(MARKDOWN):
        quoted = "\n".join(f"> {line}".rstrip() for line in output.splitlines())
        return f"```\n{command}\n```\n\n{quoted}"
    return f"```\n{command}\n{output}\n```" if output else f"```\n{command}\n```"


def main() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    block = "\n\n".join(shown(note) for note in notes())
    files.write_text(DOCUMENT, f"{before}{BEGIN}\n\n{block}\n\n{END}{after}")


if __name__ == "__main__":
    main()
