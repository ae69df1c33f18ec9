"""Controls: one configuration under several seeds, shuffled labels of training images, and what tables say of it."""

from __future__ import annotations

import copy
from pathlib import Path
from statistics import stdev
from typing import Any

import numpy as np
import pytest
import reporting_inputs as made
import torch
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from small_project import STUDY, write_project

from mtinet import config, paths
from mtinet.config import Params
from mtinet.data.packed import PackedSplit
from mtinet.evaluation.comparison import compare
from mtinet.reporting import floor, layouts
from mtinet.training import batches
from mtinet.training.run import Run

ROOT = Path(__file__).resolve().parents[1]
CONTENT = yaml.safe_load((ROOT / "params.yaml").read_text())
SHUFFLED, SEEDS, PLAIN = "hrnet18-mti-shuffled", "hrnet18-mti-seeds", "hrnet18-mti"


def params(controls: bool = True, **changes: Any) -> Params:
    content = copy.deepcopy(CONTENT) | changes
    content["study"]["controls"] = controls
    return Params.model_validate(content)


# Declaration -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dataset", ["nyud", "pascal"])
def test_controls_are_run_where_the_study_has_them_and_under_their_own_seeds(dataset):
    assert params(False).study.controls is False
    names = {name for found in CONTENT["controls"][dataset].values() for name in found}
    assert not names & set(params(False).names(dataset))
    assert config.load(ROOT / "params.yaml").study.controls is False
    runs = params().runs(dataset)
    for name in names:
        assert [seed for found, seed in runs if found == name] == [0, 1, 2]
    assert {seed for name, seed in runs if name not in names} == set(CONTENT["seeds"])


def test_a_control_is_the_configuration_that_it_is_about():
    for dataset, methods in CONTENT["controls"].items():
        for method, found in methods.items():
            for name, declared in found.items():
                about = CONTENT["experiments"][dataset][method][name.rpartition("-")[0]]
                given_options = {"propagation": "fpm"} | declared["options"]  # the default, said or not
                assert given_options == {"propagation": "fpm"} | about["options"]
                assert {key: declared[key] for key in about if key != "options"} == {
                    key: value for key, value in about.items() if key != "options"
                }
                assert declared.get("labels", "own") == ("shuffled" if name.endswith("shuffled") else "own")


def test_a_seed_named_twice_is_refused():
    with pytest.raises(ValidationError, match=r"control_seeds: .* names a seed twice"):
        params(control_seeds=[1, 1])


def test_own_labels_are_not_said_in_a_run_s_configuration():
    """So that runs made before there were controls keep theirs."""
    declared = params()
    assert "labels" not in Run.of(declared, "nyud", PLAIN, 0).config()["experiment"]
    assert Run.of(declared, "nyud", SHUFFLED, 0).config()["experiment"]["labels"] == "shuffled"


# Training ----------------------------------------------------------------------------------------------------


@given(st.integers(0, 10**6), st.integers(2, 200))
def test_every_image_gets_another_one_s_labels_and_every_label_is_used(seed, images):
    partners = batches.shuffled(seed, images)
    assert sorted(partners.tolist()) == [*range(images)]
    assert not (partners == np.arange(images)).any()
    assert (partners == batches.shuffled(seed, images)).all()


def test_seeds_shuffle_differently():
    assert (batches.shuffled(0, 50) != batches.shuffled(1, 50)).any()


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    return write_project(tmp_path_factory.mktemp("controls"))


def one_epoch(folder: Path, name: str) -> tuple[list[dict[str, torch.Tensor]], PackedSplit, Run]:
    run = Run.of(config.load(folder / "params.yaml"), "nyud", name, 3)
    split = PackedSplit(folder / paths.packed(STUDY, "nyud", "train"))
    return list(batches.epoch(run, split, 0)), split, run


def test_images_stay_and_labels_are_those_of_the_partners(project):
    own, split, run = one_epoch(project, PLAIN)
    shuffled, _, _ = one_epoch(project, SHUFFLED)
    images, others = (torch.cat([batch["image"] for batch in found]) for found in (own, shuffled))
    assert torch.equal(images, others)
    # Each target comes, under the same view, from the partner's label: made once more, one image at a time.
    order = np.random.default_rng([3, 0]).permutation(len(split))
    partners = batches.shuffled(3, len(split))
    generator = np.random.default_rng([3, 0])
    generator.permutation(len(split))
    size = (run.scale.input.height, run.scale.input.width)
    depths = torch.cat([batch["depth"] for batch in shuffled])
    for place, index in enumerate(order[: len(depths)].tolist()):
        augment = batches.draw(generator, run.scale.augmentation)
        other = int(partners[index])
        expected = augment({"image": split.image(other), "depth": split.label("depth", other)}, size)["depth"]
        assert np.array_equal(depths[place].numpy(), expected)
    assert not torch.equal(depths, torch.cat([batch["depth"] for batch in own]))


