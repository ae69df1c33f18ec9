"""What a run was made of (manifest.json, deterministic) and how it went (timing.json, never a dependency)."""

from __future__ import annotations

import csv
import importlib.metadata
import platform
import resource
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from mtinet import files
from mtinet.data.packed import PackedSplit
from mtinet.errors import UserError
from mtinet.stage import code_files, code_hash
from mtinet.training import precision
from mtinet.training.loop import History
from mtinet.training.run import Run
from mtinet.training.selection import kept_epoch

LIBRARIES = ("torch", "torchvision", "timm", "numpy", "opencv-python-headless")


@dataclass(frozen=True)
class Origin:
    """What a run is made of, taken when it begins: code may be edited while it trains.

    initial_weights: digest of those of the backbone, None for random ones and the hub's. validation_digest: of the
    images that choose the epoch; None where none do. code: the project files it
    imports. environment: versions, precision, threads, device, instruction set.
    """

    run: Run
    code: list[str]
    code_hash: str
    data_digest: str
    initial_weights: str | None
    validation_digest: str | None
    environment: dict[str, Any]

    @classmethod
    def of(cls, run: Run, split: PackedSplit, device: torch.device, validation: PackedSplit | None = None) -> Origin:
        code = code_files()
        initial = run.initial_weights().partition("#sha256=")[2] or None
        chooses = validation.digest if validation else None
        return cls(run, code, code_hash(code), split.digest, initial, chooses, environment(run, device))

    @property
    def key(self) -> str:
        """SHA-256 of all that determines the result's bytes: configuration, code, data and environment."""
        made_of = {"name": self.run.name, "config": self.run.config(), "code": self.code_hash}
        given = {"data": self.data_digest, "initial_weights": self.initial_weights, "environment": self.environment}
        return files.digest_of(made_of | given | {"validation": self.validation_digest})


def environment(run: Run, device: torch.device) -> dict[str, Any]:
    """What else changes the bytes of a result: libraries, precision, threads, device, instruction set."""
    return {
        "versions": {"python": platform.python_version()} | {name: version(name) for name in LIBRARIES},
        "precision": precision.chosen(run.precision, device),
        "threads": run.threads,
        "device": device.type if device.type == "cpu" else torch.cuda.get_device_name(device),
        "instruction_set": torch.backends.cpu.get_cpu_capability(),
    }


def manifest(origin: Origin, history: History, weights: Path) -> dict[str, Any]:
    """The manifest of a finished run with its published weights; deterministic."""
    run = origin.run
    return {
        "dataset": run.dataset,
        "experiment": run.name,
        "seed": run.seed,
        "method": run.method,
        "steps": int(history[-1]["steps"]),
        "epochs": min(len(history), run.passes),
        "kept_epoch": kept_epoch(history),
        "key": origin.key,
        "config": run.config(),
        "config_hash": files.digest_of(run.config()),
        "code": origin.code,
        "code_hash": origin.code_hash,
        "data_digest": origin.data_digest,
        "initial_weights": origin.initial_weights,
        "validation_digest": origin.validation_digest,
        "weights_digest": files.digest_of_file(weights),
        **origin.environment,
    }


def check_weights(manifest: Mapping[str, Any], weights: Path) -> None:
    """Raise UserError unless the weights are those that the manifest was written for."""
    if not weights.exists():
        raise UserError(f"no weights at {weights}: train the run first, or get them with 'dvc pull'")
    found = files.digest_of_file(weights)
    if found != manifest["weights_digest"]:
        raise UserError(
            f"{weights} has SHA-256 {found}, its manifest expects {manifest['weights_digest']}; train the run again"
        )


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
    with files.replacing(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as stream:
        table = csv.DictWriter(stream, [*history[0]], lineterminator="\n")
        table.writeheader()
        for row in history:
            counts = {key: int(row[key]) for key in ("epoch", "steps")}
            table.writerow({key: f"{value:.8g}" for key, value in row.items()} | counts)
