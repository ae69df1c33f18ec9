"""Checkpoints of the released code: every tensor has one place, both ways, and what they imply is set and said."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from command_line import CommandLine
from PIL import Image
from published_run import write_run

from mtinet import files
from mtinet.errors import UserError
from mtinet.exchange import networks, released

RELEASED = Path(__file__).resolve().parents[1].parent / "shared" / "fixtures" / "released"
NE = ["seg", "normals", "edge", "depth"]
PASCAL = ["seg", "parts", "sal", "normals", "edge"]
BILINEAR = {"hrnet_fusion": "bilinear"}
MTI = {**BILINEAR, "fpm_softmax": "channels"}
# method, main tasks, auxiliary tasks, the task that a user has to name, options that have to be on
FOUND = {
    "nyud_single_semseg": ("single_task", ["seg"], [], "seg", BILINEAR),
    "nyud_mtl": ("multi_task", ["seg", "depth"], [], None, BILINEAR),
    "nyud_pad_net_ne": (
        "pad_net", ["seg", "depth"], ["normals", "edge"], None, {**BILINEAR, "task_features": "bottleneck_256"},
    ),
    "nyud_mti_net": ("mti_net", ["seg", "depth"], [], None, {**MTI, "fpm_order": ["seg", "depth"]}),
    "nyud_mti_net_ne": ("mti_net", ["seg", "depth"], ["normals", "edge"], None, {**MTI, "fpm_order": NE}),
    "pascal_mti_net_a": ("mti_net", PASCAL, [], None, {**MTI, "fpm_order": PASCAL}),
}  # fmt: skip
needs_key_lists = pytest.mark.skipif(not RELEASED.is_dir(), reason=f"no key lists in {RELEASED}")


def checkpoint(name: str, prefix: str = "module.") -> dict[str, torch.Tensor]:
    """Random tensors by the names and of the shapes of a released checkpoint, every number another."""
    draw = torch.Generator().manual_seed(0)
    shapes = json.loads((RELEASED / f"{name}.json").read_text())
    return {
        f"{prefix}{key}": torch.tensor(7) if key.endswith("num_batches_tracked")
        else torch.rand(shape, generator=draw) / 10 + float(key.endswith("running_var"))
        for key, shape in shapes.items()
    }  # fmt: skip


@needs_key_lists
@pytest.mark.parametrize("name", FOUND)
def test_the_round_trip_is_exact(name: str, tmp_path: Path) -> None:
    method, tasks, auxiliary, given, options = FOUND[name]
    original = checkpoint(name)
    torch.save(original, tmp_path / "in.pth.tar")
    state = released.read(tmp_path / "in.pth.tar")
    found = released.contents(state, given)
    assert (found.method, [*found.tasks], [*found.auxiliary], found.options) == (method, tasks, auxiliary, options)
    model = released.load(state, found)
    held = [*model.parameters(), *model.buffers()]
    assert len(held) == len(original) == len({id(tensor) for tensor in held})
    assert sum(float(tensor.detach().double().sum()) for tensor in held) == pytest.approx(
        sum(float(tensor.double().sum()) for tensor in original.values()), rel=1e-12
    )
    released.write(tmp_path / "out.pth.tar", method, model.state_dict())
    again = torch.load(tmp_path / "out.pth.tar", weights_only=True)
    assert again.keys() == original.keys()
    assert all(torch.equal(again[key], value) and again[key].dtype == value.dtype for key, value in original.items())
    # What was written says the same again, the order of the tasks in the FPM included.
    assert released.contents(released.read(tmp_path / "out.pth.tar"), given).options == options


@needs_key_lists
@pytest.mark.parametrize("name", FOUND)
def test_tensors_go_where_they_are_used(name: str) -> None:
    """By meaning, spelt out beside the table of names: who gives to whom, which scale, which layer."""
    state = {key.removeprefix("module."): value for key, value in checkpoint(name).items()}
    method, *_, given, _ = FOUND[name]
    model = released.load(state, released.contents(state, given))

    def same(place: str, key: str) -> bool:
        return torch.equal(model.get_parameter(place), state[key])

    if method == "mti_net":
        for scale, stride in enumerate((4, 8, 16, 32)):
            receiver = f"distillation_scale_{scale}.self_attention.semseg"
            giver = "depth" if "nyud" in name else "human_parts"
            ours = f"distillation.{stride}.messages.seg.{released.TASKS.get(giver, giver)}"
            assert same(f"{ours}.gate.weight.weight", f"{receiver}.{giver}.attention.0.weight")
            assert same(f"{ours}.content.weight", f"{receiver}.{giver}.conv.weight")
            assert same(f"front_ends.{stride}.predictors.seg.bias", f"scale_{scale}.decoders.semseg.bias")
        assert same("propagation.16.selection.seg.excite.weight", "fpm_scale_2.se.semseg.squeeze.2.weight")
        assert same("propagation.32.attention.2.weight", "fpm_scale_3.non_linear.2.weight")
        assert same("heads.seg.predictor.weight", "heads.semseg.last_layer.3.weight")
        assert model.get_submodule("propagation.8").tasks == FOUND[name][-1]["fpm_order"]
    if method == "pad_net":
        theirs = "multi_modal_distillation.self_attention.depth.edge"
        assert same("distillation.messages.depth.edge.gate.weight.weight", f"{theirs}.attention.0.weight")
        assert same("heads.depth.1.conv3.weight", "heads.depth.1.conv3.weight")
        assert same("fusion.1.weight", "backbone.1.last_layer.1.weight")
    if method == "single_task":
        assert same("head.predictor.weight", "decoder.last_layer.3.weight")
    backbone = "backbone.0" if method == "pad_net" else "backbone"
    assert same("backbone.body.conv2.weight", f"{backbone}.conv2.weight")


@needs_key_lists
def test_checkpoints_of_other_networks_are_refused_by_name(tmp_path: Path) -> None:
    whole = checkpoint("nyud_mtl", prefix="")
    found = released.contents(whole)

    def refused(state: dict[str, torch.Tensor], expected: str) -> None:
        with pytest.raises(UserError, match=expected):
            released.load(state, found)

    key = "decoders.depth.last_layer.0.weight"
    refused({k: v for k, v in whole.items() if k != key}, rf"lacks 1 of the 882 .*; the first is {key}$")
    refused({**whole, "decoders.depth.last_layer.3.scale": torch.ones(1)}, r"has 1 that it has not")
    refused({**whole, key: torch.ones(270, 269, 1, 1)}, rf"^{key} is \[270, 269, 1, 1\], expected \[270, 270, 1, 1\]")
    refused({**whole, "extra": torch.ones(1)}, r"^no tensor of that name is known: 'extra'")
    with pytest.raises(UserError, match="found modules backbone, classifier, expected those of single task"):
        released.contents({"backbone.a": torch.ones(1), "classifier.b": torch.ones(1)})
    with pytest.raises(UserError, match="expected its --task"):
        released.contents(checkpoint("nyud_single_semseg", prefix=""))
    with pytest.raises(UserError, match="expected no --task"):
        released.contents(whole, "seg")


@needs_key_lists
def test_a_training_checkpoint_holds_one_too(tmp_path: Path) -> None:
    state = checkpoint("nyud_mtl")
    inside = {"optimizer": {"state": {}, "param_groups": []}, "epoch": 99, "model": state}
    torch.save(inside, tmp_path / "checkpoint.pth.tar")
    found = released.read(tmp_path / "checkpoint.pth.tar")
    assert {f"module.{key}" for key in found} == state.keys()
    for name, content in {"two": {"model": state, "ema": state}, "none": {"epoch": 1}}.items():
        torch.save(content, tmp_path / name)
        with pytest.raises(UserError, match="state dicts, expected one"):
            released.read(tmp_path / name)
    (tmp_path / "broken").write_bytes(b"PK broken")
    with pytest.raises(UserError, match="no readable checkpoint"):
        released.read(tmp_path / "broken")


class Malicious:
    """Runs code when it is unpickled without care."""

    def __reduce__(self) -> tuple[object, ...]:
        return (Path.touch, (Path("touched"),))


def test_no_code_in_a_checkpoint_is_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"model": Malicious()}, "bad.pth")
    with pytest.raises(UserError, match="no readable checkpoint"):
        released.read(Path("bad.pth"))
    assert not Path("touched").exists()


# The commands ----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two runs: MTL on HRNet-18 by the paper's readings, and by the released ones."""
    folder = tmp_path_factory.mktemp("project")

    def readings(content: dict) -> None:
        experiments = content["experiments"]["nyud"]["multi_task"]
        experiments["released-mtl"] = {**experiments["hrnet18-mtl"], "options": BILINEAR}

    write_run(folder, "nyud", "hrnet18-mtl", readings)
    write_run(folder, "nyud", "released-mtl", readings)
    return folder


