"""What a run was made of (manifest.json, deterministic) and how it went (timing.json, never a dependency)."""

from __future__ import annotations

import importlib.metadata
import platform
import resource
import subprocess
import time
from pathlib import Path
from typing import Any

import pandas as pd
import torch

from mtinet import files
from mtinet.data.packed import PackedSplit
from mtinet.stage import code_hash
from mtinet.training.loop import History
from mtinet.training.run import Run

LIBRARIES = ("torch", "torchvision", "timm", "numpy", "opencv-python-headless")


def key(run: Run, split: PackedSplit) -> str:
    """SHA-256 of all that determines the run's result on this machine: configuration, code and data."""
    return files.digest_of({"config": run.config(), "code": code_hash(), "data": split.digest})


def manifest(run: Run, split: PackedSplit, device: torch.device, history: History, key: str) -> dict[str, Any]:
    """The manifest of a finished run, `key` as it was when the run began; deterministic."""
    return {
        "dataset": run.dataset,
        "experiment": run.name,
        "seed": run.seed,
        "method": run.method,
        "steps": int(history[-1]["steps"]),
        "epochs": len(history),
        "key": key,
        "config": run.config(),
        "config_hash": files.digest_of(run.config()),
        "code_hash": code_hash(),
        "data_digest": split.digest,
        "versions": {"python": platform.python_version()} | {name: version(name) for name in LIBRARIES},
        "precision": "float32",
        "threads": run.threads,
        "device": device.type,
        "instruction_set": torch.backends.cpu.get_cpu_capability(),
    }


def version(library: str) -> str | None:
    """The installed version of a library, or None."""
    try:
        return importlib.metadata.version(library)
    except importlib.metadata.PackageNotFoundError:
        return None


def timing(began: float, mlflow_run: str | None) -> dict[str, Any]:
    """Wall time since `began` (time.monotonic), peak memory, host, commit and MLflow run."""
    commit = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=False)
    return {
        "wall_s": round(time.monotonic() - began, 2),
        "peak_memory_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
        "host": platform.node(),
        "commit": commit.stdout.strip() or None,
        "mlflow_run": mlflow_run,
    }


def write_history(path: Path, history: History) -> None:
    """Write the history as CSV with one row per epoch."""
    with files.replacing(path) as temporary:
        pd.DataFrame(history).astype({"epoch": int, "steps": int}).to_csv(temporary, index=False, float_format="%.8g")
