"""Bring the metrics and delta_m of a table's runs into one file."""

from mtinet import config, files, paths, stage
from mtinet.evaluation.comparison import compare
from mtinet.evaluation.results import Results
from mtinet.reporting import layouts


def main() -> None:
    given = stage.arguments(__doc__, "dataset", "name")
    dataset = given.dataset
    with stage.reporting_errors():
        params = config.load()
        study = params.study_name(dataset)
        results = Results(study, dataset)
        layout = layouts.of_name(given.name)
        target = paths.comparison(study, given.name)
        with stage.writing(in_git=[target]):
            files.write_json(
                target,
                compare(params, dataset, layout.experiments, results.metrics, results.statistics, layout.references),
            )


if __name__ == "__main__":
    main()
