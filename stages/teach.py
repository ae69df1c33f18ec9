"""Train the teacher of a task that the dataset's source does not label; where none is to be trained, say why."""

from pathlib import Path

from mtinet import config, files, paths, stage, teachers
from mtinet.config import Params
from mtinet.teachers import learning
from mtinet.training.beforehand import MANIFEST


def reason_for_none(params: Params, dataset: str, task: str) -> dict[str, str] | None:
    """What stands in a manifest without weights: None when a teacher is to be trained."""
    if task not in teachers.needed(params, dataset):
        return {"kind": "archive"}
    teacher = teachers.declared(params, dataset, task)
    return None if teacher.kind == "trained" else {"kind": str(teacher.kind)}


def main() -> None:
    given = stage.arguments(__doc__, "dataset", "task")
    with stage.reporting_errors():
        params = config.load()
        target = paths.teacher(params.study_name(given.dataset), given.dataset, given.task)
        with stage.writing(cached=[target]):
            unfinished: list[Path] = []
            with files.replacing(target) as work:
                work.mkdir()
                none = reason_for_none(params, given.dataset, given.task)
                if none is None:
                    unfinished = learning.teach(params, given.dataset, given.task, work)
                else:
                    files.write_json(work / MANIFEST, none)
            for path in unfinished:  # not before: a kill would then cost all of the training
                files.remove(path)


if __name__ == "__main__":
    main()
