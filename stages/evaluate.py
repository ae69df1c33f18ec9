"""Score one run on the held-out split: metrics, per-image statistics, and examples for the panels."""

from mtinet import config, files, paths, stage  # isort: skip  (before torch: sets GOMP_SPINCOUNT, takes signals)

import numpy as np
import torch

from mtinet.data.packed import PackedSplit
from mtinet.evaluation import scoring
from mtinet.training import checkpoints, distributed, launching, loop, provenance
from mtinet.training.run import Run


def evaluate(run: Run, params: config.Params, device: torch.device) -> None:
    """Score `run` with the weights of its last epoch and publish what was found, once where several score."""
    split = PackedSplit(paths.packed(run.study, run.dataset, "val"))
    loop.prepare_torch(run)
    model = loop.build_model(run).to(device)
    manifest = files.read_json(paths.manifest(*run.location))
    provenance.check_weights(manifest, paths.weights(*run.location))
    checkpoints.load_weights(paths.weights(*run.location), model)
    scores = scoring.score(
        model, split, main=run.experiment.tasks, auxiliary=run.experiment.auxiliary, classes=run.channels,
        size=(run.scale.input.height, run.scale.input.width), batch_size=run.scale.batch_size, device=device,
        settings=params.datasets[run.dataset].metric_settings(), workers=run.threads,
        share=(distributed.rank(), distributed.world()), gathered=distributed.gathered,
    )  # fmt: skip
    if not distributed.is_first():
        return
    metrics = {
        "dataset": run.dataset, "experiment": run.name, "seed": run.seed, "method": run.method,
        "backbone": run.experiment.backbone, "steps": manifest["steps"], "epochs": manifest["epochs"],
        "images": len(split), "key": manifest["key"], "data_digest": split.digest, **scores.summaries,
    }  # fmt: skip
    for path, arrays in (
        (paths.statistics(*run.location), scores.statistics),
        (paths.examples(*run.location), scores.examples),
    ):
        with files.replacing(path) as temporary, temporary.open("wb") as stream:
            np.savez_compressed(stream, **arrays)  # type: ignore[arg-type]
    files.write_json(paths.metrics(*run.location), metrics)


def main() -> None:
    given = stage.arguments(__doc__, "dataset", "experiment", "seed")
    with stage.reporting_errors():
        params = config.load()
        run = Run.of(params, given.dataset, given.experiment, given.seed)
        launching.start(run.processes)
        cached = [paths.statistics(*run.location), paths.examples(*run.location)]
        with distributed.by_first(stage.writing(cached=cached, in_git=[paths.metrics(*run.location)])):
            device = loop.device_of(params.compute.device)
            with distributed.joined(device):
                evaluate(run, params, device)


if __name__ == "__main__":
    main()
