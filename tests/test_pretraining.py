"""Backbones that the stage pretrain trains: the same bytes each time, and what experiments on them begin with."""

from __future__ import annotations

import copy
import runpy
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from safetensors.torch import load_file

from mtinet import config, files, paths
from mtinet.config import SCENES
from mtinet.data import apart
from mtinet.data.packed import PackedSplit
from mtinet.errors import UserError
from mtinet.models.backbones import WHOLE
from mtinet.reporting.conditions import Conditions
from mtinet.training import loop, pretraining, provenance
from mtinet.training.beforehand import MANIFEST, pictures
from mtinet.training.run import Run

ROOT = Path(__file__).resolve().parents[1]
CONTENT = yaml.safe_load((ROOT / "params.yaml").read_text())
HRNET, FPN = "timm/hrnet_w18_small_v2", "fpn/resnet18"
FOLDER = paths.pretrained("scenes-smoke", "pascal", "r18fpn")
CPU = torch.device("cpu")


def write_params(change: Callable[[Any], None]) -> config.Params:
    """params.yaml at smoke scale with few pictures, R18-FPN pre-trained, as `change` leaves it."""
    content = copy.deepcopy(CONTENT)
    content["study"] |= {"scale": "smoke", "source": {"nyud": "scenes", "pascal": "scenes"}}
    content["compute"] = {"threads": 1, "device": "cpu"}
    small = {"images": 4, "longest": 48, "input": {"height": 32, "width": 32}, "batch_size": 2, "steps": 3}
    content["pretraining"]["pascal"]["r18fpn"]["budgets"]["smoke"] |= small
    content["scales"]["smoke"]["pascal"]["pretrained"] = {FPN: SCENES}
    change(content)
    Path("params.yaml").write_text(yaml.safe_dump(content, sort_keys=False))
    return config.load()


def unchanged(content: Any) -> None:
    """params.yaml as it is."""


def run_stage(name: str) -> None:
    sys.argv = ["stages/pretrain.py", "--dataset", "pascal", "--name", name]
    runpy.run_path(str(ROOT / "stages/pretrain.py"), run_name="__main__")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[dict[str, str]]]:
    """A folder in which the stage ran twice, and the digests of what it wrote each time."""
    folder = tmp_path_factory.mktemp("pretraining")
    digests = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", [])
        patch.chdir(folder)
        patch.setattr("mtinet.stage.cores", lambda: 1)
        write_params(unchanged)
        for _ in range(2):
            run_stage("r18fpn")
            digests.append({path.name: files.digest_of_file(path) for path in FOLDER.iterdir()})
            assert not list(Path(".cache").rglob("*.np*"))
    return folder, digests


