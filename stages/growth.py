"""Count how parameters and FLOPs grow with the number of tasks and of scales, on a dataset's backbone."""

from pathlib import Path

from mtinet import config, files, paths, stage
from mtinet.studies import growth

DECLARED, SCALE = Path("pipeline/growth.yaml"), "paper"


def main() -> None:
    dataset = stage.arguments(__doc__, "dataset").dataset
    with stage.reporting_errors():
        params = config.load()
        target = paths.growth(params.study_name(dataset), dataset)
        declared = files.read_yaml(DECLARED)[dataset]
        size = params.scales[SCALE][dataset].input
        conditions = {"height": size.height, "width": size.width, "batch": 1, "flop": "one multiply-add"}
        with stage.writing(in_git=[target]):
            kept = {key: declared[key] for key in ("backbone", "outputs", "tasks_of_scales", "methods")}
            points = growth.counted(declared, size.height, size.width)
            files.write_json(target, {"dataset": dataset, **kept, "conditions": conditions, "points": points})


if __name__ == "__main__":
    main()
