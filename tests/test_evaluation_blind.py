"""The image-blind predictors against brute force on tiny sets, and their optimality on their own set."""

from __future__ import annotations

from collections import Counter
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from mtinet import metrics
from mtinet.evaluation import blind as module
from mtinet.evaluation.blind import blind, common_size, on_grid

CLASSES = {"seg": 4, "depth": 1, "normals": 3, "edge": 1, "parts": 3, "sal": 1}
SETTINGS = {"edges": {"max_dist": 0.1, "protocol": "released", "flavour": "seism"}}
SIDES = st.tuples(st.integers(1, 15), st.integers(1, 15))


class Split:
    """Labels that differ by position, with invalid pixels and some positions that are never valid."""

    def __init__(self, seed: int, sizes: list[tuple[int, int]]) -> None:
        self.frames = [self.frame(np.random.default_rng([seed, i]), *size) for i, size in enumerate(sizes)]

    def __len__(self) -> int:
        return len(self.frames)

    def image(self, index: int) -> np.ndarray:
        return np.zeros((*self.frames[index]["seg"].shape, 3), np.uint8)

    def label(self, task: str, index: int) -> np.ndarray:
        return self.frames[index][task]

    @staticmethod
    def frame(generator: np.random.Generator, height: int, width: int) -> dict[str, np.ndarray]:
        place = np.arange(width) / width + np.zeros((height, 1))
        depth = (1 + 3 * place + generator.random((height, width))).astype(np.float32)
        normals = np.stack([place, generator.random((height, width)) - 0.5, 1 - place], axis=-1)
        normals = (normals / np.linalg.norm(normals, axis=-1, keepdims=True)).astype(np.float32)
        seg = (2 * place + 2 * generator.random((height, width))).astype(np.uint8)
        edge = (generator.random((height, width)) < 0.3 * place).astype(np.uint8)
        sal = (generator.random((height, width)) < 0.01 + 0.4 * (place > 0.7)).astype(np.uint8)
        invalid = generator.random((height, width)) < 0.3
        invalid[0, 0] = True
        depth[invalid], normals[invalid], seg[invalid], edge[invalid], sal[invalid] = 0, 0, 255, 255, 255
        nobody = generator.random() < 0.4
        parts = np.where(nobody, 255, np.minimum(seg, 2)).astype(np.uint8)
        return {"seg": seg, "depth": depth, "normals": normals, "edge": edge, "parts": parts, "sal": sal}


def pixels(split: Split, task: str) -> np.ndarray:
    """All valid labels of a split in one row."""
    labels = np.concatenate([split.label(task, i).reshape(-1, CLASSES[task] if task == "normals" else 1)
                             for i in range(len(split))])  # fmt: skip
    return labels[labels.any(axis=1)] if task in ("depth", "normals") else labels[labels[:, 0] != 255]


def scored(split: Split, task: str, prediction: np.ndarray) -> dict[str, float | None]:
    rows = [
        metrics.per_image(task, prediction, split.label(task, i), CLASSES[task], SETTINGS) for i in range(len(split))
    ]
    return metrics.summarize(task, np.stack(rows), SETTINGS)


TRAIN, VAL = Split(1, [(6, 8)] * 7), Split(2, [(6, 8)] * 3)


def test_constants_against_brute_force() -> None:
    result = blind(TRAIN, VAL, CLASSES, SETTINGS)["constant"]
    mode = Counter(pixels(TRAIN, "seg")[:, 0].tolist()).most_common(1)[0][0]
    assert result["seg"] == scored(VAL, "seg", np.full((6, 8), mode))
    mean = sum(float(d) for d in pixels(TRAIN, "depth")[:, 0]) / len(pixels(TRAIN, "depth"))
    assert result["depth"] == pytest.approx(scored(VAL, "depth", np.full((6, 8), mean)), rel=1e-6)
    direction = pixels(TRAIN, "normals").astype(np.float64).sum(axis=0)
    expected = scored(VAL, "normals", np.tile(direction, (6, 8, 1)))
    assert result["normals"] == pytest.approx(expected, rel=1e-5)
    share = pixels(TRAIN, "edge").mean()
    assert result["edge"] == scored(VAL, "edge", np.full((6, 8), share, np.float32))
    mode = Counter(pixels(TRAIN, "parts")[:, 0].tolist()).most_common(1)[0][0]
    assert result["parts"] == scored(VAL, "parts", np.full((6, 8), mode))
    assert result["sal"] == scored(VAL, "sal", np.full((6, 8), 0.5))


