"""PASCAL's augmentation keeps image and labels one scene: against rendered planes, loops and scipy."""

from __future__ import annotations

import copy
from pathlib import Path

import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from pascal_layout import synthetic_picture
from scipy.ndimage import map_coordinates
from synthetic import SyntheticSplit

from mtinet.config import Params
from mtinet.data import pascal, transforms, warps
from mtinet.data.warps import View
from mtinet.training import batches
from mtinet.training.run import Run

ROOT = Path(__file__).resolve().parents[1]
TASKS = ("seg", "parts", "sal", "edge", "normals")


def sample(index: int = 0, height: int = 48, width: int = 64) -> dict[str, np.ndarray]:
    """Image and labels as packed, with depth besides."""
    picture = synthetic_picture(index, height, width)
    parts = np.zeros((height, width), np.uint8)
    for name, mask in picture.objects[0].parts:
        parts[mask] = pascal.PART_LABELS[name]
    return {
        "image": picture.image, "seg": picture.semseg, "parts": parts, "sal": picture.salient.astype(np.uint8),
        "edge": pascal.edges_of(picture.label_map), "normals": picture.normals, "depth": picture.depth,
    }  # fmt: skip


def denormalised(image: np.ndarray) -> np.ndarray:
    """Back to 0..255, [h, w, 3], by the definition of ImageNet's normalisation."""
    mean, deviation = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
    return (image.transpose(1, 2, 0).astype(np.float64) * deviation + mean) * 255


def source_of(u: int, v: int, stored: tuple[int, int], size: tuple[int, int], view: View) -> complex:
    """Where the centre of output pixel (u, v) lies in the stored image: x + iy from its centre, y upwards.

    In the complex plane a rotation is a product, so that this shares nothing with the matrices under test.
    """
    x, y = (u + 0.5 - size[1] / 2) * stored[1] / size[1], (v + 0.5 - size[0] / 2) * stored[0] / size[0]
    turned = complex(x, -y) * np.exp(-1j * np.pi * view.angle / 180) / view.scale
    return -turned.conjugate() if view.flip else turned


VIEWS = st.builds(View, st.booleans(), st.floats(-180, 180), st.floats(0.5, 2))
SIZES = st.tuples(st.integers(4, 24), st.integers(4, 24))


@settings(max_examples=40, deadline=None)
@given(VIEWS, SIZES, SIZES, st.sampled_from(["ignored", "zero"]))
def test_labels_are_those_under_the_centre(view, stored, size, borders):
    rng = np.random.default_rng(1)
    image = rng.integers(0, 255, (*stored, 3)).astype(np.uint8)
    seg = rng.integers(0, 21, stored).astype(np.uint8)
    depth = rng.uniform(1, 9, stored).astype(np.float32)
    output = warps.warp({"image": image, "seg": seg, "depth": depth}, size, view, borders)
    for v in range(size[0]):
        for u in range(size[1]):
            where = source_of(u, v, stored, size, view)
            x, y = where.real + stored[1] / 2, stored[0] / 2 - where.imag
            if min(abs(x - round(x)), abs(y - round(y))) < 1e-6:
                continue  # between two pixels
            if 0 <= x < stored[1] and 0 <= y < stored[0]:
                assert output["seg"][v, u] == seg[int(y), int(x)]
                assert output["depth"][0, v, u] == pytest.approx(depth[int(y), int(x)] / view.scale, rel=1e-6)
            else:
                assert output["seg"][v, u] == {"ignored": 255, "zero": 0}[borders]
                assert output["depth"][0, v, u] == 0
                assert np.abs(denormalised(output["image"])[v, u]).max() < 1e-3


