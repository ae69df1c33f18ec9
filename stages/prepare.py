"""Pack each split into a few memory-mappable files."""

from mtinet import config, files, paths, stage, teachers
from mtinet.data import cards, checking, packing
from mtinet.data.layouts import SPLITS, distilling, layout
from mtinet.errors import UserError


def main() -> None:
    dataset = stage.arguments(__doc__, "dataset").dataset
    with stage.reporting_errors():
        params = config.load()
        study = params.study_name(dataset)
        raw, distilled = paths.raw(study, dataset), paths.distilled(study, dataset)
        tasks, data = list(params.datasets[dataset].tasks), layout(dataset)
        with stage.writing(cached=[paths.packed(study, dataset, split) for split in SPLITS]):
            with distilling(dataset, teachers.anew(params, dataset)):
                cards.check_card(raw, files.read_json(paths.card(study, dataset)))
            try:
                for split in SPLITS:
                    # Exact labels, and what differs from the training target, serve evaluation alone.
                    exact, scored = (paths.exact(study, dataset), data.SCORED) if split == "val" else (None, ())
                    packing.pack(
                        raw, distilled, data.split_ids(raw, split), tasks, paths.packed(study, dataset, split),
                        layout=data, exact=exact, scored=[task for task in scored if task in tasks],
                    )  # fmt: skip
            except UserError:
                # The first fault stopped it; whoever puts that right wants to know of all others too.
                found = checking.faults(raw, dataset, distilled)
                cards.report(found, f"{raw} cannot be packed", "run the stages dataset and distill again")
                raise


if __name__ == "__main__":
    main()
