"""The edge benchmark as the metric of the task `edge`: statistics, settings in params.yaml, dependencies."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import yaml

from mtinet import config, metrics
from mtinet.errors import UserError
from mtinet.metrics import edges
from mtinet.metrics.edges.pictures import write_png
from mtinet.metrics.edges.reading import read_prediction
from pipeline import rules
from tests.edge_references import random_map

SETTINGS = {"edges": {"max_dist": 0.03, "protocol": "released", "flavour": "seism"}}
PARAMS = Path(__file__).resolve().parents[1] / "params.yaml"


def frames(count: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Probabilities and edges two pixels thick."""
    found = []
    for seed in range(count):
        random = np.random.default_rng(seed)
        edge = random_map(random, "lines", (40, 50)) > 0.3
        thick = edge | np.roll(edge, 1, axis=1)
        noise = random_map(random, "blobs", (40, 50)).astype(np.float32)
        found.append((np.clip(0.6 * noise + 0.4 * thick, 0, 1), thick.astype(np.uint8)))
    return found


def test_statistics_are_what_the_benchmark_counts_in_the_pictures(tmp_path: Path) -> None:
    for number, (probability, edge) in enumerate(frames(3)):
        write_png(tmp_path / f"{number}.png", probability)
        expected = edges.PROTOCOLS["released"].count(
            read_prediction(tmp_path / f"{number}.png"), edges.thin(edge), 0.03
        )
        found = metrics.per_image("edge", probability, edge, settings=SETTINGS)
        assert found.dtype == np.float64
        assert np.array_equal(found, np.stack(expected))


def test_the_same_statistics_serve_both_flavours_and_any_subset() -> None:
    rows = np.stack([metrics.per_image("edge", *frame, settings=SETTINGS) for frame in frames(4)])
    thresholds = edges.PROTOCOLS["released"].thresholds
    for flavour in ("seism", "bsds"):
        settings = {"edges": SETTINGS["edges"] | {"flavour": flavour}}
        for draw in ([0, 1, 2, 3], [2, 2, 0, 1]):
            expected = edges.summarize(rows[draw], thresholds, flavour)
            found = metrics.summarize("edge", rows[draw], settings)
            assert found == {key: expected[key] for key in ("odsF", "oisF", "AP", "odsT")}


def test_the_other_protocol_is_known_by_its_thresholds() -> None:
    settings = {"edges": SETTINGS["edges"] | {"protocol": "astmt"}}
    rows = np.stack([metrics.per_image("edge", *frame, settings=settings) for frame in frames(2)])
    assert rows.shape == (2, 4, 101)
    expected = edges.summarize(rows, edges.PROTOCOLS["astmt"].thresholds)
    assert metrics.summarize("edge", rows, settings)["odsT"] == expected["odsT"]
    with pytest.raises(UserError, match="50 thresholds, expected 99 or 101"):
        metrics.summarize("edge", rows[..., :50])


def test_unlabelled_pixels_are_no_boundary_and_a_set_without_any_has_no_score() -> None:
    probability, edge = frames(1)[0]
    edge[:10] = 255
    found = metrics.per_image("edge", probability, edge, settings=SETTINGS)
    assert found[1, 0] == edges.thin(edge == 1).sum()
    nothing = metrics.per_image("edge", probability, 0 * edge, settings=SETTINGS)
    assert metrics.summarize("edge", nothing[None]) == dict.fromkeys(("odsF", "oisF", "AP", "odsT"))


def test_a_prediction_that_is_no_number_is_refused_and_rounding_above_one_is_not() -> None:
    edge = np.zeros((3, 4), np.uint8)
    with pytest.raises(UserError, match="12 NaN pixels"):
        metrics.per_image("edge", np.full((3, 4), np.nan, np.float32), edge, settings=SETTINGS)
    above = np.full((3, 4), np.nextafter(np.float32(1), np.float32(2)))
    assert metrics.per_image("edge", above, edge, settings=SETTINGS)[3, -1] > 0


def test_only_edges_are_costly() -> None:
    assert metrics.is_costly("edge")
    assert not any(metrics.is_costly(name) for name in ("seg", "depth", "normals"))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda nyud: nyud.pop("edges"), "datasets.nyud: lacks 'edges'"),
        (lambda nyud: nyud["edges"].update(protocol="mtinet"), r"datasets\.nyud\.edges\.protocol: found 'mtinet'"),
        (lambda nyud: nyud["edges"].update(flavor="bsds"), "flavor: unknown parameter.*did you mean 'flavour'"),
        (lambda nyud: nyud["edges"].update(max_dist=4.3), r"edges\.max_dist: found 4\.3"),
        (lambda nyud: nyud["edges"].pop("max_dist"), r"edges\.max_dist: missing"),
    ],
)
def test_settings_are_checked(tmp_path: Path, change, message: str) -> None:
    content = yaml.safe_load(PARAMS.read_text())
    change(content["datasets"]["nyud"])
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(content))
    with pytest.raises(UserError, match=message):
        config.load(tmp_path / "params.yaml")


def test_settings_reach_the_metrics_as_they_are_written() -> None:
    params = config.load(PARAMS)
    written = yaml.safe_load(PARAMS.read_text())["datasets"]["nyud"]["edges"]
    assert params.datasets["nyud"].metric_settings() == {"edges": written}


def test_evaluations_depend_on_the_settings_and_the_benchmark_and_trainings_on_neither() -> None:
    for rule in rules.rules():
        # Intervals resample images, and score anew what the resampled ones add up to.
        scores = rule.stage in ("evaluate", "blind", "compare", "claims")
        assert (f"datasets.{rule.dataset}.edges" in rule.params) == scores, rule.name
        assert ("src/mtinet/metrics/edges/matching.py" in rule.code) == scores, rule.name
