"""PASCAL's way through dataset, distill and prepare, and its data card."""

from __future__ import annotations

import copy
import dataclasses
import importlib
import runpy
import sys
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from pascal_layout import synthetic_picture, write_layout

from mtinet import config, files, paths, stage
from mtinet.data import cards, labels, layouts, packing, pascal, scene_set, scenes
from mtinet.data.packed import PackedSplit
from mtinet.errors import UserError
from mtinet.metrics.edges import boundaries_from_labels
from pipeline import rules

ROOT = Path(__file__).resolve().parents[1]
TASKS = ["seg", "parts", "sal", "edge", "normals"]
SCENES = config.SceneSet(train=3, val=2, longest=64, seed=5)


def drawn(seed: int, index: int, longest: int) -> Any:
    """Stands for the renderer: a picture of varying shape."""
    return synthetic_picture(seed * 1000 + index % 1000, 40 + index % 5, longest, person=index % 2 == 0)


@pytest.fixture
def renderer(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The module that scene sets are rendered by, with `drawn` in the place of the ray caster."""
    stand_in = types.ModuleType("mtinet.data.scenes.pictures")
    stand_in.render_picture = drawn  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, stand_in.__name__, stand_in)
    monkeypatch.setattr(scenes, "pictures", stand_in, raising=False)
    sys.modules.pop("mtinet.data.pascal_scenes", None)
    importlib.import_module("mtinet.data.pascal_scenes")
    yield
    sys.modules.pop("mtinet.data.pascal_scenes")


# Rendered sets ----------------------------------------------------------------------------------------------


def test_a_rendered_set_is_the_layout_without_what_teachers_predict(renderer, tmp_path):
    steps: list[tuple[int, int]] = []
    scene_set.write_scenes(tmp_path, SCENES, 1, lambda done, of: steps.append((done, of)), dataset="pascal")
    assert steps == [(number, 5) for number in range(1, 6)]
    ids = {"train": ["000001", "000002", "000003"], "val": ["500001", "500002"]}
    assert {split: pascal.split_ids(tmp_path, split) for split in layouts.SPLITS} == ids
    folders = {"JPEGImages", "pascal-context", "semseg", "human_parts", "ImageSets", "exact"}
    assert {path.name for path in tmp_path.iterdir()} == folders
    for name in [*ids["train"], *ids["val"]]:
        picture = drawn(5, int(name), 64)
        assert pascal.image_size(tmp_path, name) == picture.image.shape[:2]
        np.testing.assert_array_equal(pascal.read_label(tmp_path, "seg", name, picture.semseg.shape), picture.semseg)
        np.testing.assert_array_equal(np.load(tmp_path / "exact" / "normals" / f"{name}.npy"), picture.normals)
        np.testing.assert_array_equal(np.load(tmp_path / "exact" / "sal" / f"{name}.npy"), picture.salient)


def test_interrupted_rendering_goes_on_with_what_is_missing(renderer, tmp_path):
    scene_set.write_scenes(tmp_path, SCENES, 1, dataset="pascal")
    before = files.digest_of_files((path for path in tmp_path.rglob("*.*")), tmp_path)
    gone = [tmp_path / "exact" / "sal" / "000002.npy", pascal.label_path(tmp_path, "parts", "500001")]
    for path in gone:
        path.unlink()
    (tmp_path / "semseg" / "VOC12" / ".part-1-a.png").write_bytes(b"half")
    steps: list[tuple[int, int]] = []
    scene_set.write_scenes(tmp_path, SCENES, 1, lambda done, of: steps.append((done, of)), dataset="pascal")
    assert steps == [(4, 5), (5, 5)]
    assert files.digest_of_files((path for path in tmp_path.rglob("*.*")), tmp_path) == before


def test_ids_of_a_whole_paper_scale_set_fit(renderer):
    paper = SCENES.model_copy(update={"train": 4998, "val": 5105})
    ids = scene_set.scene_ids(paper, "pascal")
    assert len({*ids["train"], *ids["val"]}) == 10_103
    with pytest.raises(UserError, match=r"scenes.train is 500001 in params.yaml, expected at most 500000"):
        scene_set.scene_ids(SCENES.model_copy(update={"train": 500_001}), "pascal")


# Cards ------------------------------------------------------------------------------------------------------


def test_card_says_what_is_there(tmp_path):
    write_layout(tmp_path)
    card = cards.make_card(tmp_path, "pascal", "archive")
    digest = card.pop("digest")
    assert card == {
        "source": "archive",
        "dataset": "pascal",
        "sizes": [[48, 64], [49, 62], [50, 60], [51, 58], [52, 56]],
        "counts": {"train": 3, "val": 2},
        "classes": {"seg": 21, "parts": 7},
        "folders": list(pascal.RAW_FOLDERS),
        "labels": dict.fromkeys(["seg", "parts", "sal", "edge", "normals"], "source"),
    }
    cards.check_card(tmp_path, {**card, "digest": digest})
    path = pascal.label_path(tmp_path, "edge", "2008_000002")
    path.write_bytes(path.read_bytes() + b"x")
    with pytest.raises(UserError, match="digest is"):
        cards.check_card(tmp_path, {**card, "digest": digest})


def test_teachers_labels_are_due_from_the_archive_and_taught_on_scenes(tmp_path):
    write_layout(tmp_path, taught=False)
    card = cards.make_card(tmp_path, "pascal", "scenes")
    origins = {"seg": "source", "parts": "source", "sal": "taught", "edge": "source", "normals": "taught"}
    assert card["labels"] == origins
    with pytest.raises(UserError, match=r"\(10 problems\)") as caught:
        cards.make_card(tmp_path, "pascal", "archive")
    expected = "no sal_distill/2008_000001.png, though ImageSets/Context lists '2008_000001'"
    assert expected in str(caught.value)


def exact_label(task: str, image_id: str) -> np.ndarray:
    picture = drawn(5, int(image_id), 64)
    return {"normals": picture.normals, "sal": picture.salient.astype(np.uint8)}[task]


def test_taught_labels_are_written_and_packed_beside_exact_ones(renderer, tmp_path):
    raw = tmp_path / "raw"
    scene_set.write_scenes(raw, SCENES, 1, dataset="pascal")
    card = cards.make_card(raw, "pascal", "scenes")
    labels.derive_missing(raw, card, tmp_path / "distilled")
    assert not (tmp_path / "distilled").exists()
    labels.write_taught(raw, card, tmp_path / "distilled", lambda task, name: exact_label(task, name)[:, ::-1])
    ids = pascal.split_ids(raw, "val")
    packing.pack(raw, tmp_path / "distilled", ids, TASKS, tmp_path / "val", layout=pascal, exact=raw / "exact")
    split = PackedSplit(tmp_path / "val")
    assert split.labels == (*TASKS, "sal_exact", "normals_exact")
    for index, name in enumerate(ids):
        picture = drawn(5, int(name), 64)
        shape = picture.semseg.shape
        assert split.image(index).shape == (*shape, 3)
        for task in ("seg", "parts", "edge"):
            np.testing.assert_array_equal(split.label(task, index), pascal.read_label(raw, task, name, shape))
        np.testing.assert_array_equal(split.label("sal", index), picture.salient[:, ::-1])
        np.testing.assert_array_equal(split.label("sal_exact", index), picture.salient)
        kept = pascal.SHARED[picture.label_map]
        taught = kept & (picture.normals[:, ::-1] != 0).any(axis=-1)  # the exact ones are scored at the same pixels
        np.testing.assert_array_equal(split.label("normals_exact", index), picture.normals * taught[..., None])
        assert 0 < taught.mean() < 1
        assert np.abs(split.label("normals", index) - picture.normals[:, ::-1])[kept].max() < 0.01
    kinds = {name: split.label(name, 0).dtype.name for name in split.labels}
    assert kinds == {
        "seg": "uint8", "parts": "uint8", "sal": "uint8", "edge": "uint8", "normals": "float32",
        "sal_exact": "uint8", "normals_exact": "float32",
    }  # fmt: skip


def test_exact_labels_of_another_size_are_named(renderer, tmp_path):
    scene_set.write_scenes(tmp_path, SCENES, 1, dataset="pascal")
    path = layouts.exact_path(tmp_path / "exact", "sal", "500001")
    np.save(path, np.zeros((3, 4), np.uint8))
    pascal.write_label(tmp_path, "sal", "500001", exact_label("sal", "500001"))
    with pytest.raises(UserError, match=r"sal/500001.npy: found shape \(3, 4\), expected \(41, 64\)"):
        packing.pack(tmp_path, None, ["500001"], ["sal"], tmp_path / "val", layout=pascal, exact=tmp_path / "exact")


# The stages themselves --------------------------------------------------------------------------------------


@pytest.fixture
def project(tmp_path, monkeypatch, renderer) -> Path:
    """A folder to run stages in, with params.yaml at smoke scale and no teachers."""
    content = yaml.safe_load((ROOT / "params.yaml").read_text())
    content["study"]["scale"] = "smoke"
    content["compute"]["threads"] = 1
    content["teachers"] = {}
    content["scales"]["smoke"]["pascal"] |= {"batch_size": 2}
    content["scales"]["smoke"]["pascal"]["scenes"] |= {"train": 3, "val": 2, "longest": 64}
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(content, sort_keys=False))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(stage, "cores", lambda: 1)  # other processes would render with the ray caster
    return tmp_path


def run_stage(name: str) -> None:
    sys.argv = [f"stages/{name}.py", "--dataset", "pascal"]
    runpy.run_path(str(ROOT / "stages" / f"{name}.py"), run_name="__main__")


def test_the_stages_fill_exactly_what_their_rules_declare(project, capsys, monkeypatch):
    monkeypatch.setattr(sys, "argv", [])
    study = "scenes-smoke"
    run_stage("dataset")
    declared = {Path(out.path.format(study=study)) for out in rules.dataset_rule("pascal").outputs}
    assert {path.relative_to(project) for path in (project / "data" / study / "pascal").iterdir()} | {
        path.relative_to(project) for path in (project / "data" / study).iterdir() if path.name != "pascal"
    } == declared
    assert not list((project / "data" / study / "pascal" / "normals_distill").iterdir())
    with pytest.raises(SystemExit):
        run_stage("distill")
    said = capsys.readouterr().err
    assert "ERROR: no labels for 'sal' in the rendered scenes of pascal, and no teacher to predict them" in said
    assert not paths.distilled(study, "pascal").exists()
    card = files.read_json(paths.card(study, "pascal"))
    scene = config.load().scale("pascal").scenes
    labels.write_taught(
        paths.raw(study, "pascal"), card, paths.distilled(study, "pascal"),
        lambda task, name: {"normals": drawn(scene.seed, int(name), 64).normals,
                            "sal": drawn(scene.seed, int(name), 64).salient}[task],
    )  # fmt: skip
    run_stage("prepare")
    train, val = (PackedSplit(paths.packed(study, "pascal", split)) for split in layouts.SPLITS)
    assert (train.labels, val.labels) == (tuple(TASKS), (*TASKS, "sal_exact", "normals_exact", "edge_scored"))
    assert (len(train), len(val)) == (3, 2)


def test_an_archive_goes_the_same_way_without_exact_labels(project, monkeypatch, tmp_path_factory):
    monkeypatch.setattr(sys, "argv", [])
    monkeypatch.setattr(pascal, "ARCHIVE", dataclasses.replace(pascal.ARCHIVE, counts={"train": 3, "val": 2}))
    source = tmp_path_factory.mktemp("download") / "PASCAL_MT"
    write_layout(source)
    content = yaml.safe_load((project / "params.yaml").read_text())
    content["study"]["source"]["pascal"] = "archive"
    content["datasets"]["pascal"]["archive"] |= {"path": str(source.parent), "url": None}
    (project / "params.yaml").write_text(yaml.safe_dump(content, sort_keys=False))
    for name in ("dataset", "distill", "prepare"):
        run_stage(name)
    study = "archive-smoke"
    assert not list(paths.distilled(study, "pascal").iterdir())
    val = PackedSplit(paths.packed(study, "pascal", "val"))
    assert val.labels == (*TASKS, "edge_scored")
    for index, name in enumerate(val.ids):
        for task in TASKS:
            expected = pascal.read_label(source, task, name, val.shapes[index])
            np.testing.assert_array_equal(val.label(task, index), expected)
        boundaries = boundaries_from_labels(pascal.read_label_map(source, name, val.shapes[index]))
        np.testing.assert_array_equal(val.label("edge_scored", index), boundaries)
        assert (val.label("edge", index) != boundaries).any()


# Parameters and rules ---------------------------------------------------------------------------------------

CONTENT = yaml.safe_load((ROOT / "params.yaml").read_text())


@pytest.mark.parametrize(
    ("section", "value", "expected"),
    [
        ("scenes", {"train": 9, "val": 2, "seed": 0}, "scenes: sizes images by [], expected height and width, or"),
        ("scenes", {"train": 9, "val": 2, "seed": 0, "longest": 64, "width": 64}, "by ['longest', 'width'], expected"),
        ("scenes", {"train": 9, "val": 2, "seed": 0, "longest": 8}, "scenes.longest: found 8"),
        ("scenes", {"train": 9, "val": 2, "seed": 0, "longst": 64}, "did you mean 'longest'"),
        ("augmentation", {"flip": True}, "augmentation: augments by [], expected zoom alone, or rotation, scale"),
        ("augmentation", {"flip": True, "zoom": [1.0], "rotation": 5.0}, "by ['rotation', 'zoom'], expected"),
        (
            "augmentation",
            {"flip": True, "rotation": 5.0, "scale": [1.2, 0.8], "borders": "zero"},
            "augmentation: scale [1.2, 0.8] ends below its beginning",
        ),
        (
            "augmentation",
            {"flip": True, "rotation": 5.0, "scale": [0.8, 1.2], "borders": "black"},
            "augmentation.borders: found 'black', expected: 'ignored' or 'zero'",
        ),
    ],
)
def test_mistakes_name_the_key(tmp_path, section, value, expected):
    content = copy.deepcopy(CONTENT)
    content["scales"]["laptop"]["pascal"][section] = value
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(content, sort_keys=False))
    with pytest.raises(UserError) as caught:
        config.load(tmp_path / "params.yaml")
    message = str(caught.value)
    assert f"scales.laptop.pascal.{section}" in message
    assert expected in message
    assert "\n" not in message


def test_paper_scale_is_astmts_recipe():
    """Section A.2: batches of 8, 60 epochs; rotation up to 20 degrees, scale 0.75 to 1.25, flip, 512x512."""
    params = config.load(ROOT / "params.yaml")
    paper = params.scales["paper"]["pascal"]
    assert (paper.batch_size, paper.epochs, paper.lr_factor) == (8, 60, 1.0)
    assert (paper.input.height, paper.input.width) == (512, 512)
    assert paper.augmentation.model_dump(exclude_none=True) == {
        "rotation": 20.0, "scale": [0.75, 1.25], "borders": "ignored", "flip": True,
    }  # fmt: skip
    weights = {name: task.weight for name, task in params.datasets["pascal"].tasks.items()}
    assert weights == {"seg": 1, "parts": 2, "sal": 5, "edge": 50, "normals": 10}


@pytest.mark.parametrize("stage", [rules.check, rules.dataset_rule, rules.distill, rules.prepare])
@pytest.mark.parametrize(("dataset", "other"), [("nyud", "pascal"), ("pascal", "nyud")])
def test_stages_depend_on_their_own_datasets_layout(stage, dataset, other):
    code = stage(dataset).code
    assert f"src/mtinet/data/{dataset}.py" in code
    assert not [
        path for path in code if path.startswith(f"src/mtinet/data/{other}") and not path.endswith("_classes.py")
    ]
    if stage is not rules.dataset_rule:
        assert not [path for path in code if "/scenes/" in path]


def test_no_two_stages_write_one_folder():
    written = [
        out.path for stage in (rules.dataset_rule, rules.distill, rules.prepare) for out in stage("pascal").outputs
    ]
    for path in written:
        assert not [other for other in written if other != path and other.startswith(path + "/")]
    assert len(set(written)) == len(written)
