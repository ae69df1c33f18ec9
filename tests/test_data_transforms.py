"""Augmentation keeps image and labels one scene: checked against rendered views, torch and Pillow."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from archive_layout import synthetic_frame
from hypothesis import given, settings
from hypothesis import strategies as st

from mtinet.data import transforms
from mtinet.data.labels import Intrinsics, normals_from_depth
from mtinet.data.warps import View, warp

ZOOMS = [1.0, 1.2, 1.5]


def sample(index: int = 0, height: int = 48, width: int = 64) -> dict[str, np.ndarray]:
    frame = synthetic_frame(index, height, width)
    seg = np.where(frame.segmentation == 0, 255, frame.segmentation - 1).astype(np.uint8)
    return {
        "image": frame.image,
        "seg": seg,
        "depth": frame.depth,
        "normals": frame.normals,
        "edge": frame.edge,
    }


def denormalised(image: np.ndarray) -> np.ndarray:
    """Back to 0..255, [h, w, 3], by the definition of ImageNet's normalisation."""
    mean, deviation = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
    return (image.transpose(1, 2, 0).astype(np.float64) * deviation + mean) * 255


def test_shapes_and_types():
    given_ = sample()
    before = {name: array.copy() for name, array in given_.items()}
    output = transforms.augment(given_, (32, 96), 1.2, True)
    kinds = {name: (array.shape, array.dtype.name) for name, array in output.items()}
    assert kinds == {
        "image": ((3, 32, 96), "float32"),
        "seg": ((32, 96), "int64"),
        "depth": ((1, 32, 96), "float32"),
        "normals": ((3, 32, 96), "float32"),
        "edge": ((1, 32, 96), "float32"),
    }
    assert all(array.flags.c_contiguous and array.flags.writeable for array in output.values())
    for name in before:
        np.testing.assert_array_equal(given_[name], before[name])  # the stored sample is left alone


def test_normalisation_by_hand():
    image = np.array([[[0, 128, 255]]], np.uint8)
    expected = [(0 - 0.485) / 0.229, (128 / 255 - 0.456) / 0.224, (1 - 0.406) / 0.225]
    np.testing.assert_allclose(transforms.normalise(image)[:, 0, 0], expected, rtol=1e-6)


@pytest.mark.parametrize("size", [(32, 32), (48, 64), (96, 160)])
def test_resizing_agrees_with_torch(size):
    given_ = sample()
    output = transforms.augment(given_, size, zoom=1.0, flip=False)
    image = torch.from_numpy(given_["image"]).permute(2, 0, 1)[None].float()
    expected = F.interpolate(image, size, mode="bilinear", antialias=True, align_corners=False)[0]
    difference = np.abs(denormalised(output["image"]) - expected.permute(1, 2, 0).numpy())
    assert difference.max() < 1.01  # Pillow works in integers and rounds twice
    labels = torch.from_numpy(given_["normals"]).permute(2, 0, 1)[None]
    nearest = F.interpolate(labels, size, mode="nearest-exact")[0]
    np.testing.assert_array_equal(output["normals"], nearest.numpy())
    np.testing.assert_array_equal(transforms.prepare_image(given_["image"], size), output["image"])


def test_stored_size_without_augmentation_changes_nothing():
    given_ = sample()
    output = transforms.augment(given_, (48, 64), 1.0, False)
    np.testing.assert_allclose(denormalised(output["image"]), given_["image"], atol=1e-3)
    np.testing.assert_array_equal(output["seg"], given_["seg"])
    np.testing.assert_array_equal(output["depth"][0], given_["depth"])
    np.testing.assert_array_equal(output["normals"].transpose(1, 2, 0), given_["normals"])
    np.testing.assert_array_equal(output["edge"][0], given_["edge"])


# Geometry ---------------------------------------------------------------------------------------------------

CAMERA = Intrinsics(fx=90.0, fy=90.0, cx=47.5, cy=31.5, height=64, width=96)


