"""Fill the archive's on-disk layout from rendered scenes or from the real archive, and write its data card."""

from pathlib import Path

from mtinet import config, files, paths, stage, teachers
from mtinet.config import Archive, Params
from mtinet.data import archives, cards, scene_set
from mtinet.data.layouts import EXACT_FOLDER, distilling, layout
from mtinet.errors import UserError


def fill(params: Params, dataset: str, work: Path) -> str | None:
    """Put the whole data set into `work`, continuing an interrupted attempt; returns an archive file's SHA-256."""
    if params.study.source[dataset] == "scenes":
        scenes = params.scale(dataset).scenes
        assert scenes is not None  # config sees to it
        scene_set.write_scenes(work, scenes, workers=stage.cores(), dataset=dataset)
        return None
    archive = params.datasets[dataset].archive
    digest = archives.fetch(archive, work, dataset)
    check_first_use(archive, digest, paths.card(params.study_name(dataset), dataset), dataset)
    for task in teachers.anew(params, dataset):  # what a teacher predicts anew must not be mixed with what was shipped
        files.remove(work / layout(dataset).FOLDERS[task])
    cards.check_archive(work, dataset)
    if digest is not None:
        archives.remember(archive, digest, dataset)
    return digest


def check_first_use(archive: Archive, digest: str | None, card_path: Path, dataset: str) -> None:
    """Raise UserError when the archive file is another than the one that the earlier card records.

    Nobody publishes a digest: the first one seen is what later ones are held against, unless one is declared.
    """
    known = files.read_json(card_path).get("archive_sha256") if card_path.exists() else None
    if archive.sha256 is None and digest is not None and known not in (None, digest):
        raise UserError(
            f"the archive of {dataset} has SHA-256 {digest}, {card_path} recorded {known} on first use; set"
            f" datasets.{dataset}.archive.sha256 in {paths.PARAMS} to the one that you trust"
        )


def folders(study: str, dataset: str, work: Path) -> dict[Path, Path]:
    """Each of the stage's folders: where it is made, and where the next stages read it."""
    data = layout(dataset)
    found = {work / folder: paths.raw(study, dataset) / folder for folder in data.RAW_FOLDERS}
    return found | ({work / EXACT_FOLDER: paths.exact(study, dataset)} if data.EXACT else {})


def publish(made: dict[Path, Path], work: Path, card: dict[str, object], card_path: Path) -> None:
    """Move the finished folders to where the next stages read them; one that the source lacks is left empty."""
    for source, target in made.items():
        source.mkdir(exist_ok=True)
        target.parent.mkdir(parents=True, exist_ok=True)
        files.publish(source, target)
    files.write_json(card_path, card)
    files.remove(work)


def main() -> None:
    dataset = stage.arguments(__doc__, "dataset").dataset
    with stage.reporting_errors():
        params = config.load()
        study = params.study_name(dataset)
        card_path = paths.card(study, dataset)
        with stage.writing(cached=[*folders(study, dataset, Path()).values(), card_path]):
            source = params.study.source[dataset]
            if source == "scenes":
                scene_set.renderer(dataset)  # imported, so that its code is part of the key
            given = params.scale(dataset).scenes if source == "scenes" else params.datasets[dataset].archive
            declared = given.model_dump() if given else None
            anew = teachers.anew(params, dataset)
            code = stage.code_hash(stage.code_files())
            made_of = {"dataset": dataset, source: declared, "anew": anew, "code": code}
            work = paths.unfinished("dataset", files.digest_of(made_of))
            with distilling(dataset, anew):
                digest = fill(params, dataset, work)
                card = cards.make_card(work, dataset, source) | {"archive_sha256": digest}
            publish(folders(study, dataset, work), work, card, card_path)


if __name__ == "__main__":
    main()
