"""What figures of experiments, gains, affinities, patches and architecture show, taken from the drawn objects."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import reporting_inputs as made
import torch
from matplotlib.figure import Figure
from PIL import Image

from mtinet import files, models
from mtinet.config import load
from mtinet.errors import UserError
from mtinet.reporting import canvas, figures, runs
from mtinet.reporting.captions import CAPTIONS, drawable, experiments_of, figures_of
from mtinet.reporting.classes import classes_of
from mtinet.reporting.panels import line_width, widened
from mtinet.reporting.patches import border_point, most_labelled, richest, window
from mtinet.studies import architecture, resources

ROOT = Path(__file__).resolve().parents[1]
PARAMS = load(ROOT / "params.yaml")
TASKS, AUXILIARY = {"seg": 40, "depth": 1}, {"normals": 3, "edge": 1}
BACKBONE = "timm/hrnet_w18_small_v2"


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[Figure]:
    """The figures that are saved, to look into."""
    found: list[Figure] = []
    save = canvas.save

    def keep(figure: Figure, path: Path) -> None:
        found.append(figure)
        save(figure, path)

    monkeypatch.setattr(canvas, "save", keep)
    return found


@pytest.fixture(scope="module")
def structure() -> dict[str, Any]:
    return {"experiment": "mine", "backbone_name": BACKBONE} | architecture.described(network(), 480, 640)


def network(**options: Any) -> Any:
    with torch.device("meta"):
        return models.build("mti_net", backbone=BACKBONE, tasks=TASKS, auxiliary=AUXILIARY, options=options)


def words(figure: Figure) -> list[str]:
    """All texts that a figure shows."""
    from matplotlib.text import Text

    return [text.get_text() for text in figure.findobj(Text) if text.get_text()]


# Experiments -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dataset", ["nyud", "pascal"])
def test_every_experiment_is_told_apart_on_its_backbone(dataset):
    shown = runs.shown(PARAMS, dataset)
    assert [entry.name for entry in shown] == list(dict.fromkeys(name for name, _ in PARAMS.runs(dataset)))
    several = [(entry.backbone, entry.label) for entry in shown if len(entry.tasks) > 1]
    assert len(set(several)) == len(several)
    assert len(runs.order_of(shown)) <= len(runs.MARKERS)


def test_labels_say_tasks_auxiliary_ones_and_what_varies():
    labels = {entry.name: entry.label for entry in runs.shown(PARAMS, "nyud")}
    assert labels["hrnet18-mti-nofpm-ne"] == "MTI-Net w/o FPM (N+E)"
    assert labels["hrnet18-mti-2scales"] == "MTI-Net 2 scales"
    assert labels["hrnet48-single-depth"] == "Single task"
    pascal = {entry.name: entry.label for entry in runs.shown(PARAMS, "pascal")}
    assert pascal["hrnet18-mti-s-en"] == "MTI-Net S+P+L (E+N)"
    assert pascal["r26dlv3-astmt-a"] == "ASTMT S+P+L+E+N"


def test_of_several_tables_the_entry_with_a_delta_m_is_taken():
    one = {"experiments": {"a": {"delta_m": None}, "b": {"delta_m": 1.0}}}
    other = {"experiments": {"a": {"delta_m": 2.0}, "b": {"delta_m": None}}}
    assert runs.merged([one, other]) == {"a": {"delta_m": 2.0}, "b": {"delta_m": 1.0}}


# Gains -------------------------------------------------------------------------------------------------------


def gains() -> tuple[list[runs.Shown], dict[str, Any], dict[str, Any]]:
    """The 26 experiments of NYUD-v2: those on the FPN missing, one with an interval."""
    shown = runs.shown(PARAMS, "nyud")
    compared = made.comparison()["experiments"]
    compared["hrnet18-mtl"] |= {"delta_m": -2.5, "delta_m_interval": [-4.0, -1.0]}
    costs = {
        "conditions": {"height": 480, "width": 640},
        "experiments": {
            entry.name: {"params": 10**6 * (n + 1), "flops": 10**9 * (n + 2)} for n, entry in enumerate(shown)
        },
    }
    return shown, compared, costs


def test_bars_have_the_values_of_the_comparison_and_gaps_are_said(drawn, tmp_path):
    shown, compared, _ = gains()
    figures.delta_bars(shown, compared, tmp_path / "deltas.png")
    axes = {axis.get_title(loc="left"): axis for axis in drawn[0].axes}
    trained = f"{BACKBONE}, 125 steps, 5 epochs"
    assert list(axes) == [trained, "fpn/resnet18", "timm/hrnet_w48"]
    first = axes[trained]
    measured = [e for e in shown if e.backbone == BACKBONE and len(e.tasks) > 1 and e.name in compared]
    assert [bar.get_width() for bar in first.patches] == [compared[e.name]["delta_m"] for e in measured]
    assert [text.get_text() for text in first.texts[: len(measured)]] == [
        f"{compared[e.name]['delta_m']:+.2f}" for e in measured
    ]
    intervals = [line for line in first.lines if line.get_marker() == "|"]
    assert [list(line.get_xdata()) for line in intervals] == [[-4.0, -1.0]]
    assert {text.get_text() for text in axes["fpn/resnet18"].texts} == {"missing"}


def test_runs_of_one_backbone_that_were_not_trained_alike_are_said(drawn, tmp_path):
    shown, compared, costs = gains()
    compared["hrnet18-mtl"] |= {"steps": 20, "epochs": 1}
    figures.delta_bars(shown, compared, tmp_path / "deltas.png")
    figures.against_costs(shown, compared, costs, tmp_path / "costs.png")
    for figure in drawn:
        assert f"{BACKBONE}, 20 or 125 steps, 1 or 5 epochs" in words(figure)
    assert {CAPTIONS[name].text.endswith("how long its runs were trained.") for name in ("deltas", "costs")} == {True}


def test_points_stand_at_cost_and_gain_and_single_tasks_at_zero(drawn, tmp_path):
    shown, compared, costs = gains()
    figures.against_costs(shown, compared, costs, tmp_path / "costs.png")
    flops, params = drawn[0].axes[:2]
    for axis, key, unit in ((flops, "flops", 1e9), (params, "params", 1e6)):
        points = {(line.get_xdata()[0], line.get_ydata()[0]) for line in axis.lines if len(line.get_xdata()) == 1}
        expected = {(costs["experiments"][name][key] / unit, compared[name]["delta_m"]) for name in made.ROWS.values()}
        total = sum(costs["experiments"][name][key] for name in made.SINGLE.values()) / unit
        assert points == expected | {(total, 0)}
        left, right = axis.get_xlim()
        assert left == 0
        assert right > max(x for x, _ in points)
    assert "no run" in words(drawn[0])
    assert f"{BACKBONE}, 125 steps, 5 epochs" in words(drawn[0])
    assert "GFLOPs of one image, 480x640" in words(drawn[0])


# Affinities --------------------------------------------------------------------------------------------------


def affinities(kernel: int = 3, rule: str = "equal") -> dict[str, Any]:
    rates = {"matched": [0.9, 0.6], "chance": [0.8, 0.5], "similar": [0.7, None], "dissimilar": [0.1, 0.2]}
    return {
        "images": 7, "mean_height": 240.0, "kernel": kernel, "dilations": [1, 8], "depth_threshold": 0.1,
        "normals_threshold": 15.0, "edge_rule": rule, "pairs": [{"tasks": ["seg", "edge"], "rates": rates}],
    }  # fmt: skip


def recorded() -> dict[str, Any]:
    rates = {"matched": [0.99, 0.5], "chance": [0.9, 0.4], "similar": [0.9, 0.4], "dissimilar": [0.3, 0.1]}
    pairs = {"equal": [{"tasks": ["seg", "edge"], "rates": rates}]}
    return {"images": 654, "mean_height": 480.0, "kernel": 3, "dilations": [2, 16], "pairs": pairs}


def test_rates_are_drawn_in_percent_with_chance_and_recorded_ones_at_scaled_dilations(drawn, tmp_path):
    figures.affinity(affinities(), tmp_path / "a.png", recorded())
    lines = {line.get_linestyle(): line for line in drawn[0].axes[0].lines}
    assert lines["-"].get_ydata().tolist() == [90, 60]
    assert lines[":"].get_ydata().tolist() == [80, 50]
    assert lines["--"].get_ydata().tolist() == [99, 50]
    assert lines["--"].get_xdata().tolist() == [1, 8]
    similar = drawn[0].axes[1].lines[0].get_ydata()
    assert similar[0] == 70
    assert np.isnan(similar[1])
    assert any("654 real" in text for text in words(drawn[0]))


def test_recorded_rates_by_another_kernel_are_not_beside_the_measured_ones(drawn, tmp_path):
    figures.affinity(affinities(kernel=5), tmp_path / "a.png", recorded())
    assert not any("real" in text for text in words(drawn[0]))
    figures.affinity(affinities(), tmp_path / "b.png")
    assert not any("real" in text for text in words(drawn[1]))


# Patches and panels ------------------------------------------------------------------------------------------


def test_the_image_has_most_classes_and_the_point_lies_on_a_border():
    flat = np.zeros((20, 30), np.uint8)
    label = flat.copy()
    label[:, 18:] = 1
    label[0, 0] = 255
    assert richest([flat, label, label]) == 1
    y, x = border_point(label)
    assert x == 17
    assert abs(y - 10) <= 1
    assert border_point(flat) == (10, 15)


@pytest.mark.parametrize("centre", [(0, 0), (19, 29), (10, 15)])
def test_windows_stay_within_the_image(centre):
    rows, columns = window((20, 30), centre, 0.5)
    assert (rows.stop - rows.start, columns.stop - columns.start) == (10, 10)
    assert rows.start <= centre[0] < rows.stop <= 20
    assert columns.start <= centre[1] < columns.stop <= 30


def test_patches_are_cut_out_of_the_labels(drawn, tmp_path):
    examples = {"a": made.examples(["seg"]), "b": made.examples(["seg", "depth"])}
    classes = classes_of("nyud")
    figures.patches(examples, ["seg", "depth", "edge"], tmp_path / "p.png", classes)
    titles = [axis.get_title() for axis in drawn[0].axes if axis.get_title()]
    assert titles == ["Image", "Seg", "Dep"]
    with pytest.raises(UserError, match="no labels of 'seg'"):
        figures.patches({"a": made.examples(["depth"])}, ["seg"], tmp_path / "q.png", classes)


def test_edges_are_widened_where_a_cell_is_smaller_than_the_image():
    big = made.examples([], ((20, 900),) * 4)
    assert line_width("edge", big) > 2
    assert line_width("seg", big) == 1
    assert line_width("edge", made.examples([])) == 1
    image = np.full((5, 5, 3), 255, np.uint8)
    image[2, 2] = 0
    assert (widened(image, 3)[1:4, 1:4] == 0).all()
    assert (widened(image, 3)[0] == 255).all()
    assert widened(image, 1) is image


def test_a_panel_of_all_five_pascal_tasks(drawn, tmp_path):
    sizes, tasks = ((24, 32), (32, 24)), ["seg", "parts", "sal", "edge", "normals"]
    examples = {f"single-{task}": made.examples([task], sizes) for task in tasks} | {"all": made.examples(tasks, sizes)}
    rows = {"Single task": {task: f"single-{task}" for task in tasks}, "MTI-Net": "all"}
    figures.panel(examples, rows, tasks, tmp_path / "p.png", classes_of("pascal"))
    assert not [text for text in words(drawn[0]) if "missing" in text or "does not" in text]
    assert len([axis for axis in drawn[0].axes if axis.images]) == len(tasks) * 4 * len(sizes)


# Architecture ------------------------------------------------------------------------------------------------


def test_the_structure_is_that_of_the_network(structure):
    net = network()
    assert structure["params"] == resources.count(net, 64, 64).params
    parts = [structure["backbone"]["params"], *(head["params"] for head in structure["heads"].values())]
    for scale in structure["scales"]:
        blocks = (scale["front_end"], scale["distillation"], scale["propagation"] or {"params": 0})
        parts += [block["params"] for block in blocks]
    assert sum(parts) == structure["params"]
    assert structure["tasks"] == TASKS
    assert structure["auxiliary"] == AUXILIARY
    coarse = structure["scales"][0]
    assert (coarse["stride"], coarse["height"], coarse["width"]) == (32, 15, 20)
    assert coarse["front_end"] == {"blocks": 2, "inputs": 144, "channels": 144, "params": coarse["front_end"]["params"]}
    assert coarse["distillation"]["receives"]["seg"] == ["depth", "normals", "edge"]
    fpm = coarse["propagation"]
    assert (fpm["stacked"], fpm["reduced"], fpm["shared"], fpm["gate_units"]) == (576, 144, 144, 9)
    assert structure["scales"][-1]["propagation"] is None
    # Backbone features and those of the coarser scale enter the next front-end.
    assert structure["scales"][1]["front_end"]["inputs"] == 72 + 144


def test_the_drawing_names_every_block(structure, drawn, tmp_path):
    figures.architecture(structure, tmp_path / "a.png")
    text = "\n".join(words(drawn[0]))
    assert len(re.findall("front-end", text)) == len(re.findall("distillation", text)) == 4
    assert len(re.findall("FPM", text)) == 3
    assert len(re.findall("aggregation", text)) == 2
    for stride, channels in {4: 18, 8: 36, 16: 72, 32: 144}.items():
        assert f"1/{stride}: {480 // stride}x{640 // stride}\n{channels} channels" in text
    figures.propagation(structure, tmp_path / "b.png")
    assert "softmax\nover the tasks" in words(drawn[1])


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"propagation": "none"}, 0),
        ({"propagation": "upsample"}, 3),
        ({"scales": [4, 8]}, 1),
    ],
)
def test_other_networks_have_other_drawings(options, expected, drawn, tmp_path):
    name = "upsampled" if options.get("propagation") == "upsample" else "FPM"
    found = {"experiment": "other", "backbone_name": BACKBONE} | architecture.described(network(**options), 480, 640)
    figures.architecture(found, tmp_path / "a.svg")
    assert len(re.findall(name, "\n".join(words(drawn[0])))) == expected
    if options.get("propagation"):
        with pytest.raises(UserError, match="has no feature propagation module"):
            figures.propagation(found, tmp_path / "b.svg")


def test_nothing_to_draw_is_an_error(tmp_path):
    with pytest.raises(UserError, match="no MTI-Net to draw"):
        figures.architecture(None, tmp_path / "a.png")


def test_patches_are_of_an_image_that_all_tasks_label():
    """Though another has more classes."""
    seg = np.stack([np.arange(16, dtype=np.uint8).reshape(4, 4), np.eye(4, dtype=np.uint8)])
    depth = np.stack([np.zeros((4, 4)), np.ones((4, 4))])
    assert most_labelled({"seg": seg, "depth": depth}) == [1]
    assert most_labelled({"seg": seg}) == [0, 1]


# All of them -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", ["png", "svg"])
def test_same_bytes_twice(suffix, structure, tmp_path):
    shown, compared, costs = gains()
    examples = {"b": made.examples(["seg", "depth"])}
    for attempt in ("a", "b"):
        folder = tmp_path / attempt
        figures.delta_bars(shown, compared, folder / f"deltas.{suffix}")
        figures.against_costs(shown, compared, costs, folder / f"costs.{suffix}")
        figures.affinity(affinities(), folder / f"affinity.{suffix}", recorded())
        figures.architecture(structure, folder / f"architecture.{suffix}")
        figures.propagation(structure, folder / f"propagation.{suffix}")
        figures.patches(examples, ["seg", "depth"], folder / f"patches.{suffix}", classes_of("nyud"))
    written = {path.name: path.read_bytes() for path in (tmp_path / "a").iterdir()}
    assert len(written) == 6
    assert written == {path.name: path.read_bytes() for path in (tmp_path / "b").iterdir()}


def test_task_discs_keep_apart_letters_from_their_fill_in_grey(structure, tmp_path):
    """Black letters on every fill have a contrast of 7 at least (WCAG's enhanced level)."""
    from matplotlib.colors import to_rgb

    from mtinet.reporting.diagrams import FILLS

    for fill in FILLS.values():
        linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(fill)]
        luminance = float(np.dot(linear, [0.2126, 0.7152, 0.0722]))
        assert (luminance + 0.05) / 0.05 > 7
    figures.architecture(structure, tmp_path / "a.png")
    assert Image.open(tmp_path / "a.png").size[0] > 1000


