"""MLflow mirrors the metric files: a run per experiment and seed. Whatever goes wrong here, training goes on."""

from __future__ import annotations

import functools
import logging
import os
import sys
import time
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Concatenate, ParamSpec

from filelock import FileLock

from mtinet import interruption

TAG = "mtinet.run"  # config hash and seed: how a run is found again
FOLDER = "mtinet.folder"  # the working folder that a run is trained in
PARENT = "mlflow.parentRunId"  # MLflow shows a run nested under the one that it names

P = ParamSpec("P")

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("DO_NOT_TRACK", "true")
os.environ.setdefault("GIT_PYTHON_REFRESH", "quiet")
os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
# A server that does not answer must not hold up a training: MLflow would retry for minutes.
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "10")
LOCK_TIMEOUT = 60.0  # seconds; a migration takes five
ATTEMPTS = 3  # where jobs can be in each other's way
BATCH = 100  # parameters that MLflow takes in one request


def warn(error: Exception) -> None:
    """Say in one line on stderr that tracking failed."""
    reason = " ".join(f"{type(error).__name__}: {error}".split())[:300]
    print(f"WARNING: MLflow tracking failed, going on without it ({reason})", file=sys.stderr)


def never_fatal(
    method: Callable[Concatenate[Tracker, P], None],
) -> Callable[Concatenate[Tracker, P], None]:
    """Tracking must never kill a training: the first failure is reported in one line and ends the tracking.

    Later calls do nothing: each would wait for a dead server anew.
    """

    @functools.wraps(method)
    def guarded(self: Tracker, /, *args: P.args, **kwargs: P.kwargs) -> None:
        if self.failed or not self.active:
            return
        try:
            with interruption.cut_short():
                method(self, *args, **kwargs)
        except Exception as error:
            self.failed = True
            warn(error)

    return guarded


def store() -> str:
    """Where runs are tracked: MLFLOW_TRACKING_URI, or an SQLite file in the repository's root."""
    return os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{Path('mlflow.db').absolute()}"


def migration_lock(place: str) -> FileLock:
    """Processes that open a fresh SQLite file at once crash in its migration: the lock lies beside the file.

    Several working folders may share one. Any other store has a server, which does its own: the lock is our folder's.
    """
    file = place.removeprefix("sqlite:///")
    return FileLock(".cache/mlflow.lock" if file == place else f"{file}.lock", timeout=LOCK_TIMEOUT)


def live() -> bool:
    """Whether runs are tracked while they train: where somebody named a store, and so may be watching it.

    Else the stage track mirrors all runs at the end, which saves every training MLflow's import.
    """
    return "MLFLOW_TRACKING_URI" in os.environ


def connect(experiment: str) -> Any:
    """An MLflow client for the store, with the MLflow experiment `experiment` created."""
    import mlflow  # late: costs a second, and only tracking needs it
    from mlflow.exceptions import MlflowException

    for noisy in ("mlflow", "alembic"):
        logging.getLogger(noisy).setLevel(logging.ERROR)
    Path(".cache").mkdir(exist_ok=True)
    place = store()
    with migration_lock(place):
        client = mlflow.MlflowClient(place)
        if client.get_experiment_by_name(experiment) is None:
            try:
                client.create_experiment(experiment)
            except MlflowException:
                # On a server it may be another folder's process that came first: this lock is our folder's.
                if client.get_experiment_by_name(experiment) is None:
                    raise
    return client


def folder() -> str:
    """A name for this working folder, which no other clone has and all nodes that share it agree on."""
    place = Path(".cache/mlflow.folder")
    with FileLock(".cache/mlflow.lock", timeout=LOCK_TIMEOUT):
        if not place.exists():
            place.write_text(uuid.uuid4().hex, encoding="utf-8")
        return place.read_text(encoding="utf-8")


def fail_abandoned(experiment: str, dataset: str, at_work: Callable[[str], bool]) -> None:
    """Mark FAILED what this folder's runs of a dataset that no process works at any more left RUNNING: killed ones.

    at_work: whether the run of a name is being trained in this folder. A run that goes on later is RUNNING again.
    A failure is a warning.
    """
    try:
        client = connect(experiment)
        mine = f"tags.`{FOLDER}` = '{folder()}' AND tags.dataset = '{dataset}' AND attributes.status = 'RUNNING'"
        for run in client.search_runs([client.get_experiment_by_name(experiment).experiment_id], mine):
            if not at_work(run.info.run_name):
                client.set_terminated(run.info.run_id, "FAILED")
    except Exception as error:
        warn(error)


