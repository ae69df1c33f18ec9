"""A study of some experiments at a scale of its own: what params.yaml is cut to, the copy, and the page about it."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml
from small_project import ROOT

from benchmarks import longer
from mtinet import config, files, paths
from mtinet.config import Params
from mtinet.errors import UserError
from mtinet.reporting import layouts
from mtinet.reporting.audit import audit
from mtinet.tasks import registry
from pipeline import apart

WHOLE: dict[str, Any] = files.read_yaml(ROOT / "params.yaml")
DECLARED: dict[str, Any] = files.read_yaml(ROOT / apart.DECLARED)
LEVELS = {
    "nyud": {name: {"constant": 9.0, "position": 2.0} for name in ("seg", "depth", "normals", "edge")},
    "pascal": {name: {"constant": 9.0, "position": 2.0} for name in ("seg", "parts", "sal", "edge", "normals")},
}


@pytest.fixture(autouse=True)
def at_the_root(monkeypatch: pytest.MonkeyPatch) -> None:
    """Layouts and printed values are read from there."""
    monkeypatch.chdir(ROOT)


def loaded(folder: Path, content: Any) -> Params:
    (folder / "params.yaml").write_text(yaml.safe_dump(content, sort_keys=False))
    return config.load(folder / "params.yaml")


@pytest.mark.parametrize("name", list(DECLARED))
def test_an_entry_makes_parameters_that_are_sound(name: str, tmp_path: Path) -> None:
    """At its own scale and at that of a trial; the experiments are the declared ones to the letter."""
    entry = DECLARED[name]
    for scale in (entry["scale"], "smoke"):
        params = loaded(tmp_path, apart.cut(apart.with_scale(WHOLE, entry), scale, entry["experiments"]))
        assert params.study.scale == scale
        assert "&" not in (tmp_path / "params.yaml").read_text()  # DVC takes an anchor of a name twice for an error
        whole = config.load(ROOT / "params.yaml")
        for dataset, names in entry["experiments"].items():
            assert sorted(params.names(dataset)) == sorted(names)
            assert all(params.experiment(dataset, one) == whole.experiment(dataset, one) for one in names)


def test_the_longer_run_is_ten_times_the_laptops() -> None:
    """In steps of every run, in images scored at least double; single tasks of all that MTI-Net is compared on."""
    params = Params.model_validate(apart.with_scale(WHOLE, DECLARED["longer"]))
    for dataset, names in DECLARED["longer"]["experiments"].items():
        laptop, evening = (params.scales[scale][dataset] for scale in ("laptop", "evening"))
        assert laptop.scenes is not None
        assert evening.scenes is not None
        steps = [one.epochs * (one.scenes.train // one.batch_size) for one in (laptop, evening) if one.scenes]
        assert steps[1] == 10 * steps[0]
        assert evening.scenes.val >= 2 * laptop.scenes.val
        assert evening.lr_factor <= laptop.lr_factor  # what few steps need, many need not
        others = {"scenes", "epochs", "lr_factor"}
        assert evening.model_dump(exclude=others) == laptop.model_dump(exclude=others)
        found = [params.experiment(dataset, name) for name in names]
        single = {task for method, one in found if method == "single_task" for task in one.tasks}
        assert single == {task for method, one in found if method == "mti_net" for task in one.tasks}
        table = next(layout for layout in layouts.of_study(params, dataset) if layout.name == longer.TABLES[dataset])
        assert set(names) <= set(table.experiments)


def test_a_scale_is_another_one_changed() -> None:
    entry = {"scale": "night", "like": "laptop", "changes": {"nyud": {"scenes": {"train": 7}, "epochs": 5}}}
    content = apart.with_scale(WHOLE, entry)
    laptop, night = (content["scales"][name]["nyud"] for name in ("laptop", "night"))
    assert night == {**laptop, "scenes": {**laptop["scenes"], "train": 7}, "epochs": 5}
    assert laptop == WHOLE["scales"]["laptop"]["nyud"]
    budgets = content["teachers"]["pascal"]["sal"]["budgets"]
    assert budgets["night"] == budgets["laptop"]
    for changes in ({"like": "none"}, {"scale": "paper"}):
        with pytest.raises(UserError, match="expected a new name, and one of"):
            apart.with_scale(WHOLE, {**entry, **changes})


def test_what_names_other_backbones_goes() -> None:
    content = apart.cut(WHOLE, "laptop", {"pascal": ["hrnet18-single-seg"]})
    laptop = content["scales"]["laptop"]
    assert laptop["pascal"]["pretrained"] == {"timm/hrnet_w18_small_v2": "scenes"}
    assert [laptop[dataset]["epochs_of"] for dataset in ("nyud", "pascal")] == [{}, {}]
    assert list(content["pretraining"]["pascal"]) == ["hrnet18"]
    assert content["experiments"] == {"pascal": {"single_task": {"hrnet18-single-seg": SEG}}}
    assert WHOLE["scales"]["laptop"]["nyud"]["epochs_of"]  # the given content is left alone


SEG = WHOLE["experiments"]["pascal"]["single_task"]["hrnet18-single-seg"]


@pytest.mark.parametrize(
    ("chosen", "words"),
    [
        ({"nyud": ["hrnet18-mti", "hrnet81-mti"]}, "no experiments.nyud named hrnet81-mti in params.yaml"),
        ({"cityscapes": ["a"]}, "no experiments.cityscapes named a"),
        ({"nyud": []}, "names no experiments"),
    ],
)
def test_unknown_experiments_are_refused(chosen: dict[str, list[str]], words: str) -> None:
    with pytest.raises(UserError, match=words):
        apart.cut(WHOLE, "smoke", chosen)


def test_the_copy_has_the_code_as_it_is_and_keeps_earlier_results(tmp_path: Path) -> None:
    made, stale = tmp_path / "runs/a", tmp_path / "src/mtinet/gone.py"
    for path in (made, stale):
        path.parent.mkdir(parents=True)
        path.write_text("x")
    apart.copy_tree(tmp_path)
    assert (tmp_path / "stages/train.py").read_bytes() == (ROOT / "stages/train.py").read_bytes()
    assert made.exists()
    assert not stale.exists()
    assert not (tmp_path / "reports").exists()
    assert not (tmp_path / "dvc.lock").exists()


@pytest.mark.parametrize("dataset", ["nyud", "pascal"])
def test_the_audit_of_a_study_is_that_of_its_rows(dataset: str) -> None:
    """The paper's numbers on the rows that the study has, and nothing else; an error of no kind."""
    whole, entry = config.load(ROOT / "params.yaml"), DECLARED["longer"]
    part = Params.model_validate(apart.cut(WHOLE, "laptop", entry["experiments"]))
    published, chosen = layouts.load_published(), layouts.of_study(whole, dataset)
    found, every = (audit(chosen, published, params) for params in (part, whole))
    assert 0 < len(found) < len(every)
    assert all(one in every for one in found)


