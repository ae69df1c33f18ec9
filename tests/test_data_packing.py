"""Packed splits give back exactly what lies in the layout."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
from archive_layout import synthetic_frame, write_layout
from hypothesis import given, settings
from hypothesis import strategies as st

from mtinet.data import nyud, packing
from mtinet.data.packed import PackedSplit
from mtinet.errors import UserError

TASKS = ["seg", "depth", "normals", "edge"]


@pytest.fixture
def root(tmp_path):
    write_layout(tmp_path / "raw")
    # Images of one data set may differ in size.
    nyud.write_frame(tmp_path / "raw", "0002", synthetic_frame(9, 35, 81))
    return tmp_path / "raw"


def pack(root: Path, folder: Path, **options) -> PackedSplit:
    packing.pack(root, None, ["0003", "0002", "0001"], TASKS, folder, **options)
    return PackedSplit(folder)


@pytest.mark.parametrize("in_memory", [False, True])
def test_content_is_that_of_the_files(root, tmp_path, in_memory):
    pack(root, tmp_path / "packed")
    split = PackedSplit(tmp_path / "packed", in_memory)
    assert (len(split), split.ids, split.tasks) == (3, ["0003", "0002", "0001"], TASKS)
    for index, name in enumerate(split.ids):
        shape = (35, 81) if name == "0002" else (48, 64)
        np.testing.assert_array_equal(split.image(index), nyud.read_image(root, name))
        for task in TASKS:
            expected = nyud.read_label(root, task, name, shape)
            label = split.label(task, index)
            assert (label.dtype, label.shape) == (expected.dtype, expected.shape)
            np.testing.assert_array_equal(label, expected)


def test_is_read_only(root, tmp_path):
    split = pack(root, tmp_path / "packed")
    with pytest.raises(ValueError, match="read-only"):
        split.label("depth", 0)[0, 0] = 1
    with pytest.raises(IndexError):
        split.image(3)


def test_same_input_gives_the_same_bytes(root, tmp_path):
    a, b = pack(root, tmp_path / "a", workers=1), pack(root, tmp_path / "b", workers=4)
    for path in (tmp_path / "a").iterdir():
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes()
    assert a.digest == b.digest


def test_digest_covers_every_label(root, tmp_path):
    before = pack(root, tmp_path / "a").digest
    for number, task in enumerate(TASKS):
        path = nyud.label_path(root, task, "0001")
        other = nyud.label_path(root, task, "0003")
        content = path.read_bytes()
        path.write_bytes(other.read_bytes())
        assert pack(root, tmp_path / f"changed{number}").digest != before
        path.write_bytes(content)
    assert pack(root, tmp_path / "again").digest == before


def test_recorded_hashes_are_those_of_the_files(root, tmp_path):
    pack(root, tmp_path / "packed")
    recorded = json.loads((tmp_path / "packed" / "index.json").read_text())["files"]
    for kind, digest in recorded.items():
        assert hashlib.sha256((tmp_path / "packed" / f"{kind}.npy").read_bytes()).hexdigest() == digest


def test_distilled_labels_come_first(root, tmp_path):
    path = tmp_path / "distilled" / "normals" / "0001.npy"
    path.parent.mkdir(parents=True)
    turned = np.zeros((48, 64, 3), np.float32)
    turned[..., 0] = 1
    np.save(path, turned)
    packing.pack(root, tmp_path / "distilled", ["0001", "0003"], TASKS, tmp_path / "packed")
    split = PackedSplit(tmp_path / "packed")
    np.testing.assert_array_equal(split.label("normals", 0), turned)
    np.testing.assert_array_equal(split.label("normals", 1), synthetic_frame(2).normals)


@pytest.mark.parametrize("task", TASKS)
def test_missing_label_is_named_and_earlier_result_stays(root, tmp_path, task):
    before = pack(root, tmp_path / "packed").digest
    path = nyud.label_path(root, task, "0002")
    path.unlink()
    with pytest.raises(UserError, match="no such file") as caught:
        pack(root, tmp_path / "packed")
    assert str(path) in str(caught.value)
    assert PackedSplit(tmp_path / "packed").digest == before
    assert {path.name for path in tmp_path.iterdir()} == {"raw", "packed"}


def test_unpacked_task_is_named(root, tmp_path):
    packing.pack(root, None, ["0001"], ["seg"], tmp_path / "packed")
    with pytest.raises(UserError, match="no labels for 'depth', only for seg"):
        PackedSplit(tmp_path / "packed").label("depth", 0)


def test_what_is_no_packed_split_is_named(root, tmp_path):
    with pytest.raises(UserError, match="not a packed split"):
        PackedSplit(tmp_path)
    pack(root, tmp_path / "packed")
    path = tmp_path / "packed" / "depth.npy"
    np.save(path, np.load(path)[:-5])
    with pytest.raises(UserError, match=r"depth.npy holds \d+ pixels, expected \d+"):
        PackedSplit(tmp_path / "packed")
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(UserError, match="not a packed split"):
        PackedSplit(tmp_path / "packed")


class MemoryLayout:
    """A layout whose frames are drawn from their number, of the given sizes."""

    def __init__(self, shapes: list[tuple[int, int]]) -> None:
        self.shapes = shapes

    def image_size(self, root, image_id):
        return self.shapes[int(image_id)]

    def read_image(self, root, image_id):
        return self.read_label(root, "image", image_id, self.image_size(root, image_id))

    def label_path(self, root, task, image_id):
        return root / task / image_id

    def read_label(self, root, task, image_id, shape, distilled=None):
        generator = np.random.default_rng([int(image_id), len(task)])
        channels, dtype = {"image": ((3,), np.uint8), "normals": ((3,), np.float32)}.get(task, ((), np.int16))
        return generator.integers(0, 255, (*shape, *channels)).astype(dtype)


@settings(max_examples=25, deadline=None)
@given(shapes=st.lists(st.tuples(st.integers(1, 9), st.integers(1, 9)), min_size=1, max_size=6))
def test_any_sizes_and_new_tasks_come_back(tmp_path_factory, shapes):
    folder = tmp_path_factory.mktemp("any")
    layout = MemoryLayout(shapes)
    ids = [str(number) for number in range(len(shapes))]
    packing.pack(folder, None, ids, ["normals", "parts"], folder / "packed", workers=2, layout=layout)
    split = PackedSplit(folder / "packed")
    for index, name in enumerate(ids):
        np.testing.assert_array_equal(split.image(index), layout.read_image(folder, name))
        for task in ("normals", "parts"):
            expected = layout.read_label(folder, task, name, shapes[index])
            np.testing.assert_array_equal(split.label(task, index), expected)
