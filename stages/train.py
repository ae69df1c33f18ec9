"""Train one experiment under one seed; publish weights, history and manifest."""

import time

from mtinet import config, files, paths, stage  # isort: skip  (before torch: sets GOMP_SPINCOUNT, takes signals)

import torch

from mtinet.data.packed import PackedSplit
from mtinet.errors import Interrupted
from mtinet.training import checkpoints, distributed, launching, loop, provenance, tracking
from mtinet.training.run import Run


def train(run: Run, device: torch.device) -> None:
    """Train, track and publish `run`; of several processes the first one tracks and publishes."""
    began = time.monotonic()
    split = PackedSplit(paths.packed(run.study, run.dataset, "train"))
    chooses = run.experiment.weights == "best"
    validation = PackedSplit(paths.packed(run.study, run.dataset, "val")) if chooses else None
    loop.check(run)  # imports the method and the losses, whose code belongs to the run's origin
    origin = provenance.Origin.of(run, split, device, validation)
    is_tracked = tracking.live() and distributed.is_first()
    tracker = tracking.Tracker(run.study, f"{run.dataset}/{run.name}/seed{run.seed}", origin.key, is_tracked)
    tracker.start(tracking.flat(run.config()), {"dataset": run.dataset, "experiment": run.name})
    tracker.dataset(f"{run.dataset} train", split.digest, "training")

    def report(row: dict[str, float]) -> None:
        if not distributed.is_first():
            return
        print(f"{run.name} seed {run.seed}: epoch {row['epoch']}/{run.epochs}, loss {row['loss']:.4f}", flush=True)
        tracker.log(tracking.curve(row), int(row["steps"]))

    folder = paths.unfinished("train", origin.key)
    try:
        model, history = loop.train(run, split, folder, device, report, validation)
    except Interrupted:
        raise  # the run goes on later, and MLflow's answer may take longer than the scheduler waits
    except BaseException:
        tracker.finish("FAILED")
        raise
    if not distributed.is_first():
        return
    checkpoints.publish_weights(paths.weights(*run.location), model)
    provenance.write_history(paths.history(*run.location), history)
    manifest = provenance.manifest(origin, history, paths.weights(*run.location))
    files.write_json(paths.manifest(*run.location), manifest)
    files.write_json(paths.timing(*run.location), provenance.timing(began, tracker.run_id))
    tracker.tag({"weights": str(paths.weights(*run.location)), "history": str(paths.history(*run.location))})
    tracker.finish()
    files.remove(folder)


def main() -> None:
    given = stage.arguments(__doc__, "dataset", "experiment", "seed")
    with stage.reporting_errors():
        params = config.load()
        run = Run.of(params, given.dataset, given.experiment, given.seed)
        launching.start(run.processes)
        distributed.require(run.processes)
        in_git = [paths.history(*run.location), paths.manifest(*run.location)]
        writing = stage.writing([paths.weights(*run.location)], in_git, beside=[paths.timing(*run.location)])
        with distributed.by_first(writing):
            device = loop.device_of(params.compute.device)
            with distributed.joined(device):
                train(run, device)


if __name__ == "__main__":
    main()
