"""The lock as `python -m pipeline.dvc` writes it, against DVC's own way with the same changes."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
from dvc.dvcfile import Lockfile
from dvc.repo import Repo
from dvc.utils.serialize import dumps_yaml, loads_yaml, modify_yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from workflow import ROOT

from pipeline.dvc import entry_of, loading, modifying, split

ours = modifying(modify_yaml, loads_yaml, dumps_yaml)

plain = st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc")), max_size=90)
odd = st.sampled_from(
    ["no", "1e5", "123e456", "0x1f", "~", "null", "- a", "a: b", "# no", "'", '"', "", " ", "12:30", "é"]
)
# Others than these DVC itself writes anew whenever it rewrites a lock: 5.96e-08 becomes 5.96e-8, and ours keeps it.
floats = st.sampled_from([0.0, 0.1, -2.5, 20.0, 1e-3, 1e-4, 0.9, 1e22])
scalars = st.none() | st.booleans() | st.integers() | floats | plain | odd
values = st.recursive(scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(plain, inner, max_size=3))
names = st.from_regex(r"[a-z_]{1,12}(@[a-z0-9-]{1,8})?", fullmatch=True)
entries = st.fixed_dictionaries({"cmd": plain, "params": st.dictionaries(plain, values, max_size=4)})


def change(modify: Any, path: Path, changes: dict[str, Any]) -> str:
    """As dvcfile.Lockfile.dump_stages does it, stage by stage."""
    for name, entry in changes.items():
        with modify(str(path)) as data:
            if not data:
                data.update({"schema": "2.0"})
            data["stages"] = data.get("stages", {})
            assert data["stages"].get("never made", {}) == {}
            data["stages"].update({name: copy.deepcopy(entry)})
    return path.read_text(encoding="utf-8")


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(before=st.dictionaries(names, entries, max_size=4), changes=st.dictionaries(names, entries, max_size=3))
def test_the_same_bytes_as_dvc(tmp_path: Path, before: dict[str, Any], changes: dict[str, Any]) -> None:
    """New entries and changed ones, in a lock of others and in none."""
    first, second = tmp_path / "1/dvc.lock", tmp_path / "2/dvc.lock"
    for path, modify in ((first, modify_yaml), (second, ours)):
        path.unlink(missing_ok=True)
        path.parent.mkdir(exist_ok=True)
        change(modify_yaml, path, before) if before else None
        again = {name: before[name] for name in list(before)[:1]}
        change(modify, path, {**changes, **again}) if changes or again else None
    assert first.exists() == second.exists() == bool(before or changes)
    if first.exists():
        assert first.read_bytes() == second.read_bytes()


def test_other_entries_are_read_as_dvc_reads_them(tmp_path: Path) -> None:
    path = tmp_path / "dvc.lock"
    content = {"a@1": {"cmd": "x " * 60, "params": {"p": {"a.b": None}}}, "b": {"cmd": "y"}}
    change(modify_yaml, path, content)
    texts = split(path.read_text(), loads_yaml)
    assert texts is not None
    assert {name: loads_yaml(text)[name] for name, text in texts.items()} == content
    with ours(str(path)) as data:
        assert data["stages"].get("a@1", {}) == content["a@1"]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "schema: '2.0'\nstages: {}\n",
        "schema: '2.0'\nstages:\n  a:\n    cmd: x\ndatasets: []\n",
        "# ours\nschema: '2.0'\n",
    ],
)
def test_any_other_lock_is_left_to_dvc(text: str) -> None:
    assert split(text, loads_yaml) is None


def test_pipelines_are_left_to_dvc(tmp_path: Path) -> None:
    path = tmp_path / "dvc.yaml"
    path.write_text("# kept\nstages:\n  a:\n    cmd: x\n")
    with ours(str(path)) as data:
        data["stages"]["a"]["cmd"] = "y"
    assert path.read_text() == "# kept\nstages:\n  a:\n    cmd: y\n"


# Reading -----------------------------------------------------------------------------------------------------------

load = loading(Lockfile.load, entry_of, loads_yaml)


def locked(folder: Path, text: bytes) -> Lockfile:
    """The lock of a repository that holds nothing else."""
    repo = Repo.init(str(folder), no_scm=True, force=True)
    (folder / "dvc.lock").write_bytes(text)
    return Lockfile(repo, str(folder / "dvc.lock"))


def every(found: Any) -> Any:
    """What was loaded, with all of its stages asked for."""
    return found | {"stages": {name: found["stages"].get(name) for name in found["stages"]}} if found else found


def answer(read: Any, lock: Lockfile) -> str:
    """What a lock holds, in its order, or the error that reading it ends with."""
    try:
        return repr(every(read(lock)))
    except Exception as error:
        return f"{type(error).__name__}: {error}"


def test_the_committed_lock_is_read_as_dvc_reads_it(tmp_path: Path) -> None:
    lock = locked(tmp_path, (ROOT / "dvc.lock").read_bytes())
    assert len(load(lock)["stages"]) == len(Lockfile.load(lock)["stages"]) > 0
    assert answer(load, lock) == answer(Lockfile.load, lock)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.dictionaries(names | odd.filter(bool), entries, min_size=1, max_size=4))
def test_any_lock_is_read_as_dvc_reads_it(tmp_path: Path, content: dict[str, Any]) -> None:
    lock = locked(tmp_path, dumps_yaml({"schema": "2.0", "stages": content}).encode())
    assert answer(load, lock) == answer(Lockfile.load, lock)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"schema: '2.0'\nstages: {}\n",
        b"schema: '2.0'\nstages:\n  stage_a:\n    cmd: x\ndatasets: []\n",
        b"schema: '2.0'\nstages:\n  stage_a:\n    cmd: x\n  stage_a:\n    cmd: y\n",
        b"schema: '2.0'\nstages:\n  stage_a:\n    cmd: 1\n",
        b"schema: '2.0'\nstages:\n  stage_a:\n    cmd: [\n",
        b"schema: '2.0'\nstages:\n  stage_a:\n    cmd: \xff\n",
        b"schema: '2.0'\nstages:\n  stage_a:\n    cmd: &x y\n  stage_b:\n    cmd: *x\n",
        b"schema: '1.0'\nstages:\n  stage_a:\n    cmd: x\n",
        b"schema: '2.0'\nstages:\n  stage_a\n    cmd: x\n",
        b"schema: '2.0'\nstages:\n  stage_a:\n    cmd: x\n  # word\n  stage_b:\n    cmd: y\n",
    ],
)
def test_odd_locks_are_read_as_dvc_reads_them(tmp_path: Path, text: bytes) -> None:
    lock = locked(tmp_path, text)
    assert answer(load, lock) == answer(Lockfile.load, lock)


def test_only_entries_that_are_asked_for_are_parsed(tmp_path: Path) -> None:
    parsed = []

    def entry(text: str) -> Any:
        parsed.append(text)
        return entry_of(text)

    lock = locked(tmp_path, dumps_yaml({"schema": "2.0", "stages": {"b": {"cmd": "x"}, "c": {"cmd": "y"}}}).encode())
    stages = loading(Lockfile.load, entry, loads_yaml)(lock)["stages"]
    assert (list(stages), "b" in stages, stages.get("none", {})) == (["b", "c"], True, {})
    assert [stages.get("c"), stages["c"]] == [{"cmd": "y"}] * 2
    assert parsed == ["  c:\n    cmd: y\n"]


def test_no_lock_and_an_ignored_one_are_dvcs(tmp_path: Path) -> None:
    lock = locked(tmp_path, b"")
    (tmp_path / "dvc.lock").unlink()
    assert answer(load, lock) == answer(Lockfile.load, lock) == "{}"
