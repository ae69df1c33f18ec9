"""The command line on folders: scores, files it reads, and every bad file in one run."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.io import loadmat, savemat

from mtinet.errors import UserError
from mtinet.metrics.edges import PROTOCOLS, boundaries_from_labels, count_matches, summarize, thin
from mtinet.metrics.edges.__main__ import main
from mtinet.metrics.edges.folders import count_folder
from tests.edge_references import random_map

NAMES = ["a", "b", "c"]
STEPS = PROTOCOLS["released"].thresholds


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    """Predictions and ground truth of three images, of several sizes and kinds of file."""
    predictions, truths = tmp_path / "predictions", tmp_path / "truths"
    predictions.mkdir()
    truths.mkdir()
    for seed, name in enumerate(NAMES):
        random = np.random.default_rng(seed)
        size = (30 + seed, 40)
        Image.fromarray((255 * random_map(random, "blobs", size)).astype(np.uint8)).save(predictions / f"{name}.png")
        labels = (3 * random_map(random, "blobs", size)).astype(np.uint8)
        savemat(truths / f"{name}.mat", {"LabelMap": labels.astype(np.uint16)})
    return predictions, truths


def labels_of(truths: Path, name: str) -> np.ndarray:
    return loadmat(truths / f"{name}.mat")["LabelMap"]


def expected(predictions: Path, truths: Path, max_dist: float = 0.0075) -> np.ndarray:
    return np.stack([
        np.stack(count_matches(np.asarray(Image.open(predictions / f"{name}.png")),
                               boundaries_from_labels(labels_of(truths, name)), STEPS, max_dist))
        for name in NAMES
    ])  # fmt: skip


def test_scores_curve_and_counts_of_a_folder(folders: tuple[Path, Path], tmp_path: Path, capsys) -> None:
    output, saved = tmp_path / "scores.json", tmp_path / "counts.npz"
    given = [*map(str, folders), "--workers", "2", "--max-dist", "0.03", "--flavour", "bsds"]
    assert main([*given, "--output", str(output), "--counts", str(saved)]) == 0
    counts = expected(*folders, 0.03)
    scores = summarize(counts, STEPS, "bsds")
    found = json.loads(output.read_text())
    assert {key: found[key] for key in scores} == scores
    assert found["images"] == 3
    assert f"odsF {scores['odsF']:.4f}" in capsys.readouterr().out
    content = np.load(saved)
    assert np.array_equal(content["counts"], counts)
    assert content["ids"].tolist() == NAMES


def test_counts_do_not_depend_on_the_number_of_processes_and_follow_the_list(folders: tuple[Path, Path]) -> None:
    calls: list[tuple[int, int]] = []
    options = {"protocol_name": "released", "max_dist": 0.0075}
    names, alone = count_folder(*folders, **options, progress=lambda *numbers: calls.append(numbers))
    assert names == NAMES
    assert calls == [(1, 3), (2, 3), (3, 3)] * 2
    assert np.array_equal(alone, expected(*folders))
    assert np.array_equal(count_folder(*folders, **options, workers=2)[1], alone)
    names, some = count_folder(*folders, **options, ids=["c", "a"])
    assert (names, some.tolist()) == (["c", "a"], alone[[2, 0]].tolist())


@pytest.mark.parametrize("kind", ["png", "png255", "npy", "labels.png", "labels.npy", "bsds"])
def test_ground_truth_of_every_kind(folders: tuple[Path, Path], kind: str) -> None:
    truths = folders[1]
    for name in NAMES:
        labels = labels_of(truths, name)
        (truths / f"{name}.mat").unlink()
        rough = (labels[:, 1:] != labels[:, :-1]).astype(np.uint8)
        rough = np.pad(rough, ((0, 0), (0, 1)))
        write_truth(truths, name, kind, labels, rough)
    found = count_folder(
        *folders, protocol_name="released", max_dist=0.0075, labels=kind.startswith("labels")
    )[1][:, 1, 0]  # fmt: skip
    assert found.tolist() == [truth_size(truths, name, kind) for name in NAMES]


def write_truth(truths: Path, name: str, kind: str, labels: np.ndarray, rough: np.ndarray) -> None:
    np.save(truths.parent / f"rough-{name}.npy", rough)
    np.save(truths.parent / f"labels-{name}.npy", labels)
    if kind == "bsds":
        entries = np.empty((1, 2), object)
        for number in range(2):
            entries[0, number] = {"Boundaries": thin(rough).astype(np.uint8), "Segmentation": labels}
        savemat(truths / f"{name}.mat", {"groundTruth": entries})
        return
    array = labels.astype(np.uint8) if kind.startswith("labels") else rough * np.uint8(255 if "255" in kind else 1)
    if "npy" in kind:
        np.save(truths / f"{name}.npy", array)
    else:
        Image.fromarray(array).save(truths / f"{name}.png")


def truth_size(truths: Path, name: str, kind: str) -> int:
    rough, labels = (np.load(truths.parent / f"{what}-{name}.npy") for what in ("rough", "labels"))
    if kind == "bsds":
        return 2 * int(thin(rough).sum())
    return int((boundaries_from_labels(labels) if kind.startswith("labels") else thin(rough)).sum())


def test_all_bad_files_are_listed_at_once(folders: tuple[Path, Path], capsys) -> None:
    predictions, truths = folders
    size = (20, 30)
    for name in "defghijk":
        savemat(truths / f"{name}.mat", {"LabelMap": np.zeros(size, np.uint8)})
    Image.fromarray(np.zeros((20, 31), np.uint8)).save(predictions / "d.png")
    Image.fromarray(np.zeros(size, np.uint16)).save(predictions / "e.png")
    np.save(predictions / "f.npy", np.full(size, np.nan))
    np.save(predictions / "g.npy", np.full(size, 1.01))
    (predictions / "h.png").write_bytes(b"no picture")
    Image.fromarray(np.zeros((*size, 3), np.uint8)).save(predictions / "i.png")
    np.save(predictions / "k.npy", np.zeros(size))
    savemat(truths / "k.mat", {"edges": np.zeros(size, np.uint8)})
    assert main([*map(str, folders), "--workers", "1"]) == 1
    lines = capsys.readouterr().err.strip().splitlines()
    expected = {
        "j": "missing", "d.png": "size 20 x 31, expected 20 x 30", "e.png": "16 bits, expected 8-bit greyscale",
        "f.npy": "600 NaN pixels", "g.npy": "values 1.01..1.01, expected 0..1", "h.png": "cannot be read",
        "i.png": "mode RGB", "k.mat": "expected LabelMap",
    }  # fmt: skip
    assert len(lines) == len(expected)
    for name, message in expected.items():
        folder = truths if name == "k.mat" else predictions
        (line,) = [line for line in lines if line.startswith(f"ERROR: {folder / name}:")]
        assert message in line


def test_what_is_no_boundary_map_is_refused(folders: tuple[Path, Path]) -> None:
    truths = folders[1]
    (truths / "a.mat").unlink()
    Image.fromarray(np.full((30, 40), 7, np.uint8)).save(truths / "a.png")
    with pytest.raises(UserError, match=r"a\.png: no boundary map, .* need --labels") as caught:
        count_folder(*folders, protocol_name="released", max_dist=0.0075)
    assert "\n" not in str(caught.value)


def test_folders_and_lists_that_make_no_sense(folders: tuple[Path, Path], tmp_path: Path, capsys) -> None:
    predictions, truths = folders
    given = tmp_path / "list.txt"
    given.write_text("a\nb\na\n")
    twice = tmp_path / "twice"
    twice.mkdir()
    for name in ("b.npy", "b.png"):
        (twice / name).touch()
    (tmp_path / "empty").mkdir()
    for arguments, message in (
        ([predictions, tmp_path / "nowhere"], "no such folder"),
        ([predictions, tmp_path / "empty"], "no image to score"),
        ([predictions, truths, "--list", given], "a named twice"),
        ([predictions, truths, "--list", tmp_path / "none.txt"], "one image name per line"),
        ([twice, truths], "both b.npy and b.png"),
        ([predictions, truths, "--workers", "0"], "expected at least 1"),
    ):
        assert main([str(argument) for argument in arguments]) == 1
        error = capsys.readouterr().err
        assert message in error
        assert error.count("\n") == 1


def hostile_npy(path: Path) -> None:
    """A header that promises far more than there is."""
    header = b"{'descr': '<f8', 'fortran_order': False, 'shape': (900000, 900000, 900), }"
    padded = header + b" " * (118 - len(header) % 128 % 118) + b"\n"
    path.write_bytes(b"\x93NUMPY\x01\x00" + len(padded).to_bytes(2, "little") + padded)


def several_arrays(path: Path) -> None:
    with path.open("wb") as stream:
        np.savez(stream, a=np.zeros((3, 3)), b=np.ones((3, 3)))


@pytest.mark.parametrize(
    ("name", "write"),
    [
        ("x.npy", lambda path: path.write_bytes(b"PK\x03\x04garbage")),
        ("x.npy", hostile_npy),
        ("x.npy", several_arrays),
        ("x.npy", lambda path: np.save(path, np.full((3, 3), "a"))),
        ("x.mat", lambda path: savemat(path, {"groundTruth": np.zeros((3, 3))})),
        ("x.mat", lambda path: savemat(path, {"groundTruth": np.zeros((1, 0))})),
    ],
)
def test_a_hostile_truth_is_one_line_and_hides_no_other_file(tmp_path: Path, capsys, name: str, write) -> None:
    predictions, truths = tmp_path / "p", tmp_path / "g"
    predictions.mkdir(), truths.mkdir()
    np.save(predictions / "x.npy", np.full((3, 3), np.nan))
    write(truths / name)
    np.save(truths / "y.npy", np.full((3, 3), 7))
    assert main([str(predictions), str(truths), "--workers", "1"]) == 1
    lines = capsys.readouterr().err.splitlines()
    found = sorted(line.split(": ")[1] for line in lines)
    assert found == sorted(map(str, (predictions / "x.npy", predictions / "y", truths / name, truths / "y.npy"))), lines


@pytest.mark.parametrize("option", ["--output", "--counts"])
def test_a_result_that_cannot_be_written_is_said_before_counting(tmp_path: Path, capsys, option: str) -> None:
    assert main([str(tmp_path / "no"), str(tmp_path / "no"), option, str(tmp_path)]) == 1
    assert "cannot be written (is a folder)" in capsys.readouterr().err
    (tmp_path / "file").touch()
    assert main([str(tmp_path / "no"), str(tmp_path / "no"), option, str(tmp_path / "file" / "x")]) == 1
    assert "cannot be written" in capsys.readouterr().err