def test_a_failing_command_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="`-c import no_such_module` ended with 1"):
        apart.run(tmp_path, "-c", "import no_such_module")


@pytest.fixture
def study(tmp_path: Path) -> Path:
    """The laptop study's files in place of the longer one's, whose layout they share."""
    folder = tmp_path / "study"
    shutil.copytree(ROOT / "reports/scenes-laptop", folder)
    for dataset, levels in LEVELS.items():
        files.write_json(folder / "levels" / f"{dataset}.json", levels)
    loaded(folder, apart.cut(WHOLE, "laptop", DECLARED["longer"]["experiments"]))
    return folder


def test_what_is_committed_of_a_copy(study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    params = config.load(study / "params.yaml")
    copy, here = tmp_path / "copy", tmp_path / "here"
    shutil.copytree(study, copy / "reports/scenes-laptop")
    shutil.copy(study / "params.yaml", copy)
    for name in ("nyud-curves.svg", "nyud-curves.png", "nyud-sheet.png", "nyud-panel.png"):
        (copy / "reports/scenes-laptop/figures" / name).write_text(name)
    (copy / "reports/scenes-laptop/nyud.html").write_text("page")
    monkeypatch.setattr(apart, "ROOT", here)
    assert apart.take(copy, params) == [Path("reports/scenes-laptop")]
    taken = here / "reports/scenes-laptop"
    assert sorted(path.name for path in (taken / "figures").iterdir()) == ["nyud-curves.svg", "nyud-sheet.png"]
    assert (taken / "params.yaml").read_bytes() == (copy / "params.yaml").read_bytes()
    assert (taken / "tables/table2a.md").exists()
    assert not (taken / "nyud.html").exists()


def test_the_page_says_what_the_studys_files_say(study: Path) -> None:
    text = longer.page(study, config.load(study / "params.yaml"))
    comparison = files.read_json(study / "comparison/table2a.json")["experiments"]
    single, multi = comparison["hrnet18-single-depth"], comparison["hrnet18-mti-ne"]
    (row,) = (line for line in text.splitlines() if line.startswith("| Dep | rmse"))
    low, high = multi["differences"]["depth"]["rmse"]
    change = multi["metrics"]["depth"]["rmse"] - single["metrics"]["depth"]["rmse"]
    assert f"{change:+.3f} [{low:+.3f}, {high:+.3f}]: {'undecided' if low <= 0 <= high else 'worse'}" in row
    assert f"{single['metrics']['depth']['rmse']:.3f} [" in row
    assert f"Δm of hrnet18-mti-ne over the single-task networks: {multi['delta_m']:+.2f} %" in text
    assert text.count("| never |") + text.count("| epoch ") == 7


def test_below_both_levels_means_for_good() -> None:
    levels = {"constant": 3.0, "position": 2.0}
    assert longer.loss_line("seg", [2.5, 1.9, 2.1, 1.8], levels).endswith("| epoch 4 |")
    assert longer.loss_line("seg", [1.5, 1.4], levels).endswith("| epoch 1 |")
    assert longer.loss_line("seg", [2.5, 2.4], levels).endswith("| never |")


EVENING = ROOT / paths.report(longer.STUDY)


@pytest.mark.skipif(not EVENING.is_dir(), reason="the longer run has not been made: make longer")
def test_the_committed_longer_run() -> None:
    """Its single tasks have left the blind predictors behind, in loss and in score; the page is that of the files."""
    params = config.load(EVENING / "params.yaml")
    assert longer.page(EVENING, params) == longer.PAGE.read_text()
    for dataset in params.experiments:
        study = longer.Study(EVENING, dataset, params)
        levels = study.read(paths.levels(longer.STUDY, dataset))
        for name in params.experiments[dataset]["single_task"]:
            (task,) = study.experiments[name]["tasks"]
            history = study.history(name, task)
            assert history[-1] < min(levels[task].values()), name
            assert history[-1] < history[len(history) // 2], name
            entry, run = registry()[task], study.experiments[name]
            others = [study.read(paths.blind(longer.STUDY, dataset))[one][task][entry.metric] for one in longer.BLIND]
            score = run["metrics"][task][entry.metric]
            assert score < min(others) if entry.better == "lower" else score > max(others), name
