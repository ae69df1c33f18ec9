"""Options are checked without a network, every mistake is one line; every method is built through one call."""

from __future__ import annotations

import typing
from dataclasses import fields

import pytest
import torch

from mtinet import models
from mtinet.config import load
from mtinet.errors import UserError

HRNET = "timm/hrnet_w18_small_v2"
TASKS = {"seg": 5, "depth": 1}


def message(call, *arguments, **keywords) -> str:
    with pytest.raises(UserError) as caught:
        call(*arguments, **keywords)
    text = str(caught.value)
    assert "\n" not in text
    return text


def test_the_methods_of_the_paper_are_found_and_what_backbones_learn_with():
    assert set(models.methods()) == {
        "single_task", "single_task_dlv3", "multi_task", "pad_net", "mti_net", "astmt", "linear_heads",
    }  # fmt: skip


@pytest.mark.parametrize("method", models.methods())
def test_defaults_are_the_papers_reading(method):
    defaults = models.default_options(method)
    assert defaults["hrnet_fusion"] == "nearest"
    expected = {
        "pad_net": {"task_features": "residual_4c", "distillation": "attention"},
        "mti_net": {
            "scales": (4, 8, 16, 32),
            "propagation": "fpm",
            "propagated": "task_features",
            "fpm_softmax": "tasks",
            "fpm_order": (),
            "distillation": "attention",
            "width": None,
        },
        "astmt": {"discriminator": "1x1", "schedule": "poly", "momentum": "kept"},
    }
    assert {key: defaults[key] for key in defaults if key != "hrnet_fusion"} == expected.get(method, {})


@pytest.mark.parametrize("method", models.methods())
def test_every_switch_takes_its_values_and_nothing_else(method):
    options = models.method_module(method).Options
    tasks = ["seg"] if method.startswith("single_task") else ["seg", "depth"]
    hints = typing.get_type_hints(options)
    switches = [field.name for field in fields(options) if typing.get_origin(hints[field.name]) is typing.Literal]
    assert switches
    for name in switches:
        values = typing.get_args(hints[name])
        assert len(values) > 1
        for value in values:
            assert getattr(models.check_options(method, {name: value}, tasks, []), name) == value
        text = message(models.check_options, method, {name: "nonsense"}, tasks, [])
        assert method in text
        assert f"'{name}'" in text
        assert "'nonsense'" in text
        assert all(value in text for value in values)


@pytest.mark.parametrize(
    ("method", "options", "tasks", "auxiliary", "words"),
    [
        ("mti_net", {"propagatoin": "fpm"}, ["a", "b"], [], ["mti_net", "propagatoin", "propagation"]),
        ("mti_net", {"scales": [8, 16]}, ["a", "b"], [], ["scales", "[8, 16]", "[4, 8]"]),
        ("mti_net", {"scales": []}, ["a", "b"], [], ["scales", "[]", "[4]"]),
        ("mti_net", {"scales": 4}, ["a", "b"], [], ["scales", "found 4"]),
        ("mti_net", {"scales": ["4"]}, ["a", "b"], [], ["scales", "found '4'"]),
        ("mti_net", {"hrnet_fusion": True}, ["a", "b"], [], ["hrnet_fusion", "True", "nearest"]),
        ("mti_net", {"fpm_order": ["a"]}, ["a", "b"], [], ["fpm_order", "['a']", "['a', 'b']"]),
        ("mti_net", {"width": 0}, ["a", "b"], [], ["mti_net", "width", "found 0"]),
        ("mti_net", {"width": "16"}, ["a", "b"], [], ["mti_net", "width", "found '16'"]),
        ("astmt", {}, ["a"], [], ["astmt", "task a", "two or more"]),
        ("astmt", {}, ["a", "b"], ["c"], ["astmt", "auxiliary", "c", "none"]),
        ("mti_net", {}, ["a"], [], ["mti_net", "task a", "two or more"]),
        ("pad_net", {}, ["a"], [], ["pad_net", "task a", "two or more"]),
        ("pad_net", {}, ["a"], ["a"], ["pad_net", "no task twice"]),
        ("single_task", {}, ["a", "b"], [], ["single_task", "2 tasks", "a, b", "exactly one"]),
        ("single_task", {}, ["a"], ["b"], ["single_task", "auxiliary", "b", "none"]),
        ("multi_task", {}, ["a"], ["b"], ["multi_task", "auxiliary", "b", "none"]),
        ("multi_task", {}, [], [], ["multi_task", "at least one"]),
        ("mtinet", {}, ["a"], [], ["mtinet", "mti_net", "single_task"]),
        ("heads", {}, ["a"], [], ["heads", "mti_net"]),
        ("../config", {}, ["a"], [], ["../config", "mti_net"]),
    ],
)
def test_mistakes_are_named(method, options, tasks, auxiliary, words):
    text = message(models.check_options, method, options, tasks, auxiliary)
    assert all(word in text for word in words), text


