"""The structure of an MTI-Net as plain data, read off the built network's own modules (Figures 1 and 3)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, cast

from torch import nn

from mtinet.compat import torchvision
from mtinet.models.mti_net import FeaturePropagation, FrontEnd, Net

BasicBlock = torchvision.models.resnet.BasicBlock


def described(net: Net, height: int, width: int) -> dict[str, Any]:
    """What `net` consists of, for an input of height x width pixels; "params" count parameters.

    "backbone"; "tasks" and "auxiliary", each task with the channels of its output; "scales", coarsest first: see
    `scale`; "heads", the feature aggregation and final prediction of each main task; "params", of the whole.
    """
    front_ends = {int(stride): cast(FrontEnd, part) for stride, part in net.front_ends.items()}
    outputs = {task: channels(predictor) for task, predictor in next(iter(front_ends.values())).predictors.items()}
    return {
        "input": {"height": height, "width": width},
        "backbone": {"channels": {str(stride): count for stride, count in net.backbone.channels.items()},
                     "params": parameters([net.backbone])},
        "tasks": {task: outputs[task] for task in net.heads},
        "auxiliary": {task: count for task, count in outputs.items() if task not in net.heads},
        "scales": [scale(net, stride, front_end, height, width) for stride, front_end in front_ends.items()],
        "heads": {task: head(part) for task, part in net.heads.items()},
        "params": parameters([net]),
    }  # fmt: skip


def scale(net: Net, stride: int, front_end: FrontEnd, height: int, width: int) -> dict[str, Any]:
    """One scale: its stride and size in pixels, the front-end, the distillation, and what is passed on.

    "front_end": channels of its input and of the task features, the latter from the predictors. "distillation":
    main task -> the tasks that it receives from. "propagation": None at the finest scale and without FPM.
    """
    inputs, features = next(iter(front_end.features.values())), next(iter(front_end.predictors.values()))
    distillation = net.distillation[str(stride)]
    messages = cast(Mapping[str, nn.ModuleDict], distillation.messages)
    passes = str(stride) in net.propagation
    return {
        "stride": stride,
        "height": height // stride,
        "width": width // stride,
        "front_end": {
            "blocks": len(cast(nn.Sequential, inputs)),
            "inputs": first_convolution(inputs).in_channels,
            "channels": first_convolution(features).in_channels,
            "params": parameters([front_end]),
        },
        "distillation": {
            "receives": {task: [*givers] for task, givers in messages.items()},
            "gate": net.options.distillation,
            "params": parameters([distillation]),
        },
        "propagation": propagation(cast(FeaturePropagation, net.propagation[str(stride)])) if passes else None,
        "passes_on": net.options.propagation != "none" and stride != net.options.scales[0],
    }


def propagation(module: FeaturePropagation) -> dict[str, Any]:
    """The FPM of one scale, in channels: what f reduces to, the shared representation, the units of each gate."""
    inner = [part.out_channels for part in module.attention.modules() if isinstance(part, nn.Conv2d)]
    gate = next(iter(module.selection.values()))
    return {
        "tasks": module.tasks,
        "blocks": sum(isinstance(part, BasicBlock) for part in module.attention),
        "stacked": inner[-1],
        "reduced": min(inner),
        "shared": channels(module.reduction),
        "gate_units": cast(nn.Linear, gate.squeeze).out_features,
        "softmax": module.softmax,
        "params": parameters([module]),
    }


def head(module: nn.Module) -> dict[str, Any]:
    """A head: its kind, the channels that its predictor decodes, and its outputs."""
    predictor = cast(nn.Conv2d, module.predictor)
    return {
        "kind": type(module).__name__,
        "channels": predictor.in_channels,
        "outputs": predictor.out_channels,
        "params": parameters([module]),
    }


def first_convolution(module: nn.Module) -> nn.Conv2d:
    """The first convolution within `module`, in the order of declaration."""
    return next(part for part in module.modules() if isinstance(part, nn.Conv2d))


def channels(module: nn.Module) -> int:
    """The channels of a block's output: those of the last convolution but its shortcut's, or of itself."""
    main = [part for name, part in module.named_modules() if isinstance(part, nn.Conv2d) and "downsample" not in name]
    return main[-1].out_channels


def parameters(modules: Iterable[nn.Module]) -> int:
    """The number of parameters, buffers excluded."""
    return sum(parameter.numel() for module in modules for parameter in module.parameters())
