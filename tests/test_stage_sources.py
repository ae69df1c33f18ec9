"""What the source of every stage must have: its errors reported, its outputs made aside, torch after the package."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest
from small_project import ROOT

STAGES = sorted((ROOT / "stages").glob("*.py"))


def calls(path: Path) -> list[str]:
    """Names of all that a file calls, as written: "files.replacing"."""
    return [ast.unparse(node.func) for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]


@pytest.mark.parametrize("path", STAGES, ids=lambda path: path.stem)
def test_every_stage_reports_its_errors_and_makes_its_outputs_alone(path: Path) -> None:
    found = calls(path)
    assert "stage.reporting_errors" in found
    assert "stage.writing" in found


@pytest.mark.parametrize("path", STAGES, ids=lambda path: path.stem)
def test_no_stage_imports_torch_before_the_package(path: Path) -> None:
    """Which sets what torch reads when it is imported, and takes the scheduler's signals during that second."""
    nodes = [node for node in ast.parse(path.read_text()).body if isinstance(node, ast.Import | ast.ImportFrom)]
    names = [node.module or "" if isinstance(node, ast.ImportFrom) else node.names[0].name for node in nodes]
    packages = [name.partition(".")[0] for name in names]
    assert "torch" not in packages[: packages.index("mtinet")]


WRITERS = ("write_text", "write_bytes", "to_csv", "savez", "savez_compressed", "savefig", "save_file")


# MLflow's folder gets a name under a lock, and the demo keeps a dropped photo while it is looked at.
SCRATCH = {
    "place.write_text(uuid.uuid4().hex, encoding='utf-8')",
    "photo.write_bytes(content)",
}


def unguarded(path: Path) -> list[str]:
    """Writing calls that are not given a temporary of `files.replacing` (or a stream, or a folder made in one)."""
    found = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in WRITERS:
            text = ast.unparse(node)
            if text not in SCRATCH and not any(word in text for word in ("files.", "temporary", "stream", "buffer")):
                found.append(f"{path.relative_to(ROOT)}: {text}")
    return found


def test_nothing_writes_an_output_but_through_a_temporary() -> None:
    sources = [*STAGES, *(ROOT / "src/mtinet").rglob("*.py")]
    assert [line for path in sources for line in unguarded(path)] == []


def test_tables_and_figures_start_without_what_one_figure_needs() -> None:
    """Learning curves need pandas, panels scipy: each takes longer than a table."""
    code = (
        "import sys, mtinet.reporting.figures, mtinet.reporting.sources, mtinet.reporting.formats;"
        " sys.exit(str([name for name in ('pandas', 'scipy', 'torch') if name in sys.modules] or ''))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stderr.strip() == ""
