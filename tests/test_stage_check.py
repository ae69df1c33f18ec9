"""The stage check refuses, naming the key, what would fail hours later in another stage."""

from __future__ import annotations

import copy
import random
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from faults import record
from pydantic import ValidationError

from mtinet import config, mistakes
from mtinet.errors import UserError
from stages.check import check

WHOLE = yaml.safe_load((Path(__file__).resolve().parents[1] / "params.yaml").read_text())
CONTENT = copy.deepcopy(WHOLE)
for sets in CONTENT["scales"].values():
    sets["nyud"]["epochs_of"] = {}  # of backbones that these experiments lack
EXPERIMENT = {
    "backbone": "fpn/resnet18", "tasks": ["seg"], "auxiliary": [], "optimizer": "adam", "lr": 1e-4,
    "weight_decay": 0.0, "options": {},
}  # fmt: skip


def refusal(pretrained: Any = "none", device: str = "cpu", **changes: Any) -> str:
    """What check says of one single-task experiment with these changes; nothing where it is accepted."""
    content = copy.deepcopy(CONTENT)
    content["compute"]["device"] = device
    content["study"]["source"]["nyud"] = "scenes"
    content["experiments"]["nyud"] = {"single_task": {"one": {**EXPERIMENT, **changes}}}
    for sets in content["scales"].values():
        sets["nyud"]["pretrained"] = "none"
    content["scales"][content["study"]["scale"]]["nyud"]["pretrained"] = pretrained
    try:
        check(config.Params.model_validate(content), "nyud")
    except UserError as error:
        return str(error)
    return ""


def test_what_can_be_built_is_accepted() -> None:
    assert refusal() == ""
    assert refusal(backbone="timm/hrnet_w18_small_v2") == ""


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"backbone": "timm/vit_tiny_patch16_224"}, ["experiments.nyud.single_task.one: backbone timm/vit_tiny", "4"]),
        ({"backbone": "timm/tresnet_l"}, ["experiments.nyud.single_task.one: backbone timm/tresnet_l offers no"]),
        ({"backbone": "timm/hrnet_w18_smal_v2"}, ["experiments.nyud.single_task.one: unknown backbone", "similar"]),
        ({"backbone": "nothing/here"}, ["experiments.nyud.single_task.one: unknown backbone library"]),
        ({"options": {"x": 1}}, ["experiments.nyud.single_task.one: single_task: unknown option 'x'"]),
        ({"options": {"hrnet_fusion": []}}, ["experiments.nyud.single_task.one", "'hrnet_fusion': found []"]),
        ({"tasks": ["seg", "depth"]}, ["experiments.nyud.single_task.one"]),
        ({"pretrained": "nowhere.pth"}, ["scales.laptop.nyud.pretrained: found 'nowhere.pth', expected none, hub"]),
        (
            {"pretrained": {"fpn/resnet18": "nowhere.pth"}},
            ["scales.laptop.nyud.pretrained.fpn/resnet18: found 'nowhere.pth'"],
        ),
    ],
)
def test_what_cannot_be_built_is_refused(changes: dict[str, Any], expected: list[str]) -> None:
    message = refusal(**changes)
    assert "\n" not in message
    for part in expected:
        assert part in message


@pytest.mark.parametrize(
    ("dataset", "size", "said"),
    [
        ("nyud", {"longest": 320}, "sizes images by longest, expected height and width for rendered images of nyud"),
        ("pascal", {"height": 96, "width": 96}, "sizes images by height and width, expected longest alone"),
    ],
)
def test_scenes_are_sized_as_the_archives_images_are(dataset: str, size: dict[str, int], said: str) -> None:
    content = copy.deepcopy(WHOLE)
    content["study"] |= {"scale": "smoke", "source": {"nyud": "scenes", "pascal": "scenes"}}
    content["scales"]["smoke"][dataset]["scenes"] = {"train": 8, "val": 4, "seed": 0, **size}
    content |= {"pretraining": {}, "teachers": {}}
    for sets in content["scales"].values():
        sets["pascal"]["pretrained"] = "none"
    with pytest.raises(UserError, match=f"^scales.smoke.{dataset}.scenes: {said}"):
        check(config.Params.model_validate(content), dataset)


