"""Measure the pixel affinity between a dataset's tasks on the held-out labels (Figure 2b)."""

from collections.abc import Iterator

from numpy.typing import NDArray

from mtinet import config, files, paths, stage
from mtinet.config import Params
from mtinet.data.packed import PackedSplit
from mtinet.studies import affinity
from mtinet.studies.affinity import Rules


def labels(split: PackedSplit, tasks: list[str]) -> Iterator[dict[str, NDArray]]:
    """The labels of one image after another."""
    for index in range(len(split)):
        yield {name: split.label(name, index) for name in tasks}


def measured(params: Params, dataset: str) -> dict[str, object]:
    """The stage's file: how it was measured, and per pair of tasks counts and rates at every dilation."""
    settings, study = params.affinity, params.study_name(dataset)
    # Packed, not raw: one file that is mapped into memory, with labels that the source lacks derived already.
    split = PackedSplit(paths.packed(study, dataset, "val"))
    rules = Rules(settings.depth_threshold, settings.normals_threshold, settings.edge_rule)
    totals = affinity.summed(labels(split, settings.tasks[dataset]), settings.dilations, settings.kernel, rules)
    return {
        "dataset": dataset,
        "study": study,
        "images": len(split),
        "mean_height": sum(height for height, _ in split.shapes) / len(split),
        **settings.model_dump(exclude={"tasks"}),
        "pairs": affinity.described(totals),
    }


def main() -> None:
    dataset = stage.arguments(__doc__, "dataset").dataset
    with stage.reporting_errors():
        params = config.load()
        target = paths.affinity(params.study_name(dataset), dataset)
        with stage.writing(in_git=[target]):
            files.write_json(target, measured(params, dataset))


if __name__ == "__main__":
    main()
