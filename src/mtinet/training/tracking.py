"""MLflow mirrors the metric files: a run per experiment and seed. Whatever goes wrong here, training goes on."""

from __future__ import annotations

import functools
import logging
import os
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from filelock import FileLock

TAG = "mtinet.run"  # config hash and seed: how a run is found again

P = ParamSpec("P")
T = TypeVar("T")

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("DO_NOT_TRACK", "true")
os.environ.setdefault("GIT_PYTHON_REFRESH", "quiet")


def never_fatal(function: Callable[P, T]) -> Callable[P, T | None]:
    """Tracking must never kill a training: report any failure in one line and go on without."""

    @functools.wraps(function)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> T | None:
        try:
            return function(*args, **kwargs)
        except Exception as error:
            reason = " ".join(f"{type(error).__name__}: {error}".split())[:300]
            print(f"WARNING: MLflow tracking failed, going on without it ({reason})", file=sys.stderr)
            return None

    return guarded


def store() -> str:
    """Where runs are tracked: MLFLOW_TRACKING_URI, or an SQLite file in the repository's root."""
    return os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{Path('mlflow.db').absolute()}"


def connect(experiment: str) -> Any:
    """An MLflow client for the store, with the MLflow experiment `experiment` created."""
    import mlflow  # late: costs a second, and only tracking needs it

    for noisy in ("mlflow", "alembic"):
        logging.getLogger(noisy).setLevel(logging.ERROR)
    Path(".cache").mkdir(exist_ok=True)
    # Processes that open a fresh SQLite file at once crash in its migration: one at a time.
    with FileLock(".cache/mlflow.lock"):
        client = mlflow.MlflowClient(store())
        if client.get_experiment_by_name(experiment) is None:
            client.create_experiment(experiment)
    return client


@never_fatal
def initialise(experiment: str) -> None:
    """Create the store and the MLflow experiment before any run needs them."""
    connect(experiment)


class Tracker:
    """One run in MLflow, found again by its key; every method is safe to call whatever MLflow does."""

    def __init__(self, experiment: str, name: str, key: str) -> None:
        self.experiment, self.name, self.key = experiment, name, key
        self.client: Any = None
        self.run_id: str | None = None

    @never_fatal
    def start(self, params: Mapping[str, Any], tags: Mapping[str, str]) -> None:
        """Find or create the run; parameters are immutable in MLflow, so they are logged once."""
        self.client = connect(self.experiment)
        experiment_id = self.client.get_experiment_by_name(self.experiment).experiment_id
        found = self.client.search_runs([experiment_id], filter_string=f"tags.`{TAG}` = '{self.key}'", max_results=1)
        if found:
            self.run_id = found[0].info.run_id
            self.client.update_run(self.run_id, status="RUNNING")
            return
        run = self.client.create_run(experiment_id, run_name=self.name, tags={TAG: self.key, **tags})
        self.run_id = run.info.run_id
        for name, value in params.items():
            self.client.log_param(self.run_id, name, value)

    @never_fatal
    def log(self, values: Mapping[str, float], step: int) -> None:
        """Log figures at a training step; a step that is already there (a resumed run) is not repeated."""
        if self.run_id is None:
            return
        from mlflow.entities import Metric

        known = {metric.step for metric in self.client.get_metric_history(self.run_id, next(iter(values)))}
        if step in known:
            return
        now = int(time.time() * 1000)
        metrics = [Metric(name.replace("@", "_at_"), float(value), now, step) for name, value in values.items()]
        self.client.log_batch(self.run_id, metrics=metrics)

    @never_fatal
    def dataset(self, name: str, digest: str, context: str) -> None:
        """Say which data the run used, without loading it."""
        if self.run_id is None:
            return
        from mlflow.entities import Dataset, DatasetInput, InputTag

        data = Dataset(name=name, digest=digest[:36], source_type="local", source=name)
        tag = InputTag(key="mlflow.data.context", value=context)
        self.client.log_inputs(self.run_id, [DatasetInput(data, [tag])])

    @never_fatal
    def tag(self, tags: Mapping[str, str]) -> None:
        """Set tags, e.g. the paths of the run's files."""
        if self.run_id is None:
            return
        for name, value in tags.items():
            self.client.set_tag(self.run_id, name, value)

    @never_fatal
    def finish(self, status: str = "FINISHED") -> None:
        """Close the run: FINISHED or FAILED."""
        if self.run_id is not None:
            self.client.set_terminated(self.run_id, status)


def flat(content: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested configuration as dotted keys, as MLflow's parameters are."""
    result: dict[str, Any] = {}
    for name, value in content.items():
        if isinstance(value, dict) and value:
            result |= flat(value, f"{prefix}{name}.")
        else:
            result[f"{prefix}{name}"] = value
    return result
