"""Pack each split into a few memory-mappable files."""

from mtinet import config, files, paths, stage
from mtinet.data import cards, nyud, packing


def main() -> None:
    dataset = stage.arguments(__doc__, "dataset").dataset
    with stage.reporting_errors():
        params = config.load()
        study = params.study_name(dataset)
        raw, distilled = paths.raw(study, dataset), paths.distilled(study, dataset)
        with stage.reporting_errors(cached=[paths.packed(study, dataset, split) for split in ("train", "val")]):
            cards.check_card(raw, files.read_json(paths.card(study, dataset)))
            for split in ("train", "val"):
                ids = nyud.split_ids(raw, split)
                packing.pack(
                    raw, distilled, ids, list(params.datasets[dataset].tasks), paths.packed(study, dataset, split)
                )


if __name__ == "__main__":
    main()
