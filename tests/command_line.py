"""The command line as a test calls it: in this process, with what it printed."""

from __future__ import annotations

import os
import pty
import re
import shutil
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path

import pytest

from mtinet.cli.main import main

ROOT = Path(__file__).resolve().parents[1]
MOVES = re.compile(r"\x1b\[[\d;?]*[A-Za-z]")  # of the cursor, and colours


@dataclass(frozen=True)
class Answer:
    """Exit status and what was printed."""

    status: int
    out: str
    err: str


class CommandLine:
    """`mtinet` in a folder."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
        self.folder, self.monkeypatch, self.capfd = folder, monkeypatch, capfd

    def __call__(self, *arguments: str) -> Answer:
        """The answer to a command line; argparse's exits included."""
        self.monkeypatch.chdir(self.folder)
        self.capfd.readouterr()
        try:
            status = main(arguments)
        except SystemExit as left:
            status = left.code if isinstance(left.code, int) else 1
        said = self.capfd.readouterr()
        return Answer(status, said.out, said.err)

    def watched(self, *arguments: str, stdout_too: bool = False) -> Answer:
        """The answer where stderr is a terminal, `err` being what it was sent but for colours and moves of the cursor;
        stdout_too: so is stdout, the same one."""
        for name, value in (("TERM", "xterm"), ("COLUMNS", "300")):
            self.monkeypatch.setenv(name, value)
        for name in ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
            self.monkeypatch.delenv(name, raising=False)
        keeper, terminal = pty.openpty()
        sent: list[bytes] = []
        reader = threading.Thread(target=read_all, args=(keeper, sent))
        reader.start()
        with (
            self.monkeypatch.context() as patch,
            open(terminal, "w", encoding="utf-8") as stream,
            open(os.dup(terminal), "w", encoding="utf-8") as other,
        ):
            patch.setattr(sys, "stderr", stream)
            if stdout_too:
                patch.setattr(sys, "stdout", other)
            answer = self(*arguments)
        reader.join()
        os.close(keeper)
        return Answer(answer.status, answer.out, MOVES.sub("", b"".join(sent).decode()))


def read_all(keeper: int, sent: list[bytes]) -> None:
    """Note what a terminal is sent, until nobody has it open."""
    while True:
        try:
            sent.append(os.read(keeper, 1 << 16))
        except OSError:  # as Linux says that
            return


def copy_reports(folder: Path) -> Path:
    """A project as far as the commands look: parameters, layouts of tables, committed reports."""
    (folder / "stages").mkdir(parents=True)
    shutil.copy(ROOT / "params.yaml", folder)
    shutil.copytree(ROOT / "pipeline", folder / "pipeline", ignore=shutil.ignore_patterns("*.py", "__pycache__"))
    shutil.copytree(ROOT / "reports", folder / "reports", ignore=shutil.ignore_patterns("figures", "*.html"))
    return folder


def git(folder: Path, *words: str) -> str:
    """What git answers in a folder, with an identity of its own."""
    identity = ("-c", "user.name=test", "-c", "user.email=test@example.org", "-c", "commit.gpgsign=false")
    return subprocess.run(
        ("git", *identity, *words), cwd=folder, check=True, capture_output=True, text=True
    ).stdout.strip()


def commit(folder: Path, message: str) -> str:
    """Commit all of a folder; returns the commit."""
    if not (folder / ".git").exists():
        git(folder, "init", "-q", "-b", "main")
    git(folder, "add", "-A", "-f")
    git(folder, "commit", "-q", "--allow-empty", "-m", message)
    return git(folder, "rev-parse", "HEAD")
