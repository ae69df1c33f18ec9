"""Teachers: trained ones learn and are reproducible, the archive's labels win, and mistakes name the key."""

from __future__ import annotations

import copy
import dataclasses
import runpy
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pascal_layout import write_layout
from PIL import Image
from synthetic import frame
from taught import CONTENT, PROBABILITY, ROOT, STUDY, network, project, unchanged, write_params

from mtinet import config, files, paths, teachers
from mtinet.data import cards, nyud, pascal, scene_set
from mtinet.data.packed import PackedSplit
from mtinet.errors import UserError
from mtinet.evaluation.comparison import distilled
from mtinet.teachers import trained
from pipeline import rules

__all__ = ["project"]


def run_stage(name: str, *arguments: str) -> None:
    sys.argv = [f"stages/{name}.py", "--dataset", "pascal", *arguments]
    runpy.run_path(str(ROOT / "stages" / f"{name}.py"), run_name="__main__")


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
