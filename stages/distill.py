"""Derive the labels that the dataset's source lacks, each as the archive would store it."""

from pathlib import Path

from mtinet import config, files, paths, stage
from mtinet.data import labels
from mtinet.errors import UserError


def main() -> None:
    dataset = stage.arguments(__doc__, "dataset").dataset
    with stage.reporting_errors():
        params = config.load()
        study = params.study_name(dataset)
        target: Path = paths.distilled(study, dataset)
        with stage.reporting_errors(cached=[target]), files.replacing(target) as work:
            work.mkdir()
            card = files.read_json(paths.card(study, dataset))
            labels.derive_missing(paths.raw(study, dataset), card, work)
            taught = labels.tasks_of(card, "taught")
            if taught:
                raise UserError(
                    f"no labels for {', '.join(taught)} in {paths.raw(study, dataset)}, and no teacher to predict "
                    f"them; set study.source.{dataset} to archive in {paths.PARAMS}: the archive has them"
                )


if __name__ == "__main__":
    main()
