"""The readings: each stands in a table, has its stages where the study has readings, and says where it is none."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import reporting_inputs as made
import yaml

from mtinet import config
from mtinet.reporting import layouts
from mtinet.reporting.alike import NOTE, alike, label_of, resolved
from mtinet.reporting.conditions import Conditions
from mtinet.reporting.tables import build
from mtinet.training.run import Run
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
        table
        for table in layouts.load_layouts(made.ROOT / layouts.ON_DEMAND["readings"]).values()
        if table.dataset == dataset
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


# What the scale leaves of them ------------------------------------------------------------------------------

ADAM = {"kind": "adam", "lr": 5.0e-4}
SAME = {
    ("hrnet18-mtl-s", "hrnet18-mtl-s-adam"),
    ("hrnet18-mtl-a", "hrnet18-mtl-a-adam"),
    ("r18fpn-mtl-s", "r18fpn-mtl-s-adam"),
    ("r18fpn-mtl-a", "r18fpn-mtl-a-adam"),
    ("r50fpn-mtl-a", "r50fpn-mtl-a-adam"),
}


@pytest.mark.parametrize(
    ("optimizer", "epochs", "expected"),
    [
        (ADAM, 4, SAME),
        (None, 4, set()),
        (ADAM, 1, SAME | {("hrnet18-mti-a", "hrnet18-mti-a-best-epoch")}),
        (None, 1, {("hrnet18-mti-a", "hrnet18-mti-a-best-epoch")}),
    ],
)
def test_a_reading_is_the_same_where_the_scale_settles_it(optimizer: Any, epochs: int, expected: set[Any]) -> None:
    params = params_with(optimizer=optimizer, epochs=epochs)
    assert set(alike(params, "pascal", params.names("pascal"))) == expected


def test_what_is_compared_is_what_training_takes() -> None:
    """Two experiments with equal configurations are two runs that train alike, and no others are."""
    params = params_with(optimizer=ADAM)
    names = [name for name in params.names("pascal") if "mtl" in name or "mti-a" in name]

    def trains(name: str) -> tuple[Any, ...]:
        run = Run.of(params, "pascal", name, 0)
        declared = run.experiment.model_dump(exclude={"optimizer", "lr"})
        return run.method, run.optimizer, run.learning_rate, run.epochs, run.pretrained, run.channels, declared

    for one in names:
        for other in names:
            same = trains(one) == trains(other)
            assert (resolved(params, "pascal", one) == resolved(params, "pascal", other)) == same, (one, other)


def test_the_row_says_so_itself() -> None:
    layout = layouts.load_layouts(made.ROOT / layouts.ON_DEMAND["readings"])["readings_pascal_hrnet18"]

    def table(optimizer: Any) -> Any:
        params = params_with(optimizer=optimizer)
        conditions = Conditions.of(params, "pascal", layout.experiments, [])
        missing = {name: made.missing() | {"baseline": {}} for name in layout.experiments}
        content = {"dataset": "pascal", "study": "scenes-laptop", "seeds": [0], "experiments": missing}
        return build(layout, content, {}, {}, conditions)

    settled, free = table(ADAM), table(None)
    labels = [row.label for row in settled.rows]
    assert "MTL (s), Adam (here the same as MTL (s))" in labels
    assert "MTL (a), Adam (here the same as MTL (a))" in labels
    assert sum("here the same" in label for label in labels) == 2
    assert NOTE in settled.notes
    assert "MTL (s), Adam" in [row.label for row in free.rows]
    assert NOTE not in free.notes


def test_only_a_later_row_refers_to_an_earlier_one() -> None:
    layout = layouts.load_layouts(made.ROOT / layouts.ON_DEMAND["readings"])["readings_pascal_hrnet18"]
    groups = [("hrnet18-mtl-s", "hrnet18-mtl-a", "elsewhere")]
    rows = {row.single: label_of(row, layout, groups) for row in layout.rows if row.single}
    assert rows["hrnet18-mtl-s"] == "MTL (s)"
    assert rows["hrnet18-mtl-a"] == "MTL (a) (here the same as MTL (s))"
