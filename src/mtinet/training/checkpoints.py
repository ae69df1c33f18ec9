"""Unfinished work of a run, so that an interrupted one goes on where it was, and the published weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import nn

from mtinet import files
from mtinet.errors import UserError


def save(folder: Path, state: dict[str, Any]) -> None:
    """Write the state of an unfinished run; an interruption leaves the previous one."""
    with files.replacing(folder / "last.pt") as temporary:
        torch.save(state, temporary)


def load(folder: Path) -> dict[str, Any] | None:
    """The state of an unfinished run, or None where there is none. Never unpickles code."""
    path = folder / "last.pt"
    if not path.exists():
        return None
    state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    return state


def publish_weights(path: Path, model: nn.Module) -> None:
    """Write the model's parameters and buffers as safetensors."""
    state = {key: value.detach().cpu().contiguous() for key, value in model.state_dict().items()}
    with files.replacing(path) as temporary:
        save_file(state, temporary)


def load_weights(path: Path, model: nn.Module) -> None:
    """Read published weights into `model`; every key must match."""
    if not path.exists():
        raise UserError(f"no weights at {path}: train the run first, or get them with 'dvc pull'")
    try:
        model.load_state_dict(load_file(path), strict=True)
    except RuntimeError as error:
        reason = " ".join(str(error).split())[:300]
        raise UserError(f"{path} holds weights of another model than params.yaml declares: {reason}") from None
