"""Projects with teachers as tests want them, and small teachers in ONNX files."""

from __future__ import annotations

import copy
import hashlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import yaml
from onnx import TensorProto, helper, numpy_helper
from pascal_layout import write_layout

from mtinet import config, files, paths
from mtinet.data import cards

ROOT = Path(__file__).resolve().parents[1]
CONTENT = yaml.safe_load((ROOT / "params.yaml").read_text())
STUDY = "scenes-smoke"
# Output channels as rows: weights of the three input channels, and a constant.
PROBABILITY = [[1 / 3, 1 / 3, 1 / 3, 0.0]]
MIRRORED = [[0, 0, 0, 0.6], [0, 0, 0, 0.0], [0, 0, 0, -0.8]]


def write_params(change: Callable[[Any], None]) -> config.Params:
    """params.yaml at smoke scale, on one thread of the CPU, as `change` leaves it."""
    content = copy.deepcopy(CONTENT)
    content["study"] |= {"scale": "smoke", "source": {"nyud": "scenes", "pascal": "scenes"}}
    content["compute"] = {"threads": 1, "device": "cpu"}
    change(content)
    Path("params.yaml").write_text(yaml.safe_dump(content, sort_keys=False))
    return config.load()


def unchanged(content: Any) -> None:
    """params.yaml as it is."""


@pytest.fixture
def project(tmp_path, monkeypatch) -> Path:
    """A folder to run stages in, with a PASCAL-like data set that lacks the teachers' labels."""
    monkeypatch.setattr(sys, "argv", [])
    monkeypatch.chdir(tmp_path)
    write_params(unchanged)
    raw = paths.raw(STUDY, "pascal")
    write_layout(raw, taught=False)
    files.write_json(paths.card(STUDY, "pascal"), cards.make_card(raw, "pascal", "scenes"))
    return tmp_path


def network(name: str, rows: list[list[float]], side: int = 16, rank: int = 4, **changes: Any) -> dict[str, Any]:
    """Write a network of one 1x1 convolution and return its declaration as in params.yaml."""
    weights = np.array(rows, np.float32)
    nodes = [helper.make_node("Conv", ["image", "w", "b"], ["answer"])]
    shape: list[Any] = [1, len(rows), side, side]
    if rank == 3:
        nodes = [
            helper.make_node("Conv", ["image", "w", "b"], ["batched"]),
            helper.make_node("Squeeze", ["batched", "axis"], ["answer"]),
        ]
        shape = shape[1:]
    graph = helper.make_graph(
        nodes, "teacher",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 3, side, side])],
        [helper.make_tensor_value_info("answer", TensorProto.FLOAT, shape)],
        [
            numpy_helper.from_array(weights[:, :3, None, None].copy(), "w"),
            numpy_helper.from_array(weights[:, 3].copy(), "b"),
            numpy_helper.from_array(np.array([0], np.int64), "axis"),
        ],
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    content = model.SerializeToString()
    Path(name).write_bytes(content)
    declared = {
        "file": f"{name}#sha256={hashlib.sha256(content).hexdigest()}",
        "input": {"height": side, "width": side},
        "colours": "rgb",
        "mean": [0.0, 0.0, 0.0],
        "std": [1.0, 1.0, 1.0],
        "output": None,
        "activation": "none",
        "channels": [f"+{channel}" for channel in range(len(rows))],
    }
    return declared | changes


def teacher_of(task: str, section: dict[str, Any]) -> config.Params:
    """Parameters with this ONNX teacher for `task`, and a sound one for the other."""

    def change(content: Any) -> None:
        other, rows = ("sal", PROBABILITY) if task == "normals" else ("normals", MIRRORED)
        content["teachers"]["pascal"][task] |= {"kind": "onnx", "onnx": section}
        content["teachers"]["pascal"][other] |= {"kind": "onnx", "onnx": network("other.onnx", rows)}

    return write_params(change)
