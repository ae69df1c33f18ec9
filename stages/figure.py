"""Draw one figure of a dataset: curves, panels, affinities, architecture, gains, growth of costs."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from mtinet import config, files, paths, stage
from mtinet.config import Params
from mtinet.data.packed import PackedSplit
from mtinet.reporting import figures, layouts, runs, sources
from mtinet.reporting.captions import experiments_of
from mtinet.reporting.classes import classes_of

PANELS, RECORDED = Path("pipeline/figures.yaml"), Path("pipeline/affinity.yaml")


def sheet(params: Params, dataset: str, path: Path) -> None:
    """Held-out images with every label."""
    split = PackedSplit(paths.packed(params.study_name(dataset), dataset, "val"))
    figures.sheet(split, path, classes_of(dataset))


def curves(params: Params, dataset: str, path: Path) -> None:
    """Training losses of every run, and what predictors that see no image come to."""
    blind = files.read_json(paths.levels(params.study_name(dataset), dataset))
    figures.learning_curves(sources.histories(params, dataset), path, runs.shown(params, dataset), blind)


def panel(params: Params, dataset: str, path: Path, name: str = "panel") -> None:
    """Images, labels and the predictions of the declared rows."""
    declared = files.read_yaml(PANELS)[dataset][name]
    rows = {row["label"]: row.get("run") or row["runs"] for row in declared["rows"]}
    found = sources.examples(params, dataset, experiments_of(declared["rows"]))
    figures.panel(found, rows, declared["tasks"], path, classes_of(dataset))


def methods(params: Params, dataset: str, path: Path) -> None:
    """The same with further methods between single-task networks and MTI-Net."""
    panel(params, dataset, path, "methods")


def patches(params: Params, dataset: str, path: Path) -> None:
    """Labels in local and in large patches (Figure 2a)."""
    tasks = params.affinity.tasks[dataset]
    figures.patches(sources.examples(params, dataset), tasks, path, classes_of(dataset))


def affinity(params: Params, dataset: str, path: Path) -> None:
    """Matching pixel affinities (Figure 2b), beside those of real labels of the same dataset."""
    measured = files.read_json(paths.affinity(params.study_name(dataset), dataset))
    recorded = files.read_yaml(RECORDED)
    figures.affinity(measured, path, recorded if recorded["dataset"] == dataset else None)


def structure(params: Params, dataset: str) -> Any:
    """What the stage architecture wrote."""
    return files.read_json(paths.architecture(params.study_name(dataset), dataset))


def architecture(params: Params, dataset: str, path: Path) -> None:
    """MTI-Net's blocks (Figure 1)."""
    figures.architecture(structure(params, dataset)["mti_net"], path)


def propagation(params: Params, dataset: str, path: Path) -> None:
    """Its feature propagation module (Figure 3)."""
    figures.propagation(structure(params, dataset)["mti_net"], path)


def compared(params: Params, dataset: str) -> dict[str, dict[str, Any]]:
    """All experiments of the dataset's comparison files."""
    study = params.study_name(dataset)
    names = [layout.name for layout in layouts.of_study(params, dataset)]
    return runs.merged(files.read_json(paths.comparison(study, name)) for name in names)


def tabled(params: Params, dataset: str) -> tuple[list[runs.Shown], dict[str, dict[str, Any]]]:
    """The experiments that a table shows, as figures call them, and their entries: of others nothing is compared."""
    found = compared(params, dataset)
    return [entry for entry in runs.shown(params, dataset) if entry.name in found], found


def deltas(params: Params, dataset: str, path: Path) -> None:
    """delta_m of every method."""
    figures.delta_bars(*tabled(params, dataset), path)


def costs(params: Params, dataset: str, path: Path) -> None:
    """delta_m against FLOPs and parameters."""
    figures.against_costs(*tabled(params, dataset), structure(params, dataset), path)


def growth(params: Params, dataset: str, path: Path) -> None:
    """Costs against the number of tasks and of scales."""
    study = params.study_name(dataset)
    measured = files.read_json(paths.latency(study, dataset)) if params.study.latency else None
    figures.growth(files.read_json(paths.growth(study, dataset)), path, measured)


FIGURES: dict[str, Callable[[Params, str, Path], None]] = {
    "sheet": sheet,
    "curves": curves,
    "panel": panel,
    "methods": methods,
    "patches": patches,
    "affinity": affinity,
    "architecture": architecture,
    "propagation": propagation,
    "deltas": deltas,
    "costs": costs,
    "growth": growth,
}


def main() -> None:
    given = stage.arguments(__doc__, "dataset", "name")
    with stage.reporting_errors():
        params = config.load()
        study = params.study_name(given.dataset)
        targets = [paths.figure(study, f"{given.dataset}-{given.name}", suffix) for suffix in ("png", "svg")]
        with stage.writing(cached=targets):
            for target in targets:
                with files.replacing(target) as temporary:
                    FIGURES[given.name](params, given.dataset, temporary)


if __name__ == "__main__":
    main()
