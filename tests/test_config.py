"""params.yaml is read strictly: every mistake is one line that names the key and what was expected."""

from __future__ import annotations

import copy
import math
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from ruamel.yaml import YAML

from mtinet import config, files, mistakes
from mtinet.errors import UserError

ROOT = Path(__file__).resolve().parents[1]
CONTENT = yaml.safe_load((ROOT / "params.yaml").read_text())
MTI = ("experiments", "nyud", "mti_net", "hrnet18-mti")


def at(content: Any, key: tuple[str, ...]) -> Any:
    for part in key:
        content = content[part]
    return content


def refusal(tmp_path: Path, content: Any) -> str:
    path = tmp_path / "params.yaml"
    path.write_text(yaml.safe_dump(content))
    with pytest.raises(UserError) as caught:
        config.load(path)
    return str(caught.value)


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        (("study", "scael"), "laptop", ["study.scael: unknown parameter", "did you mean 'scale'"]),
        (("study", "scale"), "lptop", ["study.scale", "'lptop'", "did you mean 'laptop'"]),
        (("study", "source", "nyud"), "web", ["study.source.nyud: found 'web'", "'scenes' or 'archive'"]),
        ((*MTI, "tasks"), ["sge"], ["experiments.nyud.mti_net.hrnet18-mti.tasks", "'sge'", "did you mean 'seg'"]),
        ((*MTI, "auxiliary"), ["seg"], ["hrnet18-mti", "named twice"]),
        ((*MTI, "lr"), "slow", ["hrnet18-mti.lr: found 'slow'", "number"]),
        ((*MTI, "lr"), -1.0, ["hrnet18-mti.lr: found -1.0", "greater than 0"]),
        ((*MTI, "lerning_rate"), 1.0, ["hrnet18-mti.lerning_rate: unknown parameter"]),
        (("scales", "laptop", "nyud", "input", "height"), 100, ["scales.laptop.nyud.input.height: found 100", "32"]),
        (
            ("scales", "laptop", "nyud", "batch_size"),
            109,
            ["scales.laptop.nyud", "batch_size: found 109", "train, 108"],
        ),
        (
            ("scales", "laptop", "nyud", "epochs_of", "timm/hrnet_w48"),
            0.02,  # 2 of 108 images
            ["scales.laptop.nyud", "epochs_of.timm/hrnet_w48: found 0.02, expected 0.037 or more", "batch_size 4"],
        ),
        (("pretraining", "pascal", "hrnet18", "heads"), "linaer", ["heads: found 'linaer'", "'own' or 'linear'"]),
        (("seeds",), [0, 0], ["seeds", "twice"]),
        (("seeds",), [], ["seeds", "at least 1"]),
        (("compute", "threads"), 0, ["compute.threads: found 0"]),
        (("datasets", "nyud", "tasks", "seg"), {"weight": 1.0}, ["datasets.nyud.tasks.seg", "classes"]),
        (("datasets", "nyud", "tasks", "depth", "classes"), 3, ["datasets.nyud.tasks.depth", "classes"]),
        (("datasets", "nyud", "tasks", "dpeth"), {"weight": 1.0}, ["datasets.nyud.tasks", "did you mean 'depth'"]),
        (("experiments", "nyu"), {}, ["experiments", "'nyu'", "did you mean 'nyud'"]),
    ],
)
def test_mistakes_name_the_key(tmp_path: Path, key: tuple[str, ...], value: Any, expected: list[str]) -> None:
    content = copy.deepcopy(CONTENT)
    at(content, key[:-1])[key[-1]] = value
    message = refusal(tmp_path, content)
    assert "\n" not in message
    for part in expected:
        assert part in message


def test_a_missing_section_is_named(tmp_path: Path) -> None:
    content = copy.deepcopy(CONTENT)
    del content["seeds"]
    assert "seeds: missing" in refusal(tmp_path, content)


def test_an_experiment_name_is_used_once_per_dataset(tmp_path: Path) -> None:
    content = copy.deepcopy(CONTENT)
    content["experiments"]["nyud"]["multi_task"]["hrnet18-mti"] = copy.deepcopy(at(CONTENT, MTI))
    assert "hrnet18-mti: the name is taken" in refusal(tmp_path, content)


