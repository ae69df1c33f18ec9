"""The on-disk layout: written and read back, and every kind of wrong file named."""

import io
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from archive_layout import synthetic_frame, write_layout
from PIL import Image
from synthetic import after_jpeg

from mtinet.config import SceneSet
from mtinet.data import nyud, scene_set, scenes
from mtinet.errors import UserError

SIZE = (48, 64)


def test_frame_comes_back_as_it_was_written(tmp_path):
    frame = synthetic_frame(0)
    frame.segmentation[:1, :41] = np.arange(41)
    nyud.write_frame(tmp_path, "0001", frame)
    seg = nyud.read_label(tmp_path, "seg", "0001", SIZE)
    assert seg.dtype == np.uint8
    assert seg[0, :41].tolist() == [255, *range(40)]
    depth = nyud.read_label(tmp_path, "depth", "0001", SIZE)
    assert depth.dtype == np.float32
    np.testing.assert_array_equal(depth, frame.depth)
    np.testing.assert_array_equal(nyud.read_label(tmp_path, "normals", "0001", SIZE), frame.normals)
    np.testing.assert_array_equal(nyud.read_label(tmp_path, "edge", "0001", SIZE), frame.edge)
    image = nyud.read_image(tmp_path, "0001")
    assert nyud.image_size(tmp_path, "0001") == image.shape[:2] == SIZE
    np.testing.assert_array_equal(image, after_jpeg(frame.image))


def test_layout_is_the_archives(tmp_path):
    write_layout(tmp_path, train=1, val=1)
    found = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()}
    expected = {"gt_sets/train.txt", "gt_sets/val.txt"}
    for name in ("0001", "0002"):
        expected |= {f"images/{name}.jpg", f"segmentation/{name}.png"}
        expected |= {f"{folder}/{name}.npy" for folder in ("depth", "normals", "edge")}
    assert found == expected
    stored = np.asarray(Image.open(tmp_path / "segmentation" / "0001.png"))
    np.testing.assert_array_equal(stored, synthetic_frame(0).segmentation)
    assert (tmp_path / "gt_sets" / "train.txt").read_text() == "0001\n"


def test_other_stored_types_are_read_alike(tmp_path):
    write_layout(tmp_path, train=1, val=1)
    frame = synthetic_frame(0)
    np.save(tmp_path / "depth" / "0001.npy", frame.depth.astype(np.float64)[..., None])
    np.save(tmp_path / "edge" / "0001.npy", frame.edge.astype(np.float32))
    np.testing.assert_array_equal(nyud.read_label(tmp_path, "depth", "0001", SIZE), frame.depth)
    edge = nyud.read_label(tmp_path, "edge", "0001", SIZE)
    assert edge.dtype == np.uint8
    np.testing.assert_array_equal(edge, frame.edge)


def png(array: np.ndarray) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(array).save(stream, "PNG")
    return stream.getvalue()


def npy(array: np.ndarray, **options: bool) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array, **options)
    return stream.getvalue()


WRONG = {
    "label 41": (
        "seg",
        png(np.full(SIZE, 41, np.uint8)),
        "found label 41, expected 0 (unlabelled) and 1..40",
    ),
    "255 as unlabelled": ("seg", png(np.full(SIZE, 255, np.uint8)), "found label 255"),
    "other size": ("seg", png(np.zeros((47, 64), np.uint8)), "found shape (47, 64), expected (48, 64)"),
    "colours": ("seg", png(np.zeros((*SIZE, 3), np.uint8)), "found mode RGB"),
    "16 bits": ("seg", png(np.zeros(SIZE, np.uint16)), "found mode I;16"),
    "no picture": ("seg", b"nothing", "not a readable picture"),
    "cut off picture": ("seg", png(np.eye(48, 64, dtype=np.uint8))[:-40], "broken picture"),
    "depth of other size": ("depth", npy(np.ones((64, 48), np.float32)), "found shape (64, 48)"),
    "hole as NaN": ("depth", npy(np.full(SIZE, np.nan, np.float32)), "found NaN or infinity"),
    "negative depth": ("depth", npy(np.full(SIZE, -1, np.float32)), "found depth -1 to -1"),
    "millimetres": ("depth", npy(np.full(SIZE, 2300, np.float32)), "expected metres in 0..100"),
    "raw depth": ("depth", npy(np.ones(SIZE, np.uint16)), "found dtype uint16"),
    "cut off array": ("depth", npy(np.ones(SIZE, np.float32))[:-9], "not a readable .npy file"),
    "empty file": ("depth", b"", "not a readable .npy file"),
    "objects": ("depth", npy(np.array([{}]), allow_pickle=True), "not a readable .npy file"),
    "flat normals": ("normals", npy(np.ones(SIZE, np.float32)), "expected (48, 64, 3)"),
    "long normals": (
        "normals",
        npy(np.ones((*SIZE, 3), np.float32)),
        "3072 vectors of other length, e.g. 1.73",
    ),
    "NaN normals": ("normals", npy(np.full((*SIZE, 3), np.nan)), "vectors of other length, e.g. nan"),
    "8-bit normals": ("normals", npy(np.full((*SIZE, 3), 128, np.uint8)), "found dtype uint8"),
    "soft edges": ("edge", npy(np.full(SIZE, 0.5, np.float32)), "expected only 0 and 1"),
    "edges of 255": ("edge", npy(np.full(SIZE, 255, np.uint8)), "expected only 0 and 1"),
}