def wall(distance: float) -> dict[str, np.ndarray]:
    """A frontal wall at `distance` metres, seen by CAMERA: smooth colours, class stripes of half a metre."""
    x, y = CAMERA.rays(64, 96)
    across, down = np.broadcast_arrays(x * distance, y[:, None] * distance)
    colour = np.stack([np.sin(3 * across), np.cos(2 * down), np.sin(2 * across + 3 * down)], axis=-1)
    normals = np.zeros((64, 96, 3), np.float32)
    normals[..., 2] = 1
    return {
        "image": np.round(127.5 + 110 * colour).astype(np.uint8),
        "seg": (np.floor(across / 0.5) % 5).astype(np.uint8),
        "depth": np.full((64, 96), distance, np.float32),
        "normals": normals,
    }


@pytest.mark.parametrize("zoom", ZOOMS)
def test_zoom_shows_a_wall_from_its_distance_over_the_zoom(zoom):
    zoomed = transforms.augment(wall(3.0), (64, 96), zoom, False)
    nearer = transforms.augment(wall(3.0 / zoom), (64, 96), zoom=1.0, flip=False)
    np.testing.assert_allclose(zoomed["depth"], nearer["depth"], rtol=1e-6)
    np.testing.assert_array_equal(zoomed["normals"], nearer["normals"])
    assert np.abs(denormalised(zoomed["image"]) - denormalised(nearer["image"])).max() < 4
    # Only pixels at a stripe's border may differ: without the zoom more than half would.
    assert (zoomed["seg"] != nearer["seg"]).mean() < 0.03


def test_zoom_and_flip_move_a_point_to_where_geometry_puts_it():
    given_ = sample(height=60, width=90)
    given_["seg"] = np.zeros((60, 90), np.uint8)
    given_["seg"][36:39, 60:63] = 7
    output = transforms.augment(given_, (60, 90), 1.5, False)
    rows, columns = np.nonzero(output["seg"] == 7)
    # The centre (37.5, 61.5) is (7.5, 16.5) from the middle (30, 45), and 1.5 times as far after the zoom.
    assert (rows.mean() + 0.5, columns.mean() + 0.5) == pytest.approx((30 + 11.25, 45 + 24.75), abs=0.5)
    mirrored = transforms.augment(given_, (60, 90), 1.5, True)
    np.testing.assert_array_equal(mirrored["seg"], output["seg"][:, ::-1])
    np.testing.assert_array_equal(mirrored["image"], output["image"][:, :, ::-1])


def test_image_and_labels_stay_aligned():
    given_ = sample(height=120, width=160)
    given_["image"] = np.repeat((given_["depth"] > 2)[..., None] * np.uint8(255), 3, axis=-1)
    for zoom in ZOOMS:
        for flip in (False, True):
            output = transforms.augment(given_, (96, 128), zoom, flip)
            bright = denormalised(output["image"])[..., 0] > 127
            # Depth beyond 2 m before the zoom; pixels that the filter mixes at borders are few.
            assert (bright != (output["depth"][0] * zoom > 2)).mean() < 0.02


def test_flipped_normals_are_those_of_the_flipped_depth():
    camera = Intrinsics(fx=90.0, fy=90.0, cx=47.5, cy=31.5, height=64, width=96)
    x, y = camera.rays(64, 96)
    normal = np.array([0.48, 0.6, 0.64])
    depth = (2 / (-normal[0] * x + normal[1] * y[:, None] + normal[2])).astype(np.float32)
    given_ = {
        "image": np.zeros((64, 96, 3), np.uint8),
        "depth": depth,
        "normals": normals_from_depth(depth, camera),
    }
    np.testing.assert_allclose(given_["normals"][32, 48], normal, atol=1e-3)
    output = transforms.augment(given_, (64, 96), 1.0, True)
    expected = normals_from_depth(output["depth"][0], camera)
    np.testing.assert_allclose(output["normals"].transpose(1, 2, 0), expected, atol=1e-4)
    np.testing.assert_allclose(output["normals"][:, 32, 48], [-0.48, 0.6, 0.64], atol=1e-3)