def test_broken_yaml_and_no_file(tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    with pytest.raises(UserError, match="repository's root"):
        config.load(path)
    path.write_text("study: {")
    with pytest.raises(UserError, match="not valid YAML"):
        config.load(path)


def test_both_yaml_dialects_read_the_same() -> None:
    """DVC reads YAML 1.2 (ruamel), Snakemake and the stages 1.1 (PyYAML): 1e-4 would differ, for one."""
    for path in (ROOT / "params.yaml", ROOT / "src/mtinet/tasks.yaml", *sorted((ROOT / "pipeline").glob("*.yaml"))):
        dvc = YAML(typ="safe").load(path.read_text())
        assert dvc == files.read_yaml(path) == yaml.safe_load(path.read_text()), path


@pytest.mark.parametrize("number", ["1e-5", "1E5", "-3e-05", "1.5e3", "2.e-1", "7", "0.1"])
def test_a_number_is_a_number_however_dvc_writes_it(tmp_path: Path, number: str) -> None:
    path = tmp_path / "file.yaml"
    path.write_text(f"a: {number}")
    assert files.read_yaml(path)["a"] == float(number)
    assert YAML(typ="safe").load(path.read_text())["a"] == float(number)


def leaves(content: Any, key: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    if isinstance(content, dict):
        return [leaf for name, value in content.items() for leaf in leaves(value, (*key, name))]
    return [key]


ANYTHING = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=8),
    st.lists(st.integers(), max_size=2),
    st.dictionaries(st.text(max_size=3), st.integers(), max_size=1),
)


@given(key=st.sampled_from(leaves(CONTENT)), value=ANYTHING)
def test_any_leaf_with_any_value_is_accepted_or_refused_by_its_path(key: tuple[Any, ...], value: Any) -> None:
    content = copy.deepcopy(CONTENT)
    at(content, key[:-1])[key[-1]] = value
    try:
        config.Params.model_validate(content)
    except ValidationError as error:
        messages = [mistakes.problem(item, config.Params) for item in error.errors()]
        assert all("\n" not in message for message in messages)
        assert any(str(key[0]) in message for message in messages)


def test_paper_scale_is_the_papers_recipe() -> None:
    """Section A.2: Adam 1e-4, batches of 6, 80 epochs on NYUD-v2, zoom {1, 1.2, 1.5} and flip."""
    params = config.load(ROOT / "params.yaml")
    paper = params.scales["paper"]["nyud"]
    assert (paper.batch_size, paper.epochs, paper.lr_factor) == (6, 80, 1.0)
    assert (paper.input.height, paper.input.width) == (480, 640)
    assert (paper.scenes.train, paper.scenes.val) == (795, 654)
    assert paper.augmentation.zoom == [1.0, 1.2, 1.5]
    assert paper.augmentation.flip
    for experiments in params.experiments["nyud"].values():
        for experiment in experiments.values():
            assert experiment.optimizer == "adam"
            assert math.isclose(experiment.lr, 1e-4)


def test_readings_count_where_the_study_has_them_and_are_found_by_name_in_any_case() -> None:
    """Each differs from an experiment of the paper in one thing, which its name says."""
    for switch in (False, True):
        content = copy.deepcopy(CONTENT)
        content["study"]["readings"] = switch
        params = config.Params.model_validate(content)
        for dataset, methods in params.readings.items():
            names = {name for readings in methods.values() for name in readings}
            assert (names <= {*params.names(dataset)}) == switch
            assert names.isdisjoint(name for found in params.experiments[dataset].values() for name in found)
            for method, readings in methods.items():
                for name, reading in readings.items():
                    assert params.experiment(dataset, name) == (method, reading)
                    others = params.experiments[dataset][method].values()
                    optimiser = ["optimizer", "lr"]  # Adam has a rate of its own: one thing
                    nearest = min((differences(reading, other) for other in others), key=len)
                    assert len(nearest) == 1 or nearest == optimiser, name


def differences(first: config.Experiment, second: config.Experiment) -> list[str]:
    """The fields in which two declarations differ, option by option."""
    one, other = first.model_dump(), second.model_dump()
    options = {*one["options"], *other["options"]}
    found = [key for key in options if one["options"].get(key) != other["options"].get(key)]
    return [*found, *(key for key in one if key != "options" and one[key] != other[key])]


def test_a_reading_may_not_take_an_experiments_name() -> None:
    content = copy.deepcopy(CONTENT)
    taken = next(iter(content["experiments"]["nyud"]["mti_net"]))
    readings = content["readings"]["nyud"]["mti_net"]
    readings[taken] = next(iter(readings.values()))
    with pytest.raises(ValidationError, match=f"readings.nyud.mti_net.{taken}: the name is taken under experiments"):
        config.Params.model_validate(content)