@pytest.fixture
def mtinet(project: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> CommandLine:
    return CommandLine(project, monkeypatch, capfd)


@needs_key_lists
def test_an_imported_network_predicts_what_the_released_evaluation_reads(mtinet: CommandLine, tmp_path: Path) -> None:
    torch.save(checkpoint("nyud_mti_net_ne"), tmp_path / "best_model.pth.tar")
    folder = tmp_path / "network"
    answer = mtinet("import-released", str(tmp_path / "best_model.pth.tar"), "--dataset", "nyud", "--out", str(folder))
    assert answer.status == 0
    assert answer.out.splitlines()[0] == (
        "mti_net on HRNet-18 with seg, depth, normals (auxiliary), edge (auxiliary): 1616 tensors, each with its place"
    )
    for said in ("hrnet_fusion: bilinear  (", "fpm_softmax: channels  (", "fpm_order: seg, normals, edge, depth  ("):
        assert f"\n  {said}" in answer.out
    described = networks.read(folder)
    assert (described.height, described.width, described.dataset) == (480, 640, "nyud")
    # Smaller than the paper's input, so that the test is quick; the file's description says what the network takes.
    files.write_json(folder / networks.DESCRIPTION, {**vars(described), "height": 64, "width": 96})
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (48, 64, 3), dtype=np.uint8)).save(tmp_path / "0061.png")
    out = tmp_path / "results"
    answer = mtinet("predict", str(folder), str(tmp_path / "0061.png"), "--out", str(out))
    assert (answer.status, answer.err) == (0, "")
    written = {path.relative_to(out).as_posix() for path in out.rglob("*.*")}
    assert written == {
        "semseg/0061.png", "depth/0061.mat", "normals/0061.png", "edge/0061.png", "panels/0061.png",
    }  # fmt: skip


