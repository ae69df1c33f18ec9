"""The command line as a whole: help at once, exit statuses, one-line errors, completion."""

from __future__ import annotations

import shlex
import subprocess
import sys
import time
import tomllib
from pathlib import Path

import pytest
from command_line import ROOT, CommandLine, copy_reports

from mtinet import interruption
from mtinet.cli import main as module
from mtinet.cli.main import COMMANDS, build_parser
from mtinet.errors import UserError

HEAVY = ("torch", "numpy", "pydantic", "matplotlib", "yaml", "requests", "cv2", "PIL")


@pytest.fixture
def mtinet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> CommandLine:
    return CommandLine(copy_reports(tmp_path / "project"), monkeypatch, capfd)


def test_help_comes_at_once_and_loads_no_library() -> None:
    code = "import sys; from mtinet.cli.main import main\ntry: main(['--help'])\nexcept SystemExit: print(*sys.modules)"
    began = time.monotonic()
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert time.monotonic() - began < 3  # a tenth of a second on a free machine; torch alone would take two
    loaded = done.stdout.splitlines()[-1].split()
    assert "mtinet.cli.predict" in loaded
    assert [name for name in HEAVY if name in loaded] == []


def test_every_command_has_help_with_an_example_that_it_takes(mtinet: CommandLine) -> None:
    overview = mtinet("--help")
    assert overview.status == 0
    for name, command in COMMANDS.items():
        assert f"    {name}" in overview.out
        shown = mtinet(name, "--help")
        assert shown.status == 0
        assert shown.out.rstrip().endswith(f"example:\n  {command.EXAMPLE}")
        words = shlex.split(command.EXAMPLE.split(">")[0])
        assert words[:2] == ["mtinet", name]
        assert build_parser().parse_args(words[1:]).main is command.main


@pytest.mark.parametrize(
    "words",
    [(), ("no-such-command",), ("run",), ("run", "hrnet18-mti"), ("predict", "nyud/a", "x.jpg"), ("list", "--odd"),
     ("resources", "--size", "100x100"), ("predict", "nyud/a", "x.jpg", "--out", "y", "--batch", "0"),
     ("doctor", "--timeout", "0"), ("completion", "fish")],
)  # fmt: skip
def test_a_senseless_command_line_ends_with_2(mtinet: CommandLine, words: tuple[str, ...]) -> None:
    answer = mtinet(*words)
    assert answer.status == 2
    assert answer.out == ""
    assert "error:" in answer.err


def test_errors_are_one_line_and_traces_come_with_debug(mtinet: CommandLine) -> None:
    plain = mtinet("run", "nyud/hrnet18-mtii")
    assert plain.status == 1
    (line,) = plain.err.splitlines()
    assert line.startswith("ERROR: params.yaml declares no experiment 'nyud/hrnet18-mtii' (did you mean nyud/hrnet18-m")
    for words in (("run", "nyud/hrnet18-mtii", "--debug"), ("--debug", "run", "nyud/hrnet18-mtii")):
        traced = mtinet(*words)
        assert traced.status == 1
        assert "Traceback" in traced.err
        assert traced.err.splitlines()[-1] == line


def test_unforeseen_errors_are_one_line_too(mtinet: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(given: object) -> int:
        raise ZeroDivisionError("two\nlines")

    monkeypatch.setattr(module.listing, "main", fails)
    answer = mtinet("list")
    assert (answer.status, answer.err) == (
        1, "ERROR: ZeroDivisionError: two lines (the same command with --debug shows where)\n"
    )  # fmt: skip


def test_the_project_is_found_upwards_and_by_option(mtinet: CommandLine, tmp_path: Path) -> None:
    project = mtinet.folder
    expected = mtinet("list", "nyud").out
    assert expected
    (project / "deep/below").mkdir(parents=True)
    mtinet.folder = project / "deep/below"
    assert mtinet("list", "nyud").out == expected
    mtinet.folder = tmp_path
    assert mtinet("-C", "project", "list", "nyud").out == expected
    lost = mtinet("list")
    assert lost.status == 1
    assert lost.err.startswith(f"ERROR: no project in {tmp_path} and above it, expected a folder with params.yaml")
    assert mtinet("-C", "project/deep", "list").status == 1


def test_mistakes_in_params_are_said_with_their_key(mtinet: CommandLine) -> None:
    path = mtinet.folder / "params.yaml"
    path.write_text(path.read_text().replace("seeds: [0]", "sedes: [0]"))
    answer = mtinet("list")
    assert answer.status == 1
    assert "sedes: unknown parameter" in answer.err


def test_a_reader_that_closes_the_pipe_is_no_error(mtinet: CommandLine) -> None:
    code = "from mtinet.cli.main import main; import sys; sys.exit(main(['list']))"
    command = f"{shlex.quote(sys.executable)} -c {shlex.quote(code)} | true; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", command], cwd=mtinet.folder, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_completion_completes_commands_and_options(mtinet: CommandLine, tmp_path: Path) -> None:
    script = tmp_path / "mtinet.bash"
    script.write_text(mtinet("completion", "bash").out)

    def completed(*words: str) -> list[str]:
        line = " ".join(shlex.quote(word) for word in words)
        ask = (
            f"source {shlex.quote(str(script))}; COMP_WORDS=({line}); COMP_CWORD={len(words) - 1};"
            f" $(complete -p mtinet | sed -n 's/.*-F \\([^ ]*\\).*/\\1/p') mtinet; printf '%s\\n' \"${{COMPREPLY[@]}}\""
        )
        done = subprocess.run(["bash", "-c", ask], cwd=tmp_path, capture_output=True, text=True, check=True)
        return done.stdout.split()

    assert set(completed("mtinet", "")) >= set(COMMANDS)
    assert completed("mtinet", "pre") == ["predict"]
    assert completed("mtinet", "list", "--st") == ["--state"]
    assert completed("mtinet", "list", "--state", "s") == ["stale"]
    (tmp_path / "holiday.jpg").touch()
    assert completed("mtinet", "predict", "nyud/hrnet18-mti", "hol") == ["holiday.jpg"]
    assert mtinet("completion", "zsh").out.startswith("#compdef mtinet\n")


def test_the_installed_command_is_this_one() -> None:
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]
    assert declared == {"mtinet": f"{module.__name__}:{module.main.__name__}"}


def test_said_keeps_what_users_are_told() -> None:
    assert module.said(UserError("found this")) == "found this"


def test_the_readme_names_the_exit_statuses() -> None:
    """Each comes about in a test: 0, 1 and 2 above, the others in test_cli_run.py."""
    text = " ".join((ROOT / "README.md").read_text(encoding="utf-8").split())
    listed = f"0 fine; 1 an error, or a problem found; 2 usage; {interruption.REQUEUE} a signal (SIGTERM, SIGUSR1)"
    assert listed in text
    assert f"; {interruption.CTRL_C} Ctrl-C" in text
