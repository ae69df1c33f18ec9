"""Pre-train a backbone on pictures rendered for that alone; where no experiment begins with it, say what instead."""

from pathlib import Path

from mtinet import config, files, paths, stage  # isort: skip  (before torch: sets GOMP_SPINCOUNT)

from mtinet.training import pretraining
from mtinet.training.beforehand import MANIFEST


def main() -> None:
    given = stage.arguments(__doc__, "dataset", "name")
    with stage.reporting_errors():
        params = config.load()
        none = pretraining.reason_for_none(params, given.dataset, given.name)
        target = paths.pretrained(params.study_name(given.dataset), given.dataset, given.name)
        with stage.writing(cached=[target]):
            unfinished: list[Path] = []
            with files.replacing(target) as work:
                work.mkdir()
                if none is None:
                    unfinished = pretraining.pretrain(params, given.dataset, given.name, work)
                else:
                    files.write_json(work / MANIFEST, none)
            if unfinished:  # not before: a kill would then cost all of the training
                pretraining.clear(params, given.dataset, given.name, unfinished)


if __name__ == "__main__":
    main()