@needs_key_lists
def test_what_does_not_fit_the_dataset_is_said(mtinet: CommandLine, tmp_path: Path) -> None:
    torch.save(checkpoint("nyud_mtl"), tmp_path / "mtl.pth")
    words = ("import-released", str(tmp_path / "mtl.pth"), "--out", str(tmp_path / "out"), "--dataset")
    assert "the checkpoint has 40 channels for seg, pascal has 21" in mtinet(*words, "pascal").err
    assert "--dataset: found 'nyu', expected one of: nyud, pascal" in mtinet(*words, "nyu").err
    assert not (tmp_path / "out").exists()


def test_a_run_by_the_released_readings_goes_back(mtinet: CommandLine, project: Path, tmp_path: Path) -> None:
    out, folder = tmp_path / "mtl.pth.tar", tmp_path / "again"
    answer = mtinet("export", "nyud/released-mtl", "--format", "released", "--out", str(out))
    assert (answer.status, answer.out) == (0, f"{out}: 882 tensors by their released names\n")
    assert mtinet("import-released", str(out), "--dataset", "nyud", "--out", str(folder)).status == 0
    (weights,) = project.rglob("*/released-mtl/**/*.safetensors")
    assert files.digest_of_file(folder / networks.WEIGHTS) == files.digest_of_file(weights)


def test_weights_that_mean_something_else_there_are_not_exported(mtinet: CommandLine, tmp_path: Path) -> None:
    answer = mtinet("export", "nyud/hrnet18-mtl", "--format", "released", "--out", str(tmp_path / "out"))
    assert answer.status == 1
    assert "with these weights: found hrnet_fusion nearest instead of bilinear; train" in answer.err
    with pytest.raises(UserError, match=r"fpm_order \['seg', 'depth', 'edge'\] instead of \['seg', 'edge', 'depth'\]"):
        released.check_readings("mti_net", released.BACKBONE, {**MTI}, ["seg", "depth"], ["edge"])
    released.check_readings(
        "mti_net", released.BACKBONE, {**MTI, "fpm_order": ["seg", "edge", "depth"]}, ["seg", "depth"], ["edge"]
    )
    with pytest.raises(UserError, match="found the task floor, expected those of the released code: seg, parts"):
        released.check_readings("mti_net", released.BACKBONE, {**MTI}, ["seg", "floor"], [])
    with pytest.raises(UserError, match="found astmt on dlv3/resnet26, expected single_task"):
        released.check_readings("astmt", "dlv3/resnet26", {}, ["seg"], [])
    assert not any(tmp_path.iterdir())
