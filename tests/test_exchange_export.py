"""Exported files against the networks that they came from: ONNX Runtime and torch.export's program, all sizes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
import yaml
from command_line import ROOT, CommandLine
from PIL import Image
from published_run import unlike_the_start, write_run
from real_frames import FILLED, REAL, filled_frame, needs_real_frames

from mtinet import models
from mtinet.data.transforms import prepare_image
from mtinet.errors import UserError
from mtinet.exchange import exporting
from mtinet.exchange.exporting import Flat

HRNET, FPN, DEEPLAB = "timm/hrnet_w18_small_v2", "fpn/resnet18", "dlv3/resnet26"
TASKS = {"seg": 5, "depth": 1}
METHODS = {
    "single_task": ({"seg": 5}, {}, {}),
    "multi_task": (TASKS, {}, {}),
    "pad_net": (TASKS, {"normals": 3}, {"task_features": "bottleneck_256"}),  # 4C is 1024 channels on FPN: 0.8 GB
    "mti_net": (TASKS, {"normals": 3}, {}),
    "single_task_dlv3": ({"seg": 5}, {}, {}),
    "astmt": (TASKS, {}, {}),
}
BOTH = ("single_task", "multi_task", "pad_net", "mti_net")
NETWORKS = [(method, backbone) for method in BOTH for backbone in (HRNET, FPN)]
NETWORKS += [("astmt", "fpn/resnet50"), ("single_task_dlv3", DEEPLAB), ("astmt", DEEPLAB)]
PROGRAMS = [("single_task", FPN), ("multi_task", HRNET), ("pad_net", FPN), ("mti_net", HRNET), *NETWORKS[-2:]]
SIZES = [(1, 64, 96), (2, 96, 64), (3, 32, 128)]


def network(method: str, backbone: str, narrow: bool = False) -> Flat:
    """A small network of the method, as it is exported."""
    tasks, auxiliary, options = METHODS[method]
    options = {**options, "width": 16} if narrow else options
    torch.manual_seed(0)
    net = models.build(method, backbone=backbone, tasks=tasks, auxiliary=auxiliary, options=options)
    return Flat(unlike_the_start(net, 0), [*tasks], [*auxiliary]).eval()


def images(sizes: tuple[int, int, int], seed: int = 0) -> torch.Tensor:
    count, height, width = sizes
    return torch.randn(count, 3, height, width, generator=torch.Generator().manual_seed(seed))


def outputs(net: Flat, shown: torch.Tensor) -> dict[str, np.ndarray]:
    """What the network computes in the precision of the images, straight from the method's own forward pass."""
    with torch.no_grad():
        raw = net.net.to(shown.dtype)(shown)
    net.net.float()
    found = {**raw.final, **{task: raw.initial[4][task] for task in net.auxiliary}}
    return {task: output.numpy() for task, output in found.items()}


def near(eager: np.ndarray, exact: np.ndarray) -> float:
    """How far from float32's result another order of summing may be: a few times what that is from float64's."""
    return float(max(5 * np.abs(eager - exact).max(), 1e-6 * np.abs(exact).max()))


def test_every_method_of_the_study_is_tried() -> None:
    declared = yaml.safe_load((ROOT / "params.yaml").read_text())["experiments"]
    methods = {method for by_method in declared.values() for method in by_method}
    assert methods == {method for method, _ in NETWORKS} == {method for method, _ in PROGRAMS}
    kinds = {
        (method, experiment["backbone"].partition("/")[0])
        for by_method in declared.values() for method, named in by_method.items() for experiment in named.values()
    }  # fmt: skip
    assert kinds == {(method, backbone.partition("/")[0]) for method, backbone in NETWORKS}


@pytest.mark.parametrize(("method", "backbone"), NETWORKS)
def test_onnx_runtime_computes_what_the_network_does(method: str, backbone: str, tmp_path: Path) -> None:
    """With batches and sizes other than those that were traced."""
    net = network(method, backbone, narrow=method == "mti_net" and backbone == FPN)
    path = tmp_path / "net.onnx"
    exporting.write_onnx(net, path, (64, 64), fixed=False)
    onnx.checker.check_model(path)
    session = onnxruntime.InferenceSession(path)
    names = [output.name for output in session.get_outputs()]
    assert names == [*net.tasks, *net.auxiliary]
    for size in SIZES[1:]:
        shown = images(size)
        eager, exact = outputs(net, shown), outputs(net, shown.double())
        for name, found in zip(names, session.run(None, {"images": shown.numpy()}), strict=True):
            assert found.shape == eager[name].shape
            assert np.abs(found - eager[name]).max() <= near(eager[name], exact[name])
            assert eager[name].std() > 0.05 * np.abs(eager[name]).max()


@pytest.mark.parametrize(("method", "backbone"), PROGRAMS)
def test_the_program_computes_what_the_network_does(method: str, backbone: str, tmp_path: Path) -> None:
    net = network(method, backbone)
    path = tmp_path / "net.pt2"
    exporting.write_program(net, path, (64, 64), fixed=False)
    program = torch.export.load(path).module()
    for size in SIZES[:2]:
        shown = images(size)
        with torch.no_grad():
            found, expected = program(shown), net(shown)
        assert [*found] == [*net.tasks, *net.auxiliary]
        for name, output in expected.items():
            assert torch.allclose(found[name], output, rtol=0, atol=1e-6 * float(output.abs().max()))
    with pytest.raises(AssertionError, match="images"):  # sizes that the network does not take
        program(images((1, 80, 64)))


