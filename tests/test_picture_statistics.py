"""Rendered pictures beside what is known of PASCAL's: the measures themselves, and the limits of docs/pictures.md."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.random import default_rng
from scipy.ndimage import sobel
from scipy.stats import spearmanr
from skimage.color import rgb2gray, rgb2hsv
from sklearn.neighbors import KNeighborsClassifier

from benchmarks import pictures, real_pictures
from mtinet.data.scenes.pictures import render_picture
from mtinet.studies import picture_statistics as statistics
from mtinet.studies.picture_statistics import Shot

COUNT, LONGEST = 200, 120


@cache
def rendered() -> list[Shot]:
    return [statistics.shot(render_picture(0, index, LONGEST)) for index in range(COUNT)]


@cache
def measured() -> dict[str, pictures.Row]:
    return {row.name: row for row in pictures.compared(rendered())}


def shot_of(classes: np.ndarray, image: np.ndarray | None = None, objects: tuple[int, ...] = ()) -> Shot:
    """A picture of the given classes."""
    shown = np.zeros((*classes.shape, 3), np.uint8) if image is None else image
    return Shot(shown, classes.astype(np.uint8), np.zeros(classes.shape, np.uint8), objects)


# The measures ----------------------------------------------------------------------------------------------


@settings(max_examples=50, deadline=None)
@given(st.integers(3, 30), st.integers(0, 2**32 - 1))
def test_rank_correlation_is_scipys(count: int, seed: int) -> None:
    first, second = default_rng(seed).integers(0, 6, (2, count))
    if np.ptp(first) and np.ptp(second):
        assert statistics.rank_correlation(first, second) == pytest.approx(spearmanr(first, second).statistic)


@settings(max_examples=25, deadline=None)
@given(arrays(np.uint8, (9, 11, 3)))
def test_light_and_saturation_are_skimages(image: np.ndarray) -> None:
    assert statistics.saturation(image) == pytest.approx(rgb2hsv(image)[..., 1].mean(), abs=1e-9)
    assert statistics.LOOKS["brightness"](image) == pytest.approx(255 * rgb2gray(image).mean(), abs=12)


def test_gradient_and_flatness_grow_with_texture() -> None:
    rng, found = default_rng(0), []
    for strength in (0, 4, 12, 40):
        image = np.repeat((128 + rng.normal(0, 1, (64, 64, 1)) * strength).clip(0, 255), 3, axis=2).astype(np.uint8)
        found.append((statistics.gradient(image), -statistics.flat_share(image), np.abs(sobel(image[..., 0])).mean()))
    assert found == sorted(found)
    assert found[0][:2] == (0, -1)
    assert found[-1][1] == 0


def test_neighbours_are_sklearns() -> None:
    rng = default_rng(3)
    train, labels, test = rng.random((300, 5)), rng.integers(1, 5, 300), rng.random((200, 5))
    reference = KNeighborsClassifier(15).fit(train, labels).predict(test)
    assert (statistics.nearest(train, labels, test) == reference).all()


def test_guessability_finds_colour_and_place_and_nothing_in_noise() -> None:
    rng = default_rng(1)
    labels = [rng.integers(0, 3, (40, 40)) for _ in range(6)]
    noise = [rng.integers(0, 255, (40, 40, 3), dtype=np.uint8) for _ in labels]
    told = [np.repeat((80 * label)[..., None], 3, axis=2).astype(np.uint8) for label in labels]
    halves = [(np.indices((40, 40))[0] >= 20).astype(int) for _ in labels]
    assert statistics.guessability(told, labels, 3) > 0.95
    assert statistics.guessability(noise, labels, 3) == pytest.approx(1 / 3, abs=0.06)
    assert statistics.guessability([np.zeros_like(image) for image in noise], halves, 3) > 0.9


def test_shares_are_counted_over_pictures_and_pixels() -> None:
    first, second = np.zeros((10, 10), int), np.zeros((10, 10), int)
    first[:2], first[2] = 7, 255
    second[:5] = 15
    shots = [shot_of(first, objects=(7,)), shot_of(second, objects=(15, 15))]
    shares = statistics.pixel_shares(shots)
    assert shares[[0, 7, 15]] == pytest.approx([120 / 190, 20 / 190, 50 / 190])
    assert statistics.image_shares(shots)[[0, 7, 15, 3]].tolist() == [1, 0.5, 0.5, 0]
    assert statistics.area_when_present(shots)[[7, 15]] == pytest.approx([0.2, 0.5])


def test_borders_are_measured_in_longer_sides() -> None:
    labels = np.zeros((60, 100), int)
    labels[:, 50:] = 4
    assert statistics.border_length(labels) == pytest.approx(0.6, abs=0.02)


# The limits ------------------------------------------------------------------------------------------------


def test_every_class_occurs() -> None:
    assert (statistics.image_shares(rendered()) > 0).all()


def test_every_limit_is_kept() -> None:
    rows = measured()
    assert {"rank correlation of images per class", "borders (longer sides)", "parts guessed"} <= set(rows)
    limited = [row for row in rows.values() if row.limit]
    assert len(limited) >= 12
    assert [f"{row.name}: {row.rendered:.3f} not in {row.limit}" for row in limited if not row.kept] == []


def test_a_limit_can_be_broken() -> None:
    grey = [Shot(np.full_like(s.image, 90), s.classes, s.parts, s.objects, s.label_map, s.salient) for s in rendered()]
    broken = {row.name for row in pictures.compared(grey[:40]) if not row.kept}
    assert {"gradient", "saturation", "flat"} <= broken


def test_the_document_shows_what_is_measured() -> None:
    text = pictures.document(rendered()[:40], "0.1 s")
    for row in pictures.compared(rendered()[:40]):
        assert row.name in text
    assert "| person |" in text


@pytest.mark.skipif(not real_pictures.PHOTOGRAPHS.is_dir(), reason=f"no photographs in {real_pictures.PHOTOGRAPHS}")
def test_the_summaries_are_those_of_the_photographs() -> None:
    kept = statistics.real()
    assert real_pictures.summary() == kept["photographs"]
    assert real_pictures.borders() == kept["borders"]
