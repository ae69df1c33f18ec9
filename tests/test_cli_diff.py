"""`mtinet diff`: every changed parameter and cell between two revisions, with paired intervals."""

from __future__ import annotations

import hashlib
import io
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from command_line import CommandLine, commit, copy_reports, git
from hypothesis import given
from hypothesis import strategies as st

from mtinet import metrics
from mtinet.reporting.changes import ABSENT, changes
from mtinet.studies.intervals import resamples

COMPARISON = "reports/scenes-laptop/comparison/table2a.json"
STUDY = ("scenes-laptop", "nyud")
NAME, BASE = "hrnet18-mti", {"seg": "hrnet18-single-seg", "depth": "hrnet18-single-depth"}
IMAGES, CLASSES = 12, 5


@pytest.fixture
def mtinet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> CommandLine:
    """The committed reports in a repository of their own."""
    folder = copy_reports(tmp_path / "project")
    commit(folder, "before")
    return CommandLine(folder, monkeypatch, capfd)


def change(mtinet: CommandLine, edit: Any) -> None:
    """Edit the comparison file."""
    path = mtinet.folder / COMPARISON
    content = json.loads(path.read_text())
    edit(content["experiments"])
    path.write_text(json.dumps(content))


def cells(answer: Any) -> dict[tuple[str, str], dict[str, Any]]:
    """The changed cells of Table 2a by row and column."""
    (table,) = [table for table in json.loads(answer.out)["tables"] if table["table"].startswith("Table 2a")]
    return {(cell["row"], cell["column"]): cell for cell in table["cells"]}


def test_nothing_differs(mtinet: CommandLine) -> None:
    answer = mtinet("diff", "--exit-code")
    assert answer.status == 0
    assert "No parameter differs." in answer.out
    assert "No cell differs." in answer.out
    assert answer.out.startswith("## What changed: HEAD (")
    assert json.loads(mtinet("diff", "HEAD", "main", "--json").out)["tables"] == []


def test_parameters_stand_beside_cells(mtinet: CommandLine) -> None:
    path = mtinet.folder / "params.yaml"
    text = path.read_text()
    path.write_text(text.replace("epochs: 3\n", "epochs: 4\n", 1))

    def better(experiments: Any) -> None:
        experiments["hrnet18-mtl"]["metrics"]["seg"]["mIoU"] += 0.0123
        experiments["hrnet18-pad"]["metrics"]["depth"]["rmse"] += 1e-7

    before = json.loads((mtinet.folder / COMPARISON).read_text())["experiments"]["hrnet18-mtl"]["metrics"]["seg"]
    change(mtinet, better)
    answer = mtinet("diff", "--exit-code")
    assert answer.status == 1
    assert "| `scales.laptop.nyud.epochs` | `3` | `4` |" in answer.out
    old = before["mIoU"]
    row = f"| MTL | Seg mIoU (%) ↑ | {100 * old:.2f} | {100 * old + 1.23:.2f} | +1.23 | – |  |"
    assert row in re.sub(r" \[[^]]*\]| ≈(?= )", "", answer.out)  # without the cells' own intervals and marks
    assert "1 more cell differs beyond the printed digits." in answer.out
    found = cells(mtinet("diff", "--json"))
    assert list(found) == [("MTL", "seg.mIoU")]
    assert found["MTL", "seg.mIoU"]["change"] == pytest.approx(1.23)
    assert found["MTL", "seg.mIoU"]["no_interval"]


def test_steps_and_predictors_that_see_no_image_are_cells_too(mtinet: CommandLine) -> None:
    change(mtinet, lambda experiments: experiments["hrnet18-single-seg"].update(steps=7))
    path = mtinet.folder / "reports/scenes-laptop/blind/nyud.json"
    content = json.loads(path.read_text())
    before = content["constant"]["depth"]["rmse"]
    content["constant"]["depth"]["rmse"] = before + 0.25
    path.write_text(json.dumps(content))
    answer = mtinet("diff")
    assert f"| Best constant | Dep rmse (m) ↓ | {before:.3f} | {before + 0.25:.3f} | +0.250 | – |  |" in answer.out
    (line,) = [line for line in answer.out.splitlines() if line.startswith("| Single task | Steps | ")]
    assert " / " in line.split("|")[4]
    assert set(cells(mtinet("diff", "--json"))) == {("Best constant", "depth.rmse"), ("Single task", "steps")}


def test_any_two_revisions_and_experiments_of_dvc(mtinet: CommandLine) -> None:
    change(mtinet, lambda experiments: experiments["hrnet18-mtl"]["metrics"]["depth"].update(rmse=0.5))
    commit(mtinet.folder, "better")
    git(mtinet.folder, "update-ref", "refs/exps/ab/cdef/shaky-name", "HEAD")
    git(mtinet.folder, "reset", "-q", "--hard", "HEAD~1")
    assert cells(mtinet("diff", "main", "shaky-name", "--json"))["MTL", "depth.rmse"]["after"] == 0.5
    assert cells(mtinet("diff", "shaky-name", "--json"))["MTL", "depth.rmse"]["before"] == 0.5
    unknown = mtinet("diff", "no-such-branch")
    assert unknown.status == 1
    assert unknown.err.startswith("ERROR: git knows no revision 'no-such-branch' here")
    assert mtinet("diff", "--", "--output=x").status == 1


