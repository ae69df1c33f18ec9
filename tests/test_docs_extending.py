"""docs/extending.md followed to the letter: its blocks put where they say, its commands run, in a copy."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from archive_layout import synthetic_frame, write_layout
from documents import Command, with_environment
from PIL import Image
from small_project import ROOT, STUDY, copy_code, write_params
from workflow import Project, stages_run

from mtinet import paths
from mtinet.data import nyud
from mtinet.data.packed import PackedSplit

UNMEASURED = "0004"
PAGE = ROOT / "docs" / "extending.md"
BLOCK = re.compile(
    r"^```(python|yaml)\n# (?P<path>[\w./]+)(?P<how>, at its end|, merged into what is there)?\n(?P<text>.*?)^```$",
    re.M | re.S,
)
LABELS = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
import numpy as np
from archive_layout import write_layout
from mtinet import paths
from mtinet.data import nyud, packing
raw = Path("raw")
for number, name in enumerate(write_layout(raw, train=4, val=2)):
    floor = np.zeros((48, 64), np.uint8)
    floor[30 + number:] = 1
    nyud.write_label(raw, "floor", name, floor)
for split in ("train", "val"):
    tasks = ("seg", "depth", "normals", "edge", "floor")
    packing.pack(raw, None, nyud.split_ids(raw, split), tasks, paths.packed(sys.argv[2], "nyud", split), workers=1)
"""


def merge(content: Any, addition: Any) -> Any:
    """A mapping with another's entries added, all the way down."""
    if not (isinstance(content, dict) and isinstance(addition, dict)):
        return addition
    return {**content, **{key: merge(content.get(key), value) for key, value in addition.items()}}


def sections() -> tuple[str, str]:
    """The page as far as the experiment with a new method, backbone and task, and what it says of a data set."""
    before, title, after = PAGE.read_text().partition("\n## A data set\n")
    assert title
    return before, after


def follow(folder: Path, text: str) -> list[str]:
    """Put every block of the text where its first line says; returns the files."""
    done = []
    for block in BLOCK.finditer(text):
        path, how, text = folder / block["path"], block["how"] or "", block["text"]
        if "merged" in how:
            path.write_text(
                yaml.safe_dump(merge(yaml.safe_load(path.read_text()), yaml.safe_load(text)), sort_keys=False)
            )
        elif "end" in how:
            path.write_text(path.read_text() + text)
        else:
            assert not path.exists()
            path.write_text(text)
        done.append(block["path"])
    return done


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the code with the page's additions, and a small data set with the new task."""
    folder = tmp_path_factory.mktemp("project")
    copy_code(folder)
    write_params(folder)
    assert follow(folder, sections()[0]) == [
        "src/mtinet/models/finest_scale.py", "src/mtinet/models/backbones/mobile.py", "src/mtinet/tasks.yaml",
        "src/mtinet/data/nyud.py", "params.yaml", "params.yaml",
    ]  # fmt: skip
    call(folder, "-c", LABELS, str(ROOT / "tests"), STUDY)
    return folder


def call(folder: Path, *words: str) -> str:
    """What Python prints, run on the copy."""
    environment = {**os.environ, "PYTHONPATH": str(folder / "src"), "OMP_NUM_THREADS": "1"}
    environment.pop("MLFLOW_TRACKING_URI", None)  # tracking while it trains takes longer than the training
    done = subprocess.run(
        [sys.executable, *words], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


def test_every_block_of_the_page_is_followed() -> None:
    text = PAGE.read_text()
    assert len(re.findall(r"^```(?:python|yaml)$", text, re.M)) == len(list(BLOCK.finditer(text))) == 10


@pytest.mark.follows("docs/extending.md", "mtinet run nyud/mobile-finest", "mtinet evaluate nyud/mobile-finest")
def test_the_pages_commands_train_and_score_it(project: Path, shown: list[Command]) -> None:
    """A task, a backbone and a method that nothing else knows of."""
    for command in shown:
        call(project, "-m", "mtinet.cli", *command.words[1:])
    location = (STUDY, "nyud", "mobile-finest", 0)
    manifest = json.loads((project / paths.manifest(*location)).read_text())
    assert (manifest["method"], manifest["config"]["experiment"]["backbone"]) == ("finest_scale", "mobile/small")
    assert {"src/mtinet/models/finest_scale.py", "src/mtinet/models/backbones/mobile.py"} <= {*manifest["code"]}
    metrics = json.loads((project / paths.metrics(*location)).read_text())["tasks"]
    assert [*metrics] == ["seg", "floor"]
    assert 0 <= metrics["floor"]["mIoU"] <= 1


def test_a_method_and_a_backbone_change_no_other_runs_code(project: Path) -> None:
    """As the page says: of what a training imports, only the registry of tasks and the data's module differ."""
    changed = {
        path.relative_to(project).as_posix()
        for path in (project / "src").rglob("*.*")
        if (ROOT / path.relative_to(project)).is_file() and "__pycache__" not in path.parts
        and path.read_bytes() != (ROOT / path.relative_to(project)).read_bytes()
    }  # fmt: skip
    assert changed == {"src/mtinet/tasks.yaml", "src/mtinet/data/nyud.py"}


@pytest.fixture(scope="module")
def rooms(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A copy of the project with what the page says of a data set, and a folder of labelled photos of several sizes."""
    project = with_environment(Project.copy(tmp_path_factory.mktemp("rooms"), OMP_NUM_THREADS="1"))
    made = follow(project.folder, sections()[1])
    assert made == [*(f"src/mtinet/data/rooms{part}.py" for part in ("", "_classes", "_scenes")), "params.yaml"]
    folder = project.folder / "my-rooms"
    write_layout(folder, train=4, val=2)
    wide = synthetic_frame(9, height=40, width=72)
    wide.depth[:] = 0
    nyud.write_frame(folder, UNMEASURED, wide)
    return project


@pytest.mark.follows(
    "docs/extending.md", "mtinet check-data", "make pipeline", "dvc repro evaluate_rooms", "mtinet predict rooms/"
)
def test_a_data_set_of_ones_own_is_trained_and_predicted(rooms: Project, shown: list[Command]) -> None:
    """With photos of two sizes, and one that nobody measured the depth of."""
    check, pipeline, repro, predict = shown
    assert "my-rooms: no faults" in check.run(rooms)
    assert "dvc.yaml:" in pipeline.run(rooms)
    stages = ["code", "check", "dataset", "distill", "prepare", "train", "evaluate"]
    assert sorted(name.split("_")[0] for name in stages_run(repro.run(rooms))) == sorted(stages)
    location = ("archive-smoke", "rooms", "rooms-mtl", 0)
    metrics = json.loads((rooms.folder / paths.metrics(*location)).read_text())["tasks"]
    assert [*metrics] == ["seg", "depth"]
    assert metrics["depth"]["rmse"] > 0
    packed = rooms.folder / paths.packed("archive-smoke", "rooms", "train")
    assert not PackedSplit(packed).label("depth", 3).any()
    predict.run(rooms)
    for name, size in {"0001": (64, 48), UNMEASURED: (72, 40)}.items():
        with Image.open(rooms.folder / f"predictions/semseg/{name}.png") as labels:
            assert labels.size == size
