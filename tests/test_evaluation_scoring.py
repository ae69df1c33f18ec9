"""Scoring a fake model on a tiny split of images of several sizes, against a brute-force computation."""

from __future__ import annotations

from math import acos, degrees

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from sklearn.metrics import jaccard_score
from torch import Tensor, nn

from mtinet.data.transforms import prepare_image
from mtinet.evaluation import scoring
from mtinet.metrics import edges
from mtinet.models.interface import Predictions

CLASSES = {"seg": 4, "depth": 1, "normals": 3, "edge": 1}
SIZE = (32, 64)
SETTINGS = {"edges": {"max_dist": 0.05, "protocol": "released", "flavour": "seism"}}


STEPS = edges.PROTOCOLS["released"].thresholds


class Split:
    """Five random images of two sizes with all four labels, invalid pixels included."""

    def __init__(self) -> None:
        self.ids = [f"scene-{index}" for index in range(5)]
        self.frames = [self.frame(np.random.default_rng(i), 20 + 6 * (i % 2), 30) for i in range(5)]

    def __len__(self) -> int:
        return len(self.ids)

    def image(self, index: int) -> np.ndarray:
        return self.frames[index]["image"]

    def label(self, task: str, index: int) -> np.ndarray:
        return self.frames[index][task]

    @staticmethod
    def frame(generator: np.random.Generator, height: int, width: int) -> dict[str, np.ndarray]:
        normals = generator.normal(size=(height, width, 3))
        normals /= np.linalg.norm(normals, axis=-1, keepdims=True)
        normals[0] = 0
        return {
            "image": generator.integers(0, 256, (height, width, 3), dtype=np.uint8),
            "seg": generator.choice(np.array([0, 1, 2, 3, 255], np.uint8), (height, width)),
            "depth": generator.choice(np.array([0, 1, 2.5], np.float32), (height, width)),
            "normals": normals.astype(np.float32),
            "edge": generator.integers(0, 2, (height, width), dtype=np.uint8),
        }


class Fake(nn.Module):
    """One 1x1 convolution per task, behind dropout that must be off while scoring."""

    def __init__(self, main: list[str], auxiliary: list[str], channels: dict[str, int] = CLASSES) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.main = main
        self.dropout = nn.Dropout(0.5)
        self.heads = nn.ModuleDict({name: nn.Conv2d(3, channels[name], 1) for name in main + auxiliary})
        self.batches: list[int] = []

    def forward(self, images: Tensor) -> Predictions:
        assert not torch.is_grad_enabled()
        self.batches.append(len(images))
        images = self.dropout(images)
        scaled = {stride: F.avg_pool2d(images, stride) for stride in (8, 4)}
        initial = {stride: {name: head(x) for name, head in self.heads.items()} for stride, x in scaled.items()}
        return Predictions({name: self.heads[name](images) for name in self.main}, initial)


def score(model: Fake, batch_size: int = 2, examples: int = 3, workers: int = 1) -> scoring.Scores:
    return scoring.score(
        model, Split(), main=["seg", "depth"], auxiliary=["normals", "edge"], classes=CLASSES, size=SIZE,
        batch_size=batch_size, device=torch.device("cpu"), examples=examples,
        settings=SETTINGS, workers=workers,
    )  # fmt: skip


@pytest.fixture
def model() -> Fake:
    return Fake(["seg", "depth"], ["normals", "edge"])


def brute_force(model: Fake, key: str, split: Split | None = None) -> list[tuple[np.ndarray, np.ndarray]]:
    """Predictions at the stored size and labels for one key, image by image."""
    name, _, stride = key.partition("@")
    split, pairs = split or Split(), []
    for index in range(len(split)):
        image = torch.as_tensor(prepare_image(split.image(index), SIZE))[None]
        with torch.no_grad():
            predictions = model.eval()(image)
        raw = predictions.initial[int(stride)][name] if stride else predictions.final[name]
        size = split.image(index).shape[:2]
        if name in ("seg", "parts"):
            rows, columns = (
                ((np.arange(n) + 0.5) * m / n).astype(int) for n, m in zip(size, raw.shape[2:], strict=True)
            )
            prediction = raw[0].argmax(0).numpy()[rows][:, columns]
        else:
            raw = raw.sigmoid() if name in ("edge", "sal") else raw
            prediction = F.interpolate(raw, size=size, mode="bilinear")[0].permute(1, 2, 0).numpy()
        pairs.append((prediction.astype(np.float64), split.label(name, index)))
    return pairs


