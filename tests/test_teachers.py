"""Teachers: trained ones learn and are reproducible, those in ONNX files say exactly what the network computes."""

from __future__ import annotations

import copy
import dataclasses
import hashlib
import runpy
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import yaml
from onnx import TensorProto, helper, numpy_helper
from pascal_layout import write_layout
from PIL import Image
from synthetic import frame

from mtinet import config, files, paths, teachers
from mtinet.data import cards, nyud, pascal, scene_set
from mtinet.data.packed import PackedSplit
from mtinet.errors import UserError
from mtinet.evaluation.comparison import distilled
from mtinet.teachers import trained
from pipeline import rules

ROOT = Path(__file__).resolve().parents[1]
CONTENT = yaml.safe_load((ROOT / "params.yaml").read_text())
STUDY = "scenes-smoke"


def run_stage(name: str, *arguments: str) -> None:
    sys.argv = [f"stages/{name}.py", "--dataset", "pascal", *arguments]
    runpy.run_path(str(ROOT / "stages" / f"{name}.py"), run_name="__main__")


def write_params(change: Callable[[Any], None]) -> config.Params:
    """params.yaml at smoke scale, on one thread of the CPU, as `change` leaves it."""
    content = copy.deepcopy(CONTENT)
    content["study"] |= {"scale": "smoke", "source": {"nyud": "scenes", "pascal": "scenes"}}
    content["compute"] = {"threads": 1, "device": "cpu"}
    change(content)
    Path("params.yaml").write_text(yaml.safe_dump(content, sort_keys=False))
    return config.load()


def unchanged(content: Any) -> None:
    """params.yaml as it is."""


@pytest.fixture
def project(tmp_path, monkeypatch) -> Path:
    """A folder to run stages in, with a PASCAL-like data set that lacks the teachers' labels."""
    monkeypatch.setattr(sys, "argv", [])
    monkeypatch.chdir(tmp_path)
    write_params(unchanged)
    raw = paths.raw(STUDY, "pascal")
    write_layout(raw, taught=False)
    files.write_json(paths.card(STUDY, "pascal"), cards.make_card(raw, "pascal", "scenes"))
    return tmp_path


# Trained teachers -------------------------------------------------------------------------------------------