def test_figures_that_a_dataset_cannot_have_are_not_announced():
    assert set(figures_of(["mti_net"], ["panel", "methods"], True, ["seg", "depth"], True)) == set(CAPTIONS)
    assert set(CAPTIONS) - set(figures_of(["multi_task"], ["panel"], False, ["seg", "depth"], False)) == {
        "methods", "architecture", "propagation", "deltas", "costs", "growth",
    }  # fmt: skip


def test_a_panel_without_any_declared_experiment_is_not_announced():
    panels = {"panel": {"rows": [{"runs": {"seg": "a", "depth": "b"}}]}, "methods": {"rows": [{"run": "c"}]}}
    assert experiments_of(panels["panel"]["rows"]) == {"a", "b"}
    assert drawable(panels, ["b", "x"]) == ["panel"]
    assert drawable(panels, ["x"]) == []


def test_declared_panels_show_declared_experiments_of_one_backbone_each():
    for dataset, panels in files.read_yaml(ROOT / "pipeline/figures.yaml").items():
        for panel in panels.values():
            found = [PARAMS.experiment(dataset, name)[1] for name in experiments_of(panel["rows"])]
            assert len({experiment.backbone for experiment in found}) == 1
            assert set(panel["tasks"]) <= set(PARAMS.datasets[dataset].tasks)


def test_the_stage_draws_every_announced_figure_and_imports_no_torch():
    code = (
        "import sys, runpy; names = runpy.run_path('stages/figure.py', run_name='imported')['FIGURES'];"
        "from mtinet.reporting.captions import CAPTIONS;"
        "sys.exit('torch' in sys.modules or set(names) != set(CAPTIONS))"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0
