"""One MLflow server for many jobs: nothing is lost, files are mirrored later, killed runs are FAILED."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from small_project import ROOT, write_params
from tracking_server import content_of, runs_of, tracking_server

from mtinet import config, files, paths
from mtinet.training import tracking
from mtinet.training.run import Run
from mtinet.training.tracking import FOLDER, PARENT, TAG, Tracker
from stages import track

pytestmark = pytest.mark.orchestrator

STUDY = "scenes-smoke"
NAMES = ("hrnet18-single-seg", "hrnet18-single-depth", "hrnet18-mtl")
DEAD = "http://127.0.0.1:9"
JOB = """
import sys
from mtinet.training.tracking import Tracker
for number in range(4):
    tracker = Tracker("many", f"nyud/{sys.argv[1]}-{number}/seed0", f"{sys.argv[1]}-{number}")
    tracker.start({f"p{index}": index for index in range(130)}, {"dataset": "nyud"})
    tracker.dataset("nyud train", "0" * 64, "training")
    for step in range(1, 6):
        tracker.log({"loss": 1 / step, "depth.rmse": step}, step)
    tracker.finish()
    if tracker.failed:
        sys.exit(1)
"""
KILLED = """
import sys, time
from pathlib import Path
from mtinet import stage
from mtinet.training.tracking import Tracker
with stage.writing(cached=[Path(sys.argv[2])]):
    tracker = Tracker("scenes-smoke", sys.argv[1], sys.argv[3])
    tracker.start({}, {"dataset": "nyud"})
    tracker.log({"loss": 0.5}, 1)
    print("at work", flush=True)
    time.sleep(600)
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with tracking_server(tmp_path_factory.mktemp("server")) as address:
        yield address


def test_many_jobs_at_once_lose_nothing(server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each in a folder of its own, as on other machines; none of them finds the MLflow experiment there already."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", server)
    processes = []
    for name in map(str, range(4)):
        (tmp_path / name).mkdir()
        processes.append(subprocess.Popen([sys.executable, "-c", JOB, name], cwd=tmp_path / name))
    assert [process.wait(300) for process in processes] == [0] * 4
    found = content_of(server, "many")
    assert sorted(tags[TAG] for _, _, _, tags, _, _ in found.values()) == sorted(
        f"{job}-{number}" for job in range(4) for number in range(4)
    )
    for _, status, params, _, inputs, metrics in found.values():
        assert status == "FINISHED"
        assert params == {f"p{index}": str(index) for index in range(130)}
        assert inputs == [("nyud train", "0" * 36)]
        assert metrics["loss"] == [(step, 1 / step) for step in range(1, 6)]
        assert metrics["depth.rmse"] == [(step, float(step)) for step in range(1, 6)]


@pytest.fixture
def nodes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the metric files of three runs, as nodes without a server leave them."""

    def keep(params: Any) -> None:
        methods = params["experiments"]["nyud"]
        params["experiments"] = {
            "nyud": {method: {name: methods[method][name] for name in methods[method] if name in NAMES}
                     for method in ("single_task", "multi_task")}
        }  # fmt: skip
        for scale in params["scales"].values():
            scale["nyud"]["epochs_of"] = {}

    write_params(tmp_path, keep)
    (tmp_path / "pipeline").mkdir()
    shutil.copy(ROOT / "pipeline/tables.yaml", tmp_path / "pipeline")
    monkeypatch.chdir(tmp_path)
    params = config.load()
    for number, name in enumerate(NAMES):
        write_run(Run.of(params, "nyud", name, 0), number)
    return tmp_path


def write_run(run: Run, number: int) -> None:
    """What training and evaluation leave of a run."""
    key = files.digest_of([run.name])
    digests = {"key": key, "data_digest": "d" * 64}
    tasks = {task: {"some": 0.25 + number, "other": None} for task in run.experiment.tasks}
    files.write_json(paths.manifest(*run.location), {"config": run.config(), "steps": 20, **digests})
    files.write_json(paths.metrics(*run.location), {"tasks": tasks, "auxiliary": {}, **digests})
    history = "epoch,steps,loss,learning_rate\n1,10,0.5,0.1\n2,20,0.25,0.05\n"
    files.write_text(paths.history(*run.location), history)


def stage_track(folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "stages/track.py"), "--dataset", "nyud"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)


def test_files_of_nodes_without_a_server_are_mirrored_later_and_once(
    server: str, nodes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", DEAD)
    done = stage_track(nodes)
    assert done.stderr.count("WARNING: MLflow tracking failed") == 1
    assert "3 runs are not in MLflow" in done.stderr
    tracked = paths.tracked(STUDY, "nyud")
    assert set(json.loads(tracked.read_text()).values()) == {False}
    monkeypatch.setenv("MLFLOW_TRACKING_URI", server)
    assert stage_track(nodes).stderr == ""
    assert json.loads(tracked.read_text()) == {f"{name}/seed0": True for name in NAMES}
    first = content_of(server, STUDY)
    assert track.track(config.load(), "nyud") == {f"{name}/seed0": True for name in NAMES}
    assert content_of(server, STUDY) == first
    _, status, params, tags, inputs, metrics = by_name(first)["nyud/hrnet18-mtl/seed0"]
    assert status == "FINISHED"
    assert tags[TAG] == files.digest_of(["hrnet18-mtl"])
    assert params["experiment.tasks"] == "['seg', 'depth']"
    assert inputs == [("nyud train", "d" * 36), ("nyud val", "d" * 36)]
    assert metrics == {
        "loss": [(10, 0.5), (20, 0.25)],
        "learning_rate": [(10, 0.1), (20, 0.05)],
        "seg.some": [(20, 2.25)],
        "depth.some": [(20, 2.25)],
    }


def by_name(content: dict[str, Any]) -> dict[str, Any]:
    """Runs by their names, of which each must be there once."""
    assert len({entry[0] for entry in content.values()}) == len(content)
    return {entry[0]: entry for entry in content.values()}


def test_a_tables_experiments_are_nested_under_it(tmp_path: Path, nodes: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that several tables show lies under the first of them and names all."""
    store = f"sqlite:///{tmp_path}/nested.db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store)
    track.track(config.load(), "nyud")
    runs = {run.info.run_name: run for run in runs_of(store, STUDY)}
    ids = {run.info.run_id: name for name, run in runs.items()}
    parents = {name for name in runs if name.startswith("nyud/table")}
    for name in NAMES:
        run = runs[f"nyud/{name}/seed0"]
        assert ids[run.data.tags[PARENT]] == "nyud/table2a"
        tables = run.data.tags["tables"].split()
        assert tables[0] == "table2a"
        assert {f"nyud/{table}" for table in tables} <= parents
    assert "table7a" in runs["nyud/hrnet18-mtl/seed0"].data.tags["tables"]
    assert "nyud/table2b" not in parents
    assert runs["nyud/table2a"].info.status == "FINISHED"
    assert runs["nyud/table2a"].data.tags["title"].startswith("Table 2a")


