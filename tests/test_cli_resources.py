"""`mtinet resources` and `mtinet check-data`: thin, so held against what they stand for."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from archive_layout import write_layout
from command_line import ROOT, CommandLine, copy_reports
from PIL import Image

from mtinet import config, models
from mtinet.studies.declared import counted


@pytest.fixture
def mtinet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> CommandLine:
    return CommandLine(copy_reports(tmp_path / "project"), monkeypatch, capfd)


@pytest.mark.parametrize(("dataset", "name"), [("nyud", "r18fpn-mtl"), ("pascal", "r18fpn-single-parts")])
def test_counts_are_those_of_the_stage(mtinet: CommandLine, dataset: str, name: str) -> None:
    """At the size that the stage counts at, unless another is asked for."""
    height, width = (480, 640) if dataset == "nyud" else (512, 512)
    expected = counted(config.load(ROOT / "params.yaml"), dataset, name, height, width)
    (found,) = json.loads(mtinet("resources", f"{dataset}/{name}", "--json").out)
    assert found == {"run": f"{dataset}/{name}", **expected, "input": f"{height}x{width}"}


def test_parameters_are_the_networks_and_flops_grow_with_the_area(mtinet: CommandLine) -> None:
    found = {}
    for size in ("64x96", "128x192"):
        (found[size],) = json.loads(mtinet("resources", "nyud/r18fpn-mtl", "--size", size, "--json").out)
    method, experiment = config.load(ROOT / "params.yaml").experiment("nyud", "r18fpn-mtl")
    with torch.device("meta"):
        net = models.build(
            method, backbone=experiment.backbone, tasks={"seg": 40, "depth": 1}, auxiliary={}, options={}
        )
    assert found["64x96"]["params_m"] * 1e6 == sum(parameter.numel() for parameter in net.parameters())
    assert found["128x192"]["flops_g"] == pytest.approx(4 * found["64x96"]["flops_g"], rel=1e-9)
    text = mtinet("resources", "nyud/r18fpn-mtl", "--size", "64x96").out.splitlines()
    assert text[0].split() == ["run", "params", "(M)", "FLOPs", "(G)", "input"]
    assert text[1].split()[1] == f"{found['64x96']['params_m']:.3f}"


def test_all_faults_of_a_data_set_at_once(mtinet: CommandLine, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    write_layout(folder, train=2, val=1)
    sound = mtinet("check-data", str(folder), "--dataset", "nyud")
    assert (sound.status, sound.out, sound.err) == (0, "", f"{folder}: no faults\n")
    labels = sorted((folder / "segmentation").iterdir())
    labels[0].unlink()
    labels[1].write_bytes(b"")
    broken = mtinet("check-data", str(folder), "--dataset", "nyud")
    assert broken.status == 1
    assert len(broken.out.splitlines()) == 2
    assert broken.err == f"{folder}: 2 faults\n"
    sizes = sorted((folder / "images").iterdir())
    for path in sizes[1:]:
        Image.new("RGB", (64, 64)).save(path)
    many = mtinet("check-data", str(folder), "--dataset", "nyud")
    said = many.out.splitlines()
    counts = {kind: sum(kind in line for line in said) for kind in ("depth/", "normals/", "edge/", "segmentation/")}
    assert counts == {"depth/": 2, "normals/": 2, "edge/": 2, "segmentation/": 3}
    headline, *kinds = many.err.splitlines()
    assert headline == f"{folder}: 9 faults of 6 kinds:"
    assert sum(int(line.split()[0]) for line in kinds) == 9
    assert sum(f"  2  such as {line}" in many.err for line in said) == 3
    answer = mtinet("check-data", str(folder), "--dataset", "nyud", "--json")
    assert answer.status == 1
    assert json.loads(answer.out)["faults"] == said
    shutil.rmtree(folder)
    assert "no such folder" in mtinet("check-data", str(folder), "--dataset", "nyud").out
    assert mtinet("check-data", str(folder), "--dataset", "no-such").status == 1