def at_position(task: str, y: int, x: int) -> list:
    """Valid training labels at one position."""
    labels = [TRAIN.label(task, i)[y, x] for i in range(len(TRAIN))]
    return [label for label in labels if (np.any(label) if task in ("depth", "normals") else label != 255)]


def by_position(task: str, reduce, fallback) -> np.ndarray:
    rows = [[at_position(task, y, x) for x in range(8)] for y in range(6)]
    return np.array([[reduce(values) if values else fallback for values in row] for row in rows])


def test_position_priors_against_brute_force() -> None:
    result = blind(TRAIN, VAL, CLASSES, SETTINGS)["position"]
    mode = Counter(pixels(TRAIN, "seg")[:, 0].tolist()).most_common(1)[0][0]
    most = by_position("seg", lambda v: min(set(v), key=lambda c: (-v.count(c), c)), mode)
    assert result["seg"] == scored(VAL, "seg", most)
    median = by_position("depth", np.median, pixels(TRAIN, "depth").mean(dtype=np.float64))
    assert result["depth"] == pytest.approx(scored(VAL, "depth", median), rel=1e-6)
    direction = pixels(TRAIN, "normals").sum(axis=0)
    mean = by_position("normals", lambda v: np.sum(v, axis=0), direction)
    assert result["normals"] == pytest.approx(scored(VAL, "normals", mean), rel=1e-5)
    share = pixels(TRAIN, "edge").mean()
    frequency = by_position("edge", lambda v: sum(map(int, v)) / len(v), share)
    assert result["edge"] == scored(VAL, "edge", frequency.astype(np.float32))
    mode = Counter(pixels(TRAIN, "parts")[:, 0].tolist()).most_common(1)[0][0]
    most = by_position("parts", lambda v: min(set(v), key=lambda c: (-v.count(c), c)), mode)
    assert result["parts"] == scored(VAL, "parts", most)
    share = pixels(TRAIN, "sal").mean()
    p = by_position("sal", lambda v: (sum(map(int, v)) + share) / (len(v) + 1), share)
    balanced = p * (1 - share) / (p * (1 - share) + (1 - p) * share)
    assert result["sal"] == scored(VAL, "sal", balanced)


@given(offset=st.floats(-3, 3).filter(lambda value: abs(value) > 1e-3))
@settings(max_examples=25, deadline=None)
def test_no_other_constant_has_a_lower_rmse_on_the_training_set(offset: float) -> None:
    best = blind(TRAIN, TRAIN, {"depth": 1})["constant"]["depth"]["rmse"]
    other = pixels(TRAIN, "depth").mean(dtype=np.float64) + offset
    assert scored(TRAIN, "depth", np.full((6, 8), other))["rmse"] > best


@given(probability=st.floats(0, 1))
@settings(max_examples=25, deadline=None)
def test_no_other_constant_has_a_higher_saliency_miou(probability: float) -> None:
    best = blind(TRAIN, VAL, {"sal": 1})["constant"]["sal"]["mIoU"]
    assert scored(VAL, "sal", np.full((6, 8), probability))["mIoU"] <= best


@pytest.mark.parametrize("label", [0, 1])
def test_saliency_of_one_class_alone_is_predicted_as_such(label: int) -> None:
    uniform = Split(6, [(6, 8)] * 2)
    for frame in uniform.frames:
        frame["sal"][:] = label
    result = blind(uniform, uniform, {"sal": 1})
    assert result["constant"]["sal"]["mIoU"] == result["position"]["sal"]["mIoU"] == 1


def test_exact_labels_get_scores_of_their_own_and_leave_the_others_as_they_are() -> None:
    val = Split(2, [(6, 8)] * 3)
    val.labels = (*CLASSES, "normals_exact", "sal_exact", "depth_exacting")
    for frame, other in zip(val.frames, Split(7, [(6, 8)] * 3).frames, strict=True):
        frame |= {f"{name}_exact": other[name] for name in ("normals", "sal")}
    result, plain = blind(TRAIN, val, CLASSES, SETTINGS), blind(TRAIN, VAL, CLASSES, SETTINGS)
    assert {key: result[key] for key in plain} == plain
    exact = blind(TRAIN, Split(7, [(6, 8)] * 3), {"normals": 3, "sal": 1})
    assert result["constant!exact"] == exact["constant"]
    assert result["position!exact"] == exact["position"]
    assert [*plain] == ["constant", "position"]


