"""What was done to the workflow and what was lost: python -m benchmarks.reliability (make reliability; minutes).

Runs the tests that try faults, which note how often they tried each (tests/faults.py), and writes the table of
docs/reliability.md from their notes. A failing test leaves the table as it was.
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
DOCUMENT = ROOT / "docs/reliability.md"
BEGIN, END = "<!-- table: python -m benchmarks.reliability -->", "<!-- end of table -->"


FIRST = tuple(f"tests/test_{name}.py" for name in ("resuming", "interruption", "publishing", "concurrency"))


def test_files() -> list[str]:
    """The tests that note faults, training's first."""
    found = [path for path in (ROOT / "tests").glob("test_*.py") if "from faults import" in path.read_text()]
    names = sorted(path.relative_to(ROOT).as_posix() for path in found)
    return [*(name for name in FIRST if name in names), *(name for name in names if name not in FIRST)]


def notes(tests: list[str]) -> list[dict[str, str | int]]:
    """Run the tests; what they noted, in their order. Exits when one fails."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "faults.jsonl"
        environment = {"MTINET_FAULTS": str(path), "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT / "src")}
        command = [sys.executable, "-m", "pytest", "-q", *tests]
        if subprocess.run(command, cwd=ROOT, env=os.environ | environment, check=False).returncode:
            sys.exit(f"ERROR: tests of faults fail: {DOCUMENT.relative_to(ROOT)} stays as it is")
        return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def table(noted: list[dict[str, str | int]]) -> str:
    """Faults in the order of their first note, with sums."""
    sums: dict[str, list[int]] = {}
    for note in noted:
        tried, lost = sums.setdefault(str(note["fault"]), [0, 0])
        sums[str(note["fault"])] = [tried + int(note["tried"]), lost + int(note["lost"])]
    rows = [
        f"| {fault[0].upper()}{fault[1:]} | {tried} | {lost or 'nothing'} |" for fault, (tried, lost) in sums.items()
    ]
    return "\n".join(["| Fault | Times tried | Lost |", "|---|---|---|", *rows])


def main() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    files.write_text(DOCUMENT, f"{before}{BEGIN}\n\n{table(notes(test_files()))}\n\n{END}{after}")


if __name__ == "__main__":
    main()