@pytest.mark.parametrize("key", ["seg", "seg@4", "seg@8"])
def test_mean_iou_agrees_with_brute_force(model: Fake, key: str) -> None:
    pairs = brute_force(model, key)
    guess = np.concatenate([prediction[target != 255] for prediction, target in pairs])
    truth = np.concatenate([target[target != 255] for _, target in pairs])
    scores = score(model)
    found = scores.summaries["initial" if "@" in key else "tasks"][key]["mIoU"]
    assert found == pytest.approx(jaccard_score(truth, guess, average="macro"), rel=1e-9)


@pytest.mark.parametrize("key", ["depth", "depth@4", "depth@8"])
def test_rmse_agrees_with_brute_force(model: Fake, key: str) -> None:
    squares = [
        (float(d) - float(truth)) ** 2
        for prediction, target in brute_force(model, key)
        for d, truth in zip(prediction.flat, target.flat, strict=True)
        if truth > 0
    ]
    found = score(model).summaries["initial" if "@" in key else "tasks"][key]["rmse"]
    assert found == pytest.approx((sum(squares) / len(squares)) ** 0.5, rel=1e-6)


def test_auxiliary_tasks_are_scored_by_their_finest_initial_prediction(model: Fake) -> None:
    angles, counts = [], []
    for prediction, target in brute_force(model, "normals@4"):
        for guess, truth in zip(prediction.reshape(-1, 3), target.reshape(-1, 3), strict=True):
            if truth.any():
                angles.append(degrees(acos(np.clip(guess @ truth / np.linalg.norm(guess), -1, 1))))
    for prediction, target in brute_force(model, "edge@4"):
        bits = (255 * prediction[..., 0]).astype(np.uint8)
        counts.append(np.stack(edges.count_matches(bits, edges.thin(target == 1), STEPS, 0.05)))
    found = score(model).summaries
    assert found["auxiliary"]["normals"]["mean_angle"] == pytest.approx(np.mean(angles), rel=1e-5)
    expected = edges.summarize(np.stack(counts), STEPS)
    del expected["curve"]
    assert found["auxiliary"]["edge"] == found["initial"]["edge@4"] == pytest.approx(expected, rel=1e-9)
    assert found["auxiliary"]["normals"] == found["initial"]["normals@4"] != found["initial"]["normals@8"]


def test_edges_that_are_only_watched_have_their_loss_under_its_name(model: Fake) -> None:
    losses = []
    for prediction, target in brute_force(model, "edge@8"):
        p = prediction[..., 0]
        losses.append(np.where(target == 1, -0.95 * np.log(p), -0.05 * np.log(1 - p)).ravel())
    found = score(model).summaries["initial"]["edge@8"]
    assert found == {"loss": pytest.approx(np.concatenate(losses).mean(), rel=1e-5)}
    main = Fake(["edge"], [])
    summaries = scoring.score(
        main, Split(), main=["edge"], auxiliary=[], classes=CLASSES, size=SIZE, batch_size=2,
        device=torch.device("cpu"), settings=SETTINGS,
    ).summaries  # fmt: skip
    assert set(summaries["tasks"]["edge"]) == {"odsF", "oisF", "AP", "odsT"}
    assert all(set(summary) == {"loss"} for summary in summaries["initial"].values())


def test_processes_make_no_difference(model: Fake) -> None:
    alone, shared = score(model), score(model, workers=2)
    assert shared.summaries == alone.summaries
    assert all(np.array_equal(shared.statistics[key], rows) for key, rows in alone.statistics.items())


