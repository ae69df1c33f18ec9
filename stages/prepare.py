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
        with stage.writing(cached=[paths.packed(study, dataset, split) for split in SPLITS]):
            cards.check_card(raw, files.read_json(paths.card(study, dataset)))
            for split in SPLITS:
                # Exact labels, and what differs from the training target, serve evaluation alone.
                exact, scored = (paths.exact(study, dataset), data.SCORED) if split == "val" else (None, ())
                packing.pack(
                    raw, distilled, data.split_ids(raw, split), tasks, paths.packed(study, dataset, split),
                    layout=data, exact=exact, scored=[task for task in scored if task in tasks],
                )  # fmt: skip


if __name__ == "__main__":
    main()
