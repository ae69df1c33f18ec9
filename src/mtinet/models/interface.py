"""What every method shares: the shape of its predictions and the base of its options."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import ClassVar, Literal

from pydantic import ConfigDict
from torch import Tensor

from mtinet.errors import UserError

STRIDES = (4, 8, 16, 32)
"""The backbone's scales 1/4 .. 1/32 (section 3.1), as strides in pixels, finest first."""


@dataclass
class Predictions:
    """What a method's forward pass returns: raw outputs, float32, before any softmax, sigmoid or normalising.

    final: main task -> [B, C_task, H, W] at the size of the input: logits, metres, or unnormalised vectors.
    initial: stride -> task, main and auxiliary -> [B, C_task, H / stride, W / stride], the front-end's
        predictions (section 2.3); empty for methods without a front-end.
    """

    final: dict[str, Tensor]
    initial: dict[int, dict[str, Tensor]]


@dataclass(frozen=True)
class BaseOptions:
    """Switches that every method has; a method's `Options` extends it.

    Pydantic checks the types; annotate numbers and flags as Strict, since a mapping cannot be read strictly.

    hrnet_fusion: how HRNet upsamples low-resolution branches: nearest, as timm does and the ImageNet weights
        were trained, or bilinear, as the released code has it (HRNet backbones only).
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    hrnet_fusion: Literal["nearest", "bilinear"] = "nearest"

    @property
    def strides(self) -> tuple[int, ...] | None:
        """The backbone's scales that the method uses, finest first; None: all that the backbone has."""
        return None

    def check_tasks(self, method: str, tasks: Collection[str], auxiliary: Collection[str]) -> None:
        """Raise UserError when the method, with these options, cannot have these tasks."""

    def check_backbone(self, backbone: str) -> None:
        """Raise UserError when the method cannot be built on `backbone`, "library/name"."""


def refuse_auxiliary(method: str, auxiliary: Collection[str]) -> None:
    """Raise UserError for auxiliary tasks in a method that has no front-end to predict them in."""
    if auxiliary:
        raise UserError(
            f"{method}: found auxiliary tasks {', '.join(auxiliary)}, expected none: it has no front-end that"
            " could predict them; remove them or make them main tasks"
        )


def check_interaction(method: str, tasks: Collection[str], auxiliary: Collection[str]) -> None:
    """Raise UserError when there is no second task that a task could interact with."""
    if len(tasks) + len(auxiliary) < 2:
        found = ", ".join([*tasks, *auxiliary])
        raise UserError(f"{method}: found only the task {found}, expected two or more, auxiliary included")