@settings(max_examples=30, deadline=None)
@given(st.booleans(), st.floats(-20, 20), st.floats(0.9, 2))
def test_images_are_resampled_bilinearly(flip, angle, scale):
    rng = np.random.default_rng(2)
    image = map_coordinates(rng.uniform(0, 255, (9, 11)), np.mgrid[:8:40j, :10:44j], order=1)
    image = np.repeat(image[..., None], 3, axis=-1).astype(np.uint8)
    stored, size, view = (40, 44), (48, 56), View(flip, angle, scale)
    output = denormalised(warps.warp({"image": image}, size, view)["image"])
    where = np.array([[source_of(u, v, stored, size, view) for u in range(size[1])] for v in range(size[0])])
    x, y = where.real + 22, 20 - where.imag
    inside = (x >= 0) & (x < 44) & (y >= 0) & (y < 40)
    expected = map_coordinates(image[..., 0].astype(float), [y - 0.5, x - 0.5], order=1, mode="nearest")
    # OpenCV takes coordinates to a 32nd of a pixel.
    assert np.abs(output[..., 0] - expected)[inside].max() < 5
    assert np.abs(output[..., 0] - expected)[inside].mean() < 0.6


@pytest.mark.parametrize("size", [(32, 32), (48, 64), (96, 96)])
def test_without_augmentation_it_is_resizing_as_in_evaluation(size):
    given_ = sample(height=150, width=200)
    output, expected = warps.warp(given_, size, View()), transforms.augment(given_, size, zoom=1.0, flip=False)
    for name in (*TASKS, "depth"):
        np.testing.assert_array_equal(output[name], expected[name])
    assert output["image"].dtype == expected["image"].dtype
    # A smooth image is left, with the same mean and the same contrast: neither aliased nor shifted.
    found, wanted = denormalised(output["image"]), denormalised(expected["image"])
    assert np.abs(found - wanted).mean() < 3
    assert found.std() == pytest.approx(wanted.std(), rel=0.03)


def test_fine_stripes_are_smoothed_before_they_alias():
    image = np.zeros((375, 500, 3), np.uint8)
    image[:, ::2] = 255
    output = denormalised(warps.warp({"image": image}, (96, 96), View(False, 3.0, 1.0))["image"])
    middle = output[20:-20, 20:-20]
    assert np.abs(middle - 127.5).max() < 40  # bilinear alone gives 0 and 255


# Geometry ---------------------------------------------------------------------------------------------------

SIDE, FOCAL = 128, 110.0


def plane(normal: np.ndarray) -> dict[str, np.ndarray]:
    """The plane normal . P = -3 seen by a pinhole camera (x right, y up, looking along -z): depth, normals."""
    at = (np.arange(SIDE) + 0.5 - SIDE / 2) / FOCAL
    rays = np.stack(np.broadcast_arrays(at, -at[:, None], np.float64(-1)), axis=-1)
    depth = (-3 / (rays @ normal)).astype(np.float32)
    assert (depth > 0).all()
    normals = np.broadcast_to(normal.astype(np.float32), (SIDE, SIDE, 3)).copy()
    return {"image": np.zeros((SIDE, SIDE, 3), np.uint8), "depth": depth, "normals": normals}


@pytest.mark.parametrize("angle", [-20.0, 7.0, 20.0, 90.0])
@pytest.mark.parametrize("flip", [False, True])
def test_a_turned_plane_is_the_plane_with_the_turned_normal(angle, flip):
    normal = np.array([0.36, 0.48, 0.8])
    output = warps.warp(plane(normal), (SIDE, SIDE), View(flip, angle, 1.0))
    x, y, z = normal * [-1 if flip else 1, 1, 1]
    turned = complex(x, y) * np.exp(1j * np.pi * angle / 180)
    expected = plane(np.array([turned.real, turned.imag, z]))
    inside = output["depth"][0] > 0
    assert inside.mean() > 0.75
    np.testing.assert_allclose(output["normals"].transpose(1, 2, 0)[inside], expected["normals"][inside], atol=1e-6)
    # Depth tells the direction of the turn by itself: nearest pixels are half a pixel off at most.
    np.testing.assert_allclose(output["depth"][0][inside], expected["depth"][inside], rtol=0.012)
    assert not output["normals"][:, ~inside].any()


def test_enlarging_a_frontal_wall_brings_it_nearer():
    output = warps.warp(plane(np.array([0, 0, 1.0])), (SIDE, SIDE), View(False, 0.0, 1.25))
    np.testing.assert_allclose(output["depth"], 3 / 1.25, rtol=1e-6)
    np.testing.assert_array_equal(output["normals"].transpose(1, 2, 0), plane(np.array([0, 0, 1.0]))["normals"])


