"""Mirror all runs into MLflow: parameters, data, curves, final metrics, paths; harmless to repeat."""

import sys
from collections.abc import Iterable, Mapping

import pandas as pd

from mtinet import config, files, locks, paths, stage
from mtinet.config import Params
from mtinet.errors import UserError
from mtinet.reporting import layouts, timings
from mtinet.reporting.layouts import Layout
from mtinet.training import tracking
from mtinet.training.tracking import Tracker


def figures(metrics: dict[str, dict[str, dict[str, float | None]]]) -> dict[str, float]:
    """Metrics of main and auxiliary tasks as "depth.rmse"; those that are missing are left out."""
    return {
        f"{task}.{name}": value
        for kind in ("tasks", "auxiliary")
        for task, summary in metrics[kind].items()
        for name, value in summary.items()
        if value is not None
    }


def mirror(study: str, dataset: str, name: str, seed: int) -> Tracker:
    """One run's files in MLflow, as far as that answers."""
    location = (study, dataset, name, seed)
    manifest, metrics = files.read_json(paths.manifest(*location)), files.read_json(paths.metrics(*location))
    if metrics["key"] != manifest["key"]:
        raise UserError(
            f"{paths.metrics(*location)} is of another training than {paths.manifest(*location)}; evaluate it again"
        )
    tracker = Tracker(study, f"{dataset}/{name}/seed{seed}", manifest["key"])
    tracker.start(tracking.flat(manifest["config"]), {"dataset": dataset, "experiment": name})
    tracker.dataset(f"{dataset} train", manifest["data_digest"], "training")
    tracker.dataset(f"{dataset} val", metrics["data_digest"], "evaluation")
    for _, row in pd.read_csv(paths.history(*location)).iterrows():
        tracker.log(tracking.curve(row), int(row["steps"]))
    tracker.log(figures(metrics), manifest["steps"])
    places = {"metrics": paths.metrics, "weights": paths.weights, "history": paths.history}
    tracker.tag({kind: str(place(*location)) for kind, place in places.items()})
    tracker.finish()
    return tracker


def addresses(study: str, tracked: Mapping[tuple[str, int], Tracker]) -> dict[tuple[str, int], str]:
    """Where MLflow shows the runs that it holds; of none, after a warning, where it does not answer any more."""
    ids = {run: str(tracker.run_id) for run, tracker in tracked.items() if tracker.run_id and not tracker.failed}
    if not ids or len(ids) < len(tracked):
        return {}
    try:
        experiment = str(tracking.connect(study).get_experiment_by_name(study).experiment_id)
    except Exception as error:
        tracking.warn(error)
        return {}
    return {run: timings.address(tracking.store(), experiment, number) for run, number in ids.items()}


def nest(study: str, dataset: str, tables: Iterable[Layout], runs: dict[str, list[Tracker]]) -> bool:
    """Group the runs by table; whether all that was to be written is there.

    runs: experiment -> its runs. A run lies under the first table that shows it, since it can have one parent only;
    its tag `tables` names all of them. The parent is found again whatever the parameters are, so that runs of one
    table under other parameters lie side by side.
    """
    tables = [table for table in tables if any(name in runs for name in table.experiments)]
    parents = {}
    for table in tables:
        parent = parents[table.name] = Tracker(study, f"{dataset}/{table.name}", f"{dataset}/{table.name}")
        parent.start({}, {"dataset": dataset, "title": table.title})
        parent.finish()
        if parent.failed:
            return False
    for name, trackers in runs.items():
        shown = [table.name for table in tables if name in table.experiments]
        for tracker in trackers if shown else []:
            tracker.tag({tracking.PARENT: str(parents[shown[0]].run_id), "tables": " ".join(shown)})
            if tracker.failed:
                return False
    return True


def track(params: Params, dataset: str) -> dict[str, bool]:
    """Per run whether it is in MLflow now, under its table; what went wrong there is a warning, not an error.

    After the first failure no further run is tried: each would wait for a dead server anew.
    """
    study = params.study_name(dataset)
    done: dict[str, bool] = {}
    runs: dict[str, list[Tracker]] = {}
    tracked: dict[tuple[str, int], Tracker] = {}
    for name, seed in params.runs(dataset):
        if not paths.metrics(study, dataset, name, seed).exists():
            continue
        run = f"{name}/seed{seed}"
        if not all(done.values()):
            done[run] = False
            continue
        tracker = mirror(study, dataset, name, seed)
        runs.setdefault(name, []).append(tracker)
        done[run] = not tracker.failed
        tracked[name, seed] = tracker
    went = timings.render(study, dataset, params.runs(dataset), addresses(study, tracked))
    files.write_text(timings.place(study, dataset), went)
    tables = layouts.of_study(params, dataset)
    if all(done.values()) and nest(study, dataset, tables, runs):
        tracking.fail_abandoned(study, dataset, lambda name: trained_now(study, name))
        return done
    return dict.fromkeys(done, False) if all(done.values()) else done


def trained_now(study: str, name: str) -> bool:
    """Whether this folder trains a run, by its name in MLflow: "nyud/hrnet18-mti/seed0"."""
    if name.count("/") != 2:
        return False  # a table
    dataset, experiment, seed = name.split("/")
    return locks.at_work(paths.weights(study, dataset, experiment, int(seed.removeprefix("seed"))))


def main() -> None:
    dataset = stage.arguments(__doc__, "dataset").dataset
    with stage.reporting_errors():
        params = config.load()
        target = paths.tracked(params.study_name(dataset), dataset)
        with stage.writing(cached=[target], beside=[timings.place(params.study_name(dataset), dataset)]):
            done = track(params, dataset)
            files.write_json(target, done)
            if not all(done.values()):
                missing = list(done.values()).count(False)
                again = f"dvc repro --force --single-item track_{dataset}"
                print(f"WARNING: {missing} runs are not in MLflow; once its store answers: {again}", file=sys.stderr)


if __name__ == "__main__":
    main()
