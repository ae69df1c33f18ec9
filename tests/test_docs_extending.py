"""docs/extending.md followed to the letter: its blocks put where they say, its commands run, in a copy."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from small_project import ROOT, STUDY, write_params

from mtinet import paths

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


def follow(folder: Path) -> list[str]:
    """Put every block of the page where its first line says; returns the files."""
    done = []
    for block in BLOCK.finditer(PAGE.read_text()):
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
    for part in ("src", "stages", "pipeline"):
        shutil.copytree(ROOT / part, folder / part, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    write_params(folder)
    assert follow(folder) == [
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
    assert len(re.findall(r"^```(?:python|yaml)$", text, re.M)) == len(list(BLOCK.finditer(text))) == 6


def test_the_pages_commands_train_and_score_it(project: Path) -> None:
    """A task, a backbone and a method that nothing else knows of."""
    commands = re.findall(r"^mtinet (.*)$", PAGE.read_text().split("## An experiment")[1], re.M)
    assert [words.split()[0] for words in commands] == ["run", "evaluate"]
    for words in commands:
        call(project, "-m", "mtinet.cli", *words.split())
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
