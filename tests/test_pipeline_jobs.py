"""The portions that `make repro` hands to DVC: nothing left out, nothing before what it needs, Table 2a first."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Literal

import pytest

from mtinet import paths
from mtinet.config import load
from mtinet.errors import UserError
from pipeline import repro, write_dvc
from pipeline.dependencies import ROOT
from pipeline.jobs import OTHERS, Job, due, jobs, of_run, pretraining_cost
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
    """Stage by stage: who reads what another writes, in it or around it, is behind it or waits for it."""
    reads, writer = files_of_stages()
    place = {stage: (portion, number) for portion in found for number, stage in enumerate(portion.stages)}
    before: dict[str, set[str]] = {}
    for portion in found:
        before[portion.name] = set(portion.after).union(*(before[name] for name in portion.after if name in before))
    edges = set()
    for stage, read in reads.items():
        for path in read:
            related = [
                other
                for out, other in writer.items()
                if Path(out).is_relative_to(path) or Path(path).is_relative_to(out)
            ]
            edges |= {(stage, other) for other in related if other != stage}
    assert len(edges) > 1000
    for stage, other in sorted(edges):
        (portion, number), (earlier, ahead) = place[stage], place[other]
        inside = portion.name == earlier.name and ahead < number
        assert inside or earlier.name in before[portion.name], (stage, other)


def files_of_stages() -> tuple[dict[str, list[str]], dict[str, str]]:
    """Stage -> what it reads, and path -> the stage that writes it, of every job by itself."""
    params = load(ROOT / "params.yaml")
    studies = {f"study_{name}": params.study_name(name) for name in params.datasets}
    reads, writer = {}, {}
    for rule in rules():
        fixed = {"study": params.study_name(rule.dataset), "scale": params.study.scale, **studies}
        for item in items(rule):
            stage = dvc_name(rule, item)
            reads[stage] = [str(path).format(**fixed, **item) for path in rule.inputs]
            writer |= {out.path.format(**fixed, **item): stage for out in rule.outputs}
    return reads, writer


def test_a_data_set_without_tables_has_its_runs_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.jobs.layouts", lambda dataset: {})
    plain = [rule for rule in rules() if not rule.table]
    found = jobs(load(ROOT / "params.yaml"), plain)
    assert sum(portion.run for portion in found) == 71
    assert {stage for portion in found for stage in portion.stages} >= {
        dvc_name(rule, item) for rule in plain for item in items(rule)
    }


def test_the_first_tables_runs_come_before_all_others(found: list[Job]) -> None:
    runs = [portion.name for portion in found if portion.run]
    table = next(portion for portion in found if portion.name == "nyud table2a")
    assert len(table.after) == 12
    assert set(runs[:12]) == table.after
    ends = [portion.name for portion in found].index(table.name)
    assert ends < [portion.name for portion in found].index(runs[12])


def test_backbones_are_trained_as_soon_as_it_delays_no_first_table(found: list[Job]) -> None:
    """Beside whatever else comes before a later dataset's runs, but not while an earlier one's wait for their data."""
    names = [portion.name for portion in found]
    trained = [portion for portion in found if "pre-training" in portion.name]
    first_run = next(portion.name for portion in found if portion.run)
    assert len(trained) == 2
    for portion in trained:
        assert portion.after == {"pascal data", first_run}
        assert names.index(portion.name) < names.index("pascal teacher of normals") < names.index("pascal packed")
    alone = jobs(load(ROOT / "params.yaml"), [rule for rule in rules() if rule.dataset == "pascal"])
    assert {portion.after for portion in alone if "pre-training" in portion.name} == {frozenset({"pascal data"})}


@pytest.mark.parametrize(("dataset", "name"), [("nyud", "hrnet18-mti-n"), ("pascal", "r18fpn-mti-s-en")])
def test_one_run_has_all_that_it_reads_and_no_other_run(dataset: str, name: str) -> None:
    reads, writer = files_of_stages()
    portions = of_run(load(ROOT / "params.yaml"), rules(), dataset, name, [0])
    assert [portion.name for portion in portions if portion.run] == [f"{dataset} {name} seed 0"]
    made = {stage for portion in portions for stage in portion.stages}
    for stage in made - {"code_nyud", "code_pascal"}:
        for path in reads[stage]:
            needed = {other for out, other in writer.items() if Path(path).is_relative_to(out)}
            assert needed <= made, (stage, path)


def test_a_run_under_another_seed_is_one_line() -> None:
    with pytest.raises(UserError, match=r"no run nyud hrnet18-mti seed 7: params.yaml declares"):
        of_run(load(ROOT / "params.yaml"), rules(), "nyud", "hrnet18-mti", [7])


def test_pre_training_costs_by_its_steps_its_backbone_and_its_heads() -> None:
    params = load(ROOT / "params.yaml")
    declared = params.pretraining["pascal"]["hrnet18"]

    def steps_cost(count: int, heads: Literal["own", "linear"]) -> float:
        budget = declared.budgets[params.study.scale].model_copy(update={"steps": count})
        changed = {"heads": heads, "budgets": {params.study.scale: budget}}
        params.pretraining["pascal"]["hrnet18"] = declared.model_copy(update=changed)
        return pretraining_cost(params, "pascal", "hrnet18") - OTHERS

    assert steps_cost(1200, "own") == pytest.approx(2 * steps_cost(600, "own"))
    assert steps_cost(600, "own") > steps_cost(600, "linear") > 0


def test_what_comes_after_a_changed_stage_is_due_whatever_the_order() -> None:
    chain = [job("late", "middle"), job("middle", "early"), job("early"), job("other")]
    assert [portion.name for portion in due(chain, ["early"])] == ["late", "middle", "early"]
    assert due(chain, []) == []


def test_a_graph_of_other_declarations_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(write_dvc, "TARGET", tmp_path / "dvc.yaml")
    (tmp_path / "dvc.yaml").write_text((ROOT / "dvc.yaml").read_text().replace("table2a", "table2z"))
    with pytest.raises(UserError, match=r"^dvc.yaml is not what .* make it: run 'make pipeline'"):
        write_dvc.check()
    (tmp_path / "dvc.yaml").write_text((ROOT / "dvc.yaml").read_text())
    write_dvc.check()


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


def test_after_a_failure_what_runs_is_finished_and_nothing_begins(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    made = []
    failing = threading.Event()

    def make(portion: Job) -> float:
        if portion.name == "bad":
            failing.set()
            raise UserError("bad failed")
        failing.wait(60)  # on a busy machine the second portion can begin much later than the first
        time.sleep(0.3)
        if portion.name == "worse":
            raise UserError("worse failed")
        made.append(portion.name)
        return 0.1

    monkeypatch.setattr(repro, "make", make)
    with pytest.raises(UserError, match="bad failed"):
        repro.side_by_side([job("good"), job("bad"), job("after", "good"), job("other")], workers=2)
    assert made == ["good"]
    with pytest.raises(UserError, match=r"(bad|worse) failed") as raised:  # the machine says which is noticed first
        repro.side_by_side([job("worse"), job("bad")], workers=2)
    other = {"bad failed": "worse failed", "worse failed": "bad failed"}[str(raised.value)]
    assert f"ERROR: {other}" in capsys.readouterr().out


def test_a_failing_stage_is_named_with_its_output(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(repro, "DVC", ("sh", "-c", "echo the reason; exit 3"))
    with pytest.raises(UserError, match=r"x y failed; .* \(all of it: logs/repro/x-y.log\):\nthe reason"):
        repro.make(job("x y"))


def test_the_display_tells_runs_left_and_time(capsys: pytest.CaptureFixture[str]) -> None:
    portions = [Job("one", (), frozenset(), 1e6, run=True), Job("two", (), frozenset(), 3e6, run=True)]
    display = repro.Display(portions, workers=2)
    display.began -= 3600  # an hour ago
    display.end(portions[0], 60.0)
    assert capsys.readouterr().out == "[60:00] one: 60 s; 1 run left, about 186 min\n"


def test_before_anything_is_done_the_time_is_that_of_the_usual_pace(capsys: pytest.CaptureFixture[str]) -> None:
    """An hour of two cores, of which a first job, no training, has taken a minute: not days."""
    portions = [Job("data", (), frozenset(), 1.0), Job("runs", (), frozenset(), 3600 * 2 / repro.STEP, run=True)]
    display = repro.Display(portions, workers=2)
    display.began -= 60
    display.end(portions[0], 60.0)
    minutes = int(capsys.readouterr().out.split()[-2])
    assert 60 < minutes < 120
