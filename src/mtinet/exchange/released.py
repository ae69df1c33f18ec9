"""Checkpoints of the authors' released code, by the names and shapes of their tensors: single task, MTL, PAD-Net and
MTI-Net on HRNet-18. A state dict, with DataParallel's prefix or without, becomes one of this project's networks and
back, tensor for tensor; method, tasks and channels are read off the names.

The released code computes some things otherwise than the paper says. What a checkpoint was trained with has to be
computed again, so the switches that stand for that (READINGS) are on in what is imported, and required in what is
exported.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from mtinet import files, models
from mtinet.errors import UserError

BACKBONE = "timm/hrnet_w18_small_v2"
PREFIX = "module."  # of torch's DataParallel
TASKS = {"semseg": "seg", "human_parts": "parts"}  # others are called alike
STRIDES = {"0": "4", "1": "8", "2": "16", "3": "32"}
# The order of the tasks in the released FPM's concatenation, which its softmax over channels makes matter.
ORDER = ("seg", "parts", "sal", "normals", "edge", "depth")
READINGS: dict[str, dict[str, Any]] = {
    "single_task": {"hrnet_fusion": "bilinear"},
    "multi_task": {"hrnet_fusion": "bilinear"},
    "pad_net": {"hrnet_fusion": "bilinear", "task_features": "bottleneck_256"},
    "mti_net": {"hrnet_fusion": "bilinear", "fpm_softmax": "channels"},
}
# Released name | name here, with {s} a scale, {t} {u} tasks and {rest} whatever follows. One table serves both ways.
MESSAGE = (("attention.0.{rest}", "gate.weight.{rest}"), ("conv.{rest}", "content.{rest}"))
LAYERS = (("0.{rest}", "fusion.0.{rest}"), ("1.{rest}", "fusion.1.{rest}"), ("3.{rest}", "predictor.{rest}"))
SELECTION = (("0.{rest}", "squeeze.{rest}"), ("2.{rest}", "excite.{rest}"))
Names = list[tuple[str, str]]


def beside(theirs: str, ours: str, tails: Iterable[tuple[str, str]]) -> Names:
    """Pairs of names with every pair of tails behind them."""
    return [(theirs + tail, ours + other) for tail, other in tails]


NAMES: dict[str, Names] = {
    "single_task": [
        ("backbone.{rest}", "backbone.body.{rest}"),
        *beside("decoder.last_layer.", "head.", LAYERS),
    ],
    "multi_task": [
        ("backbone.{rest}", "backbone.body.{rest}"),
        *beside("decoders.{t}.last_layer.", "heads.{t}.", LAYERS),
    ],
    "pad_net": [
        ("backbone.0.{rest}", "backbone.body.{rest}"),
        ("backbone.1.last_layer.{rest}", "fusion.{rest}"),
        ("initial_task_prediction_heads.layers.{t}.{rest}", "task_features.{t}.{rest}"),
        ("initial_task_prediction_heads.conv_out.{t}.{rest}", "initial.{t}.{rest}"),
        *beside("multi_modal_distillation.self_attention.{t}.{u}.", "distillation.messages.{t}.{u}.", MESSAGE),
        ("heads.{t}.{rest}", "heads.{t}.{rest}"),
    ],
    "mti_net": [
        ("backbone.{rest}", "backbone.body.{rest}"),
        ("scale_{s}.refinement.{t}.{rest}", "front_ends.{s}.features.{t}.{rest}"),
        ("scale_{s}.decoders.{t}.{rest}", "front_ends.{s}.predictors.{t}.{rest}"),
        *beside("distillation_scale_{s}.self_attention.{t}.{u}.", "distillation.{s}.messages.{t}.{u}.", MESSAGE),
        ("fpm_scale_{s}.non_linear.{rest}", "propagation.{s}.attention.{rest}"),
        ("fpm_scale_{s}.dimensionality_reduction.{rest}", "propagation.{s}.reduction.{rest}"),
        *beside("fpm_scale_{s}.se.{t}.squeeze.", "propagation.{s}.selection.{t}.", SELECTION),
        *beside("heads.{t}.last_layer.", "heads.{t}.", LAYERS),
    ],
}
# Where a method has its outputs: the tasks with final predictions, and all tasks.
FINAL = {
    "single_task": r"decoder\.last_layer\.3()\.weight",
    "multi_task": r"decoders\.(\w+)\.last_layer\.3\.weight",
    "pad_net": r"heads\.(\w+)\.2\.weight",
    "mti_net": r"heads\.(\w+)\.last_layer\.3\.weight",
}
INITIAL = {
    "pad_net": r"initial_task_prediction_heads\.conv_out\.(\w+)\.weight",
    "mti_net": r"scale_0\.decoders\.(\w+)\.weight",
}


@dataclass(frozen=True)
class Contents:
    """What a released checkpoint holds. tasks, auxiliary: channels by task, in its order. options: its readings."""

    method: str
    tasks: dict[str, int]
    auxiliary: dict[str, int]
    options: dict[str, Any]


def read(path: Path) -> dict[str, Tensor]:
    """The tensors of a released checkpoint by their released names, without DataParallel's prefix.

    The file is a state dict, or a dictionary that holds exactly one. No code in it is run. UserError for others.
    """
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # corrupt files raise whatever their parser raises
        reason = " ".join(str(error).split())[:200]
        raise UserError(f"{path}: no readable checkpoint ({type(error).__name__}: {reason})") from None
    held = content.values() if isinstance(content, dict) else ()
    found = [item for item in (content, *held) if is_state(item)]
    if len(found) != 1:
        raise UserError(f"{path}: found {len(found) or 'no'} state dicts, expected one: tensors by name")
    return {key.removeprefix(PREFIX): value for key, value in found[0].items()}


def is_state(content: object) -> bool:
    """Whether this is a state dict of a network: tensors by name, the backbone's among them."""
    if not isinstance(content, dict) or not all(isinstance(value, Tensor) for value in content.values()):
        return False
    return any(str(key).removeprefix(PREFIX).startswith("backbone.") for key in content)


