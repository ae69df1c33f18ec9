"""Fill the archive's on-disk layout from rendered scenes or from the real archive, and write its data card."""

from pathlib import Path

from mtinet import config, files, paths, stage
from mtinet.config import Params
from mtinet.data import archives, cards, scene_set


def fill(params: Params, dataset: str, work: Path) -> None:
    """Put the whole data set into `work`, continuing an interrupted attempt."""
    if params.study.source[dataset] == "scenes":
        scene_set.write_scenes(work, params.scale(dataset).scenes, workers=params.compute.threads)
    else:
        archives.fetch(params.datasets[dataset].archive, work, dataset)
        cards.check_archive(work, dataset)


def publish(work: Path, raw: Path, card: dict[str, object], card_path: Path) -> None:
    """Move the finished folders to where the next stages read them; one that the source lacks is left empty."""
    raw.mkdir(parents=True, exist_ok=True)
    for folder in paths.RAW_FOLDERS:
        (work / folder).mkdir(exist_ok=True)
        files.publish(work / folder, raw / folder)
    files.write_json(card_path, card)
    files.remove(work)


def main() -> None:
    dataset = stage.arguments(__doc__, "dataset").dataset
    with stage.reporting_errors():
        params = config.load()
        study = params.study_name(dataset)
        raw, card_path = paths.raw(study, dataset), paths.card(study, dataset)
        with stage.reporting_errors(cached=[*(raw / folder for folder in paths.RAW_FOLDERS), card_path]):
            source = params.study.source[dataset]
            declared = {
                "source": source,
                "scenes": params.scale(dataset).scenes.model_dump(),
                "archive": params.datasets[dataset].archive.model_dump(),
            }
            made_of = {"dataset": dataset, source: declared[source], "code": stage.code_hash()}
            work = paths.unfinished("dataset", files.digest_of(made_of))
            fill(params, dataset, work)
            publish(work, raw, cards.make_card(work, dataset, source), card_path)


if __name__ == "__main__":
    main()
