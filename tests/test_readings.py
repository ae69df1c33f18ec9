"""The readings: each stands in a table, has its stages where the study has readings, and says where it is none."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import reporting_inputs as made
import yaml

from mtinet import config
from mtinet.reporting import layouts
from pipeline import rules

CONTENT = yaml.safe_load((made.ROOT / "params.yaml").read_text())


def params_with(**changes: Any) -> config.Params:
    """The project's parameters with readings, keys of the laptop's scale of PASCAL changed."""
    content = copy.deepcopy(CONTENT)
    content["study"] |= {"scale": "laptop", "readings": True}
    content["scales"]["laptop"]["pascal"] |= changes
    return config.Params.model_validate(content)


@pytest.mark.parametrize("dataset", CONTENT["readings"])
def test_every_reading_stands_in_a_table_beside_an_experiment(dataset: str) -> None:
    tables = [
        table for table in layouts.load_layouts(made.ROOT / layouts.READINGS).values() if table.dataset == dataset
    ]
    readings = {name for found in CONTENT["readings"][dataset].values() for name in found}
    experiments = {name for found in CONTENT["experiments"][dataset].values() for name in found}
    shown = {name for table in tables for name in table.experiments}
    assert readings <= shown <= readings | experiments
    assert {table.published for table in tables} == {None}


@pytest.mark.parametrize("dataset", ["nyud", "pascal"])
def test_both_datasets_have_the_released_softmax_and_the_best_epoch(dataset: str) -> None:
    declared = params_with().readings[dataset]["mti_net"].values()
    assert {one.options.get("fpm_softmax") for one in declared} >= {"channels"}
    assert {one.weights for one in declared} == {"last", "best"}


@pytest.mark.parametrize("dataset", ["nyud", "pascal"])
def test_they_have_stages_on_demand_alone(dataset: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def stages() -> dict[str, Any]:
        return {rule.name: rule for rule in rules.rules()}

    assert not [name for name in stages() if "readings" in name]
    content = copy.deepcopy(CONTENT)
    content["study"]["readings"] = True
    for name in ("pipeline.dependencies.declared", "pipeline.rules.declared"):
        monkeypatch.setattr(name, lambda: content)
    training = stages()[f"train_{dataset}_mti_net_readings"]
    assert [path for path in training.inputs if path.name == "val"], "the epoch is chosen on these images"
    assert f"evaluate_{dataset}_mti_net_readings" in stages()