def write_rooms(count: int) -> None:
    """An NYUD-like data set of `count` training images and as many test images."""
    raw = paths.raw(STUDY, "nyud")
    ids = {"train": [f"{index:04d}" for index in range(count)], "val": [f"{5000 + index}" for index in range(count)]}
    for name in [*ids["train"], *ids["val"]]:
        drawn = frame(np.random.default_rng([3, int(name)]), 64, 96)
        for task in ("depth", "normals", "edge"):
            nyud.write_label(raw, task, name, drawn[task])
        path = nyud.label_path(raw, "seg", name)
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray((drawn["seg"] + np.uint8(1)) * (drawn["seg"] != 255)).save(path)
        nyud.image_path(raw, name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(drawn["image"]).save(nyud.image_path(raw, name), quality=95)
    nyud.write_splits(raw, ids)
    files.write_json(paths.card(STUDY, "nyud"), cards.make_card(raw, "nyud", "scenes"))


def angles(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    return np.degrees(np.arccos(np.einsum("...k,...k->...", one, other).clip(-1, 1)))


def test_a_trained_teacher_beats_the_best_constant_on_images_it_never_saw(project):
    write_rooms(12)

    def longer(content: Any) -> None:
        content["teachers"]["pascal"]["normals"]["budgets"]["smoke"] |= {
            "steps": 30,
            "input": {"height": 32, "width": 64},
        }

    params = write_params(longer)
    raw, folder = paths.raw(STUDY, "nyud"), paths.teacher(STUDY, "pascal", "normals")
    for path in (raw / "images").glob("5*.jpg"):  # the stage may not look at a test image
        path.rename(path.with_suffix(".hidden"))
    with pytest.raises(SystemExit):  # but notices that its data are incomplete
        run_stage("teach", "--task", "normals")
    for path in (raw / "images").glob("5*.hidden"):
        path.rename(path.with_suffix(".jpg"))
    run_stage("teach", "--task", "normals")
    manifest = files.read_json(folder / trained.MANIFEST)
    assert manifest["steps"] == 30
    assert manifest["losses"][-1] < 0.7 * manifest["losses"][0]
    predict = trained.load(params.teachers["pascal"]["normals"], "normals", folder, params.compute)
    truth = [nyud.read_label(raw, "normals", name, (64, 96)) for name in nyud.split_ids(raw, "val")]
    found = [predict(nyud.read_image(raw, name)) for name in nyud.split_ids(raw, "val")]
    np.testing.assert_allclose(np.linalg.norm(found, axis=-1), 1, atol=1e-5)
    mean = np.mean([normals.mean((0, 1)) for normals in truth], axis=0)
    constant = np.mean([angles(normals, mean / np.linalg.norm(mean)) for normals in truth])
    assert np.mean([angles(*pair) for pair in zip(found, truth, strict=True)]) < 0.5 * constant


def test_a_teacher_renders_pictures_of_its_own_and_training_it_twice_gives_the_same_bytes(project, monkeypatch):
    def small(content: Any) -> None:
        content["teachers"]["pascal"]["sal"]["budgets"]["smoke"] |= {
            "images": 4,
            "longest": 48,
            "batch_size": 2,
            "steps": 6,
        }

    params = write_params(small)
    monkeypatch.setattr(scene_set, "processes", None)  # with one core nothing is spawned
    monkeypatch.setattr("mtinet.stage.cores", lambda: 1)
    folder = paths.teacher(STUDY, "pascal", "sal")
    digests = []
    for _ in range(2):
        run_stage("teach", "--task", "sal")
        digests.append({path.name: files.digest_of_file(path) for path in folder.iterdir()})
        files.remove(folder)
        assert not list(Path(".cache").rglob("*.npy"))
    assert digests[0] == digests[1]
    assert set(digests[0]) == {trained.WEIGHTS, trained.MANIFEST}
    teacher = params.teachers["pascal"]["sal"]
    with pytest.raises(UserError, match=r"no weights of the teacher at .*: run the stage teach for 'sal' first"):
        trained.load(teacher, "sal", folder, params.compute)


def test_the_teachers_predictions_are_written_in_eight_bits_for_every_image(project):
    write_rooms(4)

    def small(content: Any) -> None:
        budget = content["teachers"]["pascal"]["normals"]["budgets"]["smoke"]
        budget |= {"input": {"height": 32, "width": 32}, "steps": 6, "batch_size": 2}
        content["teachers"]["pascal"]["sal"] |= {"kind": "onnx", "onnx": network("sal.onnx", PROBABILITY)}

    params = write_params(small)
    for task in ("normals", "sal"):
        run_stage("teach", "--task", task)
    assert files.read_json(paths.teacher(STUDY, "pascal", "sal") / trained.MANIFEST) == {"kind": "onnx"}
    run_stage("distill")
    predict = teachers.predictor(params, "pascal")
    raw, distilled = paths.raw(STUDY, "pascal"), paths.distilled(STUDY, "pascal")
    every = [name for split in ("train", "val") for name in pascal.split_ids(raw, split)]
    for name in every:
        shape = pascal.image_size(raw, name)
        stored = np.asarray(Image.open(pascal.label_path(distilled, "normals", name)))
        assert stored.shape == (*shape, 3)
        assert np.abs(stored * (2 / 255) - 1 - predict("normals", name)).max() <= 1.001 / 255
        stored = np.asarray(Image.open(pascal.label_path(distilled, "sal", name)))
        assert np.abs(stored / 255 - predict("sal", name)).max() <= 0.5001 / 255
    assert {path.stem for path in (distilled / "sal_distill").iterdir()} == set(every)


def test_the_archives_labels_win_where_no_kind_is_declared(project):
    def archive(content: Any) -> None:
        content["study"]["source"]["pascal"] = "archive"
        content["teachers"]["pascal"]["sal"] |= {"onnx": {**network("a.onnx", PROBABILITY), "file": "gone"}}

    params = write_params(archive)
    assert {found.kind for found in params.teachers_of("pascal").values()} == {"archive"}
    assert {found.kind for found in write_params(unchanged).teachers_of("pascal").values()} == {"trained"}
    write_params(archive)
    teachers.check(params, "pascal")  # asks for no teacher, so that a missing file is no fault
    run_stage("teach", "--task", "sal")
    folder = paths.teacher("archive-smoke", "pascal", "sal")
    assert [path.name for path in folder.iterdir()] == [trained.MANIFEST]
    assert files.read_json(folder / trained.MANIFEST) == {"kind": "archive"}


@pytest.fixture
def archive(project, monkeypatch) -> Path:
    """PASCAL's archive, unpacked and small."""
    monkeypatch.setattr(pascal, "ARCHIVE", dataclasses.replace(pascal.ARCHIVE, counts={"train": 3, "val": 2}))
    write_layout(project / "PASCAL_MT")
    return project / "PASCAL_MT"


def with_archive(archive: Path, kind: str | None) -> config.Params:
    """Parameters with the source archive and a teacher of saliency in an ONNX file."""

    def change(content: Any) -> None:
        content["study"]["source"]["pascal"] = "archive"
        content["datasets"]["pascal"]["archive"] |= {"path": str(archive), "url": None}
        content["teachers"]["pascal"]["sal"] |= {"kind": kind, "onnx": network("sal.onnx", PROBABILITY)}

    return write_params(change)


def checked(params: config.Params) -> None:
    """What the stage check does of the data and the teachers, no network built."""
    sys.argv = ["stages/check.py"]
    check = runpy.run_path(str(ROOT / "stages" / "check.py"), run_name="imported")["check"]
    check.__globals__.update(dict.fromkeys(("check_experiments", "check_pretrainings"), lambda *_: None))
    check(params, "pascal")


@pytest.mark.parametrize("shipped", [True, False])
def test_a_teacher_that_is_declared_labels_the_archives_images_anew(archive, shipped):
    if not shipped:
        shutil.rmtree(archive / "sal_distill")
    params = with_archive(archive, "onnx")
    checked(params)
    run_stage("dataset")
    run_stage("teach", "--task", "sal")
    run_stage("distill")
    run_stage("prepare")
    study = "archive-smoke"
    labels = files.read_json(paths.card(study, "pascal"))["labels"]
    assert labels == dict.fromkeys(["seg", "parts", "edge", "normals"], "source") | {"sal": "taught"}
    assert files.read_json(paths.teacher(study, "pascal", "sal") / trained.MANIFEST) == {"kind": "onnx"}
    predict = teachers.predictor(params, "pascal")
    val = PackedSplit(paths.packed(study, "pascal", "val"))
    for index, name in enumerate(val.ids):
        sal = np.rint(255 * predict("sal", name)) > 127.5
        np.testing.assert_array_equal(val.label("sal", index), sal)
        normals = pascal.read_label(archive, "normals", name, val.shapes[index])
        np.testing.assert_array_equal(val.label("normals", index), normals)
        if shipped:
            assert (pascal.read_label(archive, "sal", name, val.shapes[index]) != sal).any()
    assert distilled(params, "pascal") == {"normals": "archive", "sal": "onnx"}


@pytest.mark.parametrize("kind", ["archive", None])
def test_labels_that_no_teacher_predicts_anew_have_to_be_shipped(archive, kind):
    params = with_archive(archive, kind)
    checked(params)
    shutil.rmtree(archive / "sal_distill")
    with pytest.raises(UserError, match=r"no folder sal_distill with files"):
        checked(params)
    checked(with_archive(archive, "onnx"))
    Path("sal.onnx").unlink()
    with pytest.raises(UserError, match=r"teachers.pascal.sal.onnx: file: found 'sal.onnx', expected an ONNX file"):
        checked(config.load())


@pytest.mark.parametrize("section", [{"kind": "archive"}, CONTENT["teachers"]["pascal"]["sal"] | {"kind": "archive"}])
def test_the_archives_labels_can_be_declared(project, section):
    """With the archive they are taken; rendered scenes ship none, which each stage that would need them says."""

    def archive(content: Any) -> None:
        content["study"]["source"]["pascal"] = "archive"
        content["teachers"]["pascal"]["sal"] = section

    def scenes(content: Any) -> None:
        content["teachers"]["pascal"]["sal"] = section

    teachers.check(write_params(archive), "pascal")
    raw = paths.raw("archive-smoke", "pascal")
    write_layout(raw)
    files.write_json(paths.card("archive-smoke", "pascal"), cards.make_card(raw, "pascal", "archive"))
    run_stage("distill")
    assert paths.distilled("archive-smoke", "pascal").exists()
    assert not list(paths.distilled("archive-smoke", "pascal").iterdir())  # nothing takes the archive's labels' place
    params = write_params(scenes)
    expected = (
        r"^teachers.pascal.sal.kind: found archive, but study.source.pascal is scenes, and rendered scenes ship no"
    )
    with pytest.raises(UserError, match=expected):
        teachers.check(params, "pascal")
    with pytest.raises(UserError, match=expected):
        teachers.predictor(params, "pascal")


def test_budgets_without_a_network_to_train_are_refused(project):
    def change(content: Any) -> None:
        content["teachers"]["pascal"]["sal"] |= {"kind": "archive", "trained": None}

    with pytest.raises(UserError, match=r"teachers.pascal.sal: budgets: found some, but no 'trained'"):
        write_params(change)


def test_without_a_network_to_train_nothing_is_taught_nor_waited_for(monkeypatch):
    content = copy.deepcopy(CONTENT) | {"experiments": {"pascal": CONTENT["experiments"]["pascal"]}}
    for name in ("pipeline.dependencies.declared", "pipeline.rules.declared"):
        monkeypatch.setattr(name, lambda: content)
    assert "nyud" in {rule.dataset for rule in rules.rules()}
    content["teachers"]["pascal"] = {"normals": {"kind": "archive"}, "sal": {"kind": "archive"}}
    found = rules.rules()
    assert {rule.dataset for rule in found} == {"pascal"}
    assert "teach" not in {rule.stage for rule in found}
    (distill,) = (rule for rule in found if rule.stage == "distill")
    assert not [path for path in distill.inputs if "teacher" in str(path)]
    assert {"teachers.pascal.normals.kind", "teachers.pascal.sal.kind"} <= set(distill.params)


# ONNX files -------------------------------------------------------------------------------------------------

# Output channels as rows: weights of the three input channels, and a constant.
PROBABILITY = [[1 / 3, 1 / 3, 1 / 3, 0.0]]
MIRRORED = [[0, 0, 0, 0.6], [0, 0, 0, 0.0], [0, 0, 0, -0.8]]


def network(name: str, rows: list[list[float]], side: int = 16, rank: int = 4, **changes: Any) -> dict[str, Any]:
    """Write a network of one 1x1 convolution and return its declaration as in params.yaml."""
    weights = np.array(rows, np.float32)
    nodes = [helper.make_node("Conv", ["image", "w", "b"], ["answer"])]
    shape: list[Any] = [1, len(rows), side, side]
    if rank == 3:
        nodes = [
            helper.make_node("Conv", ["image", "w", "b"], ["batched"]),
            helper.make_node("Squeeze", ["batched", "axis"], ["answer"]),
        ]
        shape = shape[1:]
    graph = helper.make_graph(
        nodes, "teacher",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 3, side, side])],
        [helper.make_tensor_value_info("answer", TensorProto.FLOAT, shape)],
        [
            numpy_helper.from_array(weights[:, :3, None, None].copy(), "w"),
            numpy_helper.from_array(weights[:, 3].copy(), "b"),
            numpy_helper.from_array(np.array([0], np.int64), "axis"),
        ],
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    content = model.SerializeToString()
    Path(name).write_bytes(content)
    declared = {
        "file": f"{name}#sha256={hashlib.sha256(content).hexdigest()}",
        "input": {"height": side, "width": side},
        "colours": "rgb",
        "mean": [0.0, 0.0, 0.0],
        "std": [1.0, 1.0, 1.0],
        "output": None,
        "activation": "none",
        "channels": [f"+{channel}" for channel in range(len(rows))],
    }
    return declared | changes


