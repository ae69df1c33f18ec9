"""An MLflow tracking server on this machine, and what is in it."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


@contextmanager
def tracking_server(folder: Path) -> Iterator[str]:
    """The address of a server that keeps everything in an SQLite file in `folder`."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = ["-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    store = ["--backend-store-uri", f"sqlite:///{folder}/mlflow.db", "--default-artifact-root", str(folder / "files")]
    with (folder / "server.log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, *command, *store],
            cwd=folder,
            env={key: value for key, value in os.environ.items() if key != "MLFLOW_TRACKING_URI"},
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        try:
            wait_for(f"http://127.0.0.1:{port}/health", process, folder / "server.log")
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(60)


def wait_for(address: str, process: subprocess.Popen, log: Path, seconds: float = 300) -> None:
    """Until the server answers; fails with its log when it has ended or takes too long."""
    end = time.monotonic() + seconds
    while time.monotonic() < end and process.poll() is None:
        try:
            with urllib.request.urlopen(address, timeout=5):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.2)
    raise AssertionError(f"no answer from {address}:\n{log.read_text()[-3000:]}")


def runs_of(store: str, experiment: str) -> list[Any]:
    """All runs of an MLflow experiment."""
    import mlflow

    client = mlflow.MlflowClient(store)
    return client.search_runs([client.get_experiment_by_name(experiment).experiment_id], max_results=1000)


def content_of(store: str, experiment: str) -> dict[str, Any]:
    """All that is known of every run, by its number; without the times, which may differ."""
    import mlflow

    client = mlflow.MlflowClient(store)
    return {
        run.info.run_id: (
            run.info.run_name,
            run.info.status,
            run.data.params,
            run.data.tags,
            sorted((item.dataset.name, item.dataset.digest) for item in run.inputs.dataset_inputs),
            {
                name: [(metric.step, metric.value) for metric in client.get_metric_history(run.info.run_id, name)]
                for name in run.data.metrics
            },
        )
        for run in runs_of(store, experiment)
    }
