"""README.md's command line, followed from a folder of data to predictions and a report of changes."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from archive_layout import write_layout
from command_line import CommandLine, commit, copy_reports
from documents import Command
from PIL import Image
from small_project import STUDY, TASKS, copy_code, write_params

from mtinet import models, paths
from mtinet.data import nyud, packing
from mtinet.exchange import released

RUN = (STUDY, "nyud", "hrnet18-mti", 0)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The code, a small data set, packed, and photos."""
    folder = tmp_path_factory.mktemp("project")
    copy_code(folder)
    write_params(folder)
    raw = folder / "NYUD_MT"
    write_layout(raw, train=4, val=2)
    for split in ("train", "val"):
        packing.pack(
            raw, None, nyud.split_ids(raw, split), TASKS, folder / paths.packed(STUDY, "nyud", split), workers=1
        )
    (folder / "folder").mkdir()
    for number, name in enumerate(("photo.jpg", "folder/first.png", "folder/second.png")):
        size = (60 + 20 * number, 48, 3)
        pixels = np.random.default_rng(number).integers(0, 256, size, dtype=np.uint8)
        Image.fromarray(pixels).save(folder / name)
    return folder


@pytest.fixture
def mtinet(project: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> CommandLine:
    monkeypatch.setenv("PYTHONPATH", str(project / "src"))  # of the stages, which are processes of their own
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return CommandLine(project, monkeypatch, capfd)


@pytest.mark.follows(
    "README.md", "mtinet check-data", "mtinet list", "mtinet run", "mtinet evaluate", "mtinet predict",
    "mtinet resources",
)  # fmt: skip
def test_a_run_is_made_and_used(mtinet: CommandLine, shown: list[Command]) -> None:
    check, listed, run, evaluate, predict, resources = (command.words[1:] for command in shown)
    assert mtinet(*check).err.endswith("NYUD_MT: no faults\n")
    assert "nyud/hrnet18-mti/seed0" in mtinet(*listed).out
    for words in (run, evaluate):
        assert mtinet(*words).status == 0
    assert json.loads((mtinet.folder / paths.metrics(*RUN)).read_text())["tasks"]["depth"]["rmse"] > 0
    assert "nyud/hrnet18-mti/seed0" not in mtinet(*listed).out
    predicted = mtinet(*predict)
    assert predicted.status == 0
    sizes = {"photo": 60, "first": 80, "second": 100}
    assert [Path(panel).stem for panel in predicted.out.split()] == [*sizes]
    for name, height in sizes.items():
        with Image.open(mtinet.folder / f"predictions/semseg/{name}.png") as labels:
            assert labels.size == (48, height)
    assert re.search(r"params \(M\) +FLOPs \(G\).*\nnyud/hrnet18-mti +\d", mtinet(*resources).out)


@pytest.mark.follows("README.md", "mtinet import-released")
def test_a_released_checkpoint_is_read(mtinet: CommandLine, shown: list[Command]) -> None:
    torch.manual_seed(0)
    tasks, options = {"seg": 40, "depth": 1}, {"hrnet_fusion": "bilinear"}
    net = models.build("multi_task", backbone=released.BACKBONE, tasks=tasks, auxiliary={}, options=options)
    released.write(mtinet.folder / "best_model.pth.tar", "multi_task", net.state_dict())
    assert "each with its place" in mtinet(*shown[0].words[1:]).out
    answer = mtinet("predict", "networks/mti", "photo.jpg", "--out", "again", "--json")  # as the comment says
    assert answer.status == 0
    assert (mtinet.folder / "again/panels/photo.png").is_file()


@pytest.mark.follows("README.md", "mtinet doctor")
def test_what_is_here_is_said(mtinet: CommandLine, shown: list[Command]) -> None:
    answer = mtinet(*shown[0].words[1:])
    assert answer.status == 0, answer.out
    for part in ("torch", "CPU", "GPU", "disk"):
        assert part in answer.out


@pytest.mark.follows("README.md", "mtinet diff main")
def test_a_change_is_compared_with_main(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], shown: list[Command]
) -> None:
    folder = copy_reports(tmp_path / "project")
    commit(folder, "before")
    path = folder / "params.yaml"
    content = yaml.safe_load(path.read_text())
    before = content["scales"]["laptop"]["nyud"]["lr_factor"]
    content["scales"]["laptop"]["nyud"]["lr_factor"] = before / 2
    path.write_text(yaml.safe_dump(content, sort_keys=False))
    answer = CommandLine(folder, monkeypatch, capfd)(*shown[0].words[1:])
    assert answer.status == 0
    assert f"| `scales.laptop.nyud.lr_factor` | `{before}` | `{before / 2}` |" in answer.out
