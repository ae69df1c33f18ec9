"""DVC with its texts parsed once against DVC as it is: the same answers, and no change of a file goes unseen."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import dpath
import pytest
from dvc.parsing.interpolate import parse_expr
from dvc.utils.serialize import YAMLFileCorruptedError, dumps_yaml, parse_yaml
from hypothesis import given
from hypothesis import strategies as st
from workflow import ROOT, Project

from pipeline import parsed_once

PARAMS = """\
first: {a: 1, b: [1, 2], none: null}
deep: {er: {still: 0.5}, '1': x}
names: [one, two]
more: {date: '2001-12-14', anchor: &there {x: 1e-3}, again: *there}
"""
PIPELINE = """\
stages:
  whole:
    cmd: cp params.yaml whole
    params:
      - params.yaml:
    outs: [whole]
  each:
    matrix: {name: "${names}"}
    cmd: mkdir -p out && echo ${item.name} ${deep.er.still} > out/${item.name}
    deps: [whole]
    params: [first, deep.er.still, more.again]
    outs: ["out/${item.name}"]
  last:
    cmd: cat out/one > last
    params: [first.b, deep.er]
    deps: [out/one]
    outs: [last]
"""

# Names of which many meet, with those that dpath takes for patterns and for numbers.
keys = st.sampled_from(["a", "b", "ab", "1", "01", "-1", "*", "a*", "?", "[ab]", "a.b", "True", "é"]) | st.sampled_from(
    [1, 0, -1, True, None, 1.5, ""]
)
trees = st.recursive(
    st.none() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(keys, inner, max_size=4),
    max_leaves=12,
)
paths = st.lists(st.sampled_from(["a", "b", "ab", "1", "01", "-1", "*", "**", "a*", "?", "[ab]", "True", "é", ""])).map(
    ".".join
)


def answer(get: Any, tree: Any, path: str) -> Any:
    """What it returns, and whether that is a part of the tree or a copy; or what it raises."""
    try:
        found = get(tree, path, separator=".")
    except Exception as error:
        return type(error), str(error)
    return found, id(found)


@given(tree=st.dictionaries(keys, trees, max_size=4), other=trees, path=paths)
def test_paths_lead_where_dpath_finds_them(tree: Any, other: Any, path: str) -> None:
    quick = parsed_once.looking_up(dpath.get)
    for asked in (tree, other, tree):
        assert answer(quick, asked, path) == answer(dpath.get, asked, path)


def test_a_plain_path_needs_no_search() -> None:
    def search(*arguments: Any, **options: Any) -> None:
        raise AssertionError("searched")

    assert parsed_once.looking_up(search)({"a": {"b.c": 0, "b": [1]}}, "a.b", separator=".") == [1]


@pytest.mark.parametrize(
    "text", ["", "[]", "a: [1, {b: .nan}]", PARAMS, "a: 2001-12-14t21:59:43.10-05:00\nb: !!set {x}"]
)
def test_texts_are_parsed_as_before_and_once(text: str) -> None:
    calls = []

    def counting(*arguments: Any) -> Any:
        calls.append(arguments)
        return parse_yaml(*arguments)

    parse = parsed_once.parsing(counting)
    assert repr(parse(text, "params.yaml")) == repr(parse_yaml(text, "params.yaml")) == repr(parse(text, "params.yaml"))
    assert len(calls) == 1


def test_nobody_changes_what_others_are_given() -> None:
    parse = parsed_once.parsing(parse_yaml)
    parse("a: {b: 1}", "params.yaml")["a"]["b"] = 2
    assert parse("a: {b: 1}", "params.yaml") == {"a": {"b": 1}}


def test_what_keeps_comments_and_what_is_no_yaml() -> None:
    parse = parsed_once.parsing(parse_yaml)
    assert dumps_yaml(parse("a: 1  # one\n", "dvc.yaml", typ="rt")) == "a: 1  # one\n"
    for _ in range(2):
        with pytest.raises(YAMLFileCorruptedError):
            parse("a: [", "params.yaml")


def test_another_dvc_is_left_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    missing = (("dvc.no_such_module", "parse_yaml"), ("dvc.parsing.interpolate", "no_such_function"))
    monkeypatch.setattr(parsed_once, "REPLACED", tuple((*place, parsed_once.parsing) for place in missing))
    parsed_once.install()
    import dvc.parsing.interpolate as module

    assert not hasattr(module, "no_such_function")
    assert module.parse_expr is parse_expr


# With DVC's own commands ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Four stages with all kinds of parameters, made by plain DVC and committed."""
    project = Project(tmp_path_factory.mktemp("project"))
    project.environment["PYTHONPATH"] = f"{ROOT / 'src'}:{ROOT}"
    (project.folder / "params.yaml").write_text(PARAMS)
    (project.folder / "dvc.yaml").write_text(PIPELINE)
    project.run("git", "init", "-q")
    project.run("dvc", "init", "-q")
    project.run("dvc", "repro", "-q")
    project.commit("made")
    return project


