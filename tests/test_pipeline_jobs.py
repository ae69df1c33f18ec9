"""The portions that `make repro` hands to DVC: nothing left out, nothing before what it needs, Table 2a first."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest
import yaml

from mtinet import paths
from mtinet.config import load
from mtinet.errors import UserError
from pipeline import repro
from pipeline.dependencies import ROOT
from pipeline.jobs import Job, due, jobs
from pipeline.matrix import dvc_name, items
from pipeline.rules import rules


@pytest.fixture(scope="module")
def found() -> list[Job]:
    return jobs(load(ROOT / "params.yaml"), rules())


def job(name: str, *after: str, cost: float = 1.0) -> Job:
    return Job(name, (name,), frozenset(after), cost)


def test_every_stage_is_in_one_portion(found: list[Job]) -> None:
    stages = [stage for portion in found for stage in portion.stages]
    declared = [dvc_name(rule, item) for rule in rules() for item in items(rule)]
    assert sorted(stages) == sorted([*declared, "code_nyud", "code_pascal"])
    assert sum(portion.run for portion in found) == 71


def test_no_portion_needs_a_stage_of_one_that_it_does_not_wait_for(found: list[Job]) -> None:
    """By dvc.yaml itself: whoever reads another stage's output is in the same portion, behind it, or waits for it."""
    stages = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
    outs = {
        path: name
        for name, entry in stages.items()
        for kind in ("outs", "metrics", "plots")
        for out in entry.get(kind, [])
        for path in out
    }
    portions = {stage.partition("@")[0]: set() for portion in found for stage in portion.stages}
    for portion in found:
        for stage in portion.stages:
            portions[stage.partition("@")[0]].add(portion.name)
    before: dict[str, set[str]] = {}
    for portion in found:
        before[portion.name] = set(portion.after).union(*(before.get(name, set()) for name in portion.after))
    everything = {portion.name: portion for portion in found}
    for name, portion in everything.items():
        for place, stage in enumerate(portion.stages):
            group, _, item = stage.partition("@")
            for path in [dep.replace("${item.exp}", item.rpartition("-")[0]) for dep in stages[group]["deps"]]:
                writers = {
                    writer for out, writer in outs.items() if out == path or path.startswith(out + "/") or out in path
                }
                for writer in writers - {group}:
                    behind = {entry.partition("@")[0] for entry in portion.stages[:place]}
                    assert writer in behind or portions[writer] & before[name], (
                        stage,
                        path,
                    )


def test_the_first_tables_runs_come_before_all_others(found: list[Job]) -> None:
    runs = [portion.name for portion in found if portion.run]
    table = next(portion for portion in found if portion.name == "nyud table2a")
    assert len(table.after) == 12
    assert set(runs[:12]) == table.after
    ends = [portion.name for portion in found].index(table.name)
    assert ends < [portion.name for portion in found].index(runs[12])


def test_what_comes_after_a_changed_stage_is_due_whatever_the_order() -> None:
    chain = [job("late", "middle"), job("middle", "early"), job("early"), job("other")]
    assert [portion.name for portion in due(chain, ["early"])] == ["late", "middle", "early"]
    assert due(chain, []) == []


def test_dvc_is_asked_what_changed_once_anything_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    params = load(ROOT / "params.yaml")
    monkeypatch.chdir(tmp_path)
    assert not repro.begun(params)
    place = paths.checked(params.study_name("pascal"), "pascal")
    place.parent.mkdir(parents=True)
    place.write_text("{}")
    assert repro.begun(params)


def test_portions_run_side_by_side_and_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    spans: dict[str, tuple[float, float]] = {}
    most, now, lock = [0], [0], threading.Lock()

    def make(portion: Job) -> float:
        with lock:
            now[0] += 1
            most[0] = max(most[0], now[0])
        began = time.monotonic()
        time.sleep(0.02)
        with lock:
            now[0] -= 1
        spans[portion.name] = (began, time.monotonic())
        return 0.02

    monkeypatch.setattr(repro, "make", make)
    repro.side_by_side([job("a"), job("b", "a"), job("c"), job("d", "b", "c"), job("e")], workers=2)
    assert len(spans) == 5
    assert most[0] == 2
    assert spans["a"][1] <= spans["b"][0]
    assert max(spans["b"][1], spans["c"][1]) <= spans["d"][0]


def test_after_a_failure_what_runs_is_finished_and_nothing_begins(monkeypatch: pytest.MonkeyPatch) -> None:
    made = []

    def make(portion: Job) -> float:
        if portion.name == "bad":
            raise UserError("bad failed")
        time.sleep(0.1)
        made.append(portion.name)
        return 0.1

    monkeypatch.setattr(repro, "make", make)
    with pytest.raises(UserError, match="bad failed"):
        repro.side_by_side([job("good"), job("bad"), job("after", "good"), job("other")], workers=2)
    assert made == ["good"]


def test_a_failing_stage_is_named_with_its_output(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(repro, "DVC", ("sh", "-c", "echo the reason; exit 3"))
    with pytest.raises(UserError, match=r"x y failed; .* \(all of it: logs/repro/x-y.log\):\nthe reason"):
        repro.make(job("x y"))


def test_the_display_tells_runs_left_and_time(capsys: pytest.CaptureFixture[str]) -> None:
    portions = [Job("one", (), frozenset(), 10.0, run=True), Job("two", (), frozenset(), 30.0, run=True)]
    display = repro.Display(portions)
    display.began -= 60  # a minute ago
    display.end(portions[0], 60.0)
    assert capsys.readouterr().out == "[ 1:00] one: 60 s; 1 run left, about 3 min\n"
