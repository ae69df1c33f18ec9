"""Measure time and memory of the networks behind a dataset's tables of resources, and how time grows with tasks."""

from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

from mtinet import config, files, paths, stage  # isort: skip  (before torch: sets GOMP_SPINCOUNT, takes signals)

from typing import Any

from mtinet.config import Params
from mtinet.data.packed import PackedSplit
from mtinet.reporting import layouts
from mtinet.studies import latency
from mtinet.training import batches, loop
from mtinet.training.run import Run

GROWTH = Path("pipeline/growth.yaml")


def networks(params: Params, dataset: str) -> list[str]:
    """The declared experiments of the tables that show resources."""
    shown = {
        name for layout in layouts.of_study(params, dataset) if layout.has_resources for name in layout.experiments
    }
    return [name for name in params.names(dataset) if name in shown]


def run_of(dataset: str, name: str) -> Run:
    params = config.load()
    return Run.of(params, dataset, name, params.seeds[0])


def one(dataset: str, name: str) -> tuple[dict[str, Any], dict[str, float]]:
    """One network's conditions and costs, in a process of its own: the peak of memory is the process's."""
    run, device = run_of(dataset, name), loop.device_of(config.load().compute.device)
    split = PackedSplit(paths.packed(run.study, dataset, "train"))
    return latency.conditions(run, device), latency.measured(run, next(batches.epoch(run, split, 0)), device)


def growing(dataset: str, name: str, declared: dict[str, Any]) -> list[dict[str, Any]]:
    """The times of growth, at the size of the run's input."""
    run = run_of(dataset, name)
    loop.prepare_torch(run)
    size = run.scale.input
    return list(latency.grown(declared, size.height, size.width, loop.device_of(config.load().compute.device)))


def main() -> None:
    dataset = stage.arguments(__doc__, "dataset").dataset
    with stage.reporting_errors():
        params = config.load()
        target = paths.latency(params.study_name(dataset), dataset)
        declared = files.read_yaml(GROWTH).get(dataset)
        names = networks(params, dataset)
        spawn = get_context("spawn")
        with (
            stage.writing(in_git=[target]),
            ProcessPoolExecutor(1, mp_context=spawn, max_tasks_per_child=1) as pool,
        ):
            found = {name: pool.submit(one, dataset, name) for name in names}
            times = pool.submit(growing, dataset, names[0], declared).result() if declared else []
            results = {name: future.result() for name, future in found.items()}
            content = {"conditions": next(iter(results.values()))[0], "growth": times}
            files.write_json(target, content | {"experiments": {name: costs for name, (_, costs) in results.items()}})


if __name__ == "__main__":
    main()
