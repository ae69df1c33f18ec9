"""Rendered rooms are of the same kind as real NYUD-v2 frames; the statistics themselves against other libraries."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import rankdata
from skimage.measure import label as connected
from sklearn.neighbors import KNeighborsClassifier

from benchmarks import nyud_fixtures, scenes
from mtinet.data.scenes import CLASSES, render
from mtinet.studies import scene_statistics as stats

SEED, COUNT = 0, 100


@pytest.fixture(scope="module")
def comparison() -> tuple[list[stats.Check], float]:
    """Every check on freshly rendered rooms, and what colour adds from one half of them to the other."""
    rendered, gain = scenes.rendered_statistics(SEED, COUNT)
    return stats.checks(scenes.published()["statistics"], rendered), gain


def test_rooms_meet_every_limit(comparison: tuple[list[stats.Check], float]) -> None:
    checks, _ = comparison
    assert len(checks) == 7
    assert not [check for check in checks if not check.met]


def test_colour_adds_little_where_there_is_much_to_learn_from(comparison: tuple[list[stats.Check], float]) -> None:
    """Three real frames bound little; so the whole set is held to ten points above nothing at all."""
    assert comparison[1] <= 0.1


def test_page_has_the_committed_numbers() -> None:
    page, published = scenes.PAGE.read_text(), scenes.published()
    assert tuple(published["size"]) == scenes.SIZE
    assert all(f"`{name}` {digest}" in page for name, digest in published["digests"].items())
    assert page.count("| yes |") == 7
    wall = f"| wall | {100 * published['statistics']['frequency'][0]:.2f} |"
    assert wall in page


@pytest.mark.skipif(not nyud_fixtures.REAL.is_dir(), reason=f"no real frames in {nyud_fixtures.REAL}")
def test_committed_statistics_are_those_of_the_real_files() -> None:
    published = scenes.published()
    assert scenes.measured_statistics() == published
    file = nyud_fixtures.REAL / nyud_fixtures.LABELS
    assert published["digests"][nyud_fixtures.LABELS] == hashlib.sha256(file.read_bytes()).hexdigest()


def test_the_check_fails_outside_its_interval() -> None:
    assert stats.Check("x", 1.0, 0.5, 0.5, 2.0).met
    assert stats.Check("x", 1.0, 2.0, 0.5, 2.0).met
    assert not stats.Check("x", 1.0, 2.01, 0.5, 2.0).met
    assert not stats.Check("x", 1.0, 0.49, 0.5, 2.0).met


def test_limits_are_those_agreed() -> None:
    """A set that is as the real one but for one statistic fails in that one."""
    real: stats.Statistics = {
        "frequency": list(np.arange(1.0, 41.0)), "presence": [0.02] * 40, "unlabelled": 0.1, "depth": 3.0,
        "holes": 0.2, "edges": 0.1, "segments": 20.0, "colour": 0.0,
    }  # fmt: skip
    wrong = {
        "presence": [0.02] * 29 + [0.009] * 11, "frequency": list(np.arange(40.0, 0.0, -1.0)), "depth": 3.91,
        "holes": 0.36, "edges": 0.049, "segments": 41.0, "colour": 0.101,
    }  # fmt: skip
    assert all(check.met for check in stats.checks(real, real))
    for number, (name, value) in enumerate(wrong.items()):
        failed = [check.met for check in stats.checks(real, {**real, name: value})]  # type: ignore[typeddict-item]
        assert failed.count(False) == 1, name
        assert failed.index(False) == number


labels = st.integers(0, 2**32 - 1).map(
    lambda seed: np.random.default_rng(seed).integers(0, 41, (3, 9, 11)).astype(np.uint8) // 8
)


@given(labels)
def test_frequency_presence_and_edges_against_loops(maps: np.ndarray) -> None:
    n, height, width = maps.shape
    for k in range(1, 41):
        assert stats.frequencies(maps)[k - 1] == pytest.approx((maps == k).sum() / max((maps > 0).sum(), 1))
        assert stats.presence(maps)[k - 1] == sum(k in one for one in maps) / n
    edges = 0
    for one in maps:
        for v in range(height):
            for u in range(width):
                right = u + 1 < width and one[v, u] != one[v, u + 1]
                below = v + 1 < height and one[v, u] != one[v + 1, u]
                edges += right or below
    assert stats.edge_density(maps) == pytest.approx(edges / maps.size)


@given(labels)
def test_segments_against_scikit_image(maps: np.ndarray) -> None:
    for one in maps:
        big = np.kron(one, np.ones((3, 3), np.uint8))
        assert stats.segments(big) == connected(big, background=0, connectivity=1).max()


def test_specks_are_no_segments() -> None:
    one = np.ones((100, 150), np.uint8)
    one[10, 10:12], one[50, 50:53] = 2, 3  # 2 and 3 of 15,000 pixels; the least is 3
    assert stats.segments(one) == 2


@given(st.lists(st.integers(0, 9), min_size=5, max_size=40).filter(lambda one: len(set(one)) > 1), st.randoms())
def test_rank_correlation_is_the_correlation_of_ranks(values: list[int], random: object) -> None:
    other = [value * random.random() for value in values]  # type: ignore[attr-defined]
    if len(set(other)) < 2:
        return
    expected = np.corrcoef(rankdata(values), rankdata(other))[0, 1]
    assert stats.rank_correlation(np.array(values), np.array(other)) == pytest.approx(expected)


def test_depth_and_holes_by_hand() -> None:
    depths = np.array([[[0, 1.0], [2.0, 3.0]], [[0, 0], [0, 5.0]], [[0, 0], [0, 0]], [[9, 9], [9, 9]]], np.float32)
    assert stats.median_depth(depths) == 5.0
    assert stats.hole_share(depths) == 8 / 16


def test_nearest_neighbours_against_scikit_learn() -> None:
    rng = np.random.default_rng(0)
    train, test = rng.random((400, 5)), rng.random((150, 5))
    classes = rng.integers(1, 41, 400)
    other = KNeighborsClassifier(stats.NEIGHBOURS).fit(train, classes)
    assert np.array_equal(stats.nearest_neighbours(train, classes, test), other.predict(test))


def coloured(tells: bool, count: int = 12) -> tuple[np.ndarray, np.ndarray]:
    """Pictures of two classes at random places, whose colours tell the class, or nothing."""
    rng = np.random.default_rng(1)
    maps = np.repeat(np.repeat(rng.integers(1, 3, (count, 4, 5)), 12, axis=1), 12, axis=2).astype(np.uint8)
    noise = rng.integers(0, 60, (*maps.shape, 3))
    return (noise + 190 * (maps[..., None] == 2) * tells).astype(np.uint8), maps


def test_colour_gain_is_all_or_nothing() -> None:
    """Where colour is the class and position says nothing, half of the accuracy is colour's."""
    folds = stats.halves(12)
    assert stats.colour_gain(*coloured(True), folds) == pytest.approx(0.5, abs=0.1)
    assert abs(stats.colour_gain(*coloured(False), folds)) < 0.1
    assert stats.grouped_colour_gain(*coloured(True), 3) == pytest.approx(0.5, abs=0.15)


