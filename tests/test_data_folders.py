"""Data sets of one's own in folders: what is read, what is refused, and that a missing label counts nowhere."""

from __future__ import annotations

import copy
import shutil
import tarfile
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from own_folder import IDS, SIZES, UNLABELLED, labels_of, write_own
from PIL import ExifTags, Image

from mtinet import config, losses, metrics
from mtinet.data import archives, cards, checking, folders, labels, nyud, packing, photos, transforms, warps
from mtinet.data.layouts import ArchiveCard, layout
from mtinet.data.packed import PackedSplit
from mtinet.errors import UserError
from mtinet.evaluation.blind import blind
from mtinet.reporting.classes import classes_of
from mtinet.studies import affinity
from mtinet.tasks import task as registered

ROOT = Path(__file__).resolve().parents[1]
CHANNELS = {"seg": 3, "depth": 1, "normals": 3, "parts": 7, "sal": 1, "edge": 1}
CLASSES = {"seg": 3, "parts": 7}
EDGES = {"max_dist": 0.05, "protocol": "released", "flavour": "seism"}
SCALE = {
    "input": {"height": 32, "width": 64}, "epochs": 1, "epochs_of": {}, "batch_size": 2, "optimizer": None,
    "lr_factor": 1.0, "augmentation": {"zoom": [1.0], "flip": True}, "pretrained": "none",
}  # fmt: skip


def parameters(*tasks: str) -> Any:
    """params.yaml with a data set `rooms` in folders that has these tasks."""
    content = yaml.safe_load((ROOT / "params.yaml").read_text())
    content["study"]["source"]["rooms"] = "archive"
    for sets in content["scales"].values():
        sets["rooms"] = copy.deepcopy(SCALE)
    entries = {name: {"weight": 1.0, **({"classes": CLASSES[name]} if name in CLASSES else {})} for name in tasks}
    content["datasets"]["rooms"] = {
        "layout": "folders", "archive": {"path": "my-rooms"}, "tasks": entries, "edges": dict(EDGES),
    }  # fmt: skip
    return content


def declare(content: Any) -> None:
    Path("params.yaml").write_text(yaml.safe_dump(content, sort_keys=False))