def test_images_of_different_sizes_are_shuffled_too(project):
    _, split, run = one_epoch(project, SHUFFLED)

    class Varying:
        tasks = split.tasks

        def __len__(self) -> int:
            return 4

        def image(self, index: int) -> Any:
            return split.image(index)[: 40 + index, : 50 - index]

        def label(self, task: str, index: int) -> Any:
            return split.label(task, index)[: 40 + index, : 50 - index]

    (batch,) = batches.epoch(run, Varying(), 0)  # type: ignore[arg-type]
    assert batch["image"].shape[-2:] == batch["seg"].shape[-2:] == (32, 32)


# Tables ------------------------------------------------------------------------------------------------------


def metrics(name: str, seed: int) -> dict[str, Any]:
    value = 0.2 + 0.01 * seed + (0.001 if name == SHUFFLED else 0.0)
    tasks = {"seg": {"mIoU": value}, "depth": {"rmse": 1.0 + value}}
    wanted = ["seg"] if name.endswith("seg") else ["depth"] if name.endswith("depth") else ["seg", "depth"]
    return {
        "dataset": "nyud", "experiment": name, "seed": seed, "steps": 5, "epochs": 1, "auxiliary": {}, "initial": {},
        "tasks": {task: tasks[task] for task in wanted},
    }  # fmt: skip


def controls() -> dict[str, Any]:
    layout = layouts.load_layouts(ROOT / layouts.ON_DEMAND["controls"])["controls_nyud"]
    return compare(params(), "nyud", layout.experiments, metrics)


def test_the_comparison_takes_each_experiment_s_own_seeds():
    found = controls()["experiments"]
    assert found[PLAIN]["seeds"] == [0]
    assert "labels" not in found[PLAIN]
    assert [found[name]["seeds"] for name in (SEEDS, SHUFFLED)] == [[0, 1, 2]] * 2
    assert (found[SEEDS]["labels"], found[SHUFFLED]["labels"]) == ("own", "shuffled")
    assert found[SEEDS]["std"]["seg"]["mIoU"] == pytest.approx(stdev([0.2, 0.21, 0.22]))


def test_tables_quote_the_floor_and_say_how_to_get_it_where_there_is_none():
    table = made.table2a()
    assert table.notes[-1] == f"Noise floor (other seeds, shuffled labels): not measured; {floor.HOW}."
    layout = layouts.load_layouts(ROOT / layouts.TABLES)["table2a"]
    lines = floor.noise(layout, controls())
    assert len(lines) == 2
    assert lines[0].startswith(f"Noise floor, standard deviation of {SEEDS} over seeds 0, 1, 2: ")
    assert "1.00 %" in lines[0]  # stdev(20, 21, 22) of mIoU in %
    assert "0.010 m" in lines[0]
    assert lines[1].startswith(f"Negative control, {SHUFFLED}, ")
    assert "21.10 %" in lines[1]
    assert "1.211 m" in lines[1]


def test_seeds_that_are_missing_are_gaps_and_not_numbers():
    layout = layouts.load_layouts(ROOT / layouts.TABLES)["table2a"]
    found = controls()
    for entry in found["experiments"].values():
        entry |= {"seeds": [], "std": None, "metrics": None, "delta_m": None, "delta_m_std": None}
    for line in floor.noise(layout, found):
        assert "over seeds –" in line
        assert not any(character.isdigit() for character in line.partition("over seeds")[2])


def test_the_table_of_the_controls_quotes_nothing():
    layout = layouts.load_layouts(ROOT / layouts.ON_DEMAND["controls"])["controls_nyud"]
    assert floor.noise(layout, None) == []
    for dataset in CONTENT["controls"]:
        found = layouts.load_layouts(ROOT / layouts.ON_DEMAND["controls"])[layouts.floor_of(dataset)]
        names = {name for group in CONTENT["controls"][dataset].values() for name in group}
        assert names <= set(found.experiments)