def contents(state: Mapping[str, Tensor], task: str | None = None) -> Contents:
    """Method, tasks and readings of a released state dict.

    task: what a single-task checkpoint predicts, which its names do not say. UserError when that is missing, or
    given for another method; and for a method that is none of the four.
    """
    parts = {key.split(".")[0] for key in state}
    own = {"decoder": "single_task", "decoders": "multi_task", "fpm_scale_3": "mti_net"}
    own["initial_task_prediction_heads"] = "pad_net"
    methods = [method for part, method in own.items() if part in parts]
    if len(methods) != 1:
        listed = ", ".join(sorted(parts))
        raise UserError(f"found modules {listed}, expected those of single task, MTL, PAD-Net or MTI-Net as released")
    (method,) = methods
    final, initial = (outputs(state, pattern.get(method)) for pattern in (FINAL, INITIAL))
    if (task is None) == (method == "single_task"):
        wanted = "its --task, which no name in it says" if task is None else "no --task: its names say its tasks"
        raise UserError(f"found a checkpoint of {method}, expected {wanted}")
    tasks = {task or name: count for name, count in final.items()}
    options = dict(READINGS[method])
    if method == "mti_net":
        order = [re.fullmatch(r"fpm_scale_3\.se\.(\w+)\.squeeze\.0\.weight", key) for key in state]
        options["fpm_order"] = [TASKS.get(match[1], match[1]) for match in order if match]
    auxiliary = {name: count for name, count in initial.items() if name not in tasks}
    return Contents(method, tasks, auxiliary, options)


def outputs(state: Mapping[str, Tensor], pattern: str | None) -> dict[str, int]:
    """Channels by task of the predictors whose names fit the pattern."""
    found = ((re.fullmatch(pattern, key), value) for key, value in state.items()) if pattern else ()
    return {TASKS.get(match[1], match[1]): len(value) for match, value in found if match}


