"""Small made-up inputs of the reporting tests: what evaluation, comparison and training write."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mtinet.reporting import layouts
from mtinet.reporting.conditions import Conditions
from mtinet.reporting.tables import Table, build

ROOT = Path(__file__).resolve().parents[1]
SINGLE = {"seg": "hrnet18-single-seg", "depth": "hrnet18-single-depth"}
# Table 2a's rows and their experiments, written down a second time.
ROWS = {
    "MTL": "hrnet18-mtl",
    "PAD-Net": "hrnet18-pad",
    "PAD-Net (N)": "hrnet18-pad-n",
    "PAD-Net (N+E)": "hrnet18-pad-ne",
    "Ours (w/o FPM)": "hrnet18-mti-nofpm",
    "Ours (w/o FPM) (N)": "hrnet18-mti-nofpm-n",
    "Ours (w/o FPM) (N+E)": "hrnet18-mti-nofpm-ne",
    "Ours (w/ FPM)": "hrnet18-mti",
    "Ours (w/ FPM) (N)": "hrnet18-mti-n",
    "Ours (w/ FPM) (N+E)": "hrnet18-mti-ne",
}
EXPERIMENTS = [*SINGLE.values(), *ROWS.values()]


def experiment(tasks: list[str], source: random.Random) -> dict[str, Any]:
    """One entry of the comparison file."""
    metrics = {
        "seg": {"mIoU": source.uniform(0.05, 0.5), "pixel_acc": source.random(), "mean_acc": source.random()},
        "depth": {"rmse": source.uniform(0.4, 1.2), "rel": source.random(), "delta_1": source.random()},
    }
    return {
        "tasks": tasks,
        "auxiliary": [],
        "steps": 125,
        "epochs": 5,
        "seeds": [0],
        "missing_seeds": [],
        "metrics": {task: metrics[task] for task in tasks},
        "std": None,
        "delta_m": source.uniform(-20, 20) if len(tasks) > 1 else None,
        "delta_m_std": None,
        "baseline": {task: SINGLE[task] for task in tasks},
    }


def missing() -> dict[str, Any]:
    """The comparison's entry of an experiment without any run."""
    return {
        "tasks": ["seg", "depth"], "auxiliary": [], "steps": None, "epochs": None, "seeds": [],
        "missing_seeds": [0], "metrics": None, "std": None, "delta_m": None, "delta_m_std": None,
        "baseline": SINGLE,
    }  # fmt: skip


def comparison(seed: int = 0) -> dict[str, Any]:
    """A comparison file with random metrics."""
    source = random.Random(seed)
    experiments = {name: experiment([task], source) for task, name in SINGLE.items()}
    experiments |= {name: experiment(["seg", "depth"], source) for name in ROWS.values()}
    return {"dataset": "nyud", "study": "scenes-laptop", "seeds": [0], "experiments": experiments}


def blind() -> dict[str, Any]:
    return {
        "constant": {"seg": {"mIoU": 0.0123}, "depth": {"rmse": 1.2344}},
        "position": {"seg": {"mIoU": 0.0456}, "depth": {"rmse": 1.1111}},
    }


def conditions(**changes: Any) -> Conditions:
    return Conditions(**({"source": "scenes", "scale": "laptop", "pretrained": ("none",), "device": "cpu"} | changes))


def table2a(content: dict[str, Any] | None = None, **changes: Any) -> Table:
    """Table 2a from made-up metrics and the project's own layout and published numbers."""
    given = {"blind": blind(), "conditions": conditions()} | changes
    return build(
        layouts.load_layouts(ROOT / layouts.TABLES)["table2a"],
        content or comparison(),
        given["blind"],
        layouts.load_published(ROOT / layouts.PUBLISHED),
        given["conditions"],
    )


def history(parts: list[str], epochs: int = 3) -> pd.DataFrame:
    """A training history with the given parts of the loss."""
    epoch = np.arange(1, epochs + 1)
    columns = {"epoch": epoch, "steps": epoch * 25, "lr": 1e-3 / epoch, "loss": 2.0 / epoch}
    return pd.DataFrame(columns | {part: 1.0 / (epoch + index) for index, part in enumerate(parts)})


def examples(tasks: list[str], sizes: tuple[tuple[int, int], ...] = ((24, 32), (24, 32))) -> dict[str, Any]:
    """What the evaluation keeps of one run, on images of the given (height, width)."""
    source = np.random.default_rng(0)
    found: dict[str, Any] = {
        "ids": [f"image{index}" for index in range(len(sizes))],
        "images": [source.integers(0, 256, (*size, 3), dtype=np.uint8) for size in sizes],
    }
    for task in tasks:
        for kind in ("label", "prediction"):
            found[f"{kind}_{task}"] = [one_map(task, size, source, kind == "label") for size in sizes]
    return found


def one_map(task: str, size: tuple[int, int], source: np.random.Generator, holes: bool) -> np.ndarray:
    """A label map or prediction of `task`; labels have an invalid corner."""
    if task in ("seg", "parts"):
        array = source.integers(0, 5, size, dtype=np.uint8)
    elif task == "normals":
        array = source.normal(size=(*size, 3)).astype(np.float32)
        array /= np.linalg.norm(array, axis=2, keepdims=True)
    else:
        array = source.uniform(0.5, 1.0, size).astype(np.float32)
    if holes:
        array[:3, :3] = 255 if task in ("seg", "edge") else 0
    return array


def manifest(name: str, seed: int = 0, **changes: Any) -> dict[str, Any]:
    """The manifest of one run."""
    return {
        "dataset": "nyud",
        "experiment": name,
        "seed": seed,
        "method": "mti_net",
        "config": {
            "experiment": {"options": {"propagation": "fpm"}},
            "scale": {"augmentation": {"zoom": [1.0, 1.2], "flip": True}},
            "loss_weights": {"seg": 1.0},
        },
        "config_hash": "c0" * 32,
        "code_hash": "c1" * 32,
        "data_digest": "d0" * 32,
        "versions": {"python": "3.11.9", "torch": "2.13.0"},
        "precision": "float32",
        "threads": 2,
        "device": "cpu",
        "instruction_set": "AVX2",
        "steps": 125,
        "epochs": 5,
    } | changes