def teacher_of(task: str, section: dict[str, Any]) -> config.Params:
    """Parameters with this ONNX teacher for `task`, and a sound one for the other."""

    def change(content: Any) -> None:
        other, rows = ("sal", PROBABILITY) if task == "normals" else ("normals", MIRRORED)
        content["teachers"]["pascal"][task] |= {"kind": "onnx", "onnx": section}
        content["teachers"]["pascal"][other] |= {"kind": "onnx", "onnx": network("other.onnx", rows)}

    return write_params(change)


def predicted(task: str, section: dict[str, Any], image: np.ndarray) -> np.ndarray:
    params = teacher_of(task, section)
    teachers.check(params, "pascal")
    teacher = params.teachers["pascal"][task]
    label: np.ndarray = teachers.kind_of(teacher).load(teacher, task, Path(), params.compute)(image)
    return label


NOISE = np.random.default_rng(0).integers(0, 256, (16, 16, 3), dtype=np.uint8)


def test_an_onnx_teacher_sees_the_declared_pixels(project):
    """At the network's own size nothing is resized: the answer is the closed form."""
    rgb = NOISE / 255
    np.testing.assert_allclose(predicted("sal", network("a.onnx", PROBABILITY), NOISE), rgb.mean(-1), atol=1e-6)
    red = network("b.onnx", [[1, 0, 0, 0]], mean=[0.5, 0.1, 0.1], std=[0.2, 1.0, 1.0], activation="sigmoid")
    expected = 1 / (1 + np.exp(-(rgb[..., 0] - 0.5) / 0.2))
    np.testing.assert_allclose(predicted("sal", red, NOISE), expected, atol=1e-6)
    expected = 1 / (1 + np.exp(-(rgb[..., 2] - 0.5) / 0.2))
    np.testing.assert_allclose(predicted("sal", red | {"colours": "bgr"}, NOISE), expected, atol=1e-6)
    two = network("c.onnx", [[1, 0, 0, 0], [0, 1, 0, 0]], activation="softmax", channels=["+1"])
    expected = np.exp(rgb[..., 1]) / (np.exp(rgb[..., 0]) + np.exp(rgb[..., 1]))
    np.testing.assert_allclose(predicted("sal", two, NOISE), expected, atol=1e-6)