def test_a_point_goes_where_geometry_puts_it():
    image = np.zeros((100, 200, 3), np.uint8)
    seg = np.zeros((100, 200), np.uint8)
    seg[44:56, 154:166] = 7  # 60 to the right of the centre
    image[seg == 7] = 255
    for view, (x, y) in {
        View(False, 90.0, 0.75): (0, 45), View(True, 90.0, 0.75): (0, -45), View(True, 0.0, 1.25): (-75, 0),
    }.items():  # fmt: skip
        output = warps.warp({"image": image, "seg": seg}, (64, 64), view)
        rows, columns = np.nonzero(output["seg"] == 7)
        expected = (32 - y * 64 / 100, 32 + x * 64 / 200)
        assert (rows.mean() + 0.5, columns.mean() + 0.5) == pytest.approx(expected, abs=0.6)
        bright = denormalised(output["image"])[..., 0]
        centre = (bright * (np.arange(64) + 0.5)).sum() / bright.sum()
        assert centre == pytest.approx(expected[1], abs=0.6)


# Types, borders, draws --------------------------------------------------------------------------------------


def test_shapes_types_and_the_sample_left_alone():
    given_ = sample()
    before = copy.deepcopy(given_)
    for array in given_.values():
        array.flags.writeable = False  # as in a packed split
    output = warps.warp(given_, (32, 64), View(True, 12.0, 0.8))
    kinds = {name: (array.shape, array.dtype.name) for name, array in output.items()}
    plane_, index = ((1, 32, 64), "float32"), ((32, 64), "int64")
    assert kinds == {
        "image": ((3, 32, 64), "float32"), "seg": index, "parts": index, "sal": plane_, "edge": plane_,
        "normals": ((3, 32, 64), "float32"), "depth": plane_,
    }  # fmt: skip
    assert all(array.flags.c_contiguous and array.flags.writeable for array in output.values())
    for name in before:
        np.testing.assert_array_equal(given_[name], before[name])


def test_borders_are_ignored_or_zero():
    given_ = sample()
    view = View(False, 20.0, 0.75)
    ignored, zero = (warps.warp(given_, (64, 64), view, borders) for borders in ("ignored", "zero"))
    outside = ignored["depth"][0] == 0
    assert 0.3 < outside.mean() < 0.6
    for name in TASKS[:4]:
        assert (ignored[name].reshape(64, 64)[outside] == 255).all()
        assert (zero[name].reshape(64, 64)[outside] == 0).all()
        np.testing.assert_array_equal(ignored[name].reshape(64, 64)[~outside], zero[name].reshape(64, 64)[~outside])
    np.testing.assert_array_equal(ignored["normals"], zero["normals"])
    nobody = {**given_, "parts": np.full_like(given_["seg"], 255)}
    assert (warps.warp(nobody, (64, 64), view, "zero")["parts"] == 255).all()


@settings(max_examples=30, deadline=None)
@given(VIEWS, st.integers(0, 3))
def test_labels_stay_in_their_value_sets(view, index):
    given_ = sample(index)
    output = warps.warp(given_, (40, 40), view)
    for name in TASKS[:4]:
        assert set(np.unique(output[name])) <= {*np.unique(given_[name]), 255}
    length = np.linalg.norm(output["normals"], axis=0)
    assert np.all((np.abs(length - 1) < 1e-5) | (length == 0))
    assert not np.signbit(output["normals"][output["normals"] == 0]).any()


def test_draws_are_uniform_within_their_bounds_and_repeatable():
    draws = [warps.draw(np.random.default_rng([3, index]), 20.0, (0.75, 1.25), True) for index in range(2000)]
    assert draws == [warps.draw(np.random.default_rng([3, index]), 20.0, (0.75, 1.25), True) for index in range(2000)]
    for values, low, high in (([d.angle for d in draws], -20, 20), ([d.scale for d in draws], 0.75, 1.25)):
        assert low <= min(values)
        assert max(values) <= high
        counts, _ = np.histogram(values, 8, (low, high))
        assert np.abs(counts - 250).max() < 70
    assert sum(d.flip for d in draws) == pytest.approx(1000, abs=100)
    unflipped = [warps.draw(np.random.default_rng([3, index]), 20.0, (0.75, 1.25), False) for index in range(2000)]
    assert unflipped == [View(False, d.angle, d.scale) for d in draws]


