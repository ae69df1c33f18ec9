"""Programs of GPUs' drivers and of SLURM that only pretend, put in front of PATH."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def write(folder: Path, name: str, body: str) -> Path:
    """An executable Python script; returns its folder."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text(f"#!{sys.executable}\n{body}\n")
    path.chmod(0o755)
    return folder


def nvidia_smi(folder: Path, memories: list[int]) -> Path:
    """A machine with one GPU per entry, of so many MB."""
    lines = [f"{index}, GPU-{index}{index}, {memory}" for index, memory in enumerate(memories)]
    return write(folder, "nvidia-smi", f"print({chr(10).join(lines)!r})")


def before(folder: Path) -> str:
    """PATH with the folder in front."""
    return f"{folder}:{os.environ['PATH']}"
