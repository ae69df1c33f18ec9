"""Real frames go the whole way of the data: layout, card, packing, augmentation."""

import numpy as np
import pytest
from real_frames import FILLED, filled_frame, needs_real_frames, write_real_frames

from mtinet.data import cards, labels, nyud, packing, transforms
from mtinet.data.layouts import SPLITS
from mtinet.data.packed import PackedSplit

pytestmark = needs_real_frames
TASKS = ["seg", "depth", "normals", "edge"]


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    folder = tmp_path_factory.mktemp("real")
    assert write_real_frames(folder) == ["0061", "0295", "0464"]
    return folder


@pytest.fixture(scope="module")
def splits(root, tmp_path_factory):
    folder = tmp_path_factory.mktemp("packed")
    for split in SPLITS:
        packing.pack(root, None, nyud.split_ids(root, split), TASKS, folder / split)
    return {split: PackedSplit(folder / split) for split in SPLITS}


def test_card(root):
    card = cards.make_card(root, "nyud", "archive")
    assert card["sizes"] == [[480, 640]]
    assert card["counts"] == {"train": 2, "val": 1}
    cards.check_card(root, card)


def test_labels_are_plausible(splits):
    for split in splits.values():
        for index in range(len(split)):
            seg = split.label("seg", index)
            assert set(np.unique(seg)) <= {*range(40), 255}
            depth = split.label("depth", index)
            assert 0.5 < np.median(depth[depth > 0]) < 5
            assert 0.005 < split.label("edge", index).mean() < 0.15
            normals = split.label("normals", index)
            seen = (normals != 0).any(axis=-1)
            # Surfaces face the viewer, and rooms have floors and table tops that face up.
            assert (normals[seen][:, 2] > 0).mean() > 0.9
            assert (normals[seen][:, 1] > 0.8).mean() > (normals[seen][:, 1] < -0.8).mean()
    assert np.count_nonzero(splits["val"].label("depth", 0) == 0) > 50_000


def test_edges_lie_where_labels_change(splits):
    seg, edge = splits["train"].label("seg", 0), splits["train"].label("edge", 0)
    beside = (seg[:, :-1] != seg[:, 1:]) & (seg[:, :-1] != 255) & (seg[:, 1:] != 255)
    assert edge[:, :-1][beside].all()


@pytest.mark.parametrize("flip", [False, True])
@pytest.mark.parametrize("zoom", [1.0, 1.2, 1.5])
def test_augmented_geometry_is_that_of_the_augmented_depth(splits, zoom, flip):
    split = splits["train"]
    sample = {"image": split.image(0)} | {task: split.label(task, 0) for task in TASKS}
    output = transforms.augment(sample, (480, 640), zoom, flip)
    assert output["depth"][output["depth"] > 0].max() <= sample["depth"].max() / zoom + 1e-5
    # A zoom is a longer focal length seen with the depth that was there: normals stay, see transforms.py.
    given = labels.NYUD_CAMERA
    cx, cy = (639 - given.cx if flip else given.cx) - 319.5, given.cy - 239.5
    zoomed = labels.Intrinsics(
        given.fx * zoom, given.fy * zoom, 319.5 + cx * zoom, 239.5 + cy * zoom, given.height, given.width
    )
    expected = labels.normals_from_depth(output["depth"][0] * np.float32(zoom), zoomed)
    found = output["normals"].transpose(1, 2, 0)
    both = (found != 0).any(axis=-1) & (expected != 0).any(axis=-1)
    cosine = np.clip((found[both] * expected[both]).sum(axis=-1), -1, 1)
    assert both.mean() > 0.5
    # The window of the fit covers less of the scene under a zoom, and so averages less of the sensor's noise.
    assert np.degrees(np.median(np.arccos(cosine))) < 4 * zoom


def test_jpeg_keeps_the_picture(splits):
    for index, name in enumerate(FILLED):
        difference = splits["train"].image(index).astype(int) - filled_frame(name).image
        assert np.abs(difference).mean() < 2
