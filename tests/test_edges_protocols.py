"""The two protocols: thresholds, comparison, and the suppression against a plain loop."""

from __future__ import annotations

import math
import subprocess
import sys

import numpy as np
import pytest

from mtinet.errors import UserError
from mtinet.metrics.edges import PROTOCOLS, count_matches, protocol, suppress
from mtinet.metrics.edges.pictures import to_uint8, write_png
from mtinet.metrics.edges.reading import read_prediction
from tests.edge_references import random_map


def test_thresholds_are_those_of_the_two_codes() -> None:
    released, astmt = (PROTOCOLS[name].thresholds for name in ("released", "astmt"))
    assert released == pytest.approx(np.linspace(0.01, 0.99, 99))
    assert astmt == pytest.approx([0.001, *np.linspace(0.01, 0.99, 99), 0.999])
    with pytest.raises(UserError, match="'bsds', expected one of released, astmt"):
        protocol("bsds")


def test_every_eight_bit_value_falls_on_its_side_of_every_threshold() -> None:
    values, truth = np.arange(256, dtype=np.uint8), np.ones((1, 1), bool)
    for value in values[::5]:
        found = PROTOCOLS["released"].count(np.full((1, 1), value), truth, 0.0075).sumP
        assert found.tolist() == [int(100 * int(value) >= 255 * step) for step in range(1, 100)]


def naive_suppression(edge: np.ndarray) -> np.ndarray:
    """The rule of structured edges in double precision, pixel by pixel; also how close each decision was."""
    height, width = edge.shape
    weights = {d: (5 - abs(d)) / 25 for d in range(-4, 5)}

    def mirrored(index: int, length: int) -> int:
        index %= 2 * length
        return index if index < length else 2 * length - 1 - index

    rows = np.array([sum(w * edge[mirrored(y + d, height)] for d, w in weights.items()) for y in range(height)])
    smooth = np.array([sum(w * rows[:, mirrored(x + d, width)] for d, w in weights.items()) for x in range(width)]).T
    gradient_y, gradient_x = np.gradient(smooth)
    yy, xy = np.gradient(gradient_y)
    xx = np.gradient(gradient_x)[1]
    result, margin = edge.copy(), np.full(edge.shape, np.inf)
    for y in range(height):
        for x in range(width):
            angle = math.atan(yy[y, x] * np.sign(-xy[y, x]) / (xx[y, x] + 1e-5)) % math.pi
            for side in (-1, 1):
                value = bilinear(edge, y + side * math.sin(angle), x + side * math.cos(angle))
                margin[y, x] = min(margin[y, x], abs(1.01 * edge[y, x] - value), abs(xx[y, x] + 1e-5) * 1e2)
                if 1.01 * edge[y, x] < value:
                    result[y, x] = 0
            result[y, x] *= min(1, min(y, height - 1 - y) / 5) * min(1, min(x, width - 1 - x) / 5)
    return np.where(margin > 1e-4, result, np.nan)


def bilinear(edge: np.ndarray, y: float, x: float) -> float:
    height, width = edge.shape
    y, x = min(max(y, 0), height - 1.001), min(max(x, 0), width - 1.001)
    top, left = int(y), int(x)
    dy, dx = y - top, x - left
    return ((1 - dy) * ((1 - dx) * edge[top, left] + dx * edge[top, left + 1])
            + dy * ((1 - dx) * edge[top + 1, left] + dx * edge[top + 1, left + 1]))  # fmt: skip


@pytest.mark.parametrize("seed", range(4))
def test_suppression_agrees_with_a_loop_wherever_no_tie_decides(seed: int) -> None:
    random = np.random.default_rng(seed)
    edge = random_map(random, "blobs", (33, 47)).astype(np.float32)
    expected = naive_suppression(edge.astype(np.float64))
    decided = ~np.isnan(expected)
    assert decided.mean() > 0.8
    assert suppress(edge)[decided] == pytest.approx(expected[decided], abs=1e-6)


def test_suppression_keeps_the_ridge_and_fades_the_border() -> None:
    edge = np.zeros((40, 40), np.float32)
    for offset, value in ((-2, 0.3), (-1, 0.6), (0, 0.9), (1, 0.6), (2, 0.3)):
        edge[:, 20 + offset] = value
    thin = suppress(edge)
    assert np.flatnonzero(thin[20]).tolist() == [20]
    assert thin[:7, 20] == pytest.approx(0.9 * np.array([0, 0.2, 0.4, 0.6, 0.8, 1, 1]))
    assert suppress((255 * edge).astype(np.uint8)).dtype == np.float32
    assert suppress(np.ones((1, 5), np.float32)).tolist() == [[0] * 5]


def test_the_second_protocol_suppresses_and_compares_strictly() -> None:
    random = np.random.default_rng(0)
    prediction = (255 * random_map(random, "blobs", (40, 50))).astype(np.uint8)
    truth = random.random((40, 50)) < 0.1
    found = PROTOCOLS["astmt"].count(prediction, truth, 0.03)
    expected = count_matches(suppress(prediction), truth, PROTOCOLS["astmt"].thresholds, 0.03, strict=True)
    assert np.array_equal(np.stack(found), np.stack(expected))


def test_pictures_are_truncated_and_come_back(tmp_path) -> None:
    probability = np.array([[0.0, 0.999, 1.0], [0.5, 0.0039, 0.00393]], np.float32)
    assert to_uint8(probability).tolist() == [[0, 254, 255], [127, 0, 1]]
    write_png(tmp_path / "edge" / "1.png", probability)
    assert np.array_equal(read_prediction(tmp_path / "edge" / "1.png"), to_uint8(probability))
    for odd in (np.full((2, 2), np.nan), np.full((2, 2), 1.2), np.zeros((2, 2), np.uint8)):
        with pytest.raises(UserError, match="expected"):
            to_uint8(odd)


def test_the_package_loads_no_torch() -> None:
    code = "import sys, mtinet.metrics.edges.__main__; print(sorted({name.split('.')[0] for name in sys.modules}))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert "'scipy'" in loaded
    assert not {"torch", "torchvision", "timm", "cv2", "pandas", "skimage"} & set(eval(loaded))