@pytest.fixture
def rooms(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder `my-rooms` of a project that declares it with segmentation, depth and edges."""
    monkeypatch.chdir(tmp_path)
    declare(parameters("seg", "depth", "edge"))
    return write_own(tmp_path / "my-rooms")


def with_tasks(*names: str) -> folders.Folders:
    card = ArchiveCard("own", None, {}, CLASSES, tuple(names), partial=True)
    return folders.Folders({name: CLASSES.get(name) for name in names}, card)


# What is read ---------------------------------------------------------------------------------------------------


def test_every_label_is_read_as_it_was_written_and_missing_ones_are_invalid(rooms: Path) -> None:
    data = layout("rooms")
    assert checking.faults(rooms, "rooms") == []
    for name in (name for names in IDS.values() for name in names):
        assert data.image_size(rooms, name) == data.read_image(rooms, name).shape[:2] == SIZES[name]
        for task, missing in UNLABELLED.items():
            label, written = data.read_label(rooms, task, name, SIZES[name]), labels_of(name)[task]
            if name in missing:
                assert (label == registered(task).invalid).all()
                assert (label.shape, label.dtype) == (written.shape, written.dtype)
            else:
                np.testing.assert_array_equal(label, written)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_photos_are_read_upright(tmp_path: Path, orientation: int) -> None:
    """Against the eight orientations as the EXIF standard words them: where the stored row 0 and column 0 are seen."""
    pixels = np.random.default_rng(0).integers(0, 256, (6, 9, 3), dtype=np.uint8)
    seen = {
        1: pixels, 2: pixels[:, ::-1], 3: pixels[::-1, ::-1], 4: pixels[::-1], 5: pixels.swapaxes(0, 1),
        6: pixels[::-1].swapaxes(0, 1), 7: pixels[::-1, ::-1].swapaxes(0, 1), 8: pixels[:, ::-1].swapaxes(0, 1),
    }  # fmt: skip
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    Image.fromarray(pixels).save(tmp_path / "a.png", exif=exif)
    np.testing.assert_array_equal(photos.read_photo(tmp_path / "a.png"), seen[orientation])
    assert photos.photo_size(tmp_path / "a.png") == seen[orientation].shape[:2]


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), height=st.integers(1, 12), width=st.integers(1, 12))
def test_files_of_another_writer_are_read(
    tmp_path_factory: pytest.TempPathFactory, seed: int, height: int, width: int
) -> None:
    """OpenCV writes them: millimetres, a mask's three values, the classes, and normals as colours."""
    root, generator = tmp_path_factory.mktemp("own"), np.random.default_rng(seed)
    normals = generator.normal(size=(height, width, 3))
    normals /= np.linalg.norm(normals, axis=-1, keepdims=True)
    stored = {
        "depth": generator.integers(0, 2**16, (height, width), dtype=np.uint16),
        "sal": generator.choice(np.array([0, 128, 255], np.uint8), (height, width)),
        "parts": generator.choice(np.array([*range(7), 255], np.uint8), (height, width)),
        "normals": np.rint((normals[..., ::-1] + 1) * 255 / 2).astype(np.uint8),  # OpenCV's colours are BGR
    }
    for name, pixels in stored.items():
        (root / name).mkdir()
        assert cv2.imwrite(str(root / name / "a.png"), pixels)
    data = with_tasks(*stored)
    found = {name: data.read_label(root, name, "a", (height, width)) for name in stored}
    np.testing.assert_allclose(found["depth"], stored["depth"] / 1000, rtol=1e-6)
    np.testing.assert_array_equal(found["sal"], np.vectorize({0: 0, 255: 1, 128: 255}.get)(stored["sal"]))
    np.testing.assert_array_equal(found["parts"], stored["parts"])
    assert np.degrees(np.arccos(np.clip((found["normals"] * normals).sum(-1), -1, 1))).max() < 0.6
    assert found["normals"].dtype == found["depth"].dtype == np.float32


def test_vectors_and_grey_pixels(tmp_path: Path) -> None:
    (tmp_path / "normals").mkdir()
    vectors = np.array([[[0, 0, 1], [0, 0.6, 0.8], [0, 0, 0]]], np.float32)
    np.save(tmp_path / "normals" / "a.npy", vectors)
    Image.new("RGB", (2, 1), (128, 127, 128)).save(tmp_path / "normals" / "b.png")
    data = with_tasks("normals")
    np.testing.assert_array_equal(data.read_label(tmp_path, "normals", "a", (1, 3)), vectors)
    assert not data.read_label(tmp_path, "normals", "b", (1, 2)).any()


# What is refused ------------------------------------------------------------------------------------------------


def test_all_faults_are_named_at_once(rooms: Path) -> None:
    Image.new("RGB", (64, 48)).save(rooms / "images" / "kitchen.png")  # a second kitchen
    (rooms / "images" / "porch.jpg").write_bytes(b"no picture")
    Image.new("L", (64, 48), 3).save(rooms / "seg" / "kitchen.png")  # classes are 0..2
    Image.new("L", (64, 48), 1).save(rooms / "edge" / "cellar.png")  # 0 and 1, and the wrong size
    Image.new("L", (40, 72), 1).save(rooms / "depth" / "hall.png")
    np.save(rooms / "depth" / "loft.npy", np.full((64, 48), 2500, np.float32))
    Image.new("L", (72, 40)).save(rooms / "seg" / "attic.png")  # as the photo is stored, not as it is seen
    shutil.copy(rooms / "seg" / "loft.png", rooms / "seg" / "loft_label.png")
    (rooms / "splits" / "val.txt").write_text("porch\nloft\nhall\nnowhere\n")
    found = checking.faults(rooms, "rooms")
    expected = [
        "splits lists 1 images in both splits, e.g. hall",
        "images: found 2 called 'kitchen', expected one",
        "seg: found loft_label.png of no image (1 such), expected one <id>.png of each",
        "seg/kitchen.png: found class 3, expected 0..2, the 3 classes of 'seg' in params.yaml",
        "depth/hall.png: found mode L with 8 bits, expected a grey PNG of 16 bits",
        "seg/attic.png: found shape (40, 72), expected (72, 40), the size of the upright image",
        "edge/cellar.png: found the value 1, expected 255 (yes), 0 (no) or 128 (no label)",
        "images/porch.jpg: cannot be read as a picture",
        "depth/loft.npy: found depth 2500 to 2500, expected metres in 0..1000",
        "images/nowhere.jpg: no such file, though a split lists 'nowhere'; put it there",
    ]
    assert [line for line in expected if not any(said.startswith(line) for said in found)] == []
    assert len(found) == len(expected), found
    with pytest.raises(UserError, match=r"my-rooms is not a data set in folders.*problems\); put right what is listed"):
        archives.reachable(config.load().datasets["rooms"].archive, "rooms")


def test_photos_are_called_as_cameras_and_people_call_them(rooms: Path) -> None:
    """With spaces and letters of any language; lists written on any system, with or without its marks."""
    for folder in ("images", "seg", "depth"):
        for path in (rooms / folder).glob("loft.*"):
            path.rename(path.with_name(f"Über dem Flur (2){path.suffix}"))
    (rooms / "splits" / "val.txt").write_bytes("\ufeffporch\r\nÜber dem Flur (2)\r\n\r\n".encode())
    assert layout("rooms").split_ids(rooms, "val") == ["porch", "Über dem Flur (2)"]
    (rooms / "edge" / "loft.png").unlink()
    assert checking.faults(rooms, "rooms") == []


@pytest.mark.parametrize("task", ["depth", "edge"])
def test_one_task_is_enough_and_it_may_come_as_an_archive(rooms: Path, task: str) -> None:
    """A data set without segmentation, packed into a file: checked, unpacked, and read."""
    content = parameters(task)
    content["datasets"]["rooms"]["archive"] = {"path": "rooms.tar.gz"}
    declare(content)
    for other in {"seg", "depth", "edge"} - {task}:
        shutil.rmtree(rooms / other)
    with tarfile.open("rooms.tar.gz", "w:gz") as archive:
        archive.add(rooms, "my-rooms")
    given = config.load().datasets["rooms"].archive
    archives.reachable(given, "rooms")
    Path("work").mkdir()
    archives.fetch(given, Path("work"), "rooms")
    cards.check_archive(Path("work"), "rooms")
    card = cards.make_card(Path("work"), "rooms", "archive")
    assert (card["folders"], card["labels"]) == (["images", "splits", task], {task: "source"})
    for split in IDS:
        packing.pack(Path("work"), None, IDS[split], [task], Path(f"packed-{split}"), 1, layout("rooms"))
    with_label = [name for name in IDS["train"] if name not in UNLABELLED[task]]
    packed = PackedSplit(Path("packed-train"))
    for index, name in enumerate(packed.ids):
        expected = labels_of(name)[task] if name in with_label else registered(task).invalid
        np.testing.assert_array_equal(packed.label(task, index), np.broadcast_to(expected, SIZES[name]))


def test_a_task_without_labels_is_named(rooms: Path) -> None:
    shutil.rmtree(rooms / "depth")
    for path in (rooms / "edge").iterdir():
        if path.stem not in IDS["val"]:
            path.unlink()
    found = checking.faults(rooms, "rooms")
    assert [line.partition(";")[0] for line in found] == [
        "no folder depth with files",
        "depth: found a label of no image in splits/train.txt, expected some",
        "edge: found a label of no image in splits/train.txt, expected some",
    ]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda c: c["study"]["source"].update(rooms="scenes"), "study.source.rooms: found scenes, expected archive"),
        (
            lambda c: c["datasets"]["rooms"].update(names={"seg": ["a"]}),
            "names.seg: found 1 names, expected those of 3",
        ),
        (lambda c: c["datasets"]["rooms"].update(names={"depth": ["a"]}), "names.depth: found 1 names"),
        (lambda c: c["datasets"]["rooms"].update(layout="folder"), "datasets.rooms.layout: found 'folder'"),
        (lambda c: c["scales"]["laptop"]["nyud"].pop("scenes"), "scales.laptop.nyud: lacks 'scenes'"),
        (lambda c: c["pretraining"].update(rooms={}), "pretraining.rooms: a data set in folders has no rendered"),
    ],
)
def test_what_cannot_be_is_refused(rooms: Path, change: Any, expected: str) -> None:
    content = parameters("seg", "edge")
    change(content)
    declare(content)
    with pytest.raises(UserError) as caught:
        config.load()
    assert expected in str(caught.value)