def to_ours(method: str, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A released state dict under this project's names; UserError for a name that has none."""
    tables = TASKS, STRIDES
    return {renamed(key, NAMES[method], tables): value for key, value in state.items()}


def to_released(method: str, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The reverse of `to_ours`, without DataParallel's prefix."""
    tables = tuple({there: here for here, there in table.items()} for table in (TASKS, STRIDES))
    turned = [(ours, theirs) for theirs, ours in NAMES[method]]
    return {renamed(key, turned, (tables[0], tables[1])): value for key, value in state.items()}


def renamed(key: str, names: Names, tables: tuple[dict[str, str], dict[str, str]]) -> str:
    """`key` by the first pair of names whose left side it fits; tasks and scales by their tables."""
    tasks, scales = tables
    for left, right in names:
        match = re.fullmatch(pattern(left), key)
        if match:
            found = match.groupdict()
            found |= {name: tasks.get(found[name], found[name]) for name in ("t", "u") if name in found}
            found |= {"s": scales.get(found["s"], found["s"])} if "s" in found else {}
            return right.format(**found)
    raise UserError(f"no tensor of that name is known: '{key}', expected a checkpoint of the released code on HRNet-18")


def pattern(template: str) -> str:
    """A name's template as a regular expression."""
    escaped = re.escape(template).replace(r"\{", "{").replace(r"\}", "}")
    return escaped.format(s=r"(?P<s>\d+)", t=r"(?P<t>\w+)", u=r"(?P<u>\w+)", rest=r"(?P<rest>.+)")


def load(state: Mapping[str, Tensor], found: Contents) -> torch.nn.Module:
    """The network of a released state dict, with its weights; every tensor must have its place and shape."""
    model = models.build(
        found.method, backbone=BACKBONE, tasks=found.tasks, auxiliary=found.auxiliary, options=found.options
    )
    ours, wanted = to_ours(found.method, state), model.state_dict()
    lacking, beyond = sorted(wanted.keys() - ours.keys()), sorted(ours.keys() - wanted.keys())
    if lacking or beyond:
        named = ", ".join(to_released(found.method, dict.fromkeys([*lacking, *beyond][:1], torch.empty(0))))
        raise UserError(
            f"the checkpoint lacks {len(lacking)} of the {len(wanted)} tensors of {found.method} on HRNet-18 and has"
            f" {len(beyond)} that it has not; the first is {named}"
        )
    for theirs, (key, value) in zip(state, ours.items(), strict=True):
        if value.shape != wanted[key].shape:
            raise UserError(f"{theirs} is {[*value.shape]}, expected {[*wanted[key].shape]}: another HRNet than 18?")
    model.load_state_dict(ours, strict=True)
    return model.eval()


def check_readings(
    method: str, backbone: str, options: Mapping[str, Any], tasks: Iterable[str], auxiliary: Iterable[str]
) -> None:
    """Raise UserError unless the released code, given these weights, would compute what this network computes."""
    if method not in READINGS or backbone != BACKBONE:
        raise UserError(
            f"found {method} on {backbone}, expected {', '.join(READINGS)} on {BACKBONE}: what the released code's"
            " checkpoints are"
        )
    both = [*tasks, *auxiliary]
    full = {**models.default_options(method), **options}
    expected = {**models.default_options(method), **READINGS[method]}
    if method == "mti_net":
        unknown = [task for task in both if task not in ORDER]
        if unknown:
            raise UserError(f"found the task {unknown[0]}, expected those of the released code: {', '.join(ORDER)}")
        full["fpm_order"] = [*(full["fpm_order"] or both)]
        expected["fpm_order"] = sorted(both, key=ORDER.index)
    odd = [key for key, value in expected.items() if plain(full[key]) != plain(value)]
    if odd:
        listed = ", ".join(f"{key} {plain(full[key])} instead of {plain(expected[key])}" for key in odd)
        raise UserError(
            f"the released code would compute something else with these weights: found {listed}; train an experiment"
            " with these options set as released"
        )


def plain(value: Any) -> Any:
    """Tuples as lists, for comparing."""
    return [*value] if isinstance(value, tuple) else value


def write(path: Path, method: str, state: Mapping[str, Tensor]) -> None:
    """Write a network's state dict as the released code saves its own, with DataParallel's prefix."""
    theirs = {f"{PREFIX}{key}": value.detach().cpu() for key, value in to_released(method, state).items()}
    buffer = io.BytesIO()
    torch.save(theirs, buffer)
    files.write_bytes(path, buffer.getvalue())
