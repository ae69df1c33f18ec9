"""Fixtures that several files of tests share."""

from __future__ import annotations

import pytest
from workflow import Project, Resumed, interrupted, stages_run

import mtinet  # noqa: F401  (sets GOMP_SPINCOUNT before any test imports torch)


@pytest.fixture(scope="session")
def resumed(tmp_path_factory: pytest.TempPathFactory) -> Resumed:
    """A project in which `dvc repro` was killed during a training and then repeated."""
    project = Project.copy(tmp_path_factory.mktemp("resumed"))
    first = interrupted(project, "train_nyud_multi_task", seconds=4)
    return Resumed(project, first, stages_run(project.run("dvc", "repro")))
