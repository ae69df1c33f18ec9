"""From network outputs to the stored size: exact, as Pillow and OpenCV have it, and symmetric."""

from __future__ import annotations

from fractions import Fraction
from math import floor

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from mtinet.evaluation.outputs import activate, at_size

CHANNELS = {"seg": 5, "depth": 1, "normals": 3, "edge": 1, "parts": 7, "sal": 1}
SIDES = st.tuples(st.integers(1, 12), st.integers(1, 12))


def output(name: str, size: tuple[int, int], seed: int) -> torch.Tensor:
    return torch.randn(1, CHANNELS[name], *size, generator=torch.Generator().manual_seed(seed))


def predict(name: str, raw: torch.Tensor, size: tuple[int, int]) -> np.ndarray:
    return at_size(name, activate(name, raw), size)


@settings(max_examples=50, deadline=None)
@given(small=SIDES, large=SIDES, seed=st.integers(0, 99))
def test_labels_are_the_argmax_then_the_pixel_under_the_centre(
    small: tuple[int, int], large: tuple[int, int], seed: int
) -> None:
    raw = output("seg", small, seed)
    labels = raw[0].numpy().argmax(axis=0).astype(np.uint8)
    expected = np.empty(large, np.uint8)
    for y, x in np.ndindex(large):
        row, column = (floor(Fraction(2 * i + 1, 2) * m / n) for i, m, n in zip((y, x), small, large, strict=True))
        expected[y, x] = labels[row, column]
    found = predict("seg", raw, large)
    assert found.dtype == np.uint8
    assert np.array_equal(found, expected)


def test_labels_are_resized_as_pillow_does_where_no_centre_falls_between_two_pixels() -> None:
    raw = output("seg", (8, 12), seed=3)
    labels = Image.fromarray(raw[0].numpy().argmax(axis=0).astype(np.uint8))
    for size in ((40, 60), (24, 84), (5, 4), (8, 12)):
        expected = np.asarray(labels.resize(size[::-1], Image.Resampling.NEAREST))
        assert np.array_equal(predict("seg", raw, size), expected)


@settings(max_examples=50, deadline=None)
@given(small=SIDES, large=SIDES, seed=st.integers(0, 99))
def test_others_are_bilinear_as_opencv_has_it(small: tuple[int, int], large: tuple[int, int], seed: int) -> None:
    depth, edge, normals, sal = (output(name, small, seed) for name in ("depth", "edge", "normals", "sal"))
    expected = cv2.resize(depth[0, 0].numpy(), large[::-1], interpolation=cv2.INTER_LINEAR)
    assert predict("depth", depth, large) == pytest.approx(expected, abs=1e-5)
    for name, raw in (("edge", edge), ("sal", sal)):
        probability = 1 / (1 + np.exp(-raw[0, 0].numpy()))  # before the resizing: not the same as after
        expected = cv2.resize(probability, large[::-1], interpolation=cv2.INTER_LINEAR)
        assert predict(name, raw, large) == pytest.approx(expected, abs=1e-5)
    planes = [cv2.resize(plane.numpy(), large[::-1], interpolation=cv2.INTER_LINEAR) for plane in normals[0]]
    vectors = np.stack(planes, axis=-1)
    expected = vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)
    found = predict("normals", normals, large)
    assert found.shape == (*large, 3)
    assert found == pytest.approx(expected, abs=1e-3)
    assert np.linalg.norm(found, axis=-1) == pytest.approx(np.ones(large), abs=1e-5)


@pytest.mark.parametrize("name", CHANNELS)
def test_a_flip_commutes_so_that_nothing_is_shifted(name: str) -> None:
    # Odd factors: where a pixel's centre falls between two, nearest has to break the tie to one side.
    raw = output(name, (4, 6), seed=1)
    size = (12, 30)
    flipped = predict(name, raw.flip(-1), size)
    assert flipped == pytest.approx(predict(name, raw, size)[:, ::-1], abs=1e-5)


@pytest.mark.parametrize("name", CHANNELS)
def test_at_its_own_size_a_prediction_stays_what_it_is(name: str) -> None:
    raw = output(name, (5, 7), seed=2)
    planes = activate(name, raw)[0].permute(1, 2, 0).numpy()
    planes = planes / np.linalg.norm(planes, axis=-1, keepdims=True) if name == "normals" else planes
    assert predict(name, raw, (5, 7)).reshape(planes.shape) == pytest.approx(planes, abs=1e-6)
