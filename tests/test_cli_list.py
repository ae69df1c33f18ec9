"""`mtinet list`: the state of every declared run, and the verification that `make commit` shares with it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from command_line import CommandLine, copy_reports
from small_project import STUDY, write_project

from mtinet import config, files, paths, stage
from mtinet.data.packed import PackedSplit
from mtinet.training import verification
from mtinet.training.run import Run

NAME = "hrnet18-mtl"
CODE = ["src/mtinet/models/multi_task.py"]


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small project with data; both splits are the same."""
    folder = write_project(tmp_path_factory.mktemp("small"))
    (folder / "stages").mkdir()
    held = folder / paths.packed(STUDY, "nyud", "train")
    held.with_name("val").symlink_to(held)
    return folder


@pytest.fixture
def mtinet(packed: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> CommandLine:
    """In that project, where one run is made and all is well with it."""
    monkeypatch.chdir(packed)
    run = Run.of(config.load(), "nyud", NAME, 0)
    digest = PackedSplit(paths.packed(STUDY, "nyud", "train")).digest
    weights = paths.weights(*run.location)
    files.write_bytes(weights, b"weights")
    manifest = {
        "key": "k1", "config": run.config(), "config_hash": files.digest_of(run.config()), "code": CODE,
        "code_hash": stage.code_hash(CODE), "data_digest": digest, "weights_digest": files.digest_of_file(weights),
    }  # fmt: skip
    files.write_json(paths.manifest(*run.location), manifest)
    files.write_json(paths.metrics(*run.location), {"key": "k1", "data_digest": digest})
    return CommandLine(packed, monkeypatch, capfd)


def entry(mtinet: CommandLine, *options: str) -> dict[str, Any]:
    """What `list --json` says of the run."""
    found = json.loads(mtinet("list", "nyud", "--json", *options).out)
    return next(one for one in found if one["run"] == f"nyud/{NAME}/seed0")


def change_json(path: Path, **changes: Any) -> None:
    files.write_json(path, files.read_json(path) | changes)


def test_all_declared_runs_are_listed_once_in_their_order(mtinet: CommandLine) -> None:
    found = json.loads(mtinet("list", "--json").out)
    declared = yaml.safe_load((mtinet.folder / "params.yaml").read_text())["experiments"]
    expected = [
        (f"{dataset}/{name}/seed0", method, "done" if (dataset, name) == ("nyud", NAME) else "missing")
        for dataset, methods in declared.items()
        for method, experiments in methods.items()
        for name in experiments
    ]
    assert [(one["run"], one["method"], one["state"]) for one in found] == expected
    text = mtinet("list").out.splitlines()
    assert len(text) == len(expected) + 1
    assert text[-1] == f"1 done, {len(expected) - 1} missing"


def test_a_run_is_done_only_while_all_belongs_together(mtinet: CommandLine) -> None:
    assert entry(mtinet)["state"] == "done"
    assert entry(mtinet)["why"] == []
    location = (STUDY, "nyud", NAME, 0)
    for path, changes, words in (
        (paths.manifest(*location), {"code_hash": "0" * 64}, "other code"),
        (paths.manifest(*location), {"data_digest": "0" * 64}, "other data"),
        (paths.manifest(*location), {"key": "k2"}, "evaluated from another training"),
        (paths.metrics(*location), {"data_digest": "0" * 64}, "evaluated on other data"),
    ):
        before = (mtinet.folder / path).read_bytes()
        change_json(mtinet.folder / path, **changes)
        found = entry(mtinet)
        assert (found["state"], found["in_short"]) == ("stale", words)
        assert str(path) in found["why"][0]
        (mtinet.folder / path).write_bytes(before)


def test_changed_parameters_are_named(mtinet: CommandLine) -> None:
    path = mtinet.folder / "params.yaml"
    before = path.read_text()
    content = yaml.safe_load(before)
    content["experiments"]["nyud"]["multi_task"][NAME]["lr"] = 3e-4
    content["scales"]["smoke"]["nyud"]["epochs"] = 7
    path.write_text(yaml.safe_dump(content))
    found = entry(mtinet)
    path.write_text(before)
    assert found["state"] == "stale"
    assert sorted(found["in_short"].split("; ")) == ["experiment.lr: 0.0001 -> 0.0003", "scale.epochs: 2 -> 7"]


def test_weights_are_read_on_demand(mtinet: CommandLine) -> None:
    weights = mtinet.folder / paths.weights(STUDY, "nyud", NAME, 0)
    weights.write_bytes(b"others")
    assert entry(mtinet)["state"] == "done"
    found = entry(mtinet, "--read-weights")
    assert (found["state"], found["in_short"]) == ("stale", "other weights")


def test_a_run_without_its_weights_is_not_just_done(mtinet: CommandLine) -> None:
    """Its scores stand and are listed as such; what cannot be had from it is said, in words and for a script."""
    name = f"nyud/{NAME}/seed0"
    assert entry(mtinet)["weights"] is True
    assert f"\n{name}  done\n" in "\n" + re.sub(r"  +", "  ", mtinet("list", "nyud").out)
    weights = mtinet.folder / paths.weights(STUDY, "nyud", NAME, 0)
    weights.unlink()
    found = entry(mtinet, "--read-weights")
    assert (found["state"], found["weights"]) == ("done", False)
    assert found["why"] == [f"{paths.weights(STUDY, 'nyud', NAME, 0)} is not there"]
    line, total = mtinet("list", "nyud", "--state", "done").out.splitlines()
    assert line.split(maxsplit=1) == [name, "done, no weights"]
    assert total == "1 done; 1 without weights here: 'dvc pull' brings them, or 'mtinet run RUN' makes them"


def test_other_weights_to_begin_with_and_other_images_that_chose_are_named(mtinet: CommandLine) -> None:
    """A backbone trained beforehand that is not the manifest's, which may lack it; images chosen on, now gone."""
    name = "before"
    path = mtinet.folder / "params.yaml"
    before = path.read_text()
    content = yaml.safe_load(before)
    pretraining = content["pretraining"]["pascal"]["hrnet18"]
    budgets = {scale: {**one, "height": 48, "width": 64} for scale, one in pretraining["budgets"].items()}
    for one in budgets.values():
        del one["longest"]
    content["pretraining"]["nyud"] = {name: pretraining | {"seed": 4000, "budgets": budgets}}
    content["scales"]["smoke"]["nyud"]["pretrained"] = {pretraining["backbone"]: "scenes"}
    content["experiments"]["nyud"]["multi_task"][NAME]["weights"] = "best"
    path.write_text(yaml.safe_dump(content))
    run = Run.of(config.load(), "nyud", NAME, 0)
    assert run.pretrained_backbone is not None
    files.write_bytes(run.pretrained_backbone, b"backbone")
    manifest = mtinet.folder / paths.manifest(*run.location)
    digest = files.read_json(manifest)["data_digest"]
    change_json(manifest, config=run.config(), config_hash=files.digest_of(run.config()), validation_digest=digest)
    found = entry(mtinet, "--read-weights")
    assert (found["state"], found["in_short"]) == ("stale", "other initial weights")
    change_json(manifest, initial_weights=files.digest_of_file(run.pretrained_backbone))
    assert entry(mtinet, "--read-weights")["state"] == "done"
    change_json(manifest, validation_digest="0" * 64)
    found = entry(mtinet, "--read-weights")
    path.write_text(before)
    files.remove(run.pretrained_backbone.parent)
    assert (found["state"], found["in_short"]) == ("stale", "epoch chosen on other data")


def test_a_run_without_metrics_is_missing(mtinet: CommandLine) -> None:
    (mtinet.folder / paths.metrics(STUDY, "nyud", NAME, 0)).unlink()
    found = entry(mtinet)
    assert (found["state"], found["in_short"]) == ("missing", "not evaluated")


def test_filters_and_exit_code(mtinet: CommandLine) -> None:
    assert mtinet("list", "nyud", "--state", "done").out.splitlines()[-1] == "1 done"
    assert mtinet("list", "nyud", "--state", "done", "--exit-code").status == 0
    assert mtinet("list", "nyud", "--exit-code").status == 1
    assert mtinet("list", "nyud").status == 0
    assert mtinet("list", "nyud", "--state", "stale").out == "no runs\n"
    unknown = mtinet("list", "nyuud")
    assert unknown.status == 1
    assert "expected one of: nyud, pascal" in unknown.err


def test_commit_takes_nothing_less_than_all(mtinet: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    """What `make commit` refuses: the same findings, absent weights and data among them."""
    monkeypatch.chdir(mtinet.folder)
    params = config.load()
    lines = list(verification.problems(params))
    assert not any(f"/{NAME}/" in line for line in lines)
    others = [name for name, _ in params.runs("nyud") if name != NAME]
    for name in others:
        assert [line for line in lines if f"/{name}/" in line] == [
            f"{place(STUDY, 'nyud', name, 0)} is not there" for place in (paths.manifest, paths.metrics, paths.weights)
        ]
    assert [line for line in lines if "pascal" in line] == [f"{paths.packed(STUDY, 'pascal', 'train')} is not there"]
    paths.weights(STUDY, "nyud", NAME, 0).unlink()
    assert f"{paths.weights(STUDY, 'nyud', NAME, 0)} is not there" in list(verification.problems(params))


def test_a_fresh_clone_shows_what_git_holds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """The committed reports, without data and weights: none of their runs is missing."""
    mtinet = CommandLine(copy_reports(tmp_path / "project"), monkeypatch, capfd)
    states = {one["run"]: one["state"] for one in json.loads(mtinet("list", "--json").out)}
    made = sorted((mtinet.folder / "reports/scenes-laptop/manifests").glob("*/*/seed*.json"))
    assert made
    for path in made:
        name = f"{path.parts[-3]}/{path.parts[-2]}/{path.stem}"
        if name in states:
            assert states[name] in ("done", "stale")
