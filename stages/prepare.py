"""Pack each split into a few memory-mappable files."""

from mtinet import config, files, paths, stage
from mtinet.data import cards, packing
from mtinet.data.layouts import SPLITS, layout


def main() -> None:
    dataset = stage.arguments(__doc__, "dataset").dataset
    with stage.reporting_errors():
        params = config.load()
        study = params.study_name(dataset)
        raw, distilled = paths.raw(study, dataset), paths.distilled(study, dataset)
        tasks, data = list(params.datasets[dataset].tasks), layout(dataset)
        with stage.reporting_errors(cached=[paths.packed(study, dataset, split) for split in SPLITS]):
            cards.check_card(raw, files.read_json(paths.card(study, dataset)))
            for split in SPLITS:
                # Exact labels serve evaluation alone.
                exact = paths.exact(study, dataset) if split == "val" else None
                packing.pack(
                    raw, distilled, data.split_ids(raw, split), tasks, paths.packed(study, dataset, split),
                    layout=data, exact=exact,
                )  # fmt: skip


if __name__ == "__main__":
    main()
