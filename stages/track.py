"""Mirror the final metrics of all runs into MLflow, where training began them; harmless to repeat."""

from mtinet import config, files, paths, stage
from mtinet.config import Params
from mtinet.data.packed import PackedSplit
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
    """Per run whether its metrics are in MLflow now; what went wrong there is a warning, not an error."""
    study = params.study_name(dataset)
    digest = PackedSplit(paths.packed(study, dataset, "val")).digest
    done = {}
    for name, seed in params.runs(dataset):
        location = (study, dataset, name, seed)
        if not paths.metrics(*location).exists():
            continue
        manifest, metrics = files.read_json(paths.manifest(*location)), files.read_json(paths.metrics(*location))
        tracker = tracking.Tracker(study, f"{dataset}/{name}/seed{seed}", manifest["key"])
        tracker.start(tracking.flat(manifest["config"]), {"dataset": dataset, "experiment": name})
        tracker.dataset(f"{dataset} val", digest, "evaluation")
        tracker.log(figures(metrics), manifest["steps"])
        tracker.tag({"metrics": str(paths.metrics(*location))})
        tracker.finish()
        done[f"{name}/seed{seed}"] = tracker.run_id is not None
    return done


def main() -> None:
    dataset = stage.arguments(__doc__, "dataset").dataset
    with stage.reporting_errors():
        params = config.load()
        target = paths.tracked(params.study_name(dataset), dataset)
        with stage.reporting_errors(cached=[target]):
            files.write_json(target, mirror(params, dataset))


if __name__ == "__main__":
    main()