# In one process, since DVC takes seconds to start: its answers as it is, then with ours in place.
ASKING = """
import json, os, sys, tempfile
from pathlib import Path
from dvc.cli import main
from pipeline import parsed_once

def answers():
    for text in texts:
        Path("params.yaml").write_text(text)
        for command in (["status", "--json"], ["params", "diff"], ["repro", "--dry", "--single-item", "last"]):
            yield " ".join(command), *answer(command)

def answer(command):  # its log goes past sys.stdout
    with tempfile.TemporaryFile("w+") as said:
        os.dup2(said.fileno(), 1)
        status = main(command)
        sys.stdout.flush()
        os.dup2(before, 1)
        said.seek(0)
        return status, said.read()

before = os.dup(1)
texts = json.loads(sys.stdin.read())
plain = list(answers())
parsed_once.install()
print(json.dumps([plain, list(answers())]))
"""


@pytest.mark.orchestrator
def test_the_same_answers_as_dvc(project: Project) -> None:
    """Nothing changed; values changed; a key gone that a command names."""
    texts = (PARAMS, PARAMS.replace("0.5", "0.25").replace("1e-3", "1e-2"), PARAMS.replace("still: 0.5", "other: 1"))
    plain, ours = json.loads(script_in(project, ASKING, json.dumps(texts)))
    assert plain == ours
    assert [status for _, status, _ in plain[:7]] == [0, 0, 0, 0, 0, 0, 1]
    assert plain[0][2] == "{}\n"
    changed = json.loads(plain[3][2])
    assert changed["last"] == [{"changed deps": {"params.yaml": {"deep.er": "modified"}}}]
    assert "deep.er.still" in plain[4][2]
    project.run("git", "checkout", "-q", "--", ".")


def script_in(project: Project, script: str, text: str = "") -> str:
    """What a program says that runs in the project's folder, fed with the text."""
    command = [sys.executable, "-c", script]
    said = subprocess.run(
        command, cwd=project.folder, env=project.environment, input=text, capture_output=True, text=True
    )
    assert said.returncode == 0, said.stderr
    return said.stdout


@pytest.mark.orchestrator
def test_what_is_made_and_recorded_is_the_same(project: Project) -> None:
    """After a change: the lock of `dvc repro`, and of `dvc commit` of outputs that others made."""
    kept: dict[str, list[bytes]] = {"repro": [], "commit": []}
    for tool in (["dvc"], ["python", "-m", "pipeline.dvc"]):
        project.run("git", "checkout", "-q", "--", ".")
        project.run("dvc", "checkout", "-q", "--force")
        for kind, options in (("repro", ["--single-item", "whole", "each", "last"]), ("commit", ["--force"])):
            place = project.folder / "params.yaml"
            place.write_text(PARAMS.replace("0.5", "0.75" if kind == "repro" else "0.875"))
            project.run(*tool, kind, "-q", *options)
            kept[kind].append((project.folder / "dvc.lock").read_bytes())
    assert kept["repro"][0] == kept["repro"][1] != kept["commit"][0] == kept["commit"][1]


@pytest.mark.orchestrator
def test_a_change_within_the_process_is_seen(project: Project) -> None:
    """Even one that leaves the file's length and time as they were."""
    script = """
import os
from dvc.repo import Repo
from pipeline import parsed_once
parsed_once.install()
repo = Repo()
place = "params.yaml"
before = os.stat(place)
assert repo.status() == {}, repo.status()
text = open(place).read()
open(place, "w").write(text.replace("0.5", "0.7"))
os.utime(place, ns=(before.st_atime_ns, before.st_mtime_ns))
assert (os.stat(place).st_size, os.stat(place).st_mtime_ns) == (before.st_size, before.st_mtime_ns)
repo.lock  # a new look, as of the next command
repo._reset()
print(sorted(repo.status()))
"""
    project.run("git", "checkout", "-q", "--", ".")
    project.run("dvc", "checkout", "-q", "--force")
    assert script_in(project, script) == "['each@one', 'each@two', 'last', 'whole']\n"
