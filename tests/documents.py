"""The commands that README.md and docs/*.md show in blocks, and the tests that follow them.

A test marked `follows(page, start, ..)` takes the page's commands that begin so from the fixture `shown`, and has to
run each: tests/test_docs_commands.py has every command of every page accounted for.
"""

from __future__ import annotations

import ast
import re
import shlex
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from workflow import ROOT, Project

BLOCK = re.compile(r"^```(?P<language>\w*)\n(?P<text>.*?)^```$", re.M | re.S)
PROMPT = "$ "  # blocks that begin with it show answers too


@dataclass
class Command:
    """A line that a page tells its reader to type, without its comment."""

    page: str
    text: str
    taken: bool = False

    @property
    def words(self) -> list[str]:
        """Its words, for a command that needs no shell."""
        self.taken = True
        return shlex.split(self.text)

    def run(self, project: Project, fails: bool = False) -> str:
        """What a shell in the project's folder says to it."""
        self.taken = True
        return project.run("bash", "-ec", self.text, fails=fails)


def pages() -> list[str]:
    """README.md and all of docs/, as paths from the root."""
    return ["README.md", *sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "docs").glob("*.md"))]


def commands(page: str) -> list[str]:
    """All commands in the page's shell blocks (those that name no language), each once, without comments."""
    found: dict[str, None] = {}
    for block in BLOCK.finditer((ROOT / page).read_text(encoding="utf-8")):
        if block["language"]:
            continue
        lines = block["text"].replace("\\\n", " ").splitlines()
        if lines[0].startswith(PROMPT):
            lines = [line.removeprefix(PROMPT) for line in lines if line.startswith(PROMPT)]
        found |= dict.fromkeys(" ".join(re.sub(r"\s+# .*", "", line).split()) for line in lines)
    return [line for line in found if line]


def command(page: str, start: str) -> Command:
    """The one command of the page that is so, or begins so."""
    every = commands(page)
    found = [start] if start in every else [line for line in every if line.startswith(start)]
    assert len(found) == 1, f"{page} has {len(found)} commands that begin with '{start}': {found}"
    return Command(page, found[0])


def followed() -> list[tuple[str, str, str]]:
    """Page, start of the command and test, of every mark `follows` in tests/; read, not imported."""
    found = []
    for path in sorted((ROOT / "tests").glob("test_*.py")):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if not isinstance(node, ast.FunctionDef) or not node.name.startswith("test_"):
                continue
            for mark in node.decorator_list:
                if isinstance(mark, ast.Call) and ast.unparse(mark.func) == "pytest.mark.follows":
                    assert "shown" in {argument.arg for argument in node.args.args}, f"{node.name} takes nothing"
                    page, *starts = (ast.literal_eval(argument) for argument in mark.args)
                    found += [(page, start, f"tests/{path.name}::{node.name}") for start in starts]
    return found


def with_environment(project: Project) -> Project:
    """The project with a .venv that is this environment, so that make finds it set up and installs nothing."""
    own, there = Path(sys.prefix), project.folder / ".venv"
    there.mkdir()
    for name in ("bin", "lib"):
        (there / name).symlink_to(own / name)
    shutil.copy(own / "pyvenv.cfg", there)
    (there / ".complete").touch()
    return project