@pytest.mark.parametrize(("task", "content", "message"), WRONG.values(), ids=WRONG.keys())
def test_wrong_file_is_named(tmp_path, task, content, message):
    write_layout(tmp_path, train=1, val=1)
    path = nyud.label_path(tmp_path, task, "0001")
    path.write_bytes(content)
    with pytest.raises(UserError) as caught:
        nyud.read_label(tmp_path, task, "0001", SIZE)
    assert str(path) in str(caught.value)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("task", nyud.FOLDERS)
def test_missing_label_is_named(tmp_path, task):
    write_layout(tmp_path, train=1, val=1)
    path = nyud.label_path(tmp_path, task, "0002")
    path.unlink()
    with pytest.raises(UserError, match="no such file") as caught:
        nyud.read_label(tmp_path, task, "0002", SIZE)
    assert str(path) in str(caught.value)


def test_unknown_task_is_named(tmp_path):
    with pytest.raises(UserError, match="no labels for 'parts', expected one of seg, depth, normals, edge"):
        nyud.label_path(tmp_path, "parts", "0001")


def test_broken_photograph_is_named(tmp_path):
    write_layout(tmp_path, train=1, val=1)
    path = nyud.image_path(tmp_path, "0001")
    path.write_bytes(path.read_bytes()[:-300])
    with pytest.raises(UserError, match="broken picture"):
        nyud.read_image(tmp_path, "0001")
    Image.new("L", (64, 48)).save(path)
    with pytest.raises(UserError, match="found mode L, expected an 8-bit picture of mode RGB"):
        nyud.read_image(tmp_path, "0001")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "found nothing"),
        ("0001\n0002\n0001\n", r"found \['0001'\]"),
        ("../0001\n", r"found \['../0001'\]"),
        (None, "cannot read"),
    ],
)
def test_odd_split_list_is_named(tmp_path, content, message):
    if content is not None:
        (tmp_path / "gt_sets").mkdir()
        (tmp_path / "gt_sets" / "val.txt").write_text(content)
    with pytest.raises(UserError, match=message):
        nyud.split_ids(tmp_path, "val")


# Rendered sets ----------------------------------------------------------------------------------------------


@pytest.fixture
def drawn(monkeypatch) -> list[int]:
    """The numbers of the frames that were asked of a cheap renderer."""
    numbers: list[int] = []

    def render(seed: int, index: int, height: int, width: int) -> SimpleNamespace:
        numbers.append(index)
        return synthetic_frame(1000 * seed + index, height, width)

    monkeypatch.setattr(scenes, "render", render)
    return numbers


def small_set(train: int = 3, val: int = 2, seed: int = 0) -> SceneSet:
    return SceneSet(train=train, val=val, height=48, width=64, seed=seed)


def contents(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def test_scenes_continue_where_they_stopped(tmp_path, drawn):
    steps = []
    scene_set.write_scenes(tmp_path / "a", small_set(), 1, lambda done, of: steps.append((done, of)))
    assert len(drawn) == len(set(drawn)) == 5
    assert steps == [(step, 5) for step in range(1, 6)]
    first = contents(tmp_path / "a")
    (tmp_path / "a" / "depth" / "0002.npy").unlink()
    (tmp_path / "a" / "images" / ".part-99-0002.jpg").write_bytes(b"half")
    drawn.clear()
    scene_set.write_scenes(tmp_path / "a", small_set(), 1)
    assert drawn == [2]
    assert contents(tmp_path / "a") == first


def test_validation_frames_do_not_depend_on_the_training_frames(tmp_path, drawn):
    scene_set.write_scenes(tmp_path / "a", small_set(train=3), 1)
    scene_set.write_scenes(tmp_path / "b", small_set(train=1), 1)
    ids = [nyud.split_ids(tmp_path / "a", split) for split in ("train", "val")]
    assert not set(ids[0]) & set(ids[1])
    assert nyud.split_ids(tmp_path / "b", "val") == ids[1]
    a, b = contents(tmp_path / "a"), contents(tmp_path / "b")
    assert {name: a[name] for name in b if name != "gt_sets/train.txt"} == {
        name: b[name] for name in b if name != "gt_sets/train.txt"
    }


def test_too_many_scenes_are_refused(tmp_path):
    with pytest.raises(UserError, match=r"scenes.train is 5001 in params.yaml, expected at most 5000"):
        scene_set.scene_ids(small_set(train=5001))


def test_processes_write_the_bytes_that_one_writes(tmp_path):
    scene_set.write_scenes(tmp_path / "one", small_set(train=2, val=1), 1)
    scene_set.write_scenes(tmp_path / "two", small_set(train=2, val=1), 2)
    assert contents(tmp_path / "one") == contents(tmp_path / "two")
    frame = scenes.render(0, 5001, 48, 64)
    np.testing.assert_array_equal(nyud.read_label(tmp_path / "two", "depth", "5001", SIZE), frame.depth)
