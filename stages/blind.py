"""Score the two predictors that see no image: the best constant and the per-position prior."""

from mtinet import config, files, paths, stage  # isort: skip  (before torch: sets GOMP_SPINCOUNT)

import torch

from mtinet.data.packed import PackedSplit
from mtinet.evaluation.blind import blind


def main() -> None:
    dataset = stage.arguments(__doc__, "dataset").dataset
    with stage.reporting_errors():
        params = config.load()
        study = params.study_name(dataset)
        target = paths.blind(study, dataset)
        torch.set_num_threads(params.compute.threads)  # orchestrators set others, and sums depend on them
        with stage.writing(in_git=[target]):
            train, val = (PackedSplit(paths.packed(study, dataset, split)) for split in ("train", "val"))
            classes = {name: params.channels(dataset, name) for name in params.datasets[dataset].tasks}
            settings = params.datasets[dataset].metric_settings()
            files.write_json(target, blind(train, val, classes, settings, params.compute.threads))


if __name__ == "__main__":
    main()
