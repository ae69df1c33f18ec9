"""Bring every run's metrics and delta_m of a dataset into one file."""

from typing import Any

from mtinet import config, files, paths, stage
from mtinet.evaluation.comparison import compare


def main() -> None:
    dataset = stage.arguments(__doc__, "dataset").dataset
    with stage.reporting_errors():
        params = config.load()
        study = params.study_name(dataset)

        def read(experiment: str, seed: int) -> dict[str, Any] | None:
            path = paths.metrics(study, dataset, experiment, seed)
            return files.read_json(path) if path.exists() else None

        target = paths.comparison(study, dataset)
        with stage.reporting_errors(in_git=[target]):
            files.write_json(target, compare(params, dataset, read))


if __name__ == "__main__":
    main()
