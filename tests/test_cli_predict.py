"""`mtinet predict`: photos of any kind, fitted and padded, as the benchmark's files and a panel."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from command_line import CommandLine
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from scipy.io import loadmat
from small_project import STUDY, write_params
from torch import nn

from mtinet import config, files, paths
from mtinet.data.transforms import DEVIATION, MEAN, prepare_image
from mtinet.evaluation import prediction_files
from mtinet.evaluation.outputs import activate, at_size
from mtinet.evaluation.prediction import Fit, predictions
from mtinet.models.interface import Predictions
from mtinet.training import checkpoints, loop
from mtinet.training.run import Run

NAME = "r18fpn-mtl"
CPU = torch.device("cpu")
SIDES = st.integers(1, 900)


class Copy(nn.Module):
    """A network that predicts the photo: depth is its red channel, edges its green one, as the initial one at 1/4."""

    def forward(self, images: torch.Tensor) -> Predictions:
        red, green = ((images[:, c] * DEVIATION[c] + MEAN[c])[:, None] for c in (0, 1))
        small = nn.functional.avg_pool2d(torch.logit(green.clamp(0.01, 0.99)), 4)
        return Predictions({"depth": red}, {4: {"edge": small, "depth": red}})


def ramp(height: int, width: int) -> np.ndarray:
    """A photo that grows redder downwards and greener to the right."""
    down, across = np.meshgrid(np.linspace(0, 255, height), np.linspace(0, 255, width), indexing="ij")
    return np.stack([down, across, np.zeros_like(down)], axis=-1).round().astype(np.uint8)


# The fit ---------------------------------------------------------------------------------------------------


@settings(max_examples=200, deadline=None)
@given(height=SIDES, width=SIDES, box=st.sampled_from([(64, 96), (480, 640), (512, 512), (96, 64)]))
def test_photos_fit_in_proportion(height: int, width: int, box: tuple[int, int]) -> None:
    fit = Fit.of((height, width), box)
    assert max(fit.size) <= max(box)
    assert min(fit.size) <= min(box)
    # As large as possible: one side fills the box. In proportion: to half a pixel, of which there is one at least.
    factors = fit.size[0] / height, fit.size[1] / width
    assert fit.size[0] in box or fit.size[1] in box
    best = max(factors)
    assert abs(fit.size[0] - max(1, height * best)) <= max(1, height / width, 1) or fit.size[0] == 1 or fit.size[1] == 1
    for whole, part, margins in zip(fit.padded, fit.size, fit.margins, strict=True):
        assert whole % 32 == 0
        assert part <= whole < part + 32
        assert sum(margins) == whole - part
        assert abs(margins[0] - margins[1]) <= 1
        assert min(margins) >= 0


@pytest.mark.parametrize(("height", "width"), [(64, 96), (60, 97), (150, 100), (20, 300), (301, 7)])
def test_what_is_predicted_lies_where_it_is_seen(height: int, width: int) -> None:
    """A network that repeats its input gives the photo back, whatever was padded: no shift, no squeeze."""
    photo = ramp(height, width)
    ((name, same, found),) = predictions(Copy(), [("a", photo)], (64, 96), ["depth"], ["edge"], CPU)
    assert name == "a"
    assert same is photo
    assert found["depth"].shape == found["edge"].shape == (height, width)
    steps = 1.5 * max(height / Fit.of((height, width), (64, 96)).size[0], 1) / height
    assert found["depth"] == pytest.approx(photo[..., 0] / 255, abs=steps + 0.01)
    inner = slice(None) if width < 40 else slice(width // 8, -width // 8)
    coarse = 4 * max(width / Fit.of((height, width), (64, 96)).size[1], 1) / width
    assert found["edge"][:, inner] == pytest.approx(photo[:, inner, 1] / 255, abs=coarse + 0.03)


def test_a_photo_of_the_inputs_shape_is_predicted_as_in_the_evaluation() -> None:
    photo = np.random.default_rng(0).integers(0, 256, (128, 192, 3), dtype=np.uint8)
    net = small_network()
    ((_, _, found),) = predictions(net, [("a", photo)], (64, 96), ["seg", "depth"], [], CPU)
    with torch.inference_mode():
        output = net(torch.from_numpy(prepare_image(photo, (64, 96)))[None]).final
    for task in ("seg", "depth"):
        assert np.array_equal(found[task], at_size(task, activate(task, output[task]), (128, 192)))


def test_batches_change_nothing() -> None:
    source = np.random.default_rng(1)
    sizes = [(64, 96), (60, 96), (96, 64), (96, 60), (64, 96), (64, 96)]
    photos = [(str(index), source.integers(0, 256, (*size, 3), dtype=np.uint8)) for index, size in enumerate(sizes)]
    net = small_network()
    alone, together = (
        list(predictions(net, photos, (64, 96), ["seg", "depth"], [], CPU, batch)) for batch in (1, 4)
    )  # fmt: skip
    assert [name for name, _, _ in together] == [name for name, _ in photos]
    for (_, _, one), (_, _, other) in zip(alone, together, strict=True):
        assert one["depth"] == pytest.approx(other["depth"], abs=1e-5)
        assert (one["seg"] == other["seg"]).mean() > 0.999


# Files -----------------------------------------------------------------------------------------------------


def test_files_are_those_that_the_released_evaluation_reads(tmp_path: Path) -> None:
    source = np.random.default_rng(2)
    normals = source.normal(size=(5, 7, 3)).astype(np.float32)
    normals /= np.linalg.norm(normals, axis=2, keepdims=True)
    maps: dict[str, Any] = {
        "seg": source.integers(0, 40, (5, 7), dtype=np.uint8), "parts": source.integers(0, 7, (5, 7), dtype=np.uint8),
        "depth": source.uniform(0, 9, (5, 7)).astype(np.float32), "normals": normals,
        "sal": source.random((5, 7), dtype=np.float32), "edge": np.ones((5, 7), np.float32),
    }  # fmt: skip
    written = {task: prediction_files.write(tmp_path, "photo", task, array) for task, array in maps.items()}
    folders = {"seg": "semseg", "parts": "human_parts"}
    assert all(path.parent == tmp_path / folders.get(task, task) for task, path in written.items())
    read = {task: np.asarray(Image.open(path)) for task, path in written.items() if task != "depth"}
    assert np.array_equal(read["seg"], maps["seg"])
    assert np.array_equal(read["parts"], maps["parts"])
    assert np.array_equal(read["sal"], np.floor(255 * maps["sal"]).astype(np.uint8))
    assert np.array_equal(read["edge"], np.full((5, 7), 255))
    assert np.array_equal(read["normals"], np.floor((normals + 1) * 255 / 2).astype(np.uint8))
    assert np.array_equal(loadmat(written["depth"])["depth"], maps["depth"])
    assert loadmat(written["depth"])["depth"].dtype == np.float32
    assert written["depth"].read_bytes().startswith(b"MATLAB 5.0 MAT-file ")
    assert b"Created" not in written["depth"].read_bytes()


# The command -----------------------------------------------------------------------------------------------


def small_network(seed: int = 0) -> nn.Module:
    """The multi-task network on ResNet-18 with random weights."""
    torch.manual_seed(seed)
    return loop.build_model(Run.of(config.load(Path(__file__).parents[1] / "params.yaml"), "nyud", NAME, 0)).eval()


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with one run whose weights are random."""
    folder = tmp_path_factory.mktemp("project")
    (folder / "stages").mkdir()
    write_params(folder)
    run = Run.of(config.load(folder / "params.yaml"), "nyud", NAME, 0)
    weights = folder / paths.weights(STUDY, "nyud", NAME, 0)
    checkpoints.publish_weights(weights, small_network())
    files.write_json(
        folder / paths.manifest(STUDY, "nyud", NAME, 0),
        {"config": run.config(), "config_hash": files.digest_of(run.config()),
         "weights_digest": files.digest_of_file(weights)},
    )  # fmt: skip
    return folder