# Any sizes --------------------------------------------------------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(
    stored=st.tuples(st.integers(20, 70), st.integers(20, 70)),
    size=st.tuples(st.integers(1, 80), st.integers(1, 80)),
    zoom=st.one_of(st.sampled_from(ZOOMS), st.floats(1, 4)),
    flip=st.booleans(),
)
def test_labels_stay_in_their_value_sets(stored, size, zoom, flip):
    given_ = sample(3, *stored)
    output = transforms.augment(given_, size, zoom, flip)
    assert set(np.unique(output["seg"])) <= set(np.unique(given_["seg"]))
    assert set(np.unique(output["edge"])) <= {0.0, 1.0}
    depths = np.unique(given_["depth"] / np.float32(zoom))
    assert np.isin(output["depth"], depths).all()
    length = np.linalg.norm(output["normals"], axis=0)
    assert np.all((np.abs(length - 1) < 1e-5) | (length == 0))
    assert all(np.isfinite(array).all() for array in output.values())
    # Labels are taken from one and the same pixel.
    pairs = set(zip(given_["seg"].ravel(), given_["edge"].ravel(), strict=True))
    assert set(zip(output["seg"].ravel(), output["edge"].ravel(), strict=True)) <= pairs


@settings(max_examples=60, deadline=None)
@given(stored=st.integers(1, 300), wanted=st.integers(1, 300), zoom=st.floats(1, 5))
def test_nearest_pixel_is_under_the_centre(stored, wanted, zoom):
    found = transforms.nearest(stored, wanted, zoom)
    for position, pixel in enumerate(found.tolist()):
        centre = stored / 2 + ((position + 0.5) / wanted - 0.5) * stored / zoom
        assert pixel - 1e-6 <= centre <= pixel + 1 + 1e-6
        assert 0 <= pixel < stored


def test_holes_stay_holes():
    given_ = sample()
    given_["depth"] = np.zeros_like(given_["depth"])
    given_["normals"] = np.zeros_like(given_["normals"])
    output = transforms.augment(given_, (32, 32), 1.5, True)
    assert not output["depth"].any()
    assert output["normals"].tobytes() == bytes(3 * 32 * 32 * 4)  # no -0


def test_zooming_out_is_refused():
    with pytest.raises(ValueError, match="outside the image"):
        transforms.augment(sample(), (32, 32), 0.9, False)


def test_draws_are_uniform_and_repeatable():
    draws = [transforms.draw(np.random.default_rng([5, index]), ZOOMS, True) for index in range(3000)]
    assert draws == [transforms.draw(np.random.default_rng([5, index]), ZOOMS, True) for index in range(3000)]
    for zoom in ZOOMS:
        for flip in (False, True):
            assert draws.count((zoom, flip)) == pytest.approx(500, abs=100)
    unflipped = [transforms.draw(np.random.default_rng([5, index]), ZOOMS, False) for index in range(3000)]
    assert unflipped == [(zoom, False) for zoom, _ in draws]  # switching flips off leaves the zooms alone


@pytest.mark.parametrize("column", range(4, 12))
def test_a_line_one_pixel_wide_survives_shrinking_and_invalid_pixels_stay_so(column: int) -> None:
    label = np.zeros((64, 128), np.uint8)
    label[:, column * 8 + 3] = 1
    label[:16] = 255
    image = np.zeros((64, 128, 3), np.uint8)
    for seen in (
        transforms.augment({"image": image, "edge": label}, (16, 32), zoom=1.0, flip=False),
        warp({"image": image, "edge": label}, (16, 32), View()),
    ):
        edge = seen["edge"][0]
        assert (edge[:4] == 255).all()
        assert edge[4:, column * 2].all()  # the output pixel that the line runs through
        assert edge[4:].sum() <= 12 * 2  # and one neighbour at most


def test_only_lines_grow_when_shrunk() -> None:
    label = np.zeros((64, 128), np.uint8)
    label[:, 35] = 1
    seen = transforms.augment({"image": np.zeros((64, 128, 3), np.uint8), "sal": label}, (16, 32), zoom=1.0, flip=False)
    assert not seen["sal"].any()  # column 35 lies under no output pixel's centre
