"""docs/edge-benchmark.md followed: its four command lines and its Python, on folders of small maps."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from documents import BLOCK, Command
from scipy.io import savemat
from small_project import ROOT
from workflow import Project

from mtinet.metrics.edges.pictures import write_png
from tests.edge_references import random_map

PAGE = ROOT / "docs/edge-benchmark.md"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    folder = tmp_path_factory.mktemp("edges")
    (folder / "predictions").mkdir()
    (folder / "truth").mkdir()
    for seed, name in enumerate("abc"):
        draw = np.random.default_rng(seed)
        write_png(folder / f"predictions/{name}.png", random_map(draw, "blobs", (30, 40)))
        labels = (3 * random_map(draw, "blobs", (30, 40))).astype(np.uint16)
        savemat(folder / f"truth/{name}.mat", {"LabelMap": labels})
    (folder / "val.txt").write_text("a\nc\n")
    return Project(folder, PYTHONPATH=str(ROOT / "src"), OMP_NUM_THREADS="1")


@pytest.mark.follows(
    "docs/edge-benchmark.md",
    "python -m mtinet.metrics.edges predictions/ truth/",
    "python -m mtinet.metrics.edges predictions/ truth/ --max-dist",
    "python -m mtinet.metrics.edges predictions/ truth/ --protocol",
    "python -m mtinet.metrics.edges predictions/ truth/ --flavour",
)
def test_the_command_lines(project: Project, shown: list[Command]) -> None:
    pascal, nyud, astmt, bsds = (command.run(project) for command in shown)
    for answer in (pascal, nyud, astmt, bsds):
        assert "odsF" in answer
    assert pascal != nyud  # pairs at another distance
    assert "2 images" in astmt
    assert json.loads((project.folder / "scores.json").read_text())["images"] == 3
    assert np.load(project.folder / "counts.npz")


def test_the_python(tmp_path: Path) -> None:
    """The block as it stands, with `images` as it expects them: scores within 0..1, 1 for the labels' own borders."""
    (block,) = [found["text"] for found in BLOCK.finditer(PAGE.read_text()) if found["language"] == "python"]
    from mtinet.metrics.edges import boundaries_from_labels

    labels = (np.indices((30, 40)).sum(axis=0) // 15).astype(np.uint8)
    names: dict[str, Any] = {"images": [(boundaries_from_labels(labels).astype(np.float64), labels)]}
    exec(block, names)
    assert names["scores"]["odsF"] == pytest.approx(1.0)
    assert len(names["thresholds"]) == 99