def test_no_other_class_is_a_better_constant_on_the_training_set() -> None:
    best = blind(TRAIN, TRAIN, {"seg": 4})["constant"]["seg"]
    others = [scored(TRAIN, "seg", np.full((6, 8), label)) for label in range(4)]
    for metric in ("mIoU", "pixel_acc", "mean_acc"):
        assert best[metric] == max(other[metric] for other in others)


def test_labels_that_follow_the_position_are_found_by_the_prior_and_not_by_the_constant() -> None:
    result = blind(TRAIN, VAL, CLASSES, SETTINGS)
    assert result["position"]["seg"]["mIoU"] > 1.5 * result["constant"]["seg"]["mIoU"]
    assert result["position"]["depth"]["rmse"] < 0.6 * result["constant"]["depth"]["rmse"]
    assert result["position"]["normals"]["mean_angle"] < 0.8 * result["constant"]["normals"]["mean_angle"]
    assert result["position"]["sal"]["mIoU"] > 1.2 * result["constant"]["sal"]["mIoU"]


def test_bands_of_rows_make_no_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = blind(TRAIN, VAL, {"depth": 1})
    monkeypatch.setattr(module, "BAND_BYTES", 1)
    assert blind(TRAIN, VAL, {"depth": 1}) == whole


def test_images_of_several_sizes_share_the_most_frequent_grid() -> None:
    train, val = Split(3, [(6, 8), (9, 7), (9, 7), (5, 11)]), Split(4, [(6, 8), (12, 14)])
    assert common_size(train) == (9, 7)
    result = blind(train, val, CLASSES, SETTINGS)
    labels = [on_grid(train.label("seg", i), (9, 7)) for i in range(4)]
    columns = np.stack(labels).reshape(4, -1).T.tolist()
    counts = [Counter(value for value in column if value != 255) for column in columns]
    mode = Counter(pixels(train, "seg")[:, 0].tolist()).most_common(1)[0][0]
    prior = np.array([min(c, key=lambda k: (-c[k], k)) if c else mode for c in counts], np.uint8)
    image = Image.fromarray(prior.reshape(9, 7))
    rows = [
        metrics.per_image("seg", np.asarray(image.resize(size[::-1], Image.Resampling.NEAREST)), target, 4)
        for size, target in [((6, 8), val.label("seg", 0)), ((12, 14), val.label("seg", 1))]
    ]
    assert result["position"]["seg"] == metrics.summarize("seg", np.stack(rows))
    assert all(value is not None for task in result["position"].values() for value in task.values())


@settings(max_examples=40, deadline=None)
@given(size=SIDES, grid=SIDES)
def test_labels_reach_the_grid_by_nearest(size: tuple[int, int], grid: tuple[int, int]) -> None:
    label = np.random.default_rng(0).integers(0, 255, size, dtype=np.uint8)
    down, across = ([int(Fraction(2 * i + 1, 2) * m / n) for i in range(n)] for m, n in zip(size, grid, strict=True))
    expected = np.array([[label[row, column] for column in across] for row in down])
    assert np.array_equal(on_grid(label, grid), expected)
    band = range(grid[0] // 3, grid[0])
    assert np.array_equal(on_grid(label, grid, band), expected[band.start :])


def test_edges_at_fixed_positions_are_found_by_the_prior_and_not_by_the_constant() -> None:
    train, val = (Split(seed, [(20, 30)] * 3) for seed in (5, 6))
    for frame in [*train.frames, *val.frames]:
        frame["edge"][:] = np.arange(30) == 12
    result = blind(train, val, {"edge": 1}, SETTINGS)
    assert result["position"]["edge"]["odsF"] == 1
    assert result["constant"]["edge"]["odsF"] < 0.5


def test_processes_make_no_difference() -> None:
    assert blind(TRAIN, VAL, CLASSES, SETTINGS, workers=2) == blind(TRAIN, VAL, CLASSES, SETTINGS)