@pytest.mark.parametrize(
    ("activation", "channels", "expected"),
    [
        ("none", ["+0", "+1", "+2"], [0.6, 0.0, -0.8]),
        ("none", ["+0", "-1", "-2"], [0.6, 0.0, 0.8]),
        ("none", ["-2", "+1", "+0"], [0.8, 0.0, 0.6]),
        ("centred", ["+0", "+1", "+2"], np.array([0.2, -1.0, -2.6]) / np.sqrt(0.04 + 1 + 6.76)),
    ],
)
def test_normals_are_turned_into_the_projects_axes(project, activation, channels, expected):
    section = network("a.onnx", MIRRORED, activation=activation, channels=channels)
    found = predicted("normals", section, np.zeros((21, 33, 3), np.uint8))
    assert found.shape == (21, 33, 3)
    np.testing.assert_allclose(found, np.broadcast_to(expected, found.shape), atol=1e-6)


def test_a_prediction_comes_back_bilinearly_to_the_images_size(project):
    image = np.repeat(np.linspace(0, 255, 64).astype(np.uint8)[None, :, None], 40, 0).repeat(3, 2)
    small = np.asarray(Image.fromarray(image).resize((16, 16), Image.Resampling.BILINEAR))[..., 0] / 255
    columns = (np.arange(64) + 0.5) * 16 / 64 - 0.5
    expected = np.interp(columns, np.arange(16), small[0])
    found = predicted("sal", network("a.onnx", PROBABILITY), image)
    np.testing.assert_allclose(found, np.broadcast_to(expected, (40, 64)), atol=1e-6)