def test_auxiliary_tasks_count_as_partners():
    models.check_options("mti_net", {"fpm_order": ["n", "a"]}, ["a"], ["n"])
    models.check_options("pad_net", {}, ["a"], ["n"])


def test_declared_experiments_are_sound(request):
    params = load(request.config.rootpath / "params.yaml")
    count = 0
    for dataset in params.experiments.values():
        for method, experiments in dataset.items():
            for experiment in experiments.values():
                options = models.check_options(method, experiment.options, experiment.tasks, experiment.auxiliary)
                models.check_backbone(experiment.backbone, options=options)
                count += 1
    assert count >= 12


@pytest.mark.parametrize(
    ("backbone", "words"),
    [
        ("timm/hrnet_w18_smal_v2", ["hrnet_w18_smal_v2", "hrnet_w18"]),
        ("fpn/resnet19", ["fpn/resnet19", "resnet18"]),
        ("dlv3/resnet18", ["dlv3/resnet18", "resnet26"]),
        ("tim/resnet18", ["library 'tim'", "timm", "fpn"]),
        ("resnet18", ["library 'resnet18'"]),
    ],
)
def test_unknown_backbones_are_named(backbone, words):
    text = message(models.check_backbone, backbone)
    assert all(word in text for word in words), text


def test_a_backbone_without_the_scales_is_refused():
    text = message(
        models.build, "single_task", backbone="timm/vit_tiny_patch16_224", tasks={"seg": 2}, auxiliary={}, options={}
    )
    assert "vit_tiny_patch16_224" in text
    assert "[4, 8, 16, 32]" in text


@pytest.mark.parametrize(
    ("method", "backbone", "words"),
    [
        ("mti_net", "dlv3/resnet26", ["dlv3/resnet26", "[4, 16]", "[4, 8, 16, 32]"]),
        ("astmt", HRNET, ["astmt", HRNET, "dlv3, fpn"]),
        ("single_task_dlv3", "fpn/resnet50", ["single_task_dlv3", "fpn/resnet50", "dlv3/"]),
    ],
)
def test_backbones_that_a_method_cannot_have_are_named(method, backbone, words):
    """When the parameters are checked, and again when the network is built."""
    tasks = ["seg"] if method == "single_task_dlv3" else ["seg", "depth"]
    options = models.check_options(method, {}, tasks, [])
    checked = message(models.check_backbone, backbone, "none", options)
    built = message(models.build, method, backbone=backbone, tasks=dict.fromkeys(tasks, 2), auxiliary={}, options={})
    assert checked == built
    assert all(word in checked for word in words), checked


def test_bilinear_fusion_needs_an_hrnet():
    options = models.check_options("multi_task", {"hrnet_fusion": "bilinear"}, ["a"], [])
    models.check_backbone(HRNET, "none", options)
    assert "hrnet_fusion" in message(models.check_backbone, "fpn/resnet18", "none", options)


@pytest.mark.parametrize("method", ["multi_task", "pad_net", "mti_net"])
def test_initialisation_follows_the_seed(method):
    def weights(seed: int) -> dict[str, torch.Tensor]:
        torch.manual_seed(seed)
        return models.build(method, backbone=HRNET, tasks=TASKS, auxiliary={}, options={}).state_dict()

    first, again, other = weights(1), weights(1), weights(2)
    assert all(torch.equal(first[key], again[key]) for key in first)
    assert any(not torch.equal(first[key], other[key]) for key in first)


def test_wrong_image_size_is_one_error():
    net = models.build("single_task", backbone=HRNET, tasks={"seg": 2}, auxiliary={}, options={})
    text = message(net, torch.zeros(1, 3, 64, 100))
    assert "64x100" in text
    assert "32" in text