@pytest.fixture
def mtinet(trained: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> CommandLine:
    return CommandLine(trained, monkeypatch, capfd)


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One picture in many kinds of files."""
    folder = tmp_path_factory.mktemp("photos")
    picture = Image.fromarray(ramp(48, 80))
    turned = Image.Exif()
    turned[274] = 6  # the camera was held upright
    picture.save(folder / "turned.jpg", exif=turned, quality=95)
    picture.convert("L").save(folder / "grey.png")
    picture.convert("RGBA").save(folder / "clear.png")
    (folder / "deeper").mkdir()
    picture.resize((33, 120)).save(folder / "deeper" / "tall.webp")
    (folder / "notes.txt").write_text("no photo")
    return folder


def test_every_photo_gets_its_files_and_a_panel(mtinet: CommandLine, photos: Path, tmp_path: Path) -> None:
    answer = mtinet("predict", f"nyud/{NAME}", str(photos), "--out", str(tmp_path / "out"), "--json")
    assert (answer.status, answer.err) == (0, "")
    made = json.loads(answer.out)
    sizes = {"clear": (48, 80), "grey": (48, 80), "tall": (120, 33), "turned": (80, 48)}
    assert list(made) == ["clear", "tall", "grey", "turned"]
    for name, (height, width) in sizes.items():
        assert Path(made[name]["photo"]).stem == name
        labels = np.asarray(Image.open(made[name]["seg"]))
        assert labels.shape == (height, width)
        assert labels.dtype == np.uint8
        assert labels.max() < 40
        assert loadmat(made[name]["depth"])["depth"].shape == (height, width)
        with Image.open(made[name]["panel"]) as panel:
            assert panel.width > 800
            assert len(np.unique(np.asarray(panel).reshape(-1, 3), axis=0)) > 100
    written = {path.relative_to(tmp_path / "out").as_posix() for path in (tmp_path / "out").rglob("*.*")}
    kinds = (("semseg", "png"), ("depth", "mat"), ("panels", "png"))
    assert written == {f"{kind}/{name}.{suffix}" for name in sizes for kind, suffix in kinds}


def test_the_same_photo_gives_the_same_bytes(mtinet: CommandLine, photos: Path, tmp_path: Path) -> None:
    folders = [tmp_path / "first", tmp_path / "second"]
    for folder in folders:
        answer = mtinet("predict", f"nyud/{NAME}/seed0", str(photos / "grey.png"), "--out", str(folder))
        assert answer.out == f"{folder / 'panels/grey.png'}\n"
    first, second = ({p.relative_to(f): p.read_bytes() for p in f.rglob("*.*")} for f in folders)
    assert first == second
    assert len(first) == 3


def test_what_cannot_be_predicted_is_said(mtinet: CommandLine, photos: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.jpg"
    broken.write_bytes((photos / "turned.jpg").read_bytes()[:400])
    run, out = f"nyud/{NAME}", ("--out", str(tmp_path / "out"))
    cases = {
        (run, str(broken)): f"ERROR: {broken}: cannot be read as a picture",
        (run, "nothing.jpg"): f"ERROR: {mtinet.folder / 'nothing.jpg'}: no such file or folder",
        (f"{run}/seed1", str(photos)): f"ERROR: {run}/seed1 is not trained, there is no reports/",
        ("nyud/hrnet18-mti", str(photos)): "ERROR: nyud/hrnet18-mti/seed0 is not trained",
    }
    for words, expected in cases.items():
        answer = mtinet("predict", *words, *out)
        assert answer.status == 1
        assert len(answer.err.splitlines()) == 1
        assert answer.err.startswith(expected)
    (tmp_path / "empty").mkdir()
    assert "no photo in this folder" in mtinet("predict", run, str(tmp_path / "empty"), *out).err


def test_a_broken_photo_keeps_no_other_from_its_panel(mtinet: CommandLine, photos: Path, tmp_path: Path) -> None:
    folder, out = tmp_path / "photos", tmp_path / "out"
    folder.mkdir()
    (folder / "a.png").write_bytes(b"broken")
    (folder / "b.png").write_bytes((photos / "grey.png").read_bytes())
    answer = mtinet("predict", f"nyud/{NAME}", str(folder), "--out", str(out))
    assert (answer.status, answer.out) == (1, f"{out / 'panels/b.png'}\n")
    assert answer.err.startswith(f"ERROR: {folder / 'a.png'}: cannot be read")


def test_what_was_made_is_not_predicted_again(mtinet: CommandLine, photos: Path, tmp_path: Path) -> None:
    """A second time in the same folder, with the first time's panels in it."""
    (tmp_path / "photo.png").write_bytes((photos / "grey.png").read_bytes())
    words = ("predict", f"nyud/{NAME}", str(tmp_path), "--out", str(tmp_path / "out"), "--json")
    first, second = json.loads(mtinet(*words).out), json.loads(mtinet(*words).out)
    assert first == second
    assert [*second] == ["photo"]


def test_a_name_is_no_formula(mtinet: CommandLine, photos: Path, tmp_path: Path) -> None:
    """Between two dollar signs matplotlib expects one."""
    odd = tmp_path / "cost_$5_vs_$6.png"
    odd.write_bytes((photos / "grey.png").read_bytes())
    answer = mtinet("predict", f"nyud/{NAME}", str(odd), "--out", str(tmp_path / "out"))
    assert (answer.status, answer.err) == (0, "")


def test_a_photo_with_the_name_of_a_videos_frame(mtinet: CommandLine, photos: Path, tmp_path: Path) -> None:
    (tmp_path / "clip-000010.png").write_bytes((photos / "grey.png").read_bytes())
    (tmp_path / "clip.mp4").touch()
    places = [str(tmp_path / name) for name in ("clip-000010.png", "clip.mp4")]
    answer = mtinet("predict", f"nyud/{NAME}", *places, "--out", str(tmp_path / "out"))
    assert answer.status == 1
    assert answer.err == f"ERROR: {places[0]} has the name of a video's frame: predict it by itself\n"
    assert not (tmp_path / "out").exists()


def test_weights_of_another_training_are_refused(mtinet: CommandLine, photos: Path, tmp_path: Path) -> None:
    weights = mtinet.folder / paths.weights(STUDY, "nyud", NAME, 0)
    before = weights.read_bytes()
    weights.write_bytes(before[:-4] + b"\0\0\0\1")
    answer = mtinet("predict", f"nyud/{NAME}", str(photos), "--out", str(tmp_path))
    weights.write_bytes(before)
    assert answer.status == 1
    assert "its manifest expects" in answer.err


def test_the_run_is_rebuilt_as_it_was_trained(mtinet: CommandLine, photos: Path, tmp_path: Path) -> None:
    """Parameters that have changed since are said, and do not change what is predicted."""
    path = mtinet.folder / "params.yaml"
    before = path.read_text()
    words = ("predict", f"nyud/{NAME}", str(photos / "grey.png"), "--out")
    assert mtinet(*words, str(tmp_path / "then")).err == ""
    path.write_text(before.replace("height: 32", "height: 64").replace("width: 32", "width: 96"))
    answer = mtinet(*words, str(tmp_path / "now"))
    path.write_text(before)
    assert answer.status == 0
    assert answer.err.startswith(f"note: nyud/{NAME}/seed0 was trained with other parameters")
    for name in ("semseg/grey.png", "depth/grey.mat"):
        assert (tmp_path / "then" / name).read_bytes() == (tmp_path / "now" / name).read_bytes()
