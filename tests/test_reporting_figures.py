"""Drawings against loops over pixels, figures of the same bytes every time, and gaps that are said."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
import reporting_inputs as made
from matplotlib import colormaps
from PIL import Image
from skimage.color import deltaE_cie76, rgb2lab

from mtinet.errors import UserError
from mtinet.reporting import sources
from mtinet.reporting.classes import Classes, classes_of
from mtinet.reporting.curves import panels
from mtinet.reporting.drawing import NEUTRAL, draw
from mtinet.reporting.figures import learning_curves, panel
from mtinet.reporting.panels import block, prediction
from mtinet.reporting.runs import Shown, handles, look, order_of

SOURCE = np.random.default_rng(1)
ROOMS = classes_of("nyud")["seg"]
TWO = Classes(("wall", "floor"), ("#102030", "#a0b0c0"))


def test_nyud_colours_are_far_apart_and_from_black_white_and_neutral():
    palette = ROOMS.palette()
    colours = np.concatenate([palette, [[0, 0, 0], [255, 255, 255], NEUTRAL]]).astype(np.uint8)
    lab = rgb2lab(colours)
    assert palette.shape == (40, 3)
    assert min(deltaE_cie76(one, other) for one, other in combinations(lab, 2)) > 25


def test_classes_have_their_palette_colour():
    labels = SOURCE.integers(0, 40, (6, 7), dtype=np.uint8)
    labels[2, 3] = 255
    image = draw("seg", labels, classes=ROOMS)
    for y in range(6):
        for x in range(7):
            colour = f"#{bytes(NEUTRAL).hex()}" if labels[y, x] == 255 else ROOMS.colours[labels[y, x]]
            assert f"#{bytes(image[y, x]).hex()}" == colour


def test_each_task_has_the_colours_of_its_own_classes():
    labels = np.array([[0, 1, 2, 255]], dtype=np.uint8)
    assert draw("parts", labels, classes=TWO)[0].tolist() == [
        [16, 32, 48], [160, 176, 192], [16, 32, 48], list(NEUTRAL),
    ]  # fmt: skip
    assert (TWO.name(1), TWO.name(2), TWO.colour(2)) == ("floor", "class 2", "#102030")
    with pytest.raises(ValueError, match="'parts' cannot be drawn without the colours"):
        draw("parts", labels)
    with pytest.raises(ValueError, match="2 classes, but 1 colours"):
        Classes(("wall", "floor"), ("#102030",))


def test_depth_follows_the_colour_scale_between_its_limits():
    depth = np.array([[1.0, 2.0, 3.0], [0.0, 0.5, 9.0]], dtype=np.float32)
    image = draw("depth", depth, (1.0, 3.0))
    for (y, x), share in {(0, 0): 0.0, (0, 1): 0.5, (0, 2): 1.0, (1, 1): 0.0, (1, 2): 1.0}.items():
        assert tuple(image[y, x]) == colormaps["viridis"](share, bytes=True)[:3]
    assert tuple(image[1, 0]) == NEUTRAL


def test_normals_by_hand():
    normals = np.array([[[1, 0, 0], [0, 1, 0], [0, 0, 1], [-1, 0, 0], [0, 0, 0]]], dtype=np.float32)
    assert draw("normals", normals)[0].tolist() == [
        [255, 128, 128], [128, 255, 128], [128, 128, 255], [0, 128, 128], list(NEUTRAL),
    ]  # fmt: skip


@pytest.mark.parametrize("task", ["edge", "sal"])
def test_probabilities_are_dark_on_white_and_nothing_is_left_of_nan(task):
    image = draw(task, np.array([[0.0, 1.0, 255.0, np.nan]], dtype=np.float32))
    assert image[0].tolist() == [[255] * 3, [0] * 3, list(NEUTRAL), list(NEUTRAL)]
    assert draw("depth", np.full((2, 2), np.nan))[0, 0].tolist() == list(NEUTRAL)


def test_wrong_shapes_and_tasks_are_refused():
    with pytest.raises(ValueError, match=r"\[H, W, 3\]"):
        draw("normals", np.zeros((4, 4)))
    with pytest.raises(ValueError, match=r"\[H, W\]"):
        draw("seg", np.zeros((4, 4, 3), dtype=np.uint8))
    with pytest.raises(UserError, match="unknown task 'parts_'"):
        draw("parts_", np.zeros((4, 4)))


HISTORIES = {
    ("hrnet18-mtl", 0): made.history(["seg", "depth"]),
    ("hrnet18-mti-n", 0): made.history(["seg", "depth", "seg@8", "seg@4", "depth@4", "normals@16", "normals@4"]),
    ("hrnet18-mti-n", 1): made.history(["seg", "depth", "normals@4", "normals@16"]),
}
LABELS = [
    Shown("hrnet18-mtl", "timm/hrnet_w18_small_v2", "MTL", ("seg", "depth")),
    Shown("hrnet18-mti-n", "timm/hrnet_w18_small_v2", "Ours (N)", ("seg", "depth")),
    Shown("r18fpn-pad", "fpn/resnet18", "PAD-Net", ("seg", "depth")),
]
ROWS = {"Single task": made.SINGLE, "MTL": "hrnet18-mtl", "MTI-Net": "hrnet18-mti-n"}
EXAMPLES = {
    "hrnet18-single-seg": made.examples(["seg"]),
    "hrnet18-single-depth": made.examples(["depth"]),
    "hrnet18-mti-n": made.examples(["seg", "depth", "normals"]),
}


def test_one_panel_per_task_final_prediction_first():
    assert panels(HISTORIES) == ["seg", "depth", "normals@4"]


def test_runs_look_different_even_without_colour():
    names = [str(number) for number in range(15)]
    looks = [look(names, name) for name in names]
    assert len({each["marker"] for each in looks}) == 15
    assert len({(each["color"], each["linestyle"]) for each in looks}) == 15


def test_experiments_without_history_are_in_the_legend_as_missing():
    there = {name for name, _ in HISTORIES}
    assert [line.get_label() for line in handles(LABELS, there, order_of(LABELS))] == [
        "MTL",
        "Ours (N)",
        "PAD-Net (missing)",
    ]


@pytest.mark.parametrize("suffix", ["png", "svg"])
def test_same_bytes_twice_whatever_the_users_settings(suffix, tmp_path, monkeypatch):
    import matplotlib

    written = []
    for attempt in ("a", "b"):
        curves, rooms = tmp_path / f"{attempt}-curves.{suffix}", tmp_path / f"{attempt}-panel.{suffix}"
        monkeypatch.setitem(matplotlib.rcParams, "font.size", 9.0 if attempt == "a" else 23.0)
        learning_curves(HISTORIES, curves, LABELS)
        panel(EXAMPLES, ROWS, ["seg", "depth", "normals"], rooms, {"seg": TWO})
        written.append((curves.read_bytes(), rooms.read_bytes()))
    assert written[0] == written[1]
    assert len(list(tmp_path.iterdir())) == 4


def test_svg_names_neither_date_nor_program(tmp_path):
    learning_curves(HISTORIES, tmp_path / "curves.svg", LABELS)
    text = (tmp_path / "curves.svg").read_text()
    assert "dc:date" not in text
    assert "Matplotlib" not in text


def test_other_formats_are_refused(tmp_path):
    with pytest.raises(UserError, match=r"expected .png or .svg"):
        learning_curves(HISTORIES, tmp_path / "curves.jpg", LABELS)


def test_curves_without_any_run_still_say_what_is_missing(tmp_path):
    learning_curves({}, tmp_path / "curves.png", LABELS)
    assert Image.open(tmp_path / "curves.png").size[0] > 300


def test_panel_rows_are_image_truth_and_predictions():
    strips = block("seg", EXAMPLES, ROWS, TWO)
    assert [strip.name for strip in strips[1:-1]] == [
        "Image",
        "Ground truth",
        "Single task",
        "MTL",
        "MTI-Net",
    ]
    single = EXAMPLES["hrnet18-single-seg"]
    assert np.array_equal(strips[1].images[1], single["images"][1])
    assert np.array_equal(strips[2].images[0], draw("seg", single["label_seg"][0], classes=TWO))
    assert np.array_equal(strips[3].images[0], draw("seg", single["prediction_seg"][0], classes=TWO))
    assert strips[4].images == ()
    assert strips[4].words == "missing: hrnet18-mtl has not been evaluated"
    assert np.array_equal(strips[5].images[1], draw("seg", EXAMPLES["hrnet18-mti-n"]["prediction_seg"][1], classes=TWO))


def test_panel_legend_has_the_classes_present():
    labels = [np.full((4, 4), 1, np.uint8), np.full((4, 4), 255, np.uint8)]
    run = made.examples([], ((4, 4), (4, 4))) | {
        "label_seg": labels,
        "prediction_seg": [labels[0] * 3, labels[0]],
    }
    key = block("seg", {"a": run}, {"A": "a"}, TWO)[-1]
    assert [name for name, _ in key.classes] == ["floor", "class 3", "no label"]
    assert [colour for _, colour in key.classes] == ["#a0b0c0", "#a0b0c0", "#808080"]


def test_depth_shares_one_scale_taken_from_the_labels():
    strips = block("depth", EXAMPLES, ROWS)
    label = EXAMPLES["hrnet18-single-depth"]["label_depth"]
    valid = np.concatenate([one[one > 0] for one in label])
    assert strips[-1].limits == pytest.approx(np.percentile(valid, [1, 99]))
    assert np.array_equal(strips[2].images[0], draw("depth", label[0], strips[-1].limits))


def test_a_method_without_the_task_says_so():
    strips = block("normals", EXAMPLES, ROWS)
    words = {strip.name: strip.words for strip in strips}
    assert words["Single task"] == "does not predict it"
    run = {"hrnet18-mtl": made.examples(["seg"])}
    assert prediction(run, "hrnet18-mtl", "normals")[1] == "hrnet18-mtl does not predict it"


def test_images_may_differ_in_size(tmp_path):
    sizes = ((20, 30), (40, 30))
    panel({"a": made.examples(["seg"], sizes)}, {"A": "a"}, ["seg"], tmp_path / "panel.png", {"seg": TWO})
    assert Image.open(tmp_path / "panel.png").size[0] == 1012


def test_examples_come_back_at_their_own_sizes(tmp_path):
    """What the evaluation fills up is no pixel without a label, and not drawn as one."""
    filled = np.full((2, 5, 7), 255, np.uint8)
    filled[0, :5, :4], filled[1, :3, :7] = 1, 2
    images = np.full((2, 5, 7, 3), 255, np.uint8)
    sizes = np.array([[5, 4], [3, 7]])
    np.savez(tmp_path / "a.npz", ids=np.array(["a", "b"]), sizes=sizes, images=images, label_seg=filled)
    found = sources.read_examples(tmp_path / "a.npz")
    assert sorted(found) == ["ids", "images", "label_seg"]
    assert [label.shape for label in found["label_seg"]] == [(5, 4), (3, 7)]
    assert [image.shape for image in found["images"]] == [(5, 4, 3), (3, 7, 3)]
    assert [np.unique(label).tolist() for label in found["label_seg"]] == [[1], [2]]
    panel({"a": found}, {"A": "a"}, ["seg"], tmp_path / "panel.png", {"seg": TWO})


def test_a_panel_of_nothing_is_an_error(tmp_path):
    with pytest.raises(UserError, match="no run has been evaluated"):
        panel({}, ROWS, ["seg"], tmp_path / "panel.png")
    assert not (tmp_path / "panel.png").exists()


def test_real_frames_can_be_drawn(tmp_path):
    folder = Path(__file__).resolve().parents[1].parent / "shared/fixtures/real/nyud/filled"
    if not folder.exists():
        pytest.skip("the real frames are not beside this checkout")
    name = "0061"
    image = np.asarray(Image.open(folder / "img" / f"{name}.png").convert("RGB"))
    depth = np.load(folder / "depth" / f"{name}.npy").squeeze().astype(np.float32)
    run = {"ids": [name], "images": [image], "label_depth": [depth], "prediction_depth": [depth * 1.1]}
    panel({"a": run}, {"Ten percent off": "a"}, ["depth"], tmp_path / "panel.png")
    assert np.asarray(Image.open(tmp_path / "panel.png")).std() > 20
    drawn = draw("depth", depth)
    near, far = drawn[depth < np.percentile(depth, 10)], drawn[depth > np.percentile(depth, 90)]
    assert near.mean() < far.mean() - 30