def test_an_onnx_teacher_with_operators_or_weights_from_elsewhere_is_refused(project):
    """What runs is what the digest covers: ONNX Runtime's own operators, and weights in the one file."""
    image, answer = (helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 3, 8, 8]) for name in ("image", "a"))
    weights = numpy_helper.from_array(np.ones((3, 3, 1, 1), np.float32), "w")
    foreign = helper.make_graph([helper.make_node("Own", ["image"], ["a"], domain="own")], "g", [image], [answer])
    plain = helper.make_graph([helper.make_node("Conv", ["image", "w"], ["a"])], "g", [image], [answer], [weights])
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("own", 1)]
    Path("own.onnx").write_bytes(helper.make_model(foreign, opset_imports=opsets, ir_version=8).SerializeToString())
    model = helper.make_model(plain, opset_imports=opsets[:1], ir_version=8)
    onnx.save(model, "two.onnx", save_as_external_data=True, location="two.bin", size_threshold=0)
    for name, said in (("own.onnx", "own:Own.* is not a registered"), ("two.onnx", "keeps weights in other files")):
        digest = hashlib.sha256(Path(name).read_bytes()).hexdigest()
        params = teacher_of("sal", network("a.onnx", PROBABILITY) | {"file": f"{name}#sha256={digest}"})
        with pytest.raises(UserError, match=f"teachers.pascal.sal.onnx: file: {name}.*{said}") as caught:
            teachers.check(params, "pascal")
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("task", "rows", "changes", "expected"),
    [
        ("sal", PROBABILITY, {"file": "gone.onnx#sha256=0"}, "file: found 'gone.onnx', expected an ONNX file"),
        ("sal", PROBABILITY, {"file": "a.onnx#sha256=0123"}, "file: a.onnx has SHA-256 "),
        ("sal", PROBABILITY, {"file": "a.onnx"}, "expected its SHA-256 behind its name"),
        ("sal", PROBABILITY, {"channels": ["+1"]}, "found float32 of shape [1, 1, 16, 16], expected floating point"),
        ("sal", PROBABILITY, {"channels": ["+0", "+0"]}, "channels: found ['+0', '+0'], expected 1 for 'sal'"),
        ("sal", PROBABILITY, {"output": "mask"}, "output: found 'mask', expected one of answer"),
        ("sal", PROBABILITY, {"input": {"height": 8, "width": 16}}, "input: the network does not take it"),
        ("sal", PROBABILITY, {"rank": 3}, "found float32 of shape [1, 16, 16], expected floating point [1, C, h, w]"),
        ("normals", PROBABILITY, {}, "channels: found ['+0'], expected 3 for 'normals'"),
    ],
)
def test_check_names_what_is_wrong_with_an_onnx_teacher(project, task, rows, changes, expected):
    rank = changes.get("rank", 4)
    changes = {key: value for key, value in changes.items() if key != "rank"}
    params = teacher_of(task, network("a.onnx", rows, rank=rank, **changes))
    with pytest.raises(UserError) as caught:
        teachers.check(params, "pascal")
    message = str(caught.value)
    assert message.startswith(f"teachers.pascal.{task}.onnx: ")
    assert expected in message
    assert "\n" not in message


