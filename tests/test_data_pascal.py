"""PASCAL's layout: what is written comes back, real annotations merge as listed."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from pascal_layout import SIZE, root, synthetic_picture, write_layout
from PIL import Image
from scipy.io import loadmat
from scipy.ndimage import convolve
from skimage.color import rgb2lab
from skimage.morphology import thin
from synthetic import after_jpeg

from mtinet.data import nyud_classes, pascal, pascal_classes
from mtinet.data.scenes.picture import Object

__all__ = ["root"]
REAL = Path(__file__).resolve().parents[2] / "shared" / "fixtures" / "real" / "pascal"
needs_real_files = pytest.mark.skipif(not REAL.is_dir(), reason=f"no real files in {REAL}")

# PASCAL-Part's 24 parts of a person, and what each counts as: head 1, torso 2, upper arm 3, lower arm 4,
# upper leg 5, lower leg 6.
FINE = {
    "head": 1, "leye": 1, "reye": 1, "lear": 1, "rear": 1, "lebrow": 1, "rebrow": 1, "nose": 1, "mouth": 1,
    "hair": 1, "torso": 2, "neck": 2, "llarm": 4, "luarm": 3, "lhand": 4, "rlarm": 4, "ruarm": 3, "rhand": 4,
    "llleg": 6, "luleg": 5, "lfoot": 6, "rlleg": 6, "ruleg": 5, "rfoot": 6,
}  # fmt: skip


def test_the_24_parts_merge_into_six():
    assert len(FINE) == 24
    assert pascal.PART_LABELS == FINE
    names = ["background", "head", "torso", "upper arm", "lower arm", "upper leg", "lower leg"]
    assert list(pascal_classes.PARTS) == names


# What is written comes back ---------------------------------------------------------------------------------


def test_labels_of_a_picture_come_back(root):
    picture = synthetic_picture(0)
    assert pascal.image_size(root, "a") == SIZE
    np.testing.assert_array_equal(pascal.read_image(root, "a"), after_jpeg(picture.image))
    read = {task: pascal.read_label(root, task, "a", SIZE) for task in pascal.FOLDERS}
    assert {task: (label.shape, label.dtype.name) for task, label in read.items()} == {
        "seg": (SIZE, "uint8"), "parts": (SIZE, "uint8"), "sal": (SIZE, "uint8"), "edge": (SIZE, "uint8"),
        "normals": ((*SIZE, 3), "float32"),
    }  # fmt: skip
    np.testing.assert_array_equal(pascal.read_label_map(root, "a", SIZE), picture.label_map)
    np.testing.assert_array_equal(read["seg"], picture.semseg)
    np.testing.assert_array_equal(read["sal"], picture.salient)
    parts = np.zeros(SIZE, int)
    for name, mask in picture.objects[0].parts:
        parts = np.where(mask, FINE[name], parts)
    assert set(np.unique(parts)) == {0, 1, 2, 3, 4, 5, 6}
    np.testing.assert_array_equal(read["parts"], parts)
    kept = np.isin(picture.label_map, [440, 158, 284])
    assert not read["normals"][~kept].any()
    assert np.abs(read["normals"][kept] - picture.normals[kept]).max() < 0.01
    np.testing.assert_allclose(np.linalg.norm(read["normals"][kept], axis=1), 1, atol=1e-6)


def test_same_picture_same_bytes(root, tmp_path_factory):
    other = tmp_path_factory.mktemp("other")
    pascal.write_picture(other, "a", synthetic_picture(0))
    for path in other.rglob("*.*"):
        assert path.read_bytes() == (root / path.relative_to(other)).read_bytes()


def test_an_image_without_a_person_is_ignored_in_parts(tmp_path):
    pascal.write_picture(tmp_path, "a", synthetic_picture(0, person=False))
    assert (pascal.read_label(tmp_path, "parts", "a", SIZE) == 255).all()
    nothing = dataclasses.replace(synthetic_picture(0), objects=())
    pascal.write_picture(tmp_path, "b", nothing)
    assert (pascal.read_label(tmp_path, "parts", "b", SIZE) == 255).all()
    person = Object(15, "person", np.ones(SIZE, bool), ())
    pascal.write_picture(tmp_path, "c", dataclasses.replace(nothing, objects=(person,)))
    assert (pascal.read_label(tmp_path, "parts", "c", SIZE) == 0).all()


MASKS = hnp.arrays(bool, (5, 7))


@settings(max_examples=40, deadline=None)
@given(
    things=st.lists(
        st.tuples(st.sampled_from([15, 7]), st.lists(st.tuples(st.sampled_from(sorted(FINE)), MASKS), max_size=5)),
        max_size=4,
    ),
    label_map=hnp.arrays(np.uint16, (5, 7), elements=st.integers(0, 459)),
    semseg=hnp.arrays(np.uint8, (5, 7), elements=st.one_of(st.integers(0, 20), st.just(255))),
)
def test_any_annotation_comes_back(tmp_path_factory, things, label_map, semseg):
    root = tmp_path_factory.mktemp("any")
    objects = tuple(Object(kind, "x", np.ones((5, 7), bool), tuple(parts)) for kind, parts in things)
    picture = dataclasses.replace(
        synthetic_picture(0), image=np.zeros((5, 7, 3), np.uint8), label_map=label_map, semseg=semseg, objects=objects
    )
    pascal.write_picture(root, "a", picture)
    np.testing.assert_array_equal(pascal.read_label_map(root, "a", (5, 7)), label_map)
    np.testing.assert_array_equal(pascal.read_label(root, "seg", "a", (5, 7)), semseg)
    expected = np.full((5, 7), 0 if any(kind == 15 for kind, _ in things) else 255)
    for kind, parts in things:
        for name, mask in parts:
            if kind == 15:
                expected[mask] = FINE[name]
    np.testing.assert_array_equal(pascal.read_label(root, "parts", "a", (5, 7)), expected)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_normals_are_stored_to_8_bits(tmp_path_factory, seed):
    root = tmp_path_factory.mktemp("normals")
    rng = np.random.default_rng(seed)
    normals = rng.normal(size=(6, 9, 3))
    normals /= np.linalg.norm(normals, axis=-1, keepdims=True)
    normals[0] = 0
    pascal.write_label(root, "normals", "a", normals)
    stored = np.asarray(Image.open(root / "normals_distill" / "a.png"))
    np.testing.assert_array_equal(stored, np.round((normals + 1) * 255 / 2))
    read = pascal.read_normals(root / "normals_distill" / "a.png", (6, 9))
    assert not read[0].any()
    exact = 2 * stored[1:].astype(np.float64) / 255 - 1
    np.testing.assert_allclose(read[1:], exact / np.linalg.norm(exact, axis=-1, keepdims=True), atol=1e-6)
    assert np.degrees(np.arccos(np.clip((read[1:] * normals[1:]).sum(-1), -1, 1))).max() < 0.5


@settings(max_examples=40, deadline=None)
@given(hnp.arrays(np.float32, (4, 6), elements=st.floats(0, 1, width=32)))
def test_saliency_is_half_or_more(tmp_path_factory, probability):
    root = tmp_path_factory.mktemp("sal")
    pascal.write_label(root, "sal", "a", probability)
    read = pascal.read_label(root, "sal", "a", (4, 6))
    certain = np.abs(probability - 0.5) > 1 / 255
    np.testing.assert_array_equal(read[certain], probability[certain] > 0.5)


def test_saliency_starts_above_half_of_255(tmp_path):
    (tmp_path / "sal_distill").mkdir()
    Image.fromarray(np.array([[0, 127, 128, 255]], np.uint8)).save(tmp_path / "sal_distill" / "a.png")
    assert pascal.read_label(tmp_path, "sal", "a", (1, 4)).tolist() == [[0, 0, 1, 1]]


def test_distilled_labels_come_first_and_raw_ones_decide_what_is_kept(root, tmp_path):
    picture = synthetic_picture(0)
    folder = tmp_path / "distilled"
    pascal.write_label(folder, "normals", "a", picture.normals[:, ::-1])
    pascal.write_label(folder, "sal", "a", ~picture.salient)
    normals = pascal.read_label(root, "normals", "a", SIZE, folder)
    kept = np.isin(picture.label_map, [440, 158, 284])
    assert np.abs(normals[kept] - picture.normals[:, ::-1][kept]).max() < 0.01
    assert not normals[~kept].any()
    np.testing.assert_array_equal(pascal.read_label(root, "sal", "a", SIZE, folder), ~picture.salient)
    np.testing.assert_array_equal(pascal.read_label(root, "seg", "a", SIZE, folder), picture.semseg)


def test_segmentation_of_voc12_comes_before_that_of_pascal_context(root):
    other = root / "semseg" / "pascal-context" / "a.png"
    other.parent.mkdir()
    Image.fromarray(np.full(SIZE, 3, np.uint8)).save(other)
    np.testing.assert_array_equal(pascal.read_label(root, "seg", "a", SIZE), synthetic_picture(0).semseg)
    (root / "semseg" / "VOC12" / "a.png").unlink()
    assert (pascal.read_label(root, "seg", "a", SIZE) == 3).all()


# Edges and classes ------------------------------------------------------------------------------------------


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(2, 30), st.integers(2, 30))
def test_edges_are_the_thinned_laplacian(seed, height, width):
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 460, (height // 4 + 1, width // 4 + 1))
    label_map = np.kron(coarse, np.ones((4, 4), int))[:height, :width].astype(np.uint16)
    kernel = [[0, 1, 0], [1, -4, 1], [0, 1, 0]]
    laplacian = convolve(label_map.astype(np.int64), kernel, mode="mirror")
    np.testing.assert_array_equal(pascal.edges_of(label_map), thin(laplacian != 0))


def test_edges_by_hand():
    label_map = np.full((12, 12), 440, np.uint16)
    label_map[:, 6:] = 158
    edge = pascal.edges_of(label_map)
    assert edge[3:-3].sum(axis=1).tolist() == [1] * 6  # one pixel wide
    assert edge[:, :5].sum() == edge[:, 7:].sum() == 0
    assert not pascal.edges_of(np.full((9, 9), 7, np.uint16)).any()


# PASCAL-Context's numbers that every user of its 59 classes picks from LabelMap.
USUAL_59 = {
    2, 259, 260, 415, 324, 9, 258, 144, 18, 19, 22, 23, 397, 25, 284, 158, 159, 416, 33, 162, 420, 454, 295, 296, 427,
    44, 45, 46, 308, 59, 440, 445, 31, 232, 65, 354, 424, 68, 326, 72, 458, 34, 207, 80, 355, 85, 347, 220, 349, 360,
    98, 187, 104, 105, 366, 189, 368, 113, 115,
}  # fmt: skip


def test_shared_classes_are_in_alphabetical_order_and_agree_with_the_usual_59():
    names, numbers = list(pascal.SHARED_CLASSES), list(pascal.SHARED_CLASSES.values())
    assert names == sorted(names)
    assert numbers == sorted(set(numbers))
    usual = {
        "bag", "bed", "book", "cabinet", "ceiling", "chair", "cloth", "curtain", "door", "floor", "person", "shelves",
        "sofa", "table", "tvmonitor", "wall", "window",
    }  # fmt: skip
    assert {name for name, number in pascal.SHARED_CLASSES.items() if number in USUAL_59} == usual
    assert np.flatnonzero(pascal.SHARED).tolist() == numbers


def test_shared_classes_are_nyuds():
    renamed = {
        "window blinds": "blinds", "cloth": "clothes", "book": "books", "fridge": "refrigerator",
        "tvmonitor": "television", "mat": "floor mat", "rug": "floor mat",
    }  # fmt: skip
    named = {renamed.get(name, name) for name in pascal.SHARED_CLASSES}
    assert named <= set(nyud_classes.SEGMENTATION)


def test_classes_have_names_and_colours_that_differ():
    assert [len(pascal_classes.CLASSES[task]) for task in ("seg", "parts")] == [21, 7]
    assert pascal.ARCHIVE.classes == {"seg": 21, "parts": 7}
    for task, colours in pascal_classes.PALETTES.items():
        assert len(colours) == len(pascal_classes.CLASSES[task])
        shown = [*colours, "#808080", "#ffffff"]
        lab = rgb2lab(np.array([[int(c[at : at + 2], 16) / 255 for at in (1, 3, 5)] for c in shown]))
        distance = np.linalg.norm(lab[:, None] - lab[None], axis=-1) + 1000 * np.eye(len(shown))
        assert distance.min() > 30


# Real files -------------------------------------------------------------------------------------------------


def real_parts() -> list[str]:
    return sorted(path.stem for path in (REAL / "parts").glob("*.mat"))


@needs_real_files
@pytest.mark.parametrize("name", real_parts())
def test_real_parts_merge_as_listed(tmp_path, name):
    for folder, suffix in (("human_parts", ".mat"), ("JPEGImages", ".jpg")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / f"{name}{suffix}").write_bytes((REAL / "parts" / f"{name}{suffix}").read_bytes())
    label = pascal.read_label(tmp_path, "parts", name, pascal.image_size(tmp_path, name))
    things = loadmat(REAL / "parts" / f"{name}.mat", simplify_cells=True)["anno"]["objects"]
    persons = [thing for thing in np.atleast_1d(things) if thing["class_ind"] == 15]
    if not persons:
        assert (label == 255).all()
        return
    parts = [part for person in persons for part in np.atleast_1d(person["parts"])]
    covered = np.zeros(label.shape, bool)
    for merged in range(1, 7):
        mine = [part["mask"] > 0 for part in parts if FINE[part["part_name"]] == merged]
        others = [part["mask"] > 0 for part in parts if FINE[part["part_name"]] != merged]
        own = np.any(mine, axis=0) if mine else np.zeros(label.shape, bool)
        covered |= own
        assert not (label == merged)[~own].any()
        assert (label == merged)[own & ~(np.any(others, axis=0) if others else np.zeros_like(own))].all()
    np.testing.assert_array_equal(label != 0, covered)


@needs_real_files
def test_written_annotations_have_the_structure_of_real_ones(root):
    def shape_of(value: np.ndarray) -> object:
        return None if value.dtype.names is None else {n: shape_of(value[n].ravel()[0]) for n in value.dtype.names}

    real = loadmat(REAL / "parts" / "2008_000939.mat")["anno"]
    assert shape_of(loadmat(pascal.label_path(root, "parts", "a"))["anno"]) == shape_of(real)


@needs_real_files
@pytest.mark.parametrize("name", sorted(path.stem for path in (REAL / "voc").glob("*.png")))
def test_real_segmentation_is_read_by_its_indices(tmp_path, name):
    path = tmp_path / "semseg" / "VOC12" / f"{name}.png"
    path.parent.mkdir(parents=True)
    path.write_bytes((REAL / "voc" / f"{name}.png").read_bytes())
    picture = Image.open(path)
    assert picture.mode == "P"
    label = pascal.read_label(tmp_path, "seg", name, (picture.height, picture.width))
    assert {"2007_004189": {0, 12, 255}, "2010_005582": {0, 5, 15, 255}}[name] == set(np.unique(label).tolist())


@needs_real_files
def test_published_lists_have_the_cards_counts(tmp_path):
    (tmp_path / "ImageSets" / "Context").mkdir(parents=True)
    for split, count in pascal.ARCHIVE.counts.items():
        text = (REAL / "lists" / f"{split}.txt").read_text()
        pascal.split_path(tmp_path, split).write_text(text)
        assert len(pascal.split_ids(tmp_path, split)) == count
    train, val = (set(pascal.split_ids(tmp_path, split)) for split in ("train", "val"))
    assert not train & val


def test_layouts_written_by_the_tests_are_whole(tmp_path):
    for name in write_layout(tmp_path):
        shape = pascal.image_size(tmp_path, name)
        for task in pascal.FOLDERS:
            pascal.read_label(tmp_path, task, name, shape)
