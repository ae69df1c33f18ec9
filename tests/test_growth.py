"""Growth with tasks and scales: cross-stitch against a network that is built whole, curves against the counts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from matplotlib.figure import Figure
from torch import nn

from mtinet import files, models
from mtinet.config import load
from mtinet.models import STRIDES, backbones
from mtinet.reporting import canvas, figures
from mtinet.studies import growth
from mtinet.studies.declared import counted
from mtinet.studies.resources import count

ROOT = Path(__file__).resolve().parents[1]
DECLARED = files.read_yaml(ROOT / "pipeline/growth.yaml")
SIZE = 64, 96


def entry(**changes: Any) -> dict[str, Any]:
    few = {"tasks": [1, 2, 3], "scales": [1, 4], "tasks_of_scales": 2, "outputs": 5}
    return DECLARED["nyud"] | few | changes


@pytest.fixture(scope="module")
def found() -> dict[tuple[str, str, int, int], dict[str, Any]]:
    points = growth.counted(entry(), *SIZE)
    return {(one["axis"], one["method"], one["tasks"], one["scales"]): one for one in points}


class Stitched(nn.Module):
    """A cross-stitch network as in the paper, built whole: T encoders, a mixing einsum at every scale, T decoders."""

    def __init__(self, tasks: int, scales: int) -> None:
        super().__init__()
        chosen = {"strides": STRIDES[:scales], "fusion": "nearest", "pretrained": "none"}
        self.encoders = nn.ModuleList(backbones.build(entry()["backbone"], **chosen) for _ in range(tasks))
        channels = self.encoders[0].channels
        self.units = nn.ParameterDict(
            {str(stride): nn.Parameter(torch.rand(n, tasks, tasks)) for stride, n in channels.items()}
        )
        self.heads = nn.ModuleList(self.encoders[0].decoder(channels, 5) for _ in range(tasks))

    def forward(self, images: torch.Tensor) -> list[torch.Tensor]:
        encoded = [encode(images) for encode in self.encoders]
        mixed = {
            int(stride): torch.einsum("cut,tbchw->ubchw", unit, torch.stack([own[int(stride)] for own in encoded]))
            for stride, unit in self.units.items()
        }
        return [head({stride: all_[task] for stride, all_ in mixed.items()}) for task, head in enumerate(self.heads)]


@pytest.mark.parametrize(("axis", "tasks", "scales"), [("tasks", 2, 4), ("tasks", 3, 4), ("scales", 2, 1)])
def test_cross_stitch_costs_what_a_whole_one_does(found, axis, tasks, scales):
    with torch.device("meta"):
        whole = count(Stitched(tasks, scales), *SIZE)
    one = found[axis, "cross_stitch", tasks, scales]
    assert (one["params"], one["flops"]) == (whole.params, whole.flops)


def test_cross_stitch_grows_about_linearly_as_section_a1_says(found):
    params = [found["tasks", "cross_stitch", tasks, 4]["params"] for tasks in (1, 2, 3)]
    assert params[1] / params[0] == pytest.approx(2, rel=0.01)
    assert params[2] / params[0] == pytest.approx(3, rel=0.01)


def test_what_interacts_begins_at_two_tasks_and_the_rest_at_one(found):
    least = {method: min(key[2] for key in found if key[:2] == ("tasks", method)) for method in entry()["methods"]}
    assert least == {"single_task": 1, "cross_stitch": 1, "multi_task": 1, "pad_net": 2, "mti_net": 2}


def test_one_task_is_the_single_task_network_and_the_axes_meet(found):
    single = found["tasks", "single_task", 1, 4]
    for method in ("multi_task", "cross_stitch"):
        alone = found["tasks", method, 1, 4]
        assert (single["params"], single["flops"]) == (alone["params"], alone["flops"])
    for method in entry()["methods"]:
        one, other = found["tasks", method, 2, 4], found["scales", method, 2, 4]
        assert (one["params"], one["flops"]) == (other["params"], other["flops"])


def test_fewer_scales_are_those_of_table_3():
    """MTI-Net with two scales as the experiment of Table 3 declares it, at its own tasks' channels."""
    params = load(ROOT / "params.yaml")
    with torch.device("meta"):
        net = growth.network(entry(outputs=1), "mti_net", 2, 2)
    own = counted(params, "nyud", "hrnet18-mti-2scales", *SIZE)["params_m"]
    # Two tasks of 40 and 1 outputs instead of 1 and 1: 39 more rows of every predictor of the first, with its bias.
    predictors = 2 + 1
    widths = [18, 36, 18 + 36]
    more = sum(39 * (width + 1) for width in widths)
    assert len(widths) == predictors
    assert count(net, *SIZE).params + more == round(own * 1e6)


def test_astmt_is_among_the_networks_of_the_pyramid():
    net = growth.network(DECLARED["pascal"] | {"backbone": "fpn/resnet18"}, "astmt", 2, 3)
    with torch.no_grad():
        predicted = net(torch.zeros(1, 3, 64, 64)).final
    assert {name: tuple(values.shape) for name, values in predicted.items()} == {
        "task0": (1, 10, 64, 64),
        "task1": (1, 10, 64, 64),
    }


def test_every_declared_method_but_cross_stitch_is_one():
    for dataset in DECLARED.values():
        assert set(dataset["methods"]) - {growth.CROSS_STITCH} <= set(models.methods())
        assert {"multi_task", "pad_net", "mti_net", "cross_stitch"} <= set(dataset["methods"])
        assert dataset["tasks"] == [*range(1, 9)]
        assert dataset["scales"] == [1, 2, 3, 4]


def test_the_figure_shows_the_counts(found, tmp_path, monkeypatch):
    drawn: list[Figure] = []
    save = canvas.save
    monkeypatch.setattr(canvas, "save", lambda figure, path: (drawn.append(figure), save(figure, path)))
    content = {"backbone": "mine", "tasks_of_scales": 2, "conditions": {"height": 64, "width": 96}}
    for suffix in ("png", "svg"):
        figures.growth(content | {"points": [*found.values()]}, tmp_path / f"growth.{suffix}")
    axes = drawn[0].axes
    assert len(axes) == 4
    lines = {line.get_label(): line for line in axes[0].get_lines()}
    assert "counted only" in " ".join(lines)
    shown = lines["MTI-Net"]
    expected = [found["tasks", "mti_net", tasks, 4]["params"] / 1e6 for tasks in (2, 3)]
    assert shown.get_ydata() == pytest.approx(expected)
    assert [*shown.get_xdata()] == [2, 3]
    flops = {line.get_label(): line for line in axes[3].get_lines()}["MTL"]
    assert flops.get_ydata() == pytest.approx([found["scales", "multi_task", 2, n]["flops"] / 1e9 for n in (1, 4)])
