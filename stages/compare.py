"""Bring the metrics and delta_m of a table's runs into one file."""

from typing import Any

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

        names = layouts.load_layouts()[given.name].experiments
        target = paths.comparison(study, given.name)
        with stage.writing(in_git=[target]):
            files.write_json(target, compare(params, dataset, names, read))


if __name__ == "__main__":
    main()
