"""Affinities against a loop over pairs in double precision, closed forms of constructed maps, and recorded numbers."""

from __future__ import annotations

import tarfile
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from real_frames import FIXTURES

from mtinet.config import load
from mtinet.errors import UserError
from mtinet.studies.affinity import Rules, crossed, described, half_kernel, matches, rates, summed

ROOT = Path(__file__).resolve().parents[1]
EQUAL, BETWEEN = Rules(0.1, 15.0, "equal"), Rules(0.1, 15.0, "between")
INVALID = {"seg": 255, "parts": 255, "sal": 255, "edge": 255}
MAPS = FIXTURES / "real/nyud/nyuv2_test_class40.tgz"


def frame(source: np.random.Generator, height: int, width: int) -> dict[str, np.ndarray]:
    """Labels of all tasks with neighbours that are often alike, and holes in each."""
    size = (height, width)
    seg = source.integers(0, 3, size).astype(np.uint8)
    depth = source.choice([1.0, 1.05, 2.0], size).astype(np.float32)
    axes = np.eye(3, dtype=np.float32)
    normals = axes[source.integers(0, 3, size)] + source.normal(0, 0.1, (*size, 3)).astype(np.float32)
    normals /= np.linalg.norm(normals, axis=2, keepdims=True)
    labels = {"seg": seg, "sal": (seg > 1).astype(np.uint8), "edge": (source.random(size) < 0.2).astype(np.uint8)}
    labels |= {"depth": depth, "normals": normals.astype(np.float32)}
    for name, label in labels.items():
        label[source.random(size) < 0.1] = INVALID.get(name, 0)
    labels["edge"][labels["edge"] == 255] = 1
    return labels