# Batches ----------------------------------------------------------------------------------------------------


class Split:
    """Has what batches use of a PackedSplit of PASCAL."""

    def __init__(self, images: int) -> None:
        self.frames = [sample(index, 48 + index, 64 - index) for index in range(images)]

    def __len__(self) -> int:
        return len(self.frames)

    def image(self, index: int) -> np.ndarray:
        return self.frames[index]["image"]

    def label(self, task: str, index: int) -> np.ndarray:
        return self.frames[index][task]


def run_of(dataset: str, seed: int = 0, **augmentation) -> Run:
    """A run at smoke scale; PASCAL's has all five tasks."""
    content = yaml.safe_load((ROOT / "params.yaml").read_text())
    content["study"]["scale"] = "smoke"
    content["scales"]["smoke"][dataset]["augmentation"].update(augmentation)
    experiment = {
        "backbone": "timm/hrnet_w18_small_v2", "tasks": list(TASKS), "auxiliary": [], "optimizer": "adam", "lr": 1e-4,
        "weight_decay": 1e-4, "options": {},
    }  # fmt: skip
    content["experiments"].setdefault("pascal", {}).setdefault("multi_task", {})["all"] = experiment
    name = {"pascal": "all", "nyud": "hrnet18-mti-ne"}[dataset]
    return Run.of(Params.model_validate(content), dataset, name, seed)


def test_batches_of_images_of_varying_size():
    found = list(batches.epoch(run_of("pascal"), Split(9), 0))
    assert len(found) == 2  # batches of 4; the last incomplete one is dropped
    shapes = {name: tuple(tensor.shape) for name, tensor in found[0].items()}
    assert shapes == {
        "image": (4, 3, 64, 64), "seg": (4, 64, 64), "parts": (4, 64, 64), "sal": (4, 1, 64, 64),
        "edge": (4, 1, 64, 64), "normals": (4, 3, 64, 64),
    }  # fmt: skip


def test_batches_depend_on_seed_and_epoch_alone():
    def content(seed: int, number: int) -> bytes:
        return b"".join(t.numpy().tobytes() for b in batches.epoch(run_of("pascal", seed), Split(9), number)
                        for t in b.values())  # fmt: skip

    assert content(0, 1) == content(0, 1)
    assert len({content(0, 0), content(0, 1), content(1, 0)}) == 3


def test_the_switch_for_borders_reaches_the_batches():
    ignored = next(batches.epoch(run_of("pascal"), Split(9), 0))["seg"].numpy()
    zero = next(batches.epoch(run_of("pascal", borders="zero"), Split(9), 0))["seg"].numpy()
    assert (ignored == 255).sum() > (zero == 255).sum()
    np.testing.assert_array_equal(np.where(ignored == 255, 0, ignored), np.where(zero == 255, 0, zero))


def test_nyuds_batches_are_drawn_as_before():
    """Order, then zoom and flip of one sample after another, from the generator of (seed, epoch)."""
    run, split = run_of("nyud", seed=3), SyntheticSplit(9)
    generator = np.random.default_rng([3, 2])
    order = generator.permutation(9)
    for number, batch in enumerate(batches.epoch(run, split, 2)):  # type: ignore[arg-type]
        for position, index in enumerate(order[4 * number : 4 * number + 4].tolist()):
            zoom, flip = [1.0, 1.2, 1.5][int(generator.integers(3))], bool(generator.random() < 0.5)
            frame = {name: split.frames[index][name] for name in ("image", "seg", "depth", "normals", "edge")}
            expected = transforms.augment(frame, (64, 96), zoom, flip)
            for name, array in expected.items():
                np.testing.assert_array_equal(batch[name][position].numpy(), array)
