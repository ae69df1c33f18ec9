"""docs/extending.md followed to the letter: its blocks put where they say, its commands run, in a copy."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from documents import Command, with_environment
from own_folder import IDS, SIZES, UNLABELLED, write_own
from PIL import Image
from small_project import ROOT, STUDY, copy_code, write_params
from workflow import Project, stages_run

from mtinet import paths
from mtinet.data.packed import PackedSplit

OWN = "archive-smoke"
INVALID = {"seg": 255, "depth": 0, "edge": 255}
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

PLANNED = """
from mtinet import config
from pipeline.jobs import jobs_of
from pipeline.rules import rules
print(*(stage for job in jobs_of(config.load(), "rooms", rules()) for stage in job.stages))
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
    assert len(re.findall(r"^```(?:python|yaml)$", text, re.M)) == len(list(BLOCK.finditer(text))) == 7


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
    """A copy of the project with what the page says of a data set, and a folder of photos with labels of some tasks."""
    project = with_environment(Project.copy(tmp_path_factory.mktemp("rooms"), OMP_NUM_THREADS="1"))
    assert follow(project.folder, sections()[1]) == ["params.yaml"]
    images = write_own(project.folder / "my-rooms") / "images"
    with Image.open(images / "kitchen.jpg") as photo:
        photo.convert("L").save(images / "kitchen.png")
    (images / "kitchen.jpg").unlink()
    return project


@pytest.mark.follows(
    "docs/extending.md", "mtinet check-data", "make pipeline", "dvc repro evaluate_rooms", "mtinet predict rooms/"
)
def test_a_data_set_of_ones_own_is_trained_and_predicted(rooms: Project, shown: list[Command]) -> None:
    """With photos of several sizes, one of them grey and one on its side, of which some lack some labels."""
    check, pipeline, repro, predict = shown
    assert "my-rooms: no faults" in check.run(rooms)
    assert "dvc.yaml:" in pipeline.run(rooms)
    stages = ["code", "check", "dataset", "distill", "prepare", "blind", *["train"] * 2, *["evaluate"] * 2]
    assert sorted(name.split("_")[0] for name in stages_run(repro.run(rooms))) == sorted(stages)
    packed = PackedSplit(rooms.folder / paths.packed(OWN, "rooms", "train"))
    for task, missing in UNLABELLED.items():
        empty = {name for index, name in enumerate(packed.ids) if (packed.label(task, index) == INVALID[task]).all()}
        assert empty == {*missing} & {*packed.ids}
    for name, tasks in {"rooms-seg": ["seg"], "rooms-mti": ["seg", "depth"]}.items():
        found = json.loads((rooms.folder / paths.metrics(OWN, "rooms", name, 0)).read_text())
        assert [*found["tasks"]] == tasks
        assert None not in [
            value for kind in ("tasks", "auxiliary") for one in found[kind].values() for value in one.values()
        ]
    predict.run(rooms)
    for name, (height, width) in SIZES.items():
        with Image.open(rooms.folder / f"predictions/semseg/{name}.png") as labels:
            assert labels.size == (width, height)


def test_images_without_a_label_have_no_say_in_the_score(rooms: Project) -> None:
    """The statistics of a run, stored per image: nothing is counted of those."""
    with np.load(rooms.folder / paths.statistics(OWN, "rooms", "rooms-mti", 0)) as statistics:
        for task, missing in UNLABELLED.items():
            for row, name in zip(statistics[task], IDS["val"], strict=True):
                assert row.any() == (name not in missing), (task, name)


def test_a_changed_label_is_noticed(rooms: Project) -> None:
    """By the check of its folder: nothing of it is copied by hand."""
    path = rooms.folder / "my-rooms" / "seg" / "loft.png"
    before = path.read_bytes()
    path.unlink()
    assert "dataset_rooms" in json.loads(rooms.run("dvc", "status", "--json"))
    path.write_bytes(before)
    assert "dataset_rooms" not in json.loads(rooms.run("dvc", "status", "--json"))


def test_its_other_stages_run_too(rooms: Project) -> None:
    """Those that draw and describe it, and Figure 2 once its tasks are declared to be related."""
    rooms.change_params(lambda params: params["affinity"]["tasks"].update(rooms=["seg", "depth", "edge"]))
    rooms.run("python", "-m", "pipeline.write_dvc")
    names = ("patches", "affinity")
    stages = stages_run(rooms.run("dvc", "repro", "track_rooms", *(f"figure_rooms_{name}" for name in names)))
    assert stages == {
        "code_rooms",
        "check_rooms",
        "affinity_rooms",
        "track_rooms",
        *(f"figure_rooms_{name}" for name in names),
    }
    for name in names:
        with Image.open(rooms.folder / paths.figure(OWN, f"rooms-{name}", "png")) as figure:
            assert min(figure.size) > 200


def test_make_repro_and_snakemake_plan_it(rooms: Project) -> None:
    planned = rooms.run("python", "-c", PLANNED).split()
    assert {"check_rooms", "dataset_rooms", "blind_rooms", "track_rooms", "evaluate_rooms_mti_net@rooms-mti-0"} <= {
        *planned
    }
    output = rooms.run("snakemake", "-n", "--cores", "1", str(paths.metrics(OWN, "rooms", "rooms-mti", 0)))
    assert "rooms" in output