def by_loop(labels, dilation: int, kernel: int, rules: Rules) -> dict[tuple[str, str], list[int]]:
    """Every pixel with every other one under its kernel, in float64; each pair is met twice."""
    names, radius = list(labels), kernel // 2
    height, width = labels[names[0]].shape[:2]
    found = {(one, other): [0, 0, 0, 0] for i, one in enumerate(names) for other in names[i + 1 :]}
    for y in range(height):
        for x in range(width):
            for i in range(-radius, radius + 1):
                for j in range(-radius, radius + 1):
                    v, u = y + i * dilation, x + j * dilation
                    if (i, j) == (0, 0) or not (0 <= v < height and 0 <= u < width):
                        continue
                    alike = {name: similar(name, labels[name], (y, x), (v, u), rules) for name in names}
                    for (one, other), counts in found.items():
                        if alike[one] is not None and alike[other] is not None:
                            counts[2 * (not alike[one]) + (not alike[other])] += 1
    return {pair: [count // 2 for count in counts] for pair, counts in found.items()}


def similar(name: str, label, one, other, rules: Rules) -> bool | None:
    a, b = np.asarray(label[one], np.float64), np.asarray(label[other], np.float64)
    if name == "depth":
        return None if 0 in (a, b) else bool(abs(a - b) / max(a, b) < rules.depth_threshold)
    if name == "normals":
        if not a.any() or not b.any():
            return None
        cosine = a @ b / np.linalg.norm(a) / np.linalg.norm(b)
        return bool(np.rad2deg(np.arccos(np.clip(cosine, -1, 1))) < rules.normals_threshold)
    if 255 in (a, b):
        return None
    if name == "edge" and rules.edge_rule == "between":
        steps = max(abs(one[0] - other[0]), abs(one[1] - other[1]))
        start, end = sorted((one, other))
        line = [[s + round((e - s) * t / steps) for s, e in zip(start, end, strict=True)] for t in range(steps + 1)]
        return not any(label[y, x] for y, x in line)
    return bool(a == b)


@hypothesis_settings(deadline=None, max_examples=40)
@given(
    seed=st.integers(0, 10**6),
    height=st.integers(1, 9),
    width=st.integers(1, 9),
    dilation=st.integers(1, 5),
    kernel=st.sampled_from([3, 5]),
    rule=st.sampled_from([EQUAL, BETWEEN]),
)
def test_as_a_loop_over_all_pairs_counts_them(seed, height, width, dilation, kernel, rule):
    labels = frame(np.random.default_rng(seed), height, width)
    found = matches(labels, dilation, kernel, rule)
    expected = by_loop(labels, dilation, kernel, rule)
    assert {pair: counts.tolist() for pair, counts in found.items()} == expected


@pytest.mark.parametrize("dilation", [1, 3, 8])
def test_identical_label_maps_match_in_all_pairs(dilation):
    seg = np.random.default_rng(0).integers(0, 4, (30, 40)).astype(np.uint8)
    found = rates(matches({"seg": seg, "parts": seg}, dilation, 3, EQUAL)["seg", "parts"])
    assert found["matched"] == found["similar"] == found["dissimilar"] == 1.0
    assert 0 < found["chance"] < 1


@pytest.mark.parametrize(("down", "across"), [(0, 2), (2, 0), (2, 2), (2, -2)])
def test_independent_label_maps_match_at_the_expected_rate_exactly(down, across):
    """One map varies along the rows alone, one along the columns: over a rectangle of pairs they are independent."""
    source = np.random.default_rng(3)
    rows = np.repeat(source.integers(0, 3, (13, 1)), 17, axis=1).astype(np.uint8)
    columns = np.repeat(source.integers(0, 2, (1, 17)), 13, axis=0).astype(np.uint8)
    counts = offset_counts({"seg": rows, "parts": columns}, (down, across))
    one, other = counts[0] + counts[1], counts[0] + counts[2]
    total = counts.sum()
    assert counts[0] * total == one * other
    assert (counts[0] + counts[3]) * total == one * other + (total - one) * (total - other)
    found = rates(counts)
    assert found["matched"] == found["chance"]


def offset_counts(labels, offset) -> np.ndarray:
    """The counts at one tap of the kernel: what is independent within taps need not be over their sum."""
    from mtinet.studies import affinity

    split = {
        name: affinity.parted(affinity.task(name), label, np.ones(label.shape, bool), offset, EQUAL)
        for name, label in labels.items()
    }
    one, other = split.values()
    return np.array([np.count_nonzero(a & b) for a in one for b in other])


def test_random_labels_match_at_about_the_expected_rate():
    """Classes drawn with shares p: a pair is similar with probability sum p^2."""
    source, shares = np.random.default_rng(5), np.array([0.5, 0.3, 0.2])
    first, second = (source.choice(3, (400, 400), p=shares).astype(np.uint8) for _ in range(2))
    found = rates(matches({"seg": first, "parts": second}, 2, 3, EQUAL)["seg", "parts"])
    alike = (shares**2).sum()
    assert found["matched"] == pytest.approx(alike**2 + (1 - alike) ** 2, abs=0.005)
    assert found["chance"] == pytest.approx(found["matched"], abs=0.005)


def test_each_unordered_pair_counts_once():
    """Of h x w pixels a 3x3 kernel pairs h (w - d) horizontally, (h - d) w vertically, 2 (h - d)(w - d) diagonally."""
    flat = np.zeros((11, 7), np.uint8)
    for dilation in (1, 2, 6, 7, 10, 11, 50):
        down, across = max(11 - dilation, 0), max(7 - dilation, 0)
        counts = matches({"seg": flat, "sal": flat}, dilation, 3, EQUAL)["seg", "sal"]
        assert counts.tolist() == [11 * across + down * 7 + 2 * down * across, 0, 0, 0]
    assert len(half_kernel(3)) == 4
    assert len(half_kernel(5)) == 12


def test_an_edge_parts_what_it_separates_by_the_rule_between_alone():
    edge = np.zeros((1, 5), np.uint8)
    edge[0, 2] = 1
    seg = np.array([[0, 0, 0, 1, 1]], np.uint8)
    labels = {"seg": seg, "edge": edge}
    assert matches(labels, 4, 3, EQUAL)["seg", "edge"].tolist() == [0, 0, 1, 0]
    assert matches(labels, 4, 3, BETWEEN)["seg", "edge"].tolist() == [0, 0, 0, 1]
    assert crossed(edge == 1, (0, 1)).tolist() == [[False, True, True, False]]


def test_depth_is_relative_and_the_threshold_itself_dissimilar():
    seg = np.zeros((1, 2), np.uint8)
    for far, expected in {1.05: [1, 0, 0, 0], 2.0: [0, 1, 0, 0], 0.0: [0, 0, 0, 0]}.items():
        depth = np.array([[1.0, far]], np.float32)
        assert (
            matches({"seg": seg, "depth": depth}, 1, 3, Rules(0.5, 15.0, "equal"))["seg", "depth"].tolist() == expected
        )


def test_nothing_to_compare_is_no_rate():
    assert rates((0, 0, 0, 0)) == {"matched": None, "chance": None, "similar": None, "dissimilar": None}
    assert rates((3, 0, 0, 0))["dissimilar"] is None


def test_images_are_summed_and_named():
    source = np.random.default_rng(1)
    images = [frame(source, 6, 7), frame(source, 8, 5)]
    total = summed(images, [1, 2], 3, EQUAL)
    for row, dilation in enumerate((1, 2)):
        parts = [matches(labels, dilation, 3, EQUAL)["seg", "depth"] for labels in images]
        assert total["seg", "depth"][row].tolist() == sum(parts).tolist()
    entry = described(total)[0]
    assert entry["tasks"] == ["seg", "sal"]
    assert entry["counts"]["both_similar"] == total["seg", "sal"][:, 0].tolist()
    assert entry["rates"]["matched"][1] == rates(total["seg", "sal"][1])["matched"]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("kernel: 3", "kernel: 4", "affinity: kernel: found 4, expected an odd number"),
        ("dilations: [1, 2,", "dilations: [2, 1,", "affinity: dilations: found .2, 1, .*expected them rising"),
        ("nyud: [seg, depth, edge]", "nyud: [seg, sal]", "affinity.tasks.nyud: unknown name 'sal'"),
        ("nyud: [seg, depth, edge]", "nyud: [seg, seg]", "tasks.nyud: found .*no task twice"),
        ("edge_rule: equal", "edge_rule: thick", "affinity.edge_rule: found 'thick', expected: 'equal' or 'between'"),
    ],
)
def test_settings_that_cannot_be_are_named(old, new, message, tmp_path):
    text = (ROOT / "params.yaml").read_text()
    assert old in text
    (tmp_path / "params.yaml").write_text(text.replace(old, new))
    with pytest.raises(UserError, match=message):
        load(tmp_path / "params.yaml")