def test_every_kind_of_prediction_is_there_with_a_row_per_image(model: Fake) -> None:
    scores = score(model)
    scaled = {f"{name}@{stride}" for name in CLASSES for stride in (4, 8)}
    assert set(scores.summaries["initial"]) == scaled
    assert [*scores.summaries["tasks"]] == ["seg", "depth"]
    assert [*scores.summaries["auxiliary"]] == ["normals", "edge"]
    assert set(scores.statistics) == scaled | set(CLASSES)
    assert scores.statistics["seg"].shape == (5, 3, 4)
    assert scores.statistics["edge"].shape == (5, 4, 99)
    assert all(len(rows) == 5 and rows.dtype == np.float64 for rows in scores.statistics.values())


PASCAL = {"seg": 4, "parts": 3, "sal": 1, "edge": 1, "normals": 3}
PASCAL_SIZES = [(20, 30), (30, 20), (26, 30), (13, 41), (20, 30)]


class PascalSplit(Split):
    """Five images of four sizes, upright ones among them; one without a person; exact normals and saliency."""

    labels = (*PASCAL, "normals_exact", "sal_exact")

    def __init__(self) -> None:
        super().__init__()
        self.frames = [self.frame(np.random.default_rng(9 + i), *size) for i, size in enumerate(PASCAL_SIZES)]
        for i, frame in enumerate(self.frames):
            generator, shape = np.random.default_rng(99 + i), frame["seg"].shape
            frame["parts"] = generator.choice(np.array([0, 1, 2, 255], np.uint8), shape)
            frame["sal"], frame["sal_exact"] = generator.choice(np.array([0, 1, 255], np.uint8), (2, *shape))
            frame["normals_exact"] = -frame["normals"]
        self.frames[3]["parts"][:] = 255


def score_pascal(split: Split, main: list[str], auxiliary: list[str]) -> tuple[Fake, scoring.Scores]:
    model = Fake(main, auxiliary, PASCAL)
    return model, scoring.score(
        model, split, main=main, auxiliary=auxiliary, classes=PASCAL, size=SIZE, batch_size=2,
        device=torch.device("cpu"), examples=2, settings=SETTINGS,
    )  # fmt: skip


def test_five_tasks_on_images_of_any_size() -> None:
    split = PascalSplit()
    model, scores = score_pascal(split, [*PASCAL], [])
    tasks = scores.summaries["tasks"]
    for name in ("seg", "parts"):
        pairs = brute_force(model, name, split)
        guess, truth = (np.concatenate([pair[i][pair[1] != 255] for pair in pairs]) for i in (0, 1))
        assert tasks[name]["mIoU"] == pytest.approx(jaccard_score(truth, guess, average="macro"), rel=1e-9)
    per_threshold = []
    for threshold in np.linspace(0.2, 0.9, 15):
        values = []
        for prediction, target in brute_force(model, "sal", split):
            valid = target != 255
            guess = prediction[..., 0][valid] > threshold
            values.append(jaccard_score(target[valid], guess, zero_division=1))
        per_threshold.append(np.mean(values))
    assert tasks["sal"]["mIoU"] == pytest.approx(max(per_threshold), rel=1e-4)
    assert not scores.statistics["parts"][3].any()
    assert [rows.shape for rows in scores.statistics.values() if rows.shape[1:] == (15, 4)] == [(5, 15, 4)] * 6
    assert scores.examples["images"].shape[1:3] == (30, 41)  # of images 1 and 3
    assert scores.examples["prediction_sal"].max() == 255


@pytest.mark.parametrize(("main", "auxiliary"), [([*PASCAL], []), (["seg", "sal"], ["normals"])])
def test_distilled_tasks_are_scored_against_exact_labels_too(main: list[str], auxiliary: list[str]) -> None:
    split, swapped = PascalSplit(), PascalSplit()
    for frame in swapped.frames:
        frame |= {"sal": frame["sal_exact"], "normals": frame["normals_exact"]}
    scores, against_exact = (score_pascal(given, main, auxiliary)[1] for given in (split, swapped))
    kinds = scores.summaries
    assert set(kinds["exact"]) == {f"{name}{at}" for name in ("sal", "normals") for at in ("", "@4", "@8")}
    reference, distilled = (
        found.summaries["tasks"] | found.summaries["auxiliary"] | found.summaries["initial"]
        for found in (against_exact, scores)
    )
    for name, found in kinds["exact"].items():
        assert found == reference[name] != distilled[name]
        assert np.array_equal(scores.statistics[f"{name}!exact"], against_exact.statistics[name])
    assert not [key for key in kinds["initial"] if "!" in key]
    assert kinds["exact"]["normals"]["mean_angle"] == pytest.approx(
        180 - (kinds["tasks"] | kinds["auxiliary"])["normals"]["mean_angle"]
    )


