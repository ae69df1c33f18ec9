"""Draw one figure of a dataset: its learning curves, or its qualitative panel."""

from pathlib import Path

from mtinet import config, files, paths, stage
from mtinet.config import Params
from mtinet.reporting import figures, sources
from mtinet.reporting.classes import classes_of

PANEL_METHODS = {"MTL": "multi_task", "PAD-Net": "pad_net", "MTI-Net": "mti_net"}


def curves(params: Params, dataset: str, path: Path) -> None:
    """Training losses of every run."""
    names = [name for name, _ in params.runs(dataset)]
    figures.learning_curves(sources.histories(params, dataset), path, {name: name for name in names})


def panel(params: Params, dataset: str, path: Path) -> None:
    """Single-task runs against the last declared experiment of each method: the one with most auxiliary tasks."""
    methods = params.experiments[dataset]
    single = {experiment.tasks[0]: name for name, experiment in methods.get("single_task", {}).items()}
    rows = {"Single task": single} | {
        label: list(methods[method])[-1] for label, method in PANEL_METHODS.items() if methods.get(method)
    }
    # Auxiliary normals are worth a look; edges thinner than a pixel of the panel are not.
    tasks = list(dict.fromkeys([*single, *(name for name in ("normals",) if name in params.datasets[dataset].tasks)]))
    figures.panel(sources.examples(params, dataset), rows, tasks, path, classes_of(dataset))


FIGURES = {"curves": curves, "panel": panel}


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