def test_undeclared_data_sets_have_no_layout(rooms: Path) -> None:
    with pytest.raises(
        UserError, match=r"'flats', expected one of nyud, pascal, or one that params.yaml declares with"
    ):
        layout("flats")
    with pytest.raises(UserError, match="no data layout for dataset 'flats'"):
        classes_of("flats")


def test_classes_are_called_by_name_or_number(rooms: Path) -> None:
    content = parameters("seg", "parts")
    content["datasets"]["rooms"]["names"] = {"seg": ["wall", "floor", "box"]}
    declare(content)
    found = classes_of("rooms")
    assert found["seg"].names == ("wall", "floor", "box")
    assert found["parts"].names[6] == "class 6"
    assert len({*found["parts"].colours}) == len(found["parts"].palette()) == 7


# What a missing label changes -----------------------------------------------------------------------------------


def sample(task: str, missing: bool, shape: tuple[int, int] = (64, 96)) -> Any:
    """A random label of a task, or that of an image without one, as the layout gives it."""
    if missing:
        return with_tasks(task).read_label(Path("nowhere"), task, "x", shape)
    generator = np.random.default_rng(list(CHANNELS).index(task))
    if task in CLASSES:
        return generator.integers(0, CLASSES[task], shape, dtype=np.uint8)
    if task == "normals":
        vectors = generator.normal(size=(*shape, 3))
        return (vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)).astype(np.float32)
    if task == "depth":
        return generator.uniform(0.5, 5, shape).astype(np.float32)
    return (generator.random(shape) < 0.2).astype(np.uint8)


