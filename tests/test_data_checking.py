"""Bad values of every kind, each named with its file, and all of a data set's at once."""

from __future__ import annotations

import random
import runpy
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import archive_layout
import numpy as np
import pascal_layout
import pytest
from faults import record
from own_folder import SIZES, declare, labels_of, parameters, write_own
from PIL import Image
from scipy.io import loadmat, savemat

from mtinet import config, files, paths
from mtinet.data import cards, checking, formats, nyud, pascal
from mtinet.errors import UserError

WRITERS = {"nyud": archive_layout.write_layout, "pascal": pascal_layout.write_layout}


@pytest.fixture(params=list(WRITERS))
def good(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, Path]:
    WRITERS[request.param](tmp_path / "set")
    return request.param, tmp_path / "set"


def cut(path: Path, share: float = 0.5) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])


def repaint(path: Path, change: Callable[[np.ndarray], np.ndarray]) -> None:
    """Change a label's array, whatever kind of file it is in."""
    if path.suffix == ".npy":
        np.save(path, change(np.load(path, allow_pickle=False)))
    elif path.suffix == ".mat":
        savemat(path, {"LabelMap": change(loadmat(path)["LabelMap"])})
    else:
        Image.fromarray(change(np.array(Image.open(path)))).save(path)


def put(value: float) -> Callable[[np.ndarray], np.ndarray]:
    """One odd value in the middle."""

    def change(label: np.ndarray) -> np.ndarray:
        label = label.copy()
        label[label.shape[0] // 2, label.shape[1] // 2] = value
        return label

    return change


# The dataset, the folder whose file is spoilt, how, and what the line says.
FAULTS: dict[str, tuple[str, str, Callable[[Path], object], str]] = {
    "truncated JPEG": ("nyud", "images/{}.jpg", cut, "broken picture"),
    "no JPEG at all": ("nyud", "images/{}.jpg", lambda path: path.write_bytes(b"<html>"), "not a readable picture"),
    "empty file": ("nyud", "images/{}.jpg", lambda path: path.write_bytes(b""), "not a readable picture"),
    "grey photograph": ("nyud", "images/{}.jpg", lambda p: Image.open(p).convert("L").save(p), "found mode L"),
    "photograph with alpha": (
        "pascal", "JPEGImages/{}.jpg", lambda p: Image.open(p).convert("CMYK").save(p), "found mode CMYK",
    ),
    "labels in colour": (
        "nyud", "segmentation/{}.png", lambda p: Image.open(p).convert("RGB").save(p), "found mode RGB",
    ),
    "label outside the classes": ("nyud", "segmentation/{}.png", lambda p: repaint(p, put(41)), "found label 41"),
    "label outside VOC's": ("pascal", "semseg/VOC12/{}.png", lambda p: repaint(p, put(21)), "found label 21"),
    "label outside PASCAL-Context's": (
        "pascal", "pascal-context/trainval/{}.mat", lambda p: repaint(p, put(460)), "460",
    ),
    "nothing labelled": ("nyud", "segmentation/{}.png", lambda p: repaint(p, np.zeros_like), "no valid pixel"),
    "all ignored": (
        "pascal", "semseg/VOC12/{}.png", lambda p: repaint(p, lambda a: np.full_like(a, 255)), "no valid pixel",
    ),
    "truncated PNG": ("nyud", "segmentation/{}.png", cut, "picture"),
    "other size": ("nyud", "segmentation/{}.png", lambda p: repaint(p, lambda a: a[:-1]), "the size of the image"),
    "depth NaN": ("nyud", "depth/{}.npy", lambda p: repaint(p, put(np.nan)), "NaN or infinity"),
    "depth infinite": ("nyud", "depth/{}.npy", lambda p: repaint(p, put(np.inf)), "NaN or infinity"),
    "depth negative": ("nyud", "depth/{}.npy", lambda p: repaint(p, put(-0.5)), "found depth -0.5"),
    "depth in millimetres": ("nyud", "depth/{}.npy", lambda p: repaint(p, lambda a: a * 1000), "metres in 0..100"),
    "depth of whole numbers": (
        "nyud", "depth/{}.npy", lambda p: repaint(p, lambda a: a.astype(np.uint16)), "dtype uint16",
    ),
    "no depth measured": ("nyud", "depth/{}.npy", lambda p: repaint(p, np.zeros_like), "no valid pixel"),
    "normals not of unit length": ("nyud", "normals/{}.npy", lambda p: repaint(p, lambda a: 2 * a), "other length"),
    "normals NaN": ("nyud", "normals/{}.npy", lambda p: repaint(p, put(np.nan)), "other length"),
    "normals with four channels": (
        "nyud", "normals/{}.npy", lambda p: repaint(p, lambda a: np.dstack([a, a[..., :1]])), "the size of the image",
    ),
    "normals in grey": (
        "pascal", "normals_distill/{}.png", lambda p: Image.open(p).convert("L").save(p), "found mode L",
    ),
    "edges beyond 1": ("nyud", "edge/{}.npy", lambda p: repaint(p, put(2)), "only 0 and 1"),
    "pickled array": (
        "nyud", "depth/{}.npy", lambda p: np.save(p, np.array([{}], object), allow_pickle=True), "not a readable .npy",
    ),
    "several arrays": ("nyud", "depth/{}.npy", lambda p: np.savez(p.open("wb"), a=1), "an archive of arrays"),
    "truncated .npy": ("nyud", "depth/{}.npy", cut, "not a readable .npy"),
    "truncated .mat": ("pascal", "human_parts/{}.mat", cut, "not a readable .mat"),
    "other variable": ("pascal", "human_parts/{}.mat", lambda p: savemat(p, {"x": 1}), "expected the key anno"),
    "other record": ("pascal", "human_parts/{}.mat", lambda p: savemat(p, {"anno": [[1]]}), "PASCAL-Part's fields"),
    "label lost": ("nyud", "depth/{}.npy", Path.unlink, "no such file, though a split lists"),
    "image lost": ("pascal", "JPEGImages/{}.jpg", Path.unlink, "no such file, though a split lists"),
}  # fmt: skip


def ids_of(dataset: str, root: Path) -> list[str]:
    data = {"nyud": nyud, "pascal": pascal}[dataset]
    return [name for split in ("train", "val") for name in data.split_ids(root, split)]


def test_a_sound_set_has_no_faults(good: tuple[str, Path]) -> None:
    dataset, root = good
    assert checking.faults(root, dataset) == []


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_named_with_its_file(name: str, tmp_path: Path) -> None:
    dataset, where, spoil, expected = FAULTS[name]
    WRITERS[dataset](tmp_path / "set")
    file = where.format(ids_of(dataset, tmp_path / "set")[3])
    spoil(tmp_path / "set" / file)
    (line,) = checking.faults(tmp_path / "set", dataset)
    assert line.startswith(f"{file}: ")
    assert expected in line
    assert "\n" not in line
    record("bad values (of each kind one)", 1, 0)


@pytest.mark.parametrize("dataset", WRITERS)
def test_all_faults_come_at_once(dataset: str, tmp_path: Path) -> None:
    """Faults planted at random, no two in one file: a line each, the same on any number of cores."""
    rng = random.Random(1)
    for trial in range(5):
        root = tmp_path / f"{trial}"
        WRITERS[dataset](root, train=6, val=4)
        expected = []
        for number, image in enumerate(ids_of(dataset, root)):
            # Without the photo one label of another size would tell the others' size: such faults are planted alone.
            usable = [(w, s) for d, w, s, _ in FAULTS.values() if d == dataset and "images" not in w.lower()]
            for where, spoil in rng.sample(usable, 2 if number % 2 else 0):
                file = where.format(image)
                if file not in expected and (root / file).exists() and not (dataset == "pascal" and number == 1):
                    spoil(root / file)
                    expected.append(file)
        found = checking.faults(root, dataset, workers=1)
        named = {line.partition(": ")[0] for line in found}
        assert named == set(expected)
        assert checking.faults(root, dataset, workers=3) == found


@pytest.mark.parametrize("dataset", WRITERS)
def test_one_fault_of_every_kind_at_once(dataset: str, tmp_path: Path) -> None:
    """Each in an image of its own, those of the images themselves too."""
    kinds = [fault for fault in FAULTS.values() if fault[0] == dataset]
    WRITERS[dataset](tmp_path, train=len(kinds), val=2)
    expected = {}
    for image, (_, where, spoil, says) in zip(ids_of(dataset, tmp_path)[2:], kinds, strict=True):
        spoil(tmp_path / where.format(image))
        expected[where.format(image)] = says
    found = {name: line for line in checking.faults(tmp_path, dataset) for name in [line.partition(": ")[0]]}
    assert found.keys() == expected.keys()
    assert all(says in found[name] for name, says in expected.items())
    record("bad values in a whole data set at once", len(kinds), 0)


# A data set of one's own in folders: the file that is spoilt, how, and what the line says.
OWN_FAULTS: dict[str, tuple[str, Callable[[Path], object], str]] = {
    "truncated JPEG": ("images/kitchen.jpg", cut, "cannot be read as a picture"),
    "empty JPEG": ("images/kitchen.jpg", lambda path: path.write_bytes(b""), "cannot be read as a picture"),
    "truncated PNG": ("seg/kitchen.png", cut, "picture"),
    "labels in colour": ("seg/kitchen.png", lambda p: Image.open(p).convert("RGB").save(p), "found mode RGB"),
    "label outside the classes": ("seg/kitchen.png", lambda p: repaint(p, put(3)), "found class 3"),
    "all ignored": ("seg/kitchen.png", lambda p: repaint(p, lambda a: np.full_like(a, 255)), "no valid pixel"),
    "no edge known": ("edge/loft.png", lambda p: repaint(p, lambda a: np.full_like(a, 128)), "no valid pixel"),
    "other size": ("seg/kitchen.png", lambda p: repaint(p, lambda a: a[:-1]), "the size of the upright image"),
    "depth NaN": ("depth/loft.npy", lambda p: repaint(p, put(np.nan)), "NaN or infinity"),
    "depth infinite": ("depth/loft.npy", lambda p: repaint(p, put(np.inf)), "NaN or infinity"),
    "depth negative": ("depth/loft.npy", lambda p: repaint(p, put(-0.5)), "found depth -0.5"),
    "depth with 8 bits": ("depth/hall.png", lambda p: repaint(p, lambda a: a.astype(np.uint8)), "grey PNG of 16 bits"),
    "no depth measured": ("depth/hall.png", lambda p: repaint(p, np.zeros_like), "no valid pixel"),
    "normals not of unit length": ("normals/hall.npy", lambda p: repaint(p, lambda a: 2 * a), "other length"),
    "normals NaN": ("normals/hall.npy", lambda p: repaint(p, put(np.nan)), "other length"),
    "normals with four channels": (
        "normals/hall.npy", lambda p: repaint(p, lambda a: np.dstack([a, a[..., :1]])), "expected [H, W, 3]",
    ),
    "no normals": ("normals/hall.npy", lambda p: repaint(p, np.zeros_like), "no valid pixel"),
    "edges of other values": ("edge/loft.png", lambda p: repaint(p, put(7)), "found the value 7"),
    "pickled array": (
        "depth/loft.npy", lambda p: np.save(p, np.array([{}], object), allow_pickle=True), "not a readable .npy",
    ),
    "truncated .npy": ("normals/hall.npy", cut, "not a readable .npy"),
    "image lost": ("images/kitchen.jpg", Path.unlink, "no such file, though a split lists"),
    "empty split": ("splits/val.txt", lambda p: p.write_text(""), "found nothing, expected the ids"),
}  # fmt: skip


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project that declares a data set in folders, with a file of every kind."""
    monkeypatch.chdir(tmp_path)
    declare(parameters("seg", "depth", "edge", "normals"))
    root = write_own(tmp_path / "own")
    for name in SIZES:
        formats.write_array(root / "normals" / f"{name}.npy", labels_of(name)["normals"])
    return root


def test_a_sound_set_in_folders_has_no_faults(own: Path) -> None:
    assert checking.faults(own, "rooms") == []


@pytest.mark.parametrize("name", OWN_FAULTS)
def test_a_fault_of_a_set_in_folders_is_named_with_its_file(name: str, own: Path) -> None:
    file, spoil, expected = OWN_FAULTS[name]
    spoil(own / file)
    found = checking.faults(own, "rooms")
    named = [line for line in found if line.startswith(f"{file}: ")]
    assert len(named) == 1, found
    assert expected in named[0]
    assert "\n" not in named[0]
    # Labels of an image that is lost, or in no list any more, are others' faults.
    assert name in ("image lost", "empty split") or found == named
    record("bad values (of each kind one)", 1, 0)


def test_one_fault_in_each_folder_of_a_set_at_once(own: Path) -> None:
    names = ("truncated JPEG", "depth NaN", "no edge known", "normals not of unit length", "empty split")
    for name in names:
        OWN_FAULTS[name][1](own / OWN_FAULTS[name][0])
    Image.fromarray(np.full((72, 40), 3, np.uint8)).save(own / "seg" / "attic.png")
    (own / "splits" / "val.txt").write_text("porch\nloft\nhall\n")
    found = checking.faults(own, "rooms")
    files_of = {line.partition(": ")[0] for line in found}
    assert files_of == {
        "images/kitchen.jpg", "depth/loft.npy", "edge/loft.png", "normals/hall.npy", "seg/attic.png",
        "splits lists 1 images in both splits, e.g. hall, expected none",
    }  # fmt: skip
    record("bad values in a whole data set at once", len(files_of), 0)


def test_faults_of_lists(tmp_path: Path) -> None:
    archive_layout.write_layout(tmp_path)
    lists = tmp_path / "gt_sets"
    (lists / "train.txt").write_text("0001\n0002\n0009\n")
    (lists / "val.txt").write_text("0002\n0005\n")
    found = checking.faults(tmp_path, "nyud")
    assert found[0] == "gt_sets lists 1 images in both splits, e.g. 0002, expected none"
    missed = [nyud.image_path(Path(), "0009"), *(nyud.label_path(Path(), task, "0009") for task in nyud.FOLDERS)]
    assert found[1:] == [f"{path}: no such file, though a split lists '0009'; put it there" for path in missed]
    (lists / "val.txt").write_text("")
    assert checking.faults(tmp_path, "nyud")[0].startswith("gt_sets/val.txt: found nothing, expected the ids")
    (lists / "train.txt").write_text("0001\n0001\n../0002\n")
    (lists / "val.txt").write_bytes(b"\xff")
    found = checking.faults(tmp_path, "nyud")
    assert found[0].startswith("gt_sets/train.txt: found ['0001', '../0002'] twice or not a file name")
    assert found[1].startswith("gt_sets/val.txt: cannot read it")
    assert checking.faults(tmp_path / "none", "nyud")[0].endswith("expected one in the layout of NYUD_MT.tgz")


@pytest.mark.parametrize("published", [False, True])
def test_neither_missing_photos_nor_bad_lists_hide_other_faults(tmp_path: Path, published: bool) -> None:
    archive_layout.write_layout(tmp_path)
    (tmp_path / "gt_sets" / "train.txt").write_bytes(b"\xff")
    repaint(tmp_path / "depth" / "0002.npy", put(-1))
    (tmp_path / "edge" / "0003.npy").unlink()  # which nothing asks for while the list cannot be read
    (tmp_path / "images" / "0005.jpg").unlink()
    (tmp_path / "segmentation" / "0005.png").write_bytes(b"")
    repaint(tmp_path / "normals" / "0005.npy", put(3))
    named = {line.partition(": ")[0] for line in checking.faults(tmp_path, "nyud", published=published)}
    of_files = {name for name in named if Path(name).suffix and " " not in name}
    assert of_files == {
        "gt_sets/train.txt", "depth/0002.npy", "images/0005.jpg", "segmentation/0005.png", "normals/0005.npy",
    }  # fmt: skip


def test_the_published_archive_is_more_than_a_sound_set(tmp_path: Path) -> None:
    archive_layout.write_layout(tmp_path)
    shutil.rmtree(tmp_path / "edge")
    assert checking.faults(tmp_path, "nyud") == []
    found = checking.faults(tmp_path, "nyud", published=True)
    assert "gt_sets/train.txt lists 3 images, expected 795" in found
    assert "gt_sets/val.txt lists 2 images, expected 654" in found
    assert "5 images are 48x64, expected 480x640" in found


def test_labels_of_the_stage_distill_are_looked_at(tmp_path: Path) -> None:
    ids = pascal_layout.write_layout(tmp_path / "raw", taught=False)
    assert checking.faults(tmp_path / "raw", "pascal") == []
    pascal_layout.write_layout(tmp_path / "distilled")
    assert checking.faults(tmp_path / "raw", "pascal", tmp_path / "distilled") == []
    (tmp_path / "distilled" / "sal_distill" / f"{ids[2]}.png").unlink()
    cut(tmp_path / "distilled" / "normals_distill" / f"{ids[0]}.png")
    found = checking.faults(tmp_path / "raw", "pascal", tmp_path / "distilled")
    assert [Path(line.partition(": ")[0]).name for line in found] == [f"{ids[0]}.png", f"{ids[2]}.png"]


def test_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def command(*arguments: str) -> int:
        monkeypatch.setattr(sys, "argv", ["checking", *arguments])
        with pytest.raises(SystemExit) as ended:
            runpy.run_module("mtinet.data.checking", run_name="__main__")
        return int(ended.value.code or 0)

    archive_layout.write_layout(tmp_path / "set")
    folder = str(tmp_path / "set")
    monkeypatch.delitem(sys.modules, "mtinet.data.checking")
    assert command(folder, "--dataset", "nyud") == 0
    assert capsys.readouterr() == ("", f"{folder}: no faults\n")
    cut(tmp_path / "set" / "depth" / "0002.npy")
    assert command(folder, "--dataset", "nyud") == 1
    output = capsys.readouterr()
    assert output.out.startswith("depth/0002.npy: not a readable .npy file")
    assert output.err == f"{folder}: 1 fault\n"
    assert command(folder, "--dataset", "nyu") == 1
    assert "expected one of nyud, pascal" in capsys.readouterr().out


def test_prepare_names_all_faults_and_not_the_first_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    root = Path(__file__).resolve().parents[1]
    shutil.copy(root / "params.yaml", tmp_path)
    params = config.load()
    study = params.study_name("nyud")
    raw = paths.raw(study, "nyud")
    archive_layout.write_layout(raw)
    repaint(raw / "depth" / "0001.npy", put(np.nan))
    repaint(raw / "normals" / "0004.npy", lambda normals: 2 * normals)
    paths.distilled(study, "nyud").mkdir(parents=True)
    files.write_json(paths.card(study, "nyud"), cards.make_card(raw, "nyud", "scenes"))
    monkeypatch.setattr(sys, "argv", ["prepare.py", "--dataset", "nyud"])
    with pytest.raises(SystemExit):
        runpy.run_path(str(root / "stages" / "prepare.py"), run_name="__main__")
    said = capsys.readouterr().err
    assert "cannot be packed (2 problems); run the stages dataset and distill again:" in said
    assert "- depth/0001.npy: found NaN or infinity" in said
    assert "- normals/0004.npy: found" in said
    assert not (paths.packed(study, "nyud", "train") / "index.json").exists()


# Files broken at any byte -------------------------------------------------------------------------------------


READERS: dict[str, tuple[str, str, Callable[[Path], object]]] = {
    "jpg": ("nyud", "images/0001.jpg", lambda path: formats.read_picture(path, "RGB")),
    "png": ("nyud", "segmentation/0001.png", lambda path: formats.read_picture(path, "L")),
    "npy": ("nyud", "depth/0001.npy", formats.read_array),
    "mat": ("pascal", "human_parts/2008_000001.mat", pascal.objects_in),
}


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of the parser that numpy reads headers with
@pytest.mark.parametrize("kind", READERS)
def test_files_broken_anywhere_end_in_one_line(kind: str, tmp_path: Path) -> None:
    """Cut off or changed at random bytes, the first hundred above all: an array or one UserError, nothing else."""
    dataset, name, read = READERS[kind]
    WRITERS[dataset](tmp_path / "set")
    whole = (tmp_path / "set" / name).read_bytes()
    path, rng, tried, half = tmp_path / f"broken.{kind}", random.Random(2), 300, 0
    messages: list[str] = []
    for trial in range(tried):
        content = bytearray(whole)
        reach = 100 if trial % 3 else len(content)
        if trial % 2:
            for _ in range(rng.randint(1, 3)):
                content[rng.randrange(reach)] = rng.randrange(256)
        else:
            del content[rng.randrange(len(content)) :]
        path.write_bytes(content)
        try:
            found = read(path)
        except UserError as error:
            messages.append(str(error))
        else:
            # Of a picture what follows the pixels may be lost; of others nothing.
            complete = kind in ("jpg", "png") and np.array_equal(found, read(tmp_path / "set" / name))
            half += not trial % 2 and not complete
    assert all(line.startswith(f"{path}: ") and len(line.splitlines()) == 1 for line in messages)
    assert len(messages) > tried / 3
    assert half == 0
    record(f"label and image files (.{kind}) cut off or changed at random bytes", tried, half)


def test_a_picture_that_claims_to_be_huge(tmp_path: Path) -> None:
    Image.fromarray(np.zeros((8, 8), np.uint8)).save(tmp_path / "a.png")
    content = bytearray((tmp_path / "a.png").read_bytes())
    content[16:24] = (20000).to_bytes(4, "big") * 2
    (tmp_path / "a.png").write_bytes(content)
    with pytest.raises(UserError, match=r"a\.png"):
        formats.picture_size(tmp_path / "a.png")
