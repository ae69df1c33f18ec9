"""MLflow mirrors the runs, for real; whatever goes wrong there, nothing is raised."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mtinet.training import tracking
from mtinet.training.tracking import TAG, Tracker

pytestmark = pytest.mark.orchestrator


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return f"sqlite:///{tmp_path}/mlflow.db"


def runs(store: str) -> list:
    import mlflow

    client = mlflow.MlflowClient(store)
    return client.search_runs([experiment.experiment_id for experiment in client.search_experiments()])


def log_one(key: str = "abc", steps: tuple[int, ...] = (10, 20)) -> Tracker:
    tracker = Tracker("scenes-smoke", "nyud/hrnet18-mti/seed0", key)
    tracker.start({"experiment.lr": 1e-4}, {"dataset": "nyud"})
    tracker.dataset("nyud train", "0" * 64, "training")
    for step in steps:
        tracker.log({"loss": 1.0 / step, "seg@4": 2.0}, step)
    tracker.finish()
    return tracker


def test_a_run_holds_parameters_curves_and_data(store: str) -> None:
    tracking.initialise("scenes-smoke")
    log_one()
    (run,) = runs(store)
    assert run.info.status == "FINISHED"
    assert run.data.params == {"experiment.lr": "0.0001"}
    assert run.data.metrics == {"loss": 0.05, "seg_at_4": 2.0}
    assert run.data.tags[TAG] == "abc"
    assert run.inputs.dataset_inputs[0].dataset.name == "nyud train"


def test_a_resumed_run_continues_and_repeats_nothing(store: str) -> None:
    import mlflow

    log_one(steps=(10,))
    log_one(steps=(10, 20, 30))
    (run,) = runs(store)
    history = mlflow.MlflowClient(store).get_metric_history(run.info.run_id, "loss")
    assert [metric.step for metric in history] == [10, 20, 30]


def test_a_figure_that_changed_replaces_the_earlier_one(store: str) -> None:
    """Evaluation may rerun without training: the run is the same, its step too, the figures are not."""
    for value in (0.5, 0.7, 0.7, 0.4):
        tracker = Tracker("scenes-smoke", "nyud/hrnet18-mti/seed0", "abc")
        tracker.start({}, {})
        tracker.log({"depth.rmse": value, "depth.rel": 0.1}, 90)
        assert runs(store)[0].data.metrics == {"depth.rmse": value, "depth.rel": 0.1}


def test_another_key_is_another_run(store: str) -> None:
    log_one("abc")
    log_one("def")
    assert len(runs(store)) == 2


def test_a_store_that_cannot_be_opened_only_warns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:////dev/null/no/mlflow.db")
    tracker = log_one()
    assert tracker.run_id is None
    assert tracker.failed
    assert capsys.readouterr().err.count("WARNING: MLflow tracking failed") == 1


def test_a_failure_after_the_start_is_known(store: str, monkeypatch: pytest.MonkeyPatch) -> None:
    tracker = log_one()
    assert not tracker.failed
    monkeypatch.setattr(tracker.client, "log_batch", lambda *args, **kwargs: 1 / 0)
    tracker.log({"loss": 3.0}, 99)
    assert tracker.failed


def test_a_server_that_accepts_and_never_answers_holds_nothing_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "1")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{silent.getsockname()[1]}")
        began = time.monotonic()
        assert log_one().failed
    # Two attempts of a second each and the import, for seven calls; MLflow's own defaults take minutes.
    assert time.monotonic() - began < 40


def test_processes_that_open_a_fresh_store_at_once_all_pass(store: str, tmp_path: Path) -> None:
    script = (
        "import sys; from mtinet.training.tracking import Tracker; t = Tracker('s', 'n', sys.argv[1]);"
        "t.start({}, {}); t.log({'loss': 1.0}, 1); t.finish(); sys.exit(t.run_id is None)"
    )
    processes = [subprocess.Popen([sys.executable, "-c", script, str(index)], cwd=tmp_path) for index in range(3)]
    assert [process.wait(120) for process in processes] == [0, 0, 0]
    assert len(runs(store)) == 3