@pytest.fixture
def inside(made: tuple[Path, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", [])
    monkeypatch.chdir(made[0])
    write_params(unchanged)


def test_the_same_bytes_twice(made: tuple[Path, list[dict[str, str]]]) -> None:
    folder, (first, second) = made
    assert first == second
    assert set(first) == {WHOLE, MANIFEST}
    manifest = files.read_json(folder / FOLDER / MANIFEST)
    assert (manifest["kind"], manifest["method"], manifest["steps"]) == (SCENES, "linear_heads", 4)
    assert manifest["weights_digest"] == first[WHOLE]
    assert set(manifest["config"]["channels"]) == {"seg", "parts", "sal", "edge", "normals"}
    assert manifest["losses"][-1] < manifest["losses"][0]


@pytest.mark.usefixtures("inside")
@pytest.mark.parametrize("experiment", ["r18fpn-single-edge", "r18fpn-mtl-a", "r18fpn-mti-s-en"])
def test_experiments_begin_with_the_backbone_and_heads_of_their_own(experiment: str) -> None:
    run = Run.of(config.load(), "pascal", experiment, 0)
    loop.prepare_torch(run)
    kept = load_file(FOLDER / WHOLE)
    model = loop.build_model(run, run.initial_weights())
    found = model.get_submodule("backbone").state_dict()
    assert found.keys() == kept.keys()
    assert all(torch.equal(value, kept[key]) for key, value in found.items())
    loop.prepare_torch(run)
    fresh = loop.build_model(run)
    apart = {key for key in fresh.state_dict() if not key.startswith("backbone.")}
    assert apart
    assert not any(torch.equal(value, kept[key]) for key, value in trainable(fresh.get_submodule("backbone")).items())


def trainable(part: torch.nn.Module) -> dict[str, torch.Tensor]:
    """Convolutions' weights: those of norms begin with 1."""
    return {key: value for key, value in part.state_dict().items() if value.dim() == 4}


@pytest.mark.usefixtures("inside")
def test_its_digest_is_part_of_a_runs_key_but_not_of_its_configuration(monkeypatch: pytest.MonkeyPatch) -> None:
    class Split:
        digest = "0"

    run = Run.of(config.load(), "pascal", "r18fpn-single-edge", 0)
    origin = provenance.Origin.of(run, Split(), CPU)  # type: ignore[arg-type]
    assert origin.initial_weights == files.digest_of_file(FOLDER / WHOLE)
    assert run.config()["scale"]["pretrained"] == SCENES
    monkeypatch.setattr(Run, "initial_weights", lambda self: "x#sha256=other")
    other = provenance.Origin.of(run, Split(), CPU)  # type: ignore[arg-type]
    assert other.key != origin.key


@pytest.mark.usefixtures("inside")
def test_other_backbones_begin_at_random_and_the_stage_says_so() -> None:
    params = config.load()
    run = Run.of(params, "pascal", "hrnet18-single-edge", 0)
    assert (run.begins_with(), run.initial_weights()) == (None, "none")
    run_stage("hrnet18")
    folder = paths.pretrained("scenes-smoke", "pascal", "hrnet18")
    assert [path.name for path in folder.iterdir()] == [MANIFEST]
    assert files.read_json(folder / MANIFEST) == {"kind": "none"}
    with pytest.raises(UserError, match=r"no entry 'vit' under pretraining.pascal in params.yaml"):
        pretraining.reason_for_none(params, "pascal", "vit")


def test_weights_that_are_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    run = Run.of(write_params(unchanged), "pascal", "r18fpn-single-edge", 0)
    with pytest.raises(UserError, match=r"no weights at .*backbone.safetensors: run the stage pretrain for 'r18fpn'"):
        run.initial_weights()


def without_entry(content: Any) -> None:
    content["scales"]["smoke"]["pascal"]["pretrained"] = SCENES


def same_seed(content: Any) -> None:
    content["pretraining"]["pascal"]["r18fpn"]["seed"] = 0


def twice(content: Any) -> None:
    content["pretraining"]["pascal"]["r18fpn"]["backbone"] = HRNET


def no_pictures(content: Any) -> None:
    del content["pretraining"]["pascal"]["r18fpn"]["budgets"]["smoke"]["images"]


def other_size(content: Any) -> None:
    budget = content["pretraining"]["pascal"]["r18fpn"]["budgets"]["smoke"]
    del budget["longest"]
    budget |= {"height": 48, "width": 64}


def rooms(content: Any) -> None:
    """The backbone of NYUD-v2's experiments, on rooms of one size."""
    entry = copy.deepcopy(CONTENT["pretraining"]["pascal"]["r18fpn"])
    for budget in entry["budgets"].values():
        del budget["longest"]
        budget |= {"images": 8, "height": 48, "width": 64}
    content["pretraining"]["nyud"] = {"rooms": entry}


def rooms_by_side(content: Any) -> None:
    content["pretraining"]["nyud"] = {"rooms": copy.deepcopy(CONTENT["pretraining"]["pascal"]["r18fpn"])}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (without_entry, r"scales.smoke.pascal.pretrained: scenes: lacks an entry under pretraining.pascal for 'dlv3/"),
        (same_seed, r"pretraining.pascal.r18fpn.seed: 0 is also that of scales.smoke.pascal.scenes"),
        (twice, r"pretraining.pascal.r18fpn.backbone: timm/hrnet_w18_small_v2 is that of 'hrnet18' too"),
        (
            other_size,
            r"pretraining.pascal.r18fpn.budgets.smoke.height: sizes pictures .*pascal.scenes; expected longest",
        ),
        (
            rooms_by_side,
            r"pretraining.nyud.rooms.budgets.smoke.longest: sizes .*nyud.scenes; expected height and width",
        ),
        (no_pictures, r"pretraining.pascal.r18fpn: budgets.smoke: found \['longest'\], expected images and longest"),
    ],
)
def test_declarations_that_cannot_be(
    change: Callable[[Any], None], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=said):
        write_params(change)


def test_rooms_are_rendered_at_the_declared_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    params = write_params(rooms)
    declared = params.pretraining["nyud"]["rooms"]
    scenes = pictures(declared.budgets["smoke"], declared.seed)
    split = PackedSplit(apart.pack("nyud", [*params.datasets["nyud"].tasks], scenes, tmp_path / "work", workers=1))
    assert len(split) == 8
    assert {split.image(index).shape for index in range(8)} == {(48, 64, 3)}


def test_reports_say_what_backbones_began_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    params = write_params(unchanged)
    line = Conditions.of(params, "pascal", ["r18fpn-mtl-a"], []).line()
    budget = params.pretraining["pascal"]["r18fpn"].budgets["smoke"]
    words = f"(r18fpn: {budget.steps} steps or more on {budget.images} other rendered pictures);"
    assert f"pretraining: all tasks at once {words}" in line
    several = Conditions.of(params, "pascal", ["r18fpn-mtl-a", "r50fpn-mtl-a", "r26dlv3-astmt-a"], []).line()
    assert f"{words.removesuffix(';')} and none on dlv3/resnet26, fpn/resnet50;" in several
    assert "pretraining: none;" in Conditions.of(params, "pascal", ["r50fpn-mtl-a"], []).line()
    assert "the backbone is not pretrained on ImageNet" in line