def test_without_exact_labels_nothing_speaks_of_them() -> None:
    split = PascalSplit()
    split.labels = (*PASCAL, "depth_exact")
    with_exact = score_pascal(PascalSplit(), [*PASCAL], [])[1]
    scores = score_pascal(split, [*PASCAL], [])[1]
    assert [*scores.summaries] == ["tasks", "auxiliary", "initial"]
    assert scores.summaries == {kind: found for kind, found in with_exact.summaries.items() if kind != "exact"}
    assert [key for key in with_exact.statistics if "!" not in key] == [*scores.statistics]


def test_repeats_bit_for_bit_and_batches_make_no_difference(model: Fake) -> None:
    first, again, single = score(model), score(model), score(model, batch_size=1)
    assert model.batches == [2, 2, 1] * 2 + [1] * 5
    for key, rows in first.statistics.items():
        assert np.array_equal(rows, again.statistics[key])
        assert rows == pytest.approx(single.statistics[key], rel=1e-5, abs=1e-2 if "seg" in key else 1e-5)
    assert first.summaries == again.summaries


@pytest.mark.parametrize("training", [True, False])
def test_the_model_is_left_in_the_mode_it_was_in(model: Fake, training: bool) -> None:
    model.train(training)
    score(model)
    assert model.training is training


def test_examples_hold_images_labels_and_predictions(model: Fake) -> None:
    split, examples = Split(), score(model).examples
    assert examples["ids"].tolist() == ["scene-0", "scene-2", "scene-4"]
    for number, index in enumerate((0, 2, 4)):
        assert np.array_equal(examples["images"][number], split.image(index))
        for name, key in {"seg": "seg", "depth": "depth", "normals": "normals@4", "edge": "edge@4"}.items():
            assert np.array_equal(examples[f"label_{name}"][number], split.label(name, index))
            expected = np.squeeze(brute_force(model, key)[index][0])
            if name == "normals":
                expected = expected / np.linalg.norm(expected, axis=-1, keepdims=True)
            assert examples[f"prediction_{name}"][number] == pytest.approx(expected, abs=1e-5)


def test_examples_of_several_sizes_are_filled_up_with_what_is_invalid(model: Fake) -> None:
    split, examples = Split(), score(model, examples=5).examples
    assert examples["images"].shape == (5, 26, 30, 3)
    assert examples["sizes"].tolist() == [[20, 30], [26, 30], [20, 30], [26, 30], [20, 30]]
    assert np.array_equal(examples["images"][0, :20], split.image(0))
    assert (examples["images"][0, 20:] == 255).all()
    for name, invalid in {"seg": 255, "depth": 0, "normals": 0, "edge": 255}.items():
        assert np.array_equal(examples[f"label_{name}"][2, :20], split.label(name, 2))
        assert (examples[f"label_{name}"][2, 20:] == invalid).all()
        assert (examples[f"prediction_{name}"][2, 20:] == invalid).all()
    assert score(model, examples=0).examples == {}


@pytest.mark.parametrize(
    ("images", "wanted", "expected"),
    [(5, 3, [0, 2, 4]), (3, 8, [0, 1, 2]), (100, 4, [12, 37, 62, 87]), (7, 1, [3]), (3, 0, [])],
)
def test_examples_are_evenly_spaced(images: int, wanted: int, expected: list[int]) -> None:
    assert scoring.example_indices(images, wanted) == expected


def test_a_metric_without_a_valid_pixel_is_none(model: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Split, "label", lambda self, task, index: 0 * self.frames[index][task])
    assert score(model).summaries["tasks"]["depth"]["rmse"] is None
