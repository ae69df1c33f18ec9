"""Unfinished work of a run, so that an interrupted one goes on where it was, and the published weights.

A checkpoint is one file named by its step and the SHA-256 of its content, written beside and renamed; the last two
are kept, so that one torn in any byte is noticed and the one before it used. They lie in a folder that no stage
declares, keyed by all that determines the run, and go when its result is published.
"""

from __future__ import annotations

import hashlib
import io
import os
import random
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file
from safetensors.torch import save as safetensors
from torch import nn

from mtinet import files
from mtinet.errors import UserError

KEPT = 2
EVERY = "MTINET_CHECKPOINT_SECONDS"  # changes no byte of a result, so it is no parameter
EVERY_SECONDS = 10.0
SHARE = 0.05  # of a run's time at most goes into checkpoints, however large they are


class Checkpoints:
    """The checkpoints of one run in its folder, oldest first out."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.every = seconds_between()
        self.cost = 0.0
        self.saved = time.monotonic()

    def due(self) -> bool:
        """Whether the last one was written long enough ago."""
        pause = max(EVERY_SECONDS, self.cost / SHARE) if self.every is None else self.every
        return time.monotonic() - self.saved >= pause

    def save(self, step: int, state: Mapping[str, Any]) -> None:
        """Write the state after `step` steps; an interruption leaves the earlier ones. UserError: no room."""
        began = time.monotonic()
        buffer = io.BytesIO()
        torch.save(dict(state), buffer)
        content = buffer.getbuffer()
        files.write_bytes(self.folder / f"{step:09d}-{hashlib.sha256(content).hexdigest()}.pt", content)
        for path in self.found()[KEPT:]:
            files.remove(path)
        self.saved = time.monotonic()
        self.cost = self.saved - began

    def load(self) -> dict[str, Any] | None:
        """The newest whole state, None where there is none; torn ones are named and removed. Runs no pickled code.

        What a kill left half-written is cleared: no other process may be saving there.
        """
        for left in self.folder.glob(".part-*"):
            files.remove(left)
        for path in self.found():
            try:
                content = path.read_bytes()
            except OSError:  # a bad disk
                content = b""
            if hashlib.sha256(content).hexdigest() == path.stem.partition("-")[2]:
                state: dict[str, Any] = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
                return state
            print(
                f"WARNING: {path} is torn (its SHA-256 is not that of its name); going back to an earlier one",
                file=sys.stderr,
            )
            files.remove(path)
        return None

    def found(self) -> list[Path]:
        """The files, newest first."""
        return sorted(self.folder.glob("[0-9]*.pt"), reverse=True)


def seconds_between() -> float | None:
    """Seconds from one checkpoint to the next as MTINET_CHECKPOINT_SECONDS has it, 0 for every step; None if unset."""
    text = os.environ.get(EVERY)
    try:
        seconds = float(text) if text else None
    except ValueError:
        seconds = -1.0
    if seconds is not None and not 0 <= seconds < float("inf"):
        raise UserError(f"{EVERY} is '{text}' in the environment, expected seconds, 0 or more")
    return seconds


def random_states() -> dict[str, Any]:
    """The states of all global generators, as plain data and tensors; of GPUs that of the one this process uses.

    Of several processes with a GPU each all draw alike, so the first one's are those of all.
    """
    _, keys, *rest = np.random.get_state()
    return {
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state() if torch.cuda.is_available() else None,
        "numpy": [torch.from_numpy(np.asarray(keys).astype(np.int64)), *rest],
        "python": random.getstate(),
    }


def set_random_states(states: Mapping[str, Any]) -> None:
    """Bring the global generators to where they were."""
    torch.set_rng_state(states["torch"])
    if states["cuda"] is not None and torch.cuda.is_available():
        torch.cuda.set_rng_state(states["cuda"])
    keys, *rest = states["numpy"]
    np.random.set_state(("MT19937", keys.numpy().astype(np.uint32), *rest))
    random.setstate(states["python"])


def publish_weights(path: Path, model: nn.Module) -> None:
    """Write the model's parameters and buffers as safetensors."""
    state = {key: value.detach().cpu().contiguous() for key, value in model.state_dict().items()}
    files.write_bytes(path, safetensors(state))


def load_weights(path: Path, model: nn.Module) -> None:
    """Read published weights into `model`; every key must match."""
    if not path.exists():
        raise UserError(f"no weights at {path}: train the run first, or get them with 'dvc pull'")
    try:
        model.load_state_dict(load_file(path), strict=True)
    except RuntimeError as error:
        reason = " ".join(str(error).split())[:300]
        raise UserError(f"{path} holds weights of another model than params.yaml declares: {reason}") from None