def target(task: str, missing: bool, warped: bool) -> torch.Tensor:
    """The label as it reaches the loss: resized and flipped, or warped."""
    given = {"image": np.zeros((64, 96, 3), np.uint8), task: sample(task, missing)}
    view = warps.View(flip=True, angle=10.0, scale=1.2)
    seen = warps.warp(given, (32, 32), view) if warped else transforms.augment(given, (32, 32), 1.2, True)
    return torch.from_numpy(seen[task])


@pytest.mark.parametrize("warped", [False, True])
@pytest.mark.parametrize("task", CHANNELS)
def test_an_image_without_a_label_changes_no_loss_and_gets_no_gradient(task: str, warped: bool) -> None:
    generator = torch.Generator().manual_seed(0)
    outputs = torch.randn(3, CHANNELS[task], 32, 32, generator=generator, dtype=torch.float64, requires_grad=True)
    loss = losses.loss_of(task)
    both = torch.stack([target(task, missing, warped) for missing in (True, False, True)])
    with_missing = loss(outputs, both)
    alone = loss(outputs[1:2], both[1:2])
    assert alone > 0
    assert with_missing.item() == pytest.approx(alone.item(), rel=1e-12)
    with_missing.backward()
    assert outputs.grad is not None
    assert not outputs.grad[[0, 2]].any()
    assert outputs.grad[1].any()
    nothing = loss(outputs, torch.stack([target(task, True, warped)] * 3))
    assert nothing.item() == 0


@pytest.mark.parametrize("protocol", ["released", "astmt"])
@pytest.mark.parametrize("cheap", [False, True])
@pytest.mark.parametrize("task", CHANNELS)
def test_an_image_without_a_label_changes_no_metric(task: str, cheap: bool, protocol: str) -> None:
    """Whatever is predicted for it: the metrics of a set are those without it, wherever in the set it is."""
    given = {"edges": {**EDGES, "protocol": protocol}}

    def row(missing: bool, seed: int) -> np.ndarray:
        generator = np.random.default_rng(seed)
        prediction = {
            "seg": lambda: generator.integers(0, 3, (64, 96)), "parts": lambda: generator.integers(0, 7, (64, 96)),
            "normals": lambda: generator.normal(size=(64, 96, 3)),
        }.get(task, lambda: generator.random((64, 96)))()  # fmt: skip
        return metrics.per_image(task, prediction, sample(task, missing), CHANNELS[task], given, cheap=cheap)

    labelled, unlabelled = [row(False, seed) for seed in (1, 2)], [row(True, seed) for seed in (3, 4)]
    alone = metrics.summarize(task, np.stack(labelled), given, cheap=cheap)
    mixed = metrics.summarize(
        task, np.stack([unlabelled[0], labelled[0], unlabelled[1], labelled[1]]), given, cheap=cheap
    )
    assert mixed == alone
    assert None not in alone.values()
    assert {*metrics.summarize(task, np.stack(unlabelled), given, cheap=cheap).values()} == {None}


