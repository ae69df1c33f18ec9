"""Names of runs in bash: what a shell with the script of `mtinet completion bash` makes of the tab key."""

from __future__ import annotations

import os
import pty
import re
import select
import shlex
import subprocess
import sys
import time
from pathlib import Path

import pytest
from command_line import ROOT, CommandLine, copy_reports

from mtinet import config
from mtinet.cli.main import COMMANDS

ANSWERS = 60  # seconds, on a machine that does other things as well


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copy_reports(tmp_path_factory.mktemp("completion") / "project")


@pytest.fixture(scope="module")
def tools(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with this tree's `mtinet`, and the script beside it."""
    folder = tmp_path_factory.mktemp("tools")
    program = folder / "mtinet"
    program.write_text(f'#!/bin/sh\nPYTHONPATH={ROOT}/src exec {sys.executable} -m mtinet.cli "$@"\n')
    program.chmod(0o755)
    script = subprocess.run([program, "completion", "bash"], capture_output=True, text=True, check=True).stdout
    (folder / "completion.bash").write_text(script)
    return folder


@pytest.fixture
def mtinet(project: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> CommandLine:
    return CommandLine(project, monkeypatch, capfd)


def declared() -> list[str]:
    """All runs of the committed params.yaml."""
    params = config.load(ROOT / "params.yaml")
    return [f"{dataset}/{name}/seed{seed}" for dataset in params.experiments for name, seed in params.runs(dataset)]


def offered(tools: Path, folder: Path, *words: str) -> list[str]:
    """What the script offers for the last of the words."""
    line = " ".join(shlex.quote(word) for word in words)
    ask = (
        f"source {tools}/completion.bash; COMP_WORDS=({line}); COMP_CWORD={len(words) - 1};"
        " _shtab_mtinet mtinet; printf '%s\\n' \"${COMPREPLY[@]}\""
    )
    path = f"{tools}:{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-c", ask], cwd=folder, env={**os.environ, "PATH": path}, capture_output=True, text=True, check=True
    )
    return done.stdout.split()


def test_names_are_printed_one_per_line(mtinet: CommandLine) -> None:
    assert mtinet("list", "--names").out.splitlines() == declared()
    pascal = mtinet("list", "pascal", "--names").out.splitlines()
    assert pascal == [name for name in declared() if name.startswith("pascal/")]
    # No manifests are needed for that, and with a state they are: only scores are committed, of which some are stale.
    by_state = [
        name
        for state in ("done", "stale", "missing")
        for name in mtinet("list", "--names", "--state", state).out.split()
    ]
    assert sorted(by_state) == sorted(declared())
    assert mtinet("list", "--names", "--json").status == 2


@pytest.mark.parametrize("command", ["run", "evaluate", "predict", "export", "demo", "resources"])
def test_names_of_runs_are_offered(tools: Path, project: Path, command: str) -> None:
    assert command in COMMANDS
    expected = [name for name in declared() if name.startswith("nyud/hrnet18-mti-n")]
    assert len(expected) > 1
    assert offered(tools, project, "mtinet", command, "nyud/hrnet18-mti-n") == expected


def test_of_the_project_that_is_meant(tools: Path, project: Path, tmp_path: Path) -> None:
    (tmp_path / "networks/mine").mkdir(parents=True)
    assert offered(tools, tmp_path, "mtinet", "run", "n") == []
    assert offered(tools, tmp_path, "mtinet", "-C", str(project), "run", "") == declared()
    assert offered(tools, tmp_path, "mtinet", "predict", "n") == ["networks/"]
    assert offered(tools, tmp_path, "mtinet", "predict", "networks/") == ["networks/mine/"]


def test_the_tab_key(tools: Path, project: Path) -> None:
    """In a bash of its own, at a terminal: what stands in the line then."""
    keeper, terminal = pty.openpty()
    environment = {**os.environ, "PATH": f"{tools}:{os.environ['PATH']}", "PS1": "ready> ", "TERM": "dumb"}
    with subprocess.Popen(
        ["bash", "--norc", "--noprofile", "-i"], cwd=project, env=environment,
        stdin=terminal, stdout=terminal, stderr=terminal, start_new_session=True, close_fds=True,
    ) as shell:  # fmt: skip
        os.close(terminal)
        try:
            os.write(keeper, f"source {tools}/completion.bash; bind 'set bell-style none'; echo sou''rced\n".encode())
            said_until(keeper, r"sourced\r\n")
            os.write(keeper, b"mtinet evaluate nyud/r18fpn-single-d\t")
            said_until(keeper, r"single-depth/seed0 ")
            os.write(keeper, b"--js\t\x01echo line: \n")  # Ctrl-A: to the beginning of the line
            said = said_until(keeper, r"\nline: .*\n")
        finally:
            shell.kill()
            os.close(keeper)
    assert re.findall(r"\nline: (.*?)\s*\n", said) == ["mtinet evaluate nyud/r18fpn-single-depth/seed0 --json"]


def said_until(terminal: int, pattern: str) -> str:
    """What comes from a terminal up to a pattern."""
    said, end = "", time.monotonic() + ANSWERS
    while not re.search(pattern, said):
        left = end - time.monotonic()
        assert left > 0, f"no '{pattern}' in {ANSWERS} s: {said!r}"
        if select.select([terminal], [], [], left)[0]:
            said += os.read(terminal, 1 << 12).decode(errors="replace")
    return said
