"""Count parameters and multiply-adds of the networks behind a table, at the paper's input size."""

from typing import Any

import torch

from mtinet import config, files, models, paths, stage
from mtinet.config import Params
from mtinet.reporting import layouts
from mtinet.studies.resources import count

SCALE = "paper"  # counts do not depend on what is trained here: they are always those at the paper's size
CONVENTION = (
    "params: weights without buffers; FLOPs: one multiply-add is one, of convolutions, linear layers and matrix"
    " products, in one forward pass of one image of {height}x{width} pixels for all tasks. The first row's networks"
    " together; the others relative to it, their difference in percentage points."
)


def counted(params: Params, dataset: str, name: str) -> dict[str, float]:
    """One experiment's network: parameters in millions, multiply-adds in thousands of millions."""
    method, experiment = params.experiment(dataset, name)
    size = params.scales[SCALE][dataset].input
    with torch.device("meta"):
        net = models.build(
            method,
            backbone=experiment.backbone,
            tasks={task: params.channels(dataset, task) for task in experiment.tasks},
            auxiliary={task: params.channels(dataset, task) for task in experiment.auxiliary},
            options=experiment.options,
        )
    found = count(net, size.height, size.width)
    return {"params_m": found.params / 1e6, "flops_g": found.flops / 1e9}


def main() -> None:
    given = stage.arguments(__doc__, "dataset", "name")
    with stage.reporting_errors():
        params = config.load()
        target = paths.resources(params.study_name(given.dataset), given.name)
        declared = params.names(given.dataset)
        names = [name for name in layouts.load_layouts()[given.name].experiments if name in declared]
        size = params.scales[SCALE][given.dataset].input
        content: dict[str, Any] = {
            "convention": CONVENTION.format(height=size.height, width=size.width),
            "experiments": {name: counted(params, given.dataset, name) for name in names},
        }
        with stage.writing(in_git=[target]):
            files.write_json(target, content)


if __name__ == "__main__":
    main()
