"""Progress: on a terminal whatever takes its time says what it is at, elsewhere nothing does; results stay results."""

from __future__ import annotations

import re
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from archive_layout import write_layout
from command_line import CommandLine, commit
from PIL import Image
from published_run import write_run
from small_project import copy_code

from mtinet import models
from mtinet.cli.progress import progress
from mtinet.exchange import released

NAME = "nyud/r18fpn-mtl"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with random weights, and what every command needs."""
    folder = tmp_path_factory.mktemp("project")
    write_run(folder, "nyud", "r18fpn-mtl")
    (folder / "stages").rmdir()
    copy_code(folder)
    write_layout(folder / "NYUD_MT", train=2, val=1)
    (folder / "photos").mkdir()
    for name in ("a", "b"):
        Image.fromarray(np.full((40, 60, 3), 90, np.uint8)).save(folder / f"photos/{name}.png")
    (folder / "photos/c.png").write_bytes(b"broken")
    clip = cv2.VideoWriter(str(folder / "clip.avi"), cv2.VideoWriter_fourcc(*"FFV1"), 10, (64, 48))
    for _ in range(5):
        clip.write(np.full((48, 64, 3), 90, np.uint8))
    clip.release()
    net = models.build(
        "single_task", backbone=released.BACKBONE, tasks={"seg": 40}, auxiliary={}, options={"hrnet_fusion": "bilinear"}
    )
    torch.save({f"module.{key}": value for key, value in
                released.to_released("single_task", net.state_dict()).items()}, folder / "best.pth.tar")  # fmt: skip
    commit(folder, "all of it")
    return folder


@pytest.fixture
def mtinet(project: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> CommandLine:
    return CommandLine(project, monkeypatch, capfd)


COMMANDS = {
    "check-data NYUD_MT --dataset nyud": ["reading every image and label in"],
    "import-released best.pth.tar --dataset nyud --task seg --out networks/best": ["importing best.pth.tar"],
    f"predict {NAME} photos clip.avi --every 2 --out predictions": [f"loading {NAME}", "predicting", "0/6", "6/6"],
    f"export {NAME} --format onnx --fixed --check photos/a.png --out net.onnx": [
        f"loading {NAME}", "writing net.onnx", "comparing it with the network", "0/2", "2/2"
    ],
    "list nyud": ["comparing manifests"],
    f"resources {NAME}": ["counting networks", "1/1"],
    "diff": ["comparing HEAD with working tree"],
    "doctor --offline": ["looking at packages and devices"],
}  # fmt: skip


@pytest.mark.parametrize("line", COMMANDS)
def test_a_terminal_shows_what_is_going_on(mtinet: CommandLine, line: str) -> None:
    """And only a terminal; what goes to stdout is the same, and as much of stderr as is no progress."""
    shown = COMMANDS[line]
    quiet, watched = mtinet(*line.split()), mtinet.watched(*line.split())
    assert watched.status == quiet.status
    if not line.startswith("doctor"):  # the load of the machine changes
        assert watched.out == quiet.out
    assert quiet.out or quiet.err
    for words in shown:
        assert words in watched.err
        assert words not in quiet.err
        assert words not in quiet.out
    assert "\x1b" not in quiet.err
    lines = re.split(r"[\r\n]+", watched.err)
    assert all(said in lines for said in quiet.err.splitlines())


def test_results_stand_above_it_on_one_terminal(mtinet: CommandLine) -> None:
    """One line each, however long: they are names of files."""
    out = mtinet.folder / ("deep/" * 40) / "out"
    answer = mtinet.watched("predict", NAME, "photos/a.png", "--out", str(out), stdout_too=True)
    assert answer.out == ""
    assert str(out / "panels/a.png") in re.split(r"[\r\n]+", answer.err)
    assert "predicting" in answer.err


def test_no_colour_makes_a_terminal(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """As systems of continuous integration set it."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    with progress("working", 2) as shown:
        shown.step()
        shown.now("still working")
        shown.result("a result")
        shown.error("an error")
    said = capsys.readouterr()
    assert (said.out, said.err) == ("a result\n", "an error\n")
