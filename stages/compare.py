"""Bring the metrics and delta_m of a table's runs into one file."""

from typing import Any

import numpy as np

from mtinet import config, files, paths, stage
from mtinet.evaluation.comparison import compare
from mtinet.reporting import layouts


def main() -> None:
    given = stage.arguments(__doc__, "dataset", "name")
    dataset = given.dataset
    with stage.reporting_errors():
        params = config.load()
        study = params.study_name(dataset)

        def read(experiment: str, seed: int) -> dict[str, Any] | None:
            path = paths.metrics(study, dataset, experiment, seed)
            return files.read_json(path) if path.exists() else None

        def statistics(experiment: str, seed: int) -> dict[str, Any] | None:
            path = paths.statistics(study, dataset, experiment, seed)
            if not path.exists():
                return None
            with np.load(path, allow_pickle=False) as stored:
                return dict(stored)

        layout = layouts.load_layouts()[given.name]
        target = paths.comparison(study, given.name)
        with stage.writing(in_git=[target]):
            files.write_json(target, compare(params, dataset, layout.experiments, read, statistics, layout.references))


if __name__ == "__main__":
    main()
