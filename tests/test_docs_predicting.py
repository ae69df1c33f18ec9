"""docs/predicting.md followed: photos, a folder and a clip, the page for the browser, exports, and released weights."""

from __future__ import annotations

import http.client
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnxruntime
import pytest
import torch
import yaml
from command_line import CommandLine
from documents import BLOCK, Command
from PIL import Image
from published_run import write_run
from small_project import ROOT, STUDY
from test_docs_extending import merge

from mtinet import files, paths
from mtinet.cli.demo import PORT
from mtinet.exchange import networks

PAGE = ROOT / "docs/predicting.md"
NETWORK = "networks/mti-net"


def as_on_the_page(content: Any) -> None:
    """What the page's YAML block adds to params.yaml; and its other run narrow, since exporting takes by the layer."""
    content["experiments"]["nyud"]["mti_net"]["hrnet18-mti"] |= {"backbone": "fpn/resnet18", "options": {"width": 16}}
    (block,) = [found["text"] for found in BLOCK.finditer(PAGE.read_text()) if found["language"] == "yaml"]
    assert block.startswith("# params.yaml, merged into what is there\n")
    content.update(merge(content, yaml.safe_load(block)))


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The two runs that the page names, with random weights, and something to predict."""
    folder = tmp_path_factory.mktemp("project")
    for seed, name in enumerate(("hrnet18-mti", "released-mti")):
        write_run(folder, "nyud", name, as_on_the_page, seed)
    (folder / "holiday").mkdir()
    for name in ("photo.jpg", "holiday/sea.png"):
        pixels = np.random.default_rng(0).integers(0, 256, (48, 80, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / name)
    clip = cv2.VideoWriter(str(folder / "clip.mp4"), cv2.VideoWriter_fourcc(*"mp4v"), 10, (64, 48))
    for _ in range(21):
        clip.write(np.full((48, 64, 3), 90, np.uint8))
    clip.release()
    return folder


@pytest.fixture
def mtinet(project: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> CommandLine:
    return CommandLine(project, monkeypatch, capfd)


@pytest.mark.follows("docs/predicting.md", "mtinet predict nyud/hrnet18-mti")
def test_photos_a_folder_and_a_clip(mtinet: CommandLine, shown: list[Command]) -> None:
    answer = mtinet(*shown[0].words[1:])
    assert (answer.status, answer.err) == (0, "")
    names = ["photo", "sea", *(f"clip-{number:06d}" for number in (0, 10, 20))]
    written = {path.relative_to(mtinet.folder / "results").as_posix() for path in mtinet.folder.glob("results/*/*")}
    kinds = (("semseg", "png"), ("depth", "mat"), ("panels", "png"))
    assert written == {f"{kind}/{name}.{suffix}" for name in names for kind, suffix in kinds}


@pytest.mark.follows("docs/predicting.md", "mtinet demo")
@pytest.mark.follows("README.md", "mtinet demo")
def test_a_photo_on_the_local_page(project: Path, shown: list[Command]) -> None:
    """Both pages show the same command, which is started once: its port is one that it names itself."""
    (words,) = {tuple(command.words) for command in shown}
    with socket.socket() as free:
        if free.connect_ex(("127.0.0.1", PORT)) == 0:
            pytest.skip(f"port {PORT} is taken by another program")
    command = [sys.executable, "-m", "mtinet.cli", *words[1:]]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src"), "BROWSER": "true"}  # opens no window
    with subprocess.Popen(
        command, cwd=project, stdout=subprocess.PIPE, text=True, env=environment, preexec_fn=heeding_interrupts
    ) as process:
        try:
            assert process.stdout is not None
            (address,) = re.findall(r"^http://([\w.]+:\d+)\S* \(Ctrl-C ends it\)$", process.stdout.readline(), re.M)
            connection = http.client.HTTPConnection(address, timeout=60)
            connection.request("GET", "/network")
            assert b"hrnet18-mti" in connection.getresponse().read()
        finally:
            process.send_signal(signal.SIGINT)
            killed = threading.Timer(20, process.kill)
            killed.start()
        assert process.wait() == 0
        killed.cancel()


def heeding_interrupts() -> None:
    """What a shell starts in its background ignores Ctrl-C, and so does all that is started from there."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.mark.follows("README.md", "mtinet export")
@pytest.mark.follows("docs/predicting.md", "mtinet export nyud/hrnet18-mti --format onnx",
                     "mtinet export nyud/hrnet18-mti --format torch")  # fmt: skip
def test_exports_take_what_the_page_says(mtinet: CommandLine, shown: list[Command]) -> None:
    """Both formats; the README's file is the page's without the photo to check."""
    for command in shown:
        assert mtinet(*command.words[1:]).status == 0
    images = np.random.default_rng(0).normal(size=(2, 3, 64, 96)).astype(np.float32)
    session = onnxruntime.InferenceSession(mtinet.folder / "mti.onnx")
    assert [given.name for given in session.get_inputs()] == ["images"]
    found = session.run(None, {"images": images})
    program = torch.export.load(mtinet.folder / "mti.pt2").module()
    with torch.no_grad():
        again = program(torch.from_numpy(images))
    again = list(again.values()) if isinstance(again, dict) else list(again)
    for one, other in zip(found, again, strict=True):
        assert np.abs(one - other.numpy()).max() <= 1e-4 * np.abs(one).max()
    assert files.read_json(mtinet.folder / "mti.onnx.json")


@pytest.mark.follows("docs/predicting.md", "mtinet export nyud/released-mti", "mtinet import-released",
                     "mtinet predict networks/mti-net")  # fmt: skip
def test_there_and_back_by_the_released_names(mtinet: CommandLine, shown: list[Command]) -> None:
    """The page's second command writes what its first one reads: the same weights come back."""
    export, imported, predict = (command.words[1:] for command in shown)
    assert mtinet(*export).status == 0
    said = mtinet(*imported).out
    for reading in ("hrnet_fusion: bilinear", "fpm_softmax: channels", "fpm_order: seg, depth"):
        assert reading in said
    weights = mtinet.folder / paths.weights(STUDY, "nyud", "released-mti", 0)
    assert files.digest_of_file(mtinet.folder / NETWORK / networks.WEIGHTS) == files.digest_of_file(weights)
    assert mtinet(*predict).status == 0
    assert (mtinet.folder / "results/panels/photo.png").is_file()
