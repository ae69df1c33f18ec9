"""Parameters and FLOPs of the networks that params.yaml declares, for Table 7 and for `mtinet resources`."""

from __future__ import annotations

from mtinet import models
from mtinet.config import Params
from mtinet.studies.resources import count, shapes_only


def counted(params: Params, dataset: str, name: str, height: int, width: int) -> dict[str, float]:
    """One experiment's network at an input of height x width pixels: "params_m", parameters in millions, and
    "flops_g", multiply-adds in thousands of millions."""
    method, experiment = params.experiment(dataset, name)
    with shapes_only():
        net = models.build(
            method,
            backbone=experiment.backbone,
            tasks={task: params.channels(dataset, task) for task in experiment.tasks},
            auxiliary={task: params.channels(dataset, task) for task in experiment.auxiliary},
            options=experiment.options,
        )
    found = count(net, height, width)
    return {"params_m": found.params / 1e6, "flops_g": found.flops / 1e9}