def test_groups_are_those_of_consecutive_images() -> None:
    images, maps = coloured(True, 7)
    pairs = [stats.colour_gain(images[low : low + 3], maps[low : low + 3], stats.each(3)) for low in (0, 3)]
    assert stats.grouped_colour_gain(images, maps, 3) == pytest.approx(np.mean(pairs))


def test_unlabelled_pixels_are_not_asked_about() -> None:
    images, maps = coloured(True)
    maps[:, :24] = 0
    features, classes = stats.pixel_features(images, maps)
    assert all((one > 0).all() for one in classes)
    assert all(rows[:, 1].min() >= 0.5 for rows in features)


@settings(max_examples=4, deadline=None)
@given(st.integers(0, 10_000))
def test_adding_images_changes_no_earlier_one(index: int) -> None:
    alone = render(SEED, index, 24, 32)
    render(SEED, index + 1, 24, 32)
    again = render(SEED, index, 24, 32)
    assert all(np.array_equal(getattr(alone, name), getattr(again, name)) for name in vars(alone))


def test_frames_have_the_white_border() -> None:
    """Seven or eight of 480 rows and as many columns on either side, without labels."""
    frame = render(SEED, 1, 240, 320)
    for side in range(4):
        turned = {name: np.rot90(getattr(frame, name), side)[:4] for name in vars(frame)}
        assert (turned.pop("image") == 255).all()
        assert not any(one.any() for one in turned.values())
    assert len(CLASSES) == 40
    assert (frame.segmentation[4:-4, 4:-4] > 0).mean() > 0.5
