"""The methods of the paper, one module each, built by name through one signature.

A method is a module here with a frozen dataclass `Options` (its switches and their defaults, extending
interface.BaseOptions) and an nn.Module `Net(backbone, tasks, auxiliary, options)`; one that is not trained in
the ordinary way has a `Training(net)` too, see procedure.py. Modules are imported by name, so adding one
changes no file that another method's runs depend on.
"""

from __future__ import annotations

import contextlib
import importlib
import pkgutil
from collections.abc import Collection, Mapping
from dataclasses import asdict
from types import ModuleType
from typing import Any

import torch
from pydantic import TypeAdapter, ValidationError
from torch import nn

from mtinet import compat
from mtinet.errors import UserError
from mtinet.models.interface import STRIDES, BaseOptions, Predictions
from mtinet.models.procedure import Procedure

__all__ = [
    "STRIDES",
    "Predictions",
    "Procedure",
    "build",
    "check_backbone",
    "check_options",
    "default_options",
    "find_backbone",
    "methods",
    "procedure",
]


def build(
    method: str,
    *,
    backbone: str,
    tasks: Mapping[str, int],
    auxiliary: Mapping[str, int],
    options: Mapping[str, Any],
    pretrained: str = "none",
) -> nn.Module:
    """The network of `method`, initialised from torch's global random generator.

    method: a module of this package: single_task, multi_task, pad_net, mti_net, astmt.
    backbone: "library/name", e.g. timm/hrnet_w18_small_v2 or fpn/resnet18; see mtinet.models.backbones.
    tasks, auxiliary: task name -> channels of its output; auxiliary tasks exist in the front-end only.
    options: the method's switches; those left out have the defaults of its `Options`.
    pretrained: ImageNet weights of the backbone: none | hub | "path#sha256=.." of a state dict.

    The network takes images [B, 3, H, W], float32, sides multiples of 32, and returns Predictions.
    Raises UserError for anything that the caller can put right.
    """
    parsed = check_options(method, options, tasks, auxiliary)
    parsed.check_backbone(backbone)
    backbones = importlib.import_module("mtinet.models.backbones")
    features = backbones.build(backbone, strides=parsed.strides, fusion=parsed.hrnet_fusion, pretrained=pretrained)
    net: nn.Module = method_module(method).Net(features, dict(tasks), dict(auxiliary), parsed)
    return net


def check_options(
    method: str, options: Mapping[str, Any], tasks: Collection[str], auxiliary: Collection[str]
) -> BaseOptions:
    """The typed options of `method`, defaults filled in; builds no network.

    Raises UserError naming the option, what was found and what is expected; likewise for an unknown method
    and for tasks that the method cannot have.
    """
    kind: type[BaseOptions] = method_module(method).Options
    try:
        parsed = TypeAdapter(kind).validate_python(dict(options))
    except ValidationError as error:
        known = ", ".join(asdict(kind()))
        raise UserError("; ".join(problem(method, item, known) for item in error.errors())) from None
    both = [*tasks, *auxiliary]
    if not tasks or len(set(both)) != len(both):
        raise UserError(
            f"{method}: found tasks {[*tasks]} and auxiliary {[*auxiliary]},"
            " expected at least one main task and no task twice"
        )
    parsed.check_tasks(method, tasks, auxiliary)
    return parsed


def problem(method: str, item: Any, known: str) -> str:
    """One of pydantic's errors as a line: the option, what was found, what is expected."""
    name = str(item["loc"][0]) if item["loc"] else ""
    if item["type"] in ("unexpected_keyword_argument", "extra_forbidden"):
        return f"{method}: unknown option '{name}', expected one of: {known}"
    if item["type"] == "value_error":
        return f"{method}: option '{name}': {item['ctx']['error']}"
    expected = item["msg"].removeprefix("Input should be ")
    return f"{method}: option '{name}': found {item['input']!r}, expected {expected}"


def check_backbone(backbone: str, pretrained: str = "none", options: BaseOptions | None = None) -> None:
    """Raise UserError when the backbone, its ImageNet weights or its options cannot be had.

    Weights are read once to find a wrong file, or fetched into the hub's cache, before anything depends on it.
    """
    parsed = options or BaseOptions()
    backbones = find_backbone(backbone, pretrained, parsed)
    # Which levels there are is seen in building alone; without weights that takes no memory. On that device random
    # numbers are operations in Python, which import the compiler to be left alone by it.
    with compat.without_compiler(), torch.device("meta") if pretrained == "none" else contextlib.nullcontext():
        backbones.build(backbone, strides=parsed.strides, fusion=parsed.hrnet_fusion, pretrained=pretrained)


def find_backbone(backbone: str, pretrained: str, options: BaseOptions) -> ModuleType:
    """Import the code of a backbone and return the package that builds it; raises UserError as `check_backbone` does,
    for all that is seen without building it."""
    backbones = importlib.import_module("mtinet.models.backbones")
    backbones.check(backbone, pretrained, options.hrnet_fusion, options.strides)
    options.check_backbone(backbone)
    return backbones


def procedure(method: str, net: nn.Module) -> Procedure:
    """How `net`, a network of `method`, is trained: the method's own `Training`, the ordinary one otherwise."""
    kind: type[Procedure] = getattr(method_module(method), "Training", Procedure)
    return kind(net)


def default_options(method: str) -> dict[str, Any]:
    """The switches of `method` with their defaults."""
    return asdict(method_module(method).Options())


def method_module(method: str) -> ModuleType:
    """The module of `method`; raises UserError when there is no such method."""
    module = import_sibling(method) if method.isidentifier() else None
    if module is None or not is_method(module):
        raise UserError(f"unknown method '{method}', expected one of: {', '.join(methods())}")
    return module


def import_sibling(name: str) -> ModuleType | None:
    """The module called `name` of this package, None when there is none."""
    try:
        return importlib.import_module(f"{__name__}.{name}")
    except ModuleNotFoundError as error:
        if error.name == f"{__name__}.{name}":
            return None
        raise


def is_method(module: ModuleType) -> bool:
    """Whether the module is a method: it has Options and a Net."""
    return hasattr(module, "Options") and hasattr(module, "Net")


def methods() -> list[str]:
    """The names of all methods. Imports every module of this package, so it is for messages and tests."""
    names = sorted(item.name for item in pkgutil.iter_modules(__path__))
    return [name for name in names if is_method(importlib.import_module(f"{__name__}.{name}"))]
