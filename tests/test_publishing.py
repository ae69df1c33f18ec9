"""Outputs are whole or absent: full disks, kills in the middle, failures, and commands that bring back earlier ones."""

from __future__ import annotations

import contextlib
import os
import resource
import runpy
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from archive_layout import write_layout
from faults import record
from hypothesis import given, settings
from hypothesis import strategies as st
from own_folder import declare, parameters, write_own
from PIL import Image
from small_project import ROOT, contents, results, write_project

from mtinet import config, files, paths, stage
from mtinet.data import cards
from mtinet.errors import Interrupted, UserError
from mtinet.training import checkpoints, provenance

EXPERIMENT = "hrnet18-single-depth"


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A folder on a disk of one megabyte."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("this user may not mount a file system")
    yield folder
    os.chdir(tmp_path)
    subprocess.run(["umount", str(folder)], check=True)


def one_file(path: Path) -> None:
    path.write_bytes(bytes(3 << 20))


def numpys_file(path: Path) -> None:
    """numpy writes by itself and says neither that the disk is full nor an error's number."""
    np.save(path.open("wb"), np.zeros(3 << 20, np.uint8))


def folder_of_files(path: Path) -> None:
    path.mkdir()
    for index in range(30):
        files.write_bytes(path / f"{index}.bin", bytes(100_000))


def replace(target: Path, write: Callable[[Path], None]) -> None:
    with files.replacing(target) as temporary:
        write(temporary)


@pytest.mark.parametrize("write", [one_file, numpys_file, folder_of_files])
def test_a_full_disk_is_one_line_and_loses_nothing(small_disk: Path, write: Callable[[Path], None]) -> None:
    target = small_disk / "result.npy"
    if write is folder_of_files:
        target.mkdir()
    kept = target / "kept" if target.is_dir() else target
    kept.write_bytes(b"earlier")
    with pytest.raises(UserError, match=rf"^no room to write {small_disk}/.*result.npy.*what stood there.*unchanged$"):
        replace(target, write)
    assert kept.read_bytes() == b"earlier"
    assert [path.name for path in small_disk.iterdir()] == ["result.npy"]
    record("Disk full while an output was written", tried=1, lost=0)


SMALL: dict[str, Callable[[Path], None]] = {
    "metrics": lambda path: files.write_json(path, {"mIoU": list(range(2000))}),
    "report": lambda path: files.write_text(path, "<p>" * 5000),
    "weights": lambda path: checkpoints.publish_weights(path, torch.nn.Linear(100, 100)),
    "history": lambda path: provenance.write_history(path, [{"epoch": n, "steps": n, "lr": 0.1} for n in range(1000)]),
    "figure": lambda path: canvas_to(path),
}


def canvas_to(path: Path) -> None:
    with files.replacing(path) as temporary:
        Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)).save(temporary, "PNG")


@pytest.mark.parametrize("write", SMALL.values(), ids=SMALL.keys())
def test_not_even_a_small_file_finds_room(small_disk: Path, write: Callable[[Path], None]) -> None:
    """The disk was filled by somebody else to its last page."""
    (small_disk / "earlier").write_bytes(b"earlier")
    fill(small_disk)
    with pytest.raises(UserError, match=rf"^no room to write {small_disk}/earlier .*unchanged$"):
        write(small_disk / "earlier")
    assert (small_disk / "earlier").read_bytes() == b"earlier"
    assert {path.name for path in small_disk.iterdir()} == {"earlier", "others"}
    record("Disk full while an output was written", tried=1, lost=0)


def test_a_checkpoint_that_finds_no_room_leaves_the_last_one(small_disk: Path) -> None:
    kept = checkpoints.Checkpoints(small_disk / "kept")
    kept.save(1, {"step": 1})
    with pytest.raises(UserError, match="no room to write"):
        kept.save(2, {"numbers": torch.zeros(1 << 20)})
    assert kept.load() == {"step": 1}
    assert len(list((small_disk / "kept").iterdir())) == 1
    record("Disk full while a checkpoint was written", tried=1, lost=0)


def test_a_split_that_finds_no_room_is_one_line_and_no_kill(small_disk: Path, tmp_path: Path) -> None:
    """Packed files are written through the memory's pages, where a full disk ends the process (SIGBUS)."""
    write_layout(tmp_path / "raw", height=480, width=640)
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "import sys; from pathlib import Path; from mtinet import stage; from mtinet.data import packing\n"
            "with stage.reporting_errors():\n"
            "    packing.pack(Path(sys.argv[1]), None, ['0001', '0002'], ['depth'], Path(sys.argv[2]))",
            str(tmp_path / "raw"),
            str(small_disk / "packed"),
        ],
        env=os.environ | {"PYTHONPATH": str(ROOT / "src"), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"ERROR: no room to write {small_disk}/packed")
    assert not list(small_disk.iterdir())