def test_a_fixed_file_takes_its_size_only(tmp_path: Path) -> None:
    net, path = network("multi_task", HRNET), tmp_path / "net.onnx"
    exporting.write_onnx(net, path, (64, 96), fixed=True)
    (given,) = onnxruntime.InferenceSession(path).get_inputs()
    assert given.shape == [1, 3, 64, 96]
    found = exporting.differences(net, exporting.load_onnx(path), images(SIZES[0]))
    own = exporting.rounding(net, images(SIZES[0]))
    assert all(0 < share < 5 * own[task] for task, share in found.items())
    assert max(own.values()) < 1e-4


def test_differences_are_seen(tmp_path: Path) -> None:
    """What judges the files finds a network whose one weight has changed."""
    net, shown = network("single_task", FPN), images(SIZES[0])
    with torch.no_grad():
        before = net(shown)
    assert exporting.differences(net, lambda _: before, shown) == {"seg": 0.0}
    shifted = {"seg": before["seg"] + 0.25 * before["seg"].abs().max()}
    assert exporting.differences(net, lambda _: shifted, shown)["seg"] == pytest.approx(0.25, rel=1e-5)
    with pytest.raises(UserError, match=r"has outputs \['sge'\], expected \['seg'\]"):
        exporting.differences(net, lambda _: {"sge": before["seg"]}, shown)


def test_what_an_exporter_cannot_trace_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*given: object, **named: object) -> None:
        raise RuntimeError("no such\noperator")

    monkeypatch.setattr(torch.onnx, "export", fails)
    with pytest.raises(UserError, match=r"^ONNX cannot express this network \(RuntimeError: no such operator\); try"):
        exporting.write_onnx(network("single_task", FPN), tmp_path / "net.onnx", (64, 64), fixed=False)
    assert not any(tmp_path.iterdir())


# The command -----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, torch.nn.Module]:
    folder = tmp_path_factory.mktemp("project")
    return folder, write_run(folder, "nyud", "hrnet18-mti-n")


@pytest.fixture
def mtinet(
    project: tuple[Path, torch.nn.Module], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> CommandLine:
    return CommandLine(project[0], monkeypatch, capfd)


def test_the_command_writes_a_file_that_describes_itself(
    mtinet: CommandLine, project: tuple[Path, torch.nn.Module], tmp_path: Path
) -> None:
    photo, out = tmp_path / "photo.png", tmp_path / "mti.onnx"
    pixels = np.random.default_rng(0).integers(0, 256, (40, 70, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(photo)
    words = ("export", "nyud/hrnet18-mti-n", "--format", "onnx", "--out", str(out))
    answer = mtinet(*words, "--check", str(photo), "--json")
    assert (answer.status, answer.err) == (0, "")
    said = json.loads(answer.out)
    shapes = ["random, 1 of 64x64", "random, 2 of 96x96", "random, 3 of 64x96", "photo.png"]
    assert [*said["differences"]] == shapes
    assert all([*shares] == ["seg", "depth", "normals"] for shares in said["differences"].values())
    assert all(share < 1e-4 for shares in said["differences"].values() for share in shares.values())
    assert json.loads(Path(f"{out}.json").read_text()) == {key: said[key] for key in said if key != "file"}
    # Nothing but the description is needed to run it on a photo.
    given = said["input"]
    scaled = (pixels[:32, :64] / given["divided_by"] - given["mean"]) / given["deviation"]
    session = onnxruntime.InferenceSession(out)
    shown = scaled.transpose(2, 0, 1)[None].astype(np.float32)
    found = session.run(None, {given["name"]: shown})
    with torch.no_grad():
        expected = project[1](torch.from_numpy(prepare_image(pixels[:32, :64], (32, 64)))[None]).final
    assert [*said["outputs"]] == ["seg", "depth", "normals"]
    assert said["outputs"]["normals"] == {"channels": 3, "stride": 4}
    for array, task in zip(found[:2], ("seg", "depth"), strict=True):
        assert array == pytest.approx(expected[task].numpy(), abs=1e-4 * float(expected[task].abs().max()))
    text = mtinet(*words).out.splitlines()
    assert text[0].split()[-3:] == ["seg", "depth", "normals"]
    assert text[-1] == str(out)


@needs_real_frames
@pytest.mark.parametrize("format", ["onnx", "torch"])
def test_the_file_agrees_on_real_frames(mtinet: CommandLine, tmp_path: Path, format: str) -> None:
    frames = [REAL / "filled" / "img" / f"{name}.png" for name in FILLED]
    assert all(filled_frame(name).image.shape == (480, 640, 3) for name in FILLED)
    answer = mtinet(
        "export", "nyud/hrnet18-mti-n", "--format", format, "--out", str(tmp_path / "mti"), "--json",
        "--check", *map(str, frames),
    )  # fmt: skip
    assert (answer.status, answer.err) == (0, "")
    found = json.loads(answer.out)["differences"]
    assert max(share for name in FILLED for share in found[f"{name}.png"].values()) < 1e-4


def test_a_file_that_differs_is_not_written(
    mtinet: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = exporting.load_onnx
    monkeypatch.setattr(
        exporting, "load_onnx", lambda path: lambda x: {key: 1.01 * value for key, value in honest(path)(x).items()}
    )
    answer = mtinet("export", "nyud/hrnet18-mti-n", "--format", "onnx", "--out", str(tmp_path / "mti.onnx"))
    assert answer.status == 1
    assert "differs from the network's by 1.0e-02 of its range on random, 1 of 64x64" in answer.err
    assert not any(tmp_path.iterdir())