def at_work(folder: Path, name: str, key: str) -> subprocess.Popen:
    """A process that holds the lock of a run's stage and has begun it in MLflow."""
    folder.mkdir(exist_ok=True)
    dataset, experiment, _ = name.split("/")
    command = [sys.executable, "-c", KILLED, name, str(paths.weights(STUDY, dataset, experiment, 0)), key]
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "at work\n"
    return process


def test_killed_runs_are_failed_and_go_on_when_resumed(
    tmp_path: Path, nodes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only this folder's, and only once nobody works at them."""
    store = f"sqlite:///{tmp_path}/killed.db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store)
    name, params = "nyud/hrnet18-mtl/seed0", config.load()

    def states() -> dict[str, str]:
        return {run.data.tags[TAG]: run.info.status for run in runs_of(store, STUDY) if "tables" not in run.data.tags}

    mine, others = at_work(nodes, name, "mine"), at_work(nodes / "clone", name, "theirs")
    track.track(params, "nyud")
    assert {states()[key] for key in ("mine", "theirs")} == {"RUNNING"}
    for process in (mine, others):
        process.send_signal(signal.SIGKILL)
        process.communicate()
    track.track(params, "nyud")
    assert states()["mine"] == "FAILED"
    assert states()["theirs"] == "RUNNING"
    tracker = Tracker(STUDY, name, "mine")
    tracker.start({}, {"dataset": "nyud"})
    assert states()["mine"] == "RUNNING"
    tracker.log({"loss": 0.5}, 1)
    tracker.log({"loss": 0.25}, 2)
    tracker.finish()
    (resumed,) = [run for run in runs_of(store, STUDY) if run.data.tags[TAG] == "mine"]
    assert resumed.info.status == "FINISHED"
    assert resumed.data.tags[FOLDER] == (nodes / ".cache/mlflow.folder").read_text()
    assert content_of(store, STUDY)[resumed.info.run_id][-1]["loss"] == [(1, 0.5), (2, 0.25)]


def test_a_process_that_died_between_run_and_parameters_costs_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlflow.db")
    Tracker(STUDY, "nyud/a/seed0", "key").start({"one": 1}, {})
    Tracker(STUDY, "nyud/a/seed0", "key").start({"one": 1, "two": 2}, {})
    (run,) = runs_of(f"sqlite:///{tmp_path}/mlflow.db", STUDY)
    assert run.data.params == {"one": "1", "two": "2"}


def test_a_store_that_goes_away_costs_the_links_alone(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(experiment: str) -> None:
        raise ConnectionError("gone")

    tracker = tracking.Tracker("scenes-smoke", "nyud/hrnet18-mti/seed0", "abc")
    assert track.addresses("scenes-smoke", {("hrnet18-mti", 0): tracker}) == {}  # never in MLflow: not asked
    tracker.run_id = "123"
    monkeypatch.setattr(tracking, "connect", refuse)
    assert track.addresses("scenes-smoke", {("hrnet18-mti", 0): tracker}) == {}
    assert "WARNING: MLflow tracking failed, going on without it (ConnectionError: gone)" in capsys.readouterr().err