def test_a_file_that_is_no_network_and_a_missing_teacher_are_named(project):
    Path("b.onnx").write_bytes(b"nothing")
    digest = hashlib.sha256(b"nothing").hexdigest()
    params = teacher_of("sal", network("a.onnx", PROBABILITY) | {"file": f"b.onnx#sha256={digest}"})
    with pytest.raises(UserError, match=r"onnx: file: b.onnx is no readable ONNX network"):
        teachers.check(params, "pascal")
    with pytest.raises(UserError, match=r"declare teachers.pascal.sal in params.yaml, or set study.source.pascal"):
        teachers.check(params.model_copy(update={"teachers": {}}), "pascal")


@pytest.mark.parametrize(("value", "expected"), [(1.5, "predicts 1.5 to 1.5, expected 0..1"), (np.nan, "NaN")])
def test_what_is_no_probability_is_refused(project, value, expected):
    with pytest.raises(UserError, match=expected):
        predicted("sal", network("a.onnx", [[0, 0, 0, value]]), NOISE)


# Parameters and rules ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("sal.kind", "onnx", "teachers.pascal.sal: kind is onnx, but its section 'onnx' is null"),
        ("sal.knid", "onnx", "teachers.pascal.sal.knid: unknown parameter, expected one of: kind"),
        ("sal.trained.seed", 0, "teachers.pascal.sal.trained.seed: 0 is also that of scales.smoke.pascal.scenes"),
        ("sal.trained.learns_from", "nyud", "budgets.smoke: found ['images', 'longest'], expected neither"),
        ("normals.trained.learns_from", "scenes", "found [], expected images and longest"),
        ("normals.trained.learns_from", "nyd", "did you mean 'nyud'"),
        ("normals.onnx", {"file": "a"}, "teachers.pascal.normals.onnx.input: missing"),
        ("normals.budgets.smoke.stps", 5, "teachers.pascal.normals.budgets.smoke.stps: unknown parameter"),
        ("sal.budgets.smoke.steps", 5, "teachers.pascal.sal: budgets.smoke.steps: found 5, expected at least 6"),
        ("normals.budgets.paper.steps", 0, "teachers.pascal.normals.budgets.paper.steps: found 0, expected"),
        ("sal.budgets.smoke.batch_size", 9, "batch_size 9 exceeds images 8"),
        ("sal", {"kind": "trained"}, "teachers.pascal.sal: kind is trained, but its section 'trained' is null"),
        ("sal.kind", "archiv", "teachers.pascal.sal.kind: found 'archiv', expected: 'archive', 'trained' or 'onnx'"),
        ("sal.trained", None, "teachers.pascal.sal: budgets: found some, but no 'trained' that they are for"),
        ("sal", {}, "teachers.pascal.sal: kind is null, trained for scenes, but its section 'trained' is null"),
        ("nromals", {}, "teachers.pascal: unknown name 'nromals'"),
    ],
)
def test_mistakes_name_the_key(project, key, value, expected):
    *above, last = key.split(".")

    def change(content: Any) -> None:
        section = content["teachers"]["pascal"]
        for part in above:
            section = section[part]
        section[last] = value

    with pytest.raises(UserError) as caught:
        write_params(change)
    assert expected in str(caught.value)