def test_a_gpu_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert "compute.device is 'cuda' but torch finds no GPU" in refusal(device="cuda")
    assert refusal(device="auto") == ""


def test_odd_options_are_refused_in_one_line() -> None:
    odd = [None, True, -1, 0.5, "x", [], {}, [1], {"a": 1}, 10**30]
    for method, content in CONTENT["experiments"]["nyud"].items():
        experiment = next(iter(content.values()))
        for name in ("hrnet_fusion", "propagation", "nothing"):
            for value in odd:
                declared = {**experiment, "options": {name: value}}
                whole = copy.deepcopy(CONTENT)
                whole["experiments"]["nyud"] = {method: {"one": declared}}
                with pytest.raises(UserError, match=f"experiments.nyud.{method}.one") as caught:
                    check(config.Params.model_validate(whole), "nyud")
                assert len(str(caught.value).splitlines()) == 1
    record("odd options of methods", 30 * len(CONTENT["experiments"]["nyud"]), 0)


def test_odd_experiments_are_accepted_or_refused_by_their_key() -> None:
    """Whatever stands in an experiment: check builds it, or refuses it in lines that name the key."""
    rng, refused = random.Random(4), 0
    odd: list[Any] = [
        *(None, True, -1, 0, 3, 1e-300, float("nan"), "", "x", "fpn/resnet18", "timm/resnet18", "dlv3/resnet26"),
        *("timm/vit_tiny_patch16_224", "fpn/..", "timm/a.b", "a/b", "timm/" + "x" * 300),
        *([], ["seg"], ["depth", "seg"], ["edge"], ["x"], [1], {}, {"hrnet_fusion": "bilinear"}),
        *({"propagation": "none"}, {"propagation": "fpm"}, {"x": {"y": 1}}),
    ]
    methods = list(CONTENT["experiments"]["nyud"])
    tried = 60
    for _ in range(tried):
        experiment, method = copy.deepcopy(EXPERIMENT), rng.choice(methods)
        for key in rng.sample(list(experiment), rng.randint(1, 2)):
            experiment[key] = rng.choice(odd)
        content = copy.deepcopy(CONTENT)
        content["experiments"]["nyud"] = {method: {"one": experiment}}
        try:
            check(config.Params.model_validate(content), "nyud")
        except ValidationError as error:
            lines = [mistakes.problem(item, config.Params) for item in error.errors()]
        except UserError as error:
            lines = str(error).splitlines()
        else:
            continue
        refused += 1
        assert all(f"experiments.nyud.{method}.one" in line and line.isprintable() for line in lines), lines
    assert tried / 3 < refused < tried
    record("odd experiments in params.yaml", tried, 0)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"backbone": "fpn/resnet81"}, "pretraining.pascal.r18fpn: unknown backbone"),
        ({"pretrained": "nowhere.pth"}, "pretraining.pascal.r18fpn: pretrained: "),
        ({"pretrained": "scenes"}, "pretraining.pascal.r18fpn: pretrained: "),
    ],
)
def test_a_backbone_to_be_trained_beforehand_that_cannot_be(changes: dict[str, str], said: str) -> None:
    """A misspelt one is refused where nothing begins with it too, weights that are not there where something does."""
    content = copy.deepcopy(CONTENT)
    entry = content["pretraining"]["pascal"]["r18fpn"]
    entry["budgets"]["laptop"] |= {key: value for key, value in changes.items() if key == "pretrained"}
    if "backbone" in changes:
        content["scales"]["laptop"]["pascal"]["pretrained"] = "none"
        entry |= changes
    with pytest.raises(UserError) as refused:
        check(config.Params.model_validate(content), "pascal")
    assert str(refused.value).startswith(said)
    assert "\n" not in str(refused.value)
