"""Judge the paper's claims about a dataset by this study's runs."""

from mtinet import config, files, paths, stage
from mtinet.evaluation.claims import judge, load_claims
from mtinet.evaluation.results import Results
from mtinet.reporting import plain, sources
from mtinet.reporting.verdicts import claims_table, compared


def main() -> None:
    dataset = stage.arguments(__doc__, "dataset").dataset
    with stage.reporting_errors():
        params = config.load()
        study = params.study_name(dataset)
        results = Results(study, dataset)
        target = paths.claims(study, dataset)
        targets = {suffix: paths.table(study, f"{dataset}-claims", suffix) for suffix in plain.WRITERS}
        with stage.writing(in_git=[target, *targets.values()]):
            judged = judge(load_claims(dataset), params, dataset, results.metrics, results.statistics)
            files.write_json(target, judged)
            table = claims_table(
                dataset, judged, sources.conditions(params, dataset, compared(judged, params.names(dataset)))
            )
            for suffix, path in targets.items():
                files.write_text(path, plain.WRITERS[suffix](table))


if __name__ == "__main__":
    main()
