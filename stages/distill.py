"""Derive or have teachers predict the labels that the dataset's source lacks, each as the archive would store it."""

from pathlib import Path

from mtinet import config, files, paths, stage, teachers
from mtinet.data import labels


def main() -> None:
    dataset = stage.arguments(__doc__, "dataset").dataset
    with stage.reporting_errors():
        params = config.load()
        study = params.study_name(dataset)
        target: Path = paths.distilled(study, dataset)
        with stage.writing(cached=[target]), files.replacing(target) as work:
            work.mkdir()
            card = files.read_json(paths.card(study, dataset))
            labels.derive_missing(paths.raw(study, dataset), card, work)
            labels.write_taught(paths.raw(study, dataset), card, work, teachers.predictor(params, dataset))


if __name__ == "__main__":
    main()