def test_rows_come_and_go(mtinet: CommandLine) -> None:
    path = mtinet.folder / "pipeline/tables.yaml"
    text = path.read_text()
    path.write_text(text.replace("    - {label: MTL, run: hrnet18-mtl}\n", "", 1))
    assert path.read_text() != text
    found = cells(mtinet("diff", "--json"))
    assert {key[0] for key in found} == {"MTL"}
    assert all(cell["after"] is None and cell["before"] is not None for cell in found.values())
    path.write_text("table2a: of another schema")
    assert mtinet("diff", "--exit-code").status == 0  # the layout at the other revision serves both


def test_gaps_that_are_filled(mtinet: CommandLine) -> None:
    change(mtinet, lambda experiments: experiments["hrnet18-mtl"].update(metrics=None, delta_m=None))
    commit(mtinet.folder, "gap")
    git(mtinet.folder, "checkout", "-q", "HEAD~1", "--", COMPARISON)
    found = cells(mtinet("diff", "--json"))
    assert {key for key, cell in found.items() if cell["before"] is None and cell["after"] is not None} == {
        ("MTL", "seg.mIoU"), ("MTL", "depth.rmse"), ("MTL", "delta_m"),
    }  # fmt: skip


# Intervals -------------------------------------------------------------------------------------------------


def made_up(seed: int) -> dict[str, np.ndarray]:
    """Statistics per image of both tasks: sums of depth, hits and false ones of segmentation."""
    source = np.random.default_rng(seed)
    valid = source.integers(50, 100, IMAGES).astype(float)
    depth = np.column_stack([valid, valid * source.uniform(0.5, 2, IMAGES), *(valid * source.random((4, IMAGES)))])
    return {"seg": source.integers(1, 50, (IMAGES, 3, CLASSES)).astype(float), "depth": depth}


def place_statistics(mtinet: CommandLine, seeds: dict[str, int], digest: str) -> None:
    """Put runs' statistics where `dvc commit` would: in the cache and dvc.lock, metrics files beside."""
    outs = []
    for name, seed in seeds.items():
        path = f"runs/scenes-laptop/statistics/nyud/{name}/seed0.npz"
        buffer = io.BytesIO()
        np.savez(buffer, **made_up(seed))
        md5 = hashlib.md5(buffer.getvalue()).hexdigest()
        for target in (mtinet.folder / ".dvc/cache/files/md5" / md5[:2] / md5[2:], mtinet.folder / path):
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(buffer.getvalue())
        outs.append({"path": path, "md5": md5})
        recorded = mtinet.folder / f"reports/scenes-laptop/metrics/nyud/{name}/seed0.json"
        content = json.loads(recorded.read_text()) | {"data_digest": digest}
        recorded.write_text(json.dumps(content))
    (mtinet.folder / "dvc.lock").write_text(yaml.safe_dump({"stages": {"evaluate": {"outs": outs}}}))


def measure(experiments: Any, seeds: dict[str, int]) -> None:
    """The metrics of the comparison file from these statistics."""
    for name, seed in seeds.items():
        found = made_up(seed)
        entry = experiments[name]
        entry["metrics"] = {task: metrics.summarize(task, found[task]) for task in entry["tasks"]}
    experiments[NAME]["delta_m"] = float(seeds[NAME])  # any number that changes


@pytest.fixture
def sampled(mtinet: CommandLine) -> tuple[CommandLine, dict[str, int], dict[str, int]]:
    """Two revisions of three runs, with statistics of both; which seeds they are made from."""
    (mtinet.folder / ".gitignore").write_text("/.dvc/cache\n/runs\n")
    git(mtinet.folder, "config", "core.excludesFile", "")
    before = {NAME: 1, BASE["seg"]: 2, BASE["depth"]: 3}
    after = {NAME: 4, BASE["seg"]: 5, BASE["depth"]: 3}
    for name, seeds in (("old", before), ("new", after)):
        change(mtinet, lambda experiments, seeds=seeds: measure(experiments, seeds))
        place_statistics(mtinet, seeds, "images")
        git(mtinet.folder, "add", ".")
        git(mtinet.folder, "commit", "-qm", name)
        git(mtinet.folder, "tag", name)
    return mtinet, before, after


def by_hand(task: str, metric: str, seed: int) -> np.ndarray:
    """A metric in every replicate, one summary after the other."""
    rows = made_up(seed)[task]
    return np.array([metrics.summarize(task, rows[draw])[metric] for draw in resamples(IMAGES, 1000, 0)])