def test_every_scale_must_have_a_budget(project):
    def change(content: Any) -> None:
        del content["teachers"]["pascal"]["sal"]["budgets"]["paper"]

    with pytest.raises(UserError, match=r"teachers.pascal.sal.budgets: lacks an entry for 'paper'"):
        write_params(change)


def test_only_the_teacher_that_renders_depends_on_the_renderer_and_only_the_other_on_rooms():
    normals, sal, distill = rules.teach("pascal", "normals"), rules.teach("pascal", "sal"), rules.distill("pascal")
    assert not [path for path in (*normals.code, *distill.code) if "/scenes/" in path]
    assert "src/mtinet/data/scenes/pictures.py" in sal.code
    assert next(str(path) for path in normals.inputs if "nyud" in str(path)).startswith("data/{study_nyud}/nyud/")
    assert not [path for path in sal.inputs if "nyud" in str(path)]
    assert not [path for path in normals.inputs if "packed" in str(path)]
    assert {paths.teacher("{study}", "pascal", task) for task in ("normals", "sal")} <= set(distill.inputs)
    assert not [path for path in rules.distill("nyud").code if "/models/" in path or "/training/" in path]


def test_what_the_stage_imports_is_declared(project, monkeypatch):
    """Modules are imported by name: the rule must list them all."""
    write_rooms(4)
    write_params(unchanged)
    code = (
        "import sys, runpy; sys.argv = ['teach', '--dataset', 'pascal', '--task', 'normals'];"
        f"runpy.run_path('{ROOT}/stages/teach.py', run_name='__main__');"
        "from mtinet import stage; print(*stage.code_files())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    used = set(done.stdout.splitlines()[-1].split())
    assert "src/mtinet/models/backbones/fpn.py" in used
    assert used <= set(rules.teach("pascal", "normals").code)
