"""Mirror all runs into MLflow: parameters, data, curves, final metrics, paths; harmless to repeat."""

import sys

import pandas as pd

from mtinet import config, files, paths, stage
from mtinet.config import Params
from mtinet.errors import UserError
from mtinet.training import tracking


def figures(metrics: dict[str, dict[str, dict[str, float | None]]]) -> dict[str, float]:
    """Metrics of main and auxiliary tasks as "depth.rmse"; those that are missing are left out."""
    return {
        f"{task}.{name}": value
        for kind in ("tasks", "auxiliary")
        for task, summary in metrics[kind].items()
        for name, value in summary.items()
        if value is not None
    }


def mirror(params: Params, dataset: str) -> dict[str, bool]:
    """Per run whether its metrics are in MLflow now; what went wrong there is a warning, not an error.

    After the first failure no further run is tried: each would wait for a dead server anew.
    """
    study = params.study_name(dataset)
    done: dict[str, bool] = {}
    for name, seed in params.runs(dataset):
        location = (study, dataset, name, seed)
        if not paths.metrics(*location).exists():
            continue
        if not all(done.values()):
            done[f"{name}/seed{seed}"] = False
            continue
        manifest, metrics = files.read_json(paths.manifest(*location)), files.read_json(paths.metrics(*location))
        if metrics["key"] != manifest["key"]:
            raise UserError(
                f"{paths.metrics(*location)} is of another training than {paths.manifest(*location)}; evaluate it again"
            )
        tracker = tracking.Tracker(study, f"{dataset}/{name}/seed{seed}", manifest["key"])
        tracker.start(tracking.flat(manifest["config"]), {"dataset": dataset, "experiment": name})
        tracker.dataset(f"{dataset} train", manifest["data_digest"], "training")
        tracker.dataset(f"{dataset} val", metrics["data_digest"], "evaluation")
        for _, row in pd.read_csv(paths.history(*location)).iterrows():
            tracker.log(tracking.curve(row), int(row["steps"]))
        tracker.log(figures(metrics), manifest["steps"])
        places = {"metrics": paths.metrics, "weights": paths.weights, "history": paths.history}
        tracker.tag({kind: str(place(*location)) for kind, place in places.items()})
        tracker.finish()
        done[f"{name}/seed{seed}"] = not tracker.failed
    return done


def main() -> None:
    dataset = stage.arguments(__doc__, "dataset").dataset
    with stage.reporting_errors():
        params = config.load()
        target = paths.tracked(params.study_name(dataset), dataset)
        with stage.writing(cached=[target]):
            done = mirror(params, dataset)
            files.write_json(target, done)
            if not all(done.values()):
                missing = list(done.values()).count(False)
                again = f"dvc repro --force --single-item track_{dataset}"
                print(f"WARNING: {missing} runs are not in MLflow; once its store answers: {again}", file=sys.stderr)


if __name__ == "__main__":
    main()
