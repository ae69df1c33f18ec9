"""Measure how low training losses come without an image: the lines in the figure of learning curves."""

from mtinet import config, files, paths, stage  # isort: skip  (before torch: sets GOMP_SPINCOUNT)

import torch

from mtinet.data.packed import PackedSplit
from mtinet.studies.levels import levels


def main() -> None:
    dataset = stage.arguments(__doc__, "dataset").dataset
    with stage.reporting_errors():
        params = config.load()
        study = params.study_name(dataset)
        target = paths.levels(study, dataset)
        torch.set_num_threads(params.compute.threads)  # orchestrators set others, and sums depend on them
        with stage.writing(in_git=[target]):
            split, size = PackedSplit(paths.packed(study, dataset, "train")), params.scale(dataset).input
            classes = {name: params.channels(dataset, name) for name in params.datasets[dataset].tasks}
            files.write_json(target, levels(split, classes, (size.height, size.width)))


if __name__ == "__main__":
    main()
