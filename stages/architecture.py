"""Read the structure of a dataset's MTI-Net off the network, and count what each experiment's network costs."""

from typing import Any, cast

from mtinet import config, files, models, paths, stage  # isort: skip  (before torch: sets GOMP_SPINCOUNT, takes signals)

from torch import nn

from mtinet.config import Params
from mtinet.errors import UserError
from mtinet.models.mti_net import Net
from mtinet.studies import architecture
from mtinet.studies.resources import count, shapes_only

METHOD, SIZE_OF = "mti_net", "paper"


def network(params: Params, dataset: str, name: str) -> nn.Module:
    """The network of an experiment without values: nothing is computed or stored."""
    method, experiment = params.experiment(dataset, name)
    outputs = {task: params.channels(dataset, task) for task in (*experiment.tasks, *experiment.auxiliary)}
    with shapes_only():
        return models.build(
            method,
            backbone=experiment.backbone,
            tasks={task: outputs[task] for task in experiment.tasks},
            auxiliary={task: outputs[task] for task in experiment.auxiliary},
            options=experiment.options,
        )


def shown(params: Params, dataset: str) -> str | None:
    """The experiment whose structure is drawn: of the first backbone's, the last with most tasks; None without any."""
    declared = params.experiments.get(dataset, {}).get(METHOD, {})  # readings of it are not what the paper draws
    backbone = next((experiment.backbone for experiment in declared.values()), None)
    tasks = {
        name: len(experiment.tasks) + len(experiment.auxiliary)
        for name, experiment in declared.items()
        if experiment.backbone == backbone
    }
    return max(reversed([*tasks]), key=lambda name: tasks[name]) if tasks else None


def costs(params: Params, dataset: str, height: int, width: int) -> dict[str, dict[str, int]]:
    """Parameters and FLOPs of every declared experiment, as mtinet/studies/resources.py counts them."""
    found = {}
    for name in params.names(dataset):
        resources = count(network(params, dataset, name), height, width)
        found[name] = {"params": resources.params, "flops": resources.flops}
    return found


def described(params: Params, dataset: str) -> dict[str, Any]:
    """The stage's file."""
    if SIZE_OF not in params.scales:
        found = ", ".join(params.scales)
        raise UserError(f"{paths.PARAMS}: scales: found {found}, expected '{SIZE_OF}' too, whose input networks get")
    size = params.scales[SIZE_OF][dataset].input
    name = shown(params, dataset)
    structure = None
    if name is not None:
        _, experiment = params.experiment(dataset, name)
        structure = {"experiment": name, "backbone_name": experiment.backbone} | architecture.described(
            cast(Net, network(params, dataset, name)), size.height, size.width
        )
    return {
        "dataset": dataset,
        "conditions": {"height": size.height, "width": size.width, "batch": 1, "flop": "one multiply-add"},
        METHOD: structure,
        "experiments": costs(params, dataset, size.height, size.width),
    }


def main() -> None:
    dataset = stage.arguments(__doc__, "dataset").dataset
    with stage.reporting_errors():
        params = config.load()
        target = paths.architecture(params.study_name(dataset), dataset)
        with stage.writing(in_git=[target]):
            files.write_json(target, described(params, dataset))


if __name__ == "__main__":
    main()