def run_stage(name: str, dataset: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", [f"stages/{name}.py", "--dataset", dataset])
    runpy.run_path(str(ROOT / f"stages/{name}.py"), run_name="__main__")


def everything(folder: Path) -> dict[str, bytes]:
    """What stands in a folder, by its name."""
    return {str(path): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def fill(disk: Path) -> None:
    """Have somebody else take the last page of a disk."""
    with contextlib.suppress(OSError), (disk / "others").open("ab", buffering=0) as stream:
        while True:
            stream.write(bytes(4096))


@pytest.mark.parametrize("name", ["dataset", "prepare", "distill"])
def test_stages_that_make_data_on_a_full_disk(
    small_disk: Path, tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line, the earlier data as they were, nothing half; and with room again the same command makes them."""
    monkeypatch.chdir(small_disk)
    dataset = "nyud" if name == "distill" else "rooms"
    content = parameters("seg", "depth", "edge")
    content["study"]["scale"] = "smoke"
    content["datasets"]["rooms"]["archive"] = {"path": str(write_own(tmp_path / "own"))}
    declare(content)
    study = config.load().study_name(dataset)
    if name == "distill":
        raw = paths.raw(study, dataset)
        write_layout(raw)
        shutil.rmtree(raw / "edge")
        files.write_json(paths.card(study, dataset), cards.make_card(raw, dataset, "scenes"))
    else:
        run_stage("dataset", dataset, monkeypatch)
    if name != "distill":
        paths.distilled(study, dataset).mkdir()
    run_stage(name, dataset, monkeypatch)
    made = everything(Path("data"))
    fill(small_disk)
    capsys.readouterr()
    with pytest.raises(SystemExit) as leaving:
        run_stage(name, dataset, monkeypatch)
    assert leaving.value.code == 1
    line = capsys.readouterr().err.splitlines()[0]
    assert line.startswith("ERROR: no room to write ")
    assert everything(Path("data")) == made
    assert not list(small_disk.rglob(".part-*"))
    (small_disk / "others").unlink()
    run_stage(name, dataset, monkeypatch)
    assert everything(Path("data")) == made
    record("Disk full while a stage made data", tried=1, lost=0)


def run_limited(folder: Path, limit: int) -> subprocess.CompletedProcess[str]:
    """The stage train where no file may grow beyond `limit` bytes: works where nothing can be mounted."""
    command = ["stages/train.py", "--dataset", "nyud", "--experiment", EXPERIMENT, "--seed", "0"]
    return subprocess.run(
        [sys.executable, str(ROOT / command[0]), *command[1:]],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT / "src"), "OMP_NUM_THREADS": "1"},
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_stage_without_room_says_so_in_one_line_and_keeps_what_was_there(tmp_path: Path) -> None:
    folder = write_project(tmp_path / "run", epochs=1)
    for name, path in results(folder, EXPERIMENT).items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"earlier {name}")
    before = contents(folder, EXPERIMENT)
    done = run_limited(folder, 1 << 20)
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith("ERROR: no room to write runs/scenes-smoke/nyud/hrnet18-single-depth/seed0/weights")
    assert contents(folder, EXPERIMENT) == before
    assert not list(folder.rglob(".part-*"))
    record("No room for a stage's output (limit on the size of files)", tried=1, lost=0)


@given(
    what=st.sampled_from(["file", "folder"]),
    existing=st.booleans(),
    steps=st.integers(0, 6),
    number=st.integers(1, 9999),
)
@settings(max_examples=60, deadline=None)
def test_a_kill_at_any_step_of_publishing_leaves_all_or_nothing(
    tmp_path_factory: pytest.TempPathFactory, what: str, existing: bool, steps: int, number: int
) -> None:
    """What the disk looks like after each step of `replacing`, cut off there; the next attempt clears it."""
    root = tmp_path_factory.mktemp("kill")
    target, temporary = root / "out", root / f".part-{number}-out"
    old, gone = root / f".part-{number}-old-out", root / f".part-{number}-gone-out"

    def make(path: Path, content: str) -> None:
        path.mkdir() if what == "folder" else None
        (path / "a" if what == "folder" else path).write_text(content)
        (path / "b").write_text(content) if what == "folder" else None

    def read(path: Path) -> str:
        return (path / "a" if what == "folder" else path).read_text()

    if existing:
        make(target, "earlier")
    moves = [lambda: make(temporary, "new")]
    if what == "folder" and existing:
        moves += [lambda: target.rename(old), lambda: temporary.rename(target), lambda: old.rename(gone)]
        moves += [lambda: files.remove(gone / "b"), lambda: files.remove(gone)]
    else:
        moves += [lambda: temporary.replace(target)]
    for move in moves[:steps]:
        move()
    other = root / ".part-1-another-out"  # of the output `another-out`, where somebody may be writing
    other.write_text("at work")
    files.recover(target)
    published = steps >= (3 if what == "folder" and existing else 2)
    assert target.exists() == (existing or published)
    if target.exists():
        assert read(target) == ("new" if published else "earlier")
        assert what == "file" or (target / "b").exists()
    assert {path.name for path in root.iterdir()} == {other.name} | ({"out"} if target.exists() else set())
    record("Kill between two steps of publishing an output", tried=1, lost=0)


def test_half_of_an_earlier_folder_never_comes_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed while the earlier one is removed; then an orchestrator deletes the output, and the stage starts again."""
    target, original = tmp_path / "out", shutil.rmtree
    target.mkdir()
    for name in ("a", "b"):
        (target / name).write_text("earlier")

    def killed(path: Path) -> None:
        (path / "b").unlink()
        raise SystemExit

    with monkeypatch.context() as patched:
        patched.setattr(shutil, "rmtree", killed)
        with pytest.raises(SystemExit):
            replace(target, new_folder)
    assert (target / "a").read_text() == "new"
    original(target)
    files.recover(target)
    assert list(tmp_path.iterdir()) == []
    record("Kill between two steps of publishing an output", tried=1, lost=0)


@pytest.mark.parametrize("error", [OSError("no luck"), Interrupted("SIGTERM arrived")])
def test_a_folder_that_stepped_aside_comes_back_when_its_successor_cannot_come(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    target, original = tmp_path / "out", Path.rename
    target.mkdir()
    (target / "a").write_text("earlier")

    def failing(self: Path, to: Path) -> Path:
        if (self / "a").exists() and (self / "a").read_text() == "new":
            raise error
        return original(self, to)

    monkeypatch.setattr(Path, "rename", failing)
    with pytest.raises(type(error)):
        replace(target, new_folder)
    assert (target / "a").read_text() == "earlier"
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    record("Failure between two steps of publishing an output", tried=1, lost=0)


def new_folder(path: Path) -> None:
    path.mkdir()
    (path / "a").write_text("new")


def test_the_steps_of_publishing_are_those_that_the_kills_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`replacing` cut off for real at its two renames of a folder: what the test above lays out by hand."""
    target = tmp_path / "out"
    target.mkdir()
    (target / "a").write_text("earlier")
    original = Path.rename
    for survived in (0, 1):
        renamed: list[str] = []

        def dying(self: Path, to: Path, survived: int = survived, renamed: list[str] = renamed) -> Path:
            if len(renamed) == survived:
                raise SystemExit
            renamed.append(self.name)
            return original(self, to)

        with monkeypatch.context() as patched:
            patched.setattr(Path, "rename", dying)
            patched.setattr(files, "remove", lambda path: None)
            with pytest.raises(SystemExit):
                replace(target, new_folder)
        files.recover(target)
        assert [path.name for path in tmp_path.iterdir()] == ["out"]
        assert (target / "a").read_text() == "earlier"


# How earlier results come back ------------------------------------------------------------------------------


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with one output in git and one in DVC's cache."""
    monkeypatch.chdir(tmp_path)
    for name in ("GIT_AUTHOR_NAME", "GIT_AUTHOR_EMAIL", "GIT_COMMITTER_NAME", "GIT_COMMITTER_EMAIL"):
        monkeypatch.setenv(name, "test@example.org")
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    (tmp_path / "dvc.yaml").write_text(
        "stages: {make: {cmd: 'mkdir -p runs/set; echo one > runs/a.bin; echo two > runs/set/b; echo {} > m.json',"
        " outs: [runs/a.bin: {persist: true}, runs/set: {persist: true}], metrics: [m.json: {cache: false}]}}"
    )
    for command in ("git init -q", "dvc init -q", "dvc repro -q", "git add -A", "git commit -qm results"):
        subprocess.run(command.split(), check=True, capture_output=True)
    return tmp_path


def failing(cached: list[Path], in_git: list[Path], capsys: pytest.CaptureFixture[str]) -> list[str]:
    """What a stage with these outputs says when it fails."""
    with pytest.raises(SystemExit) as leaving, stage.reporting_errors(), stage.writing(cached, in_git):
        raise UserError("no luck")
    assert leaving.value.code == 1
    return capsys.readouterr().err.splitlines()


@pytest.mark.orchestrator
def test_the_commands_bring_back_what_cache_and_git_hold(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cached, in_git = [Path("runs/a.bin"), Path("runs/set"), Path("runs/new.bin")], [Path("m.json"), Path("n.json")]
    lines = failing(cached, in_git, capsys)
    assert lines[0] == "ERROR: no luck"
    assert lines[2:] == ["  dvc checkout --force runs/a.bin runs/set", "  git restore m.json"]
    shutil.rmtree("runs")
    Path("m.json").unlink()
    for line in lines[2:]:
        subprocess.run(line.split(), check=True, capture_output=True)
    assert Path("runs/a.bin").read_text() == "one\n"
    assert Path("runs/set/b").read_text() == "two\n"
    assert Path("m.json").read_text() == "{}\n"
    record("Outputs deleted before a stage that then failed", tried=3, lost=0)
    shutil.rmtree(".dvc/cache")
    assert failing(cached, [], capsys) == ["ERROR: no luck"]


def test_no_command_is_named_where_there_is_no_earlier_result(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert failing([Path("runs/a.bin")], [Path("m.json")], capsys) == ["ERROR: no luck"]
