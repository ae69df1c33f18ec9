"""The committed study, reports/scenes-laptop: all runs behind the paper's tables, and single tasks that have learnt."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from small_project import ROOT

from mtinet import config, files, paths
from mtinet.tasks import registry
from mtinet.training.run import Run

PARAMS = config.load(ROOT / "params.yaml")
STUDY = "scenes-laptop"
SMALL = ("timm/hrnet_w18_small_v2", "fpn/resnet18")
SINGLE = ("single_task", "single_task_dlv3")
BLIND = ("constant", "position")
LEAST = 80  # steps of a run on a small backbone


def compared(dataset: str) -> dict[str, dict[str, Any]]:
    """Experiment -> what the tables' comparisons say of it."""
    contents = [files.read_json(path) for path in sorted((ROOT / f"reports/{STUDY}/comparison").glob("*.json"))]
    return {
        name: run
        for content in contents
        if content["dataset"] == dataset
        for name, run in content["experiments"].items()
    }


def singles() -> Iterator[tuple[str, str, str]]:
    """Dataset, experiment and task of the single-task runs on small backbones."""
    for dataset, methods in PARAMS.experiments.items():
        for method, experiments in methods.items():
            for name, experiment in experiments.items():
                if method in SINGLE and experiment.backbone in SMALL:
                    yield dataset, name, experiment.tasks[0]


def test_every_experiment_stands_in_a_table_with_enough_steps() -> None:
    runs = [(dataset, name, run) for dataset in PARAMS.experiments for name, run in compared(dataset).items()]
    declared = [(d, name) for d, methods in PARAMS.experiments.items() for found in methods.values() for name in found]
    assert sorted((dataset, name) for dataset, name, _ in runs) == sorted(declared)
    assert len(runs) == 71
    assert not [name for _, name, run in runs if run["backbone"] in SMALL and run["steps"] < LEAST]


def test_the_committed_runs_are_those_that_params_declares() -> None:
    """Whoever changes the declaration of a run makes it anew before the reports are committed."""
    for dataset in PARAMS.experiments:
        for name in PARAMS.names(dataset):
            for seed in PARAMS.seeds:
                manifest = files.read_json(ROOT / paths.manifest(STUDY, dataset, name, seed))
                assert manifest["config_hash"] == files.digest_of(Run.of(PARAMS, dataset, name, seed).config()), name


@pytest.mark.parametrize(("dataset", "name", "task"), [*singles()])
def test_a_single_task_beats_both_predictors_that_see_no_image(dataset: str, name: str, task: str) -> None:
    entry = registry()[task]
    found = compared(dataset)[name]["metrics"][task][entry.metric]
    blind = files.read_json(ROOT / paths.blind(STUDY, dataset))
    for predictor in BLIND:
        other = blind[predictor][task][entry.metric]
        assert found < other if entry.better == "lower" else found > other, (found, predictor, other)