def test_recorded_numbers_are_what_the_real_maps_give():
    """Every recorded rate follows from its counts."""
    recorded = yaml.safe_load((ROOT / "pipeline/affinity.yaml").read_text())
    for pairs in recorded["pairs"].values():
        for column in range(len(recorded["dilations"])):
            counts = [pairs[0]["counts"][name][column] for name in pairs[0]["counts"]]
            for name, rate in rates(counts).items():
                assert pairs[0]["rates"][name][column] == rate
    matched = recorded["pairs"]["equal"][0]["rates"]["matched"]
    assert all(near > far for near, far in pairwise(matched))
    assert recorded["images"] == 654


@pytest.mark.skipif(not MAPS.exists(), reason=f"no real label maps in {MAPS}")
def test_some_of_the_real_maps_by_the_recording_script(tmp_path):
    from benchmarks.affinity import maps, record

    small = tmp_path / "few.tgz"
    with tarfile.open(MAPS) as tar, tarfile.open(small, "w:gz") as few:
        for member in sorted(tar.getmembers(), key=lambda entry: entry.name)[::60]:
            few.addfile(member, tar.extractfile(member))
    settings = load(ROOT / "params.yaml").affinity
    content = record(small, settings)
    recorded = yaml.safe_load((ROOT / "pipeline/affinity.yaml").read_text())
    assert content["images"] == 11
    assert content["mean_height"] == recorded["mean_height"] == 480
    for rule, pairs in content["pairs"].items():
        whole = recorded["pairs"][rule][0]["rates"]["matched"]
        assert pairs[0]["rates"]["matched"] == pytest.approx(whole, abs=0.1)
    assert {int(value) for value in np.unique(next(maps(small))["seg"])} <= {*range(40), 255}
