"""With the released readings chosen, the tensors are those of the released models: same shapes, same number."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest
import torch

from mtinet import models

RELEASED = Path(__file__).resolve().parents[1].parent / "shared" / "fixtures" / "released"
NYUD = {"seg": 40, "depth": 1}
PASCAL = {"seg": 21, "human_parts": 7, "sal": 1, "edge": 1, "normals": 3}
NE = {"normals": 3, "edge": 1}
MODELS = {
    "nyud_single_semseg": ("single_task", {"seg": 40}, {}, {}),
    "nyud_mtl": ("multi_task", NYUD, {}, {}),
    "nyud_pad_net_ne": ("pad_net", NYUD, NE, {"task_features": "bottleneck_256"}),
    "nyud_mti_net": ("mti_net", NYUD, {}, {"fpm_softmax": "channels"}),
    "nyud_mti_net_ne": ("mti_net", NYUD, NE, {"fpm_softmax": "channels"}),
    "pascal_mti_net_a": ("mti_net", PASCAL, {}, {"fpm_softmax": "channels"}),
}


@pytest.mark.skipif(not RELEASED.is_dir(), reason="the released models' key lists (shared/fixtures) are absent")
@pytest.mark.parametrize("name", MODELS)
def test_shapes_are_the_released_models(name):
    method, tasks, auxiliary, options = MODELS[name]
    with torch.device("meta"):
        net = models.build(
            method, backbone="timm/hrnet_w18_small_v2", tasks=tasks, auxiliary=auxiliary,
            options={"hrnet_fusion": "bilinear", **options},
        )  # fmt: skip
    ours = Counter(tuple(value.shape) for value in net.state_dict().values())
    theirs = Counter(tuple(shape) for shape in json.loads((RELEASED / f"{name}.json").read_text()).values())
    assert ours == theirs


@pytest.mark.skipif(not RELEASED.is_dir(), reason="the released models' key lists (shared/fixtures) are absent")
def test_the_backbone_has_the_released_names():
    net = models.build("single_task", backbone="timm/hrnet_w18_small_v2", tasks={"seg": 40}, auxiliary={}, options={})
    keys = json.loads((RELEASED / "nyud_single_semseg.json").read_text())
    theirs = {key.removeprefix("backbone."): tuple(shape) for key, shape in keys.items() if "backbone" in key}
    assert {key: tuple(value.shape) for key, value in net.backbone.body.state_dict().items()} == theirs