def test_intervals_are_paired_over_the_images(sampled: tuple[CommandLine, dict[str, int], dict[str, int]]) -> None:
    mtinet, before, after = sampled
    found = cells(mtinet("diff", "old", "new", "--json"))
    label = "Ours (w/ FPM)"
    for task, metric, scale in (("seg", "mIoU", 100), ("depth", "rmse", 1)):
        differences = scale * (by_hand(task, metric, after[NAME]) - by_hand(task, metric, before[NAME]))
        cell = found[label, f"{task}.{metric}"]
        assert cell["interval"] == pytest.approx(np.quantile(differences, [0.025, 0.975]).tolist(), rel=1e-9)
        low, high = cell["interval"]
        clear = {(True, True): "better", (False, False): "worse"} | {(True, False): "unclear", (False, True): "unclear"}
        good = (low > 0, high > 0) if task == "seg" else (high < 0, low < 0)
        assert cell["verdict"] == clear[good]
    seg, depth = (
        {side: by_hand(task, metric, seeds[NAME]) / by_hand(task, metric, seeds[BASE[task]]) - 1
         for side, seeds in (("old", before), ("new", after))}
        for task, metric in (("seg", "mIoU"), ("depth", "rmse"))
    )  # fmt: skip
    delta = {side: 100 * (seg[side] - depth[side]) / 2 for side in ("old", "new")}
    expected = np.quantile(delta["new"] - delta["old"], [0.025, 0.975]).tolist()
    assert found[label, "delta_m"]["interval"] == pytest.approx(expected, rel=1e-9)
    assert ("Single task", "depth.rmse") not in found
    text = mtinet("diff", "old", "new").out
    assert "by paired bootstrap over the same test images" in text
    assert text == mtinet("diff", "old").out.replace(
        "working tree", f"new ({git(mtinet.folder, 'rev-parse', 'new')[:8]})"
    )


def test_other_images_cannot_be_paired(sampled: tuple[CommandLine, dict[str, int], dict[str, int]]) -> None:
    mtinet, _, after = sampled
    place_statistics(mtinet, after, "others")
    found = cells(mtinet("diff", "old", "--json"))
    assert {cell["no_interval"] for cell in found.values()} == {"other test images"}
    assert "– no paired interval: other test images." in mtinet("diff", "old").out


def test_without_the_cache_the_reason_is_said(sampled: tuple[CommandLine, dict[str, int], dict[str, int]]) -> None:
    mtinet, _, _ = sampled
    (mtinet.folder / ".dvc/cache").rename(mtinet.folder / "elsewhere")
    found = cells(mtinet("diff", "old", "new", "--json"))
    assert {cell["no_interval"] for cell in found.values()} == {"no statistics per image at hand"}
    (mtinet.folder / ".dvc/config").write_text("[core]\n    analytics = false\n[cache]\n    dir = ../elsewhere\n")
    assert all(cell["interval"] for cell in cells(mtinet("diff", "old", "new", "--json")).values())


# Parameters ------------------------------------------------------------------------------------------------

LEAVES = st.one_of(st.none(), st.booleans(), st.integers(-3, 3), st.floats(-2, 2), st.text("ab", max_size=2),
                   st.lists(st.integers(0, 2), max_size=2))  # fmt: skip
TREES = st.recursive(LEAVES, lambda inner: st.dictionaries(st.sampled_from("abc"), inner, max_size=3), max_leaves=8)
SECTIONS = st.dictionaries(st.sampled_from("abc"), TREES, max_size=3)


def leaves(content: Any, key: str = "") -> dict[str, str]:
    """Dotted key -> its value, empty sections among them."""
    if isinstance(content, dict) and content:
        return {
            name: value for part, inner in content.items() for name, value in leaves(inner, f"{key}.{part}").items()
        }
    return {key.lstrip("."): json.dumps(content)}


@given(before=SECTIONS, after=SECTIONS)
def test_changes_are_exactly_the_keys_that_differ(before: Any, after: Any) -> None:
    found = changes(before, after)
    assert (found == []) == (json.dumps(before, sort_keys=True) == json.dumps(after, sort_keys=True))
    keys = [change.key for change in found]
    assert len(set(keys)) == len(keys)
    if not before or not after:
        return
    old, new = leaves(before), leaves(after)
    for key in old.keys() | new.keys():
        named = any(key == change or key.startswith(f"{change}.") or change.startswith(f"{key}.") for change in keys)
        assert named == (old.get(key) != new.get(key))
    assert all(change.before != change.after for change in found)


def test_a_section_that_comes_or_goes_is_one_change() -> None:
    (found,) = changes({"a": {"b": 1}}, {"a": {"b": 1, "c": {"d": 1, "e": [2]}}})
    assert (found.key, found.before, found.after) == ("a.c", ABSENT, '{"d": 1, "e": [2]}')
    assert changes({"lr": 1}, {"lr": 1}) == []