def initialise(experiment: str) -> None:
    """Create the store and the MLflow experiment before any run needs them; a failure is a warning."""
    try:
        connect(experiment)
    except Exception as error:
        warn(error)


class Tracker:
    """One run in MLflow, found again by its key; every method is safe to call whatever MLflow does.

    active: False for a run that is not to be tracked now: nothing happens then.
    failed: whether anything went wrong so far; from then on nothing is tracked.
    """

    def __init__(self, experiment: str, name: str, key: str, active: bool = True) -> None:
        self.experiment, self.name, self.key = experiment, name, key
        self.client: Any = None
        self.run_id: str | None = None
        self.active = active
        self.failed = False

    @never_fatal
    def start(self, params: Mapping[str, Any], tags: Mapping[str, str]) -> None:
        """Find or create the run; parameters are immutable in MLflow, so they are logged once."""
        from mlflow.entities import Param

        self.client = connect(self.experiment)
        experiment_id = self.client.get_experiment_by_name(self.experiment).experiment_id
        found = self.client.search_runs([experiment_id], filter_string=f"tags.`{TAG}` = '{self.key}'", max_results=1)
        if found:
            run = found[0]
            self.client.update_run(run.info.run_id, status="RUNNING")
            self.client.set_tag(run.info.run_id, FOLDER, folder())
        else:
            described = {TAG: self.key, FOLDER: folder(), **tags}
            run = self.client.create_run(experiment_id, run_name=self.name, tags=described)
        self.run_id = run.info.run_id
        # Those that are not there: a process may have died between creating the run and this.
        new = [Param(name, str(value)) for name, value in params.items() if name not in run.data.params]
        for start in range(0, len(new), BATCH):
            self.client.log_batch(self.run_id, params=new[start : start + BATCH])

    @never_fatal
    def log(self, values: Mapping[str, float], step: int) -> None:
        """Log figures at a training step.

        What is already there (a resumed run, a repeated mirror) is not logged again; a figure that changed is,
        and MLflow shows the newest one of a step.
        """
        from mlflow.entities import Metric

        named = {name.replace("@", "_at_"): float(value) for name, value in values.items()}
        history = self.client.get_metric_history(self.run_id, next(iter(named)))
        last = max((metric.step for metric in history), default=-1)
        if step < last:
            return
        latest = self.client.get_run(self.run_id).data.metrics if step == last else {}
        now = int(time.time() * 1000)
        new = [Metric(name, value, now, step) for name, value in named.items() if latest.get(name) != value]
        self.client.log_batch(self.run_id, metrics=new)

    @never_fatal
    def dataset(self, name: str, digest: str, context: str) -> None:
        """Say which data the run used, without loading it."""
        from mlflow.entities import Dataset, DatasetInput, InputTag
        from mlflow.exceptions import MlflowException

        data = Dataset(name=name, digest=digest[:36], source_type="local", source=name)
        tag = InputTag(key="mlflow.data.context", value=context)
        for left in reversed(range(ATTEMPTS)):
            try:
                self.client.log_inputs(self.run_id, [DatasetInput(data, [tag])])
                return
            except MlflowException:
                # Jobs that name the same data at the same moment: MLflow lets all but one fail, once.
                if not left:
                    raise

    @never_fatal
    def tag(self, tags: Mapping[str, str]) -> None:
        """Set tags, e.g. the paths of the run's files."""
        for name, value in tags.items():
            self.client.set_tag(self.run_id, name, value)

    @never_fatal
    def finish(self, status: str = "FINISHED") -> None:
        """Close the run: FINISHED or FAILED."""
        self.client.set_terminated(self.run_id, status)


def curve(row: Any) -> dict[str, float]:
    """The figures in one row of a history (a mapping or a pandas row): losses and learning rate."""
    return {name: value for name, value in row.items() if name not in ("epoch", "steps")}


def flat(content: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested configuration as dotted keys, as MLflow's parameters are."""
    result: dict[str, Any] = {}
    for name, value in content.items():
        if isinstance(value, dict) and value:
            result |= flat(value, f"{prefix}{name}.")
        else:
            result[f"{prefix}{name}"] = value
    return result