def test_edges_predicted_where_nothing_is_labelled_do_not_count() -> None:
    """Half an image without labels scores as the other half does by itself."""
    truth = np.zeros((40, 60), np.uint8)
    truth[::8] = 1
    prediction = np.random.default_rng(0).random((40, 60))
    half = truth.copy()
    half[:, 30:] = 255
    blank = np.where(half == 255, 0.0, prediction)
    rows = [metrics.per_image("edge", *pair, None, {"edges": EDGES}) for pair in ((prediction, half), (blank, half))]
    np.testing.assert_array_equal(rows[0], rows[1])
    whole = metrics.per_image("edge", prediction, truth, None, {"edges": EDGES})
    assert (rows[0][1] == 5 * 30).all()  # boundary pixels of the labelled half
    assert rows[0][3][49] < whole[3][49]


def test_predictors_that_see_no_image_are_fitted_on_what_is_labelled(rooms: Path) -> None:
    """With the unlabelled images left out of both splits nothing changes."""
    for task in ("seg", "depth", "edge"):
        found = []
        for left_out in ((), UNLABELLED[task]):
            splits = []
            for split, names in IDS.items():
                kept = [name for name in names if name not in left_out]
                place = Path(f"packed-{task}-{len(left_out)}") / split
                packing.pack(rooms, None, kept, [task], place, workers=1, layout=layout("rooms"))
                splits.append(PackedSplit(place))
            # Positions are those of the most frequent size, which unlabelled images have a say in.
            found.append(blind(*splits, {task: CHANNELS[task]}, {"edges": EDGES})["constant"])
        assert found[0] == found[1]
        assert None not in found[0][task].values()


def test_affinity_counts_only_pairs_that_both_tasks_label(rooms: Path) -> None:
    given = {task: sample(task, missing=task == "depth") for task in ("seg", "depth", "edge")}
    found = affinity.matches(given, 1, 3, affinity.Rules(0.1, 15.0, "between"))
    assert found["seg", "edge"].sum() > 0
    assert found["seg", "depth"].sum() == found["depth", "edge"].sum() == 0


# Cards and derived labels -----------------------------------------------------------------------------------------


def test_the_card_says_what_is_there(rooms: Path) -> None:
    card = cards.make_card(rooms, "rooms", "archive")
    assert card["counts"] == {"train": 4, "val": 2}
    assert card["classes"] == {"seg": 3}
    assert card["labels"] == dict.fromkeys(("seg", "depth", "edge"), "source")
    assert card["sizes"] == [list(size) for size in sorted({*SIZES.values()})]
    cards.check_card(rooms, card)
    labels.derive_missing(rooms, card, Path("new"))
    assert not Path("new").exists()
    (rooms / "seg" / "porch.png").unlink()
    with pytest.raises(UserError, match="digest is"):
        cards.check_card(rooms, card)


@pytest.mark.parametrize(("kept", "derived"), [("seg", "edge"), ("depth", "normals")])
def test_only_what_there_are_labels_for_is_derived(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kept: str, derived: str
) -> None:
    """Sets in NYUD-v2's layout that have segmentation or depth alone."""
    from archive_layout import write_layout

    write_layout(tmp_path / "raw")
    for folder in {*nyud.FOLDERS.values()} - {nyud.FOLDERS[kept]}:
        shutil.rmtree(tmp_path / "raw" / folder)
    card = ArchiveCard("own", None, {}, {}, (kept,), derivable=("normals", "edge"))
    monkeypatch.setattr(nyud, "ARCHIVE", card)
    made = cards.make_card(tmp_path / "raw", "nyud", "archive")
    assert made["labels"] == {
        "seg": "absent",
        "depth": "absent",
        "normals": "derived",
        "edge": "derived",
        kept: "source",
    }
    labels.derive_missing(tmp_path / "raw", made, tmp_path / "new")
    assert [path.name for path in (tmp_path / "new").iterdir()] == [derived]
