"""`snakemake`, for real: the same bytes as an interrupted `dvc repro`, and then both have nothing to do."""

from __future__ import annotations

import fcntl
import os
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from documents import Command, command, with_environment
from PIL import Image
from remotes import CREDENTIALS, s3_server, use_folder
from workflow import Project, Resumed, interrupted, stages_run

pytestmark = pytest.mark.orchestrator


@pytest.fixture(scope="module")
def after_snakemake(tmp_path_factory: pytest.TempPathFactory) -> Project:
    project = with_environment(Project.copy(tmp_path_factory.mktemp("snakemake")))
    project.run("snakemake", "--cores", "2", "--quiet", "all")
    return project


@pytest.fixture(scope="module")
def resumed(tmp_path_factory: pytest.TempPathFactory) -> Resumed:
    """A project in which `dvc repro` was killed (SIGKILL, all processes) during a training; then came `make repro`."""
    project = with_environment(Project.copy(tmp_path_factory.mktemp("resumed")))
    first = interrupted(project, "train_nyud_multi_task", seconds=4)
    said = command("README.md", "make repro").run(project)
    logs = [path.read_text() for path in (project.folder / "logs/repro").glob("*.log")]
    return Resumed(project, first, stages_run("\n".join([said, *logs])))


@pytest.mark.follows("README.md", "make repro")
def test_a_killed_repro_goes_on_where_it_was(resumed: Resumed, shown: list[Command]) -> None:
    assert len(resumed.first) > 5
    assert "train_nyud_multi_task@hrnet18-mtl-0" in resumed.second
    assert resumed.first & resumed.second <= {"code_nyud"}
    again = shown[0].run(resumed.project)
    assert stages_run(again) == set()
    assert f"Report: {resumed.project.folder}/reports/scenes-smoke/nyud.html" in again


@pytest.mark.follows("README.md", "make panel PHOTO=photo.jpg")
def test_a_panel_of_a_photo(resumed: Resumed, shown: list[Command]) -> None:
    """Nothing that is there is made again; a photo that is not is said before anything is done."""
    photo = resumed.project.folder / "photo.jpg"
    refusal = Command(shown[0].page, shown[0].text).run(resumed.project, fails=True)
    assert "ERROR: PHOTO is 'photo.jpg', expected a file" in refusal
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (60, 90, 3), dtype=np.uint8)).save(photo)
    before = resumed.project.outputs()
    (panel,) = re.findall(r"^/.+/predictions/panels/photo\.png$", shown[0].run(resumed.project), re.M)
    with Image.open(panel) as made:
        assert min(made.size) > 60
    assert resumed.project.outputs() == before
    photo.unlink()


def replaced(project: Project, path: str, old: str, new: str) -> str:
    """Change a file's text; returns the text as it was."""
    before = (project.folder / path).read_text()
    assert old in before
    (project.folder / path).write_text(before.replace(old, new, 1))
    return before


@pytest.mark.parametrize(
    ("path", "old", "new", "complaint"),
    [
        ("params.yaml", "lr: 0.0001", "lr: 0.0003", "hrnet18-single-seg/seed0.json: config_hash is"),
        (
            "src/mtinet/models/multi_task.py",
            "from __future__",
            "# an edit\nfrom __future__",
            "hrnet18-mtl/seed0.json: code_hash is",
        ),
        ("src/mtinet/metrics/depth.py", "from __future__", "# an edit\nfrom __future__", "snakemake has not finished"),
        ("reports/scenes-smoke/metrics/nyud/hrnet18-mtl/seed0.json", '"key": "', '"key": "0', "another training"),
    ],
)
def test_stale_results_are_not_committed(
    after_snakemake: Project, path: str, old: str, new: str, complaint: str
) -> None:
    file = after_snakemake.folder / path
    times = file.stat().st_atime_ns, file.stat().st_mtime_ns
    before = replaced(after_snakemake, path, old, new)
    assert complaint in after_snakemake.run("python", "-m", "pipeline.commit", fails=True)
    file.write_text(before)
    os.utime(file, ns=times)


def test_an_output_that_is_gone_is_named(after_snakemake: Project) -> None:
    """One that neither tables nor manifests name."""
    path = after_snakemake.folder / "runs/scenes-smoke/statistics/nyud/hrnet18-mtl/seed0.npz"
    path.rename(path.with_suffix(".away"))
    complaint = after_snakemake.run("python", "-m", "pipeline.verify", fails=True)
    path.with_suffix(".away").rename(path)
    (line,) = [line for line in complaint.splitlines() if line.startswith("  - ")]
    assert line == "  - runs/scenes-smoke/statistics/nyud/hrnet18-mtl/seed0.npz is not there"
    assert "4 runs" in after_snakemake.run("python", "-m", "pipeline.verify")


def test_nothing_is_committed_while_a_stage_is_at_work(after_snakemake: Project) -> None:
    with (after_snakemake.folder / ".cache/locks/snakemake.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_SH)  # as a stage that a hand started has it
        assert "is at work in" in after_snakemake.run("python", "-m", "pipeline.commit", fails=True)


@pytest.mark.follows("docs/sharing.md", "make commit", "git add -A")
def test_same_bytes_and_then_both_have_nothing_to_do(
    after_snakemake: Project, resumed: Resumed, shown: list[Command]
) -> None:
    for line in shown:
        line.run(after_snakemake)
    assert "up to date" in after_snakemake.run("dvc", "status")
    assert stages_run(after_snakemake.run("dvc", "repro")) == set()
    assert "Nothing to be done" in after_snakemake.run("snakemake", "-n", "--cores", "2")
    mine, its = after_snakemake.outputs(), resumed.project.outputs()
    assert mine.keys() == its.keys()
    assert [path for path in mine if mine[path] != its[path]] == []


@pytest.fixture(scope="module")
def committed(after_snakemake: Project) -> Project:
    """With Snakemake's results in DVC's cache and in git."""
    after_snakemake.run("python", "-m", "pipeline.commit")
    after_snakemake.commit("results")
    return after_snakemake


def clone_of(project: Project, folder: Path) -> Project:
    """A fresh clone: what git holds and nothing else."""
    project.run("git", "clone", "-q", str(project.folder), str(folder))
    return Project(folder)


def planned(plan: str) -> set[str]:
    """The rules that `snakemake -n` would run."""
    return set(re.findall(r"^(?:local)?rule (\w+):", plan, re.M)) - {"all"}


def hosted(project: Project, folder: Path, address: str) -> dict[str, str]:
    """Give the project a git server, a folder in truth; what makes git take the address for it."""
    project.run("git", "init", "-q", "--bare", str(folder))
    project.run("git", "remote", "add", "origin", address)
    settings = {f"url.{folder}.insteadOf": address, "push.default": "current"}
    numbered = list(enumerate(settings.items()))
    keys = {f"GIT_CONFIG_KEY_{number}": key for number, (key, _) in numbered}
    return {"GIT_CONFIG_COUNT": "2"} | keys | {f"GIT_CONFIG_VALUE_{number}": value for number, (_, value) in numbered}


@pytest.mark.follows(
    "docs/sharing.md", "dvc push", "git clone", "dvc remote add --local --default shared", "make adopt"
)
@pytest.mark.follows("README.md", "snakemake --cores 2")
def test_a_clone_adopts_what_a_shared_folder_holds(committed: Project, tmp_path: Path, shown: list[Command]) -> None:
    """Both tools then have nothing to do, and a page that is gone is rendered without training anything."""
    push, clone_it, add_remote, adopt, snakemake = shown
    environment = hosted(committed, tmp_path / "server.git", "https://example.org/mtinet.git")
    committed.environment |= environment
    use_folder(committed, str(tmp_path / "shared"))
    push.run(committed)
    clone_it.run(Project(tmp_path, **environment))
    clone = with_environment(Project(tmp_path / "mtinet"))
    assert "expected a remote" in clone.run("python", "-m", "pipeline.adopt", fails=True)
    add_remote.run(clone)
    clone.run("dvc", "remote", "modify", "--local", "shared", "url", str(tmp_path / "shared"))
    assert "4 runs adopted" in adopt.run(clone)
    assert "up to date" in clone.run("dvc", "status")
    nothing = clone.run("snakemake", "-n", "--cores", "1")
    assert "Nothing to be done" in nothing
    assert "missing provenance" not in nothing
    assert clone.outputs() == committed.outputs()
    page = clone.folder / "reports/scenes-smoke/nyud.html"
    before = page.read_bytes()
    page.unlink()
    assert planned(clone.run("snakemake", "-n", "--cores", "1")) == {"report_nyud"}
    snakemake.run(clone)
    assert page.read_bytes() == before
    assert clone.run("git", "status", "--porcelain") == ""
    nothing_stale_is_adopted(clone)


def nothing_stale_is_adopted(clone: Project) -> None:
    """Neither what differs from dvc.lock nor what somebody made dvc.lock say."""

    def change(params: Any) -> None:
        params["experiments"]["nyud"]["mti_net"]["hrnet18-mti-n"]["lr"] = 3e-4

    clone.change_params(change)
    complaint = clone.run("python", "-m", "pipeline.adopt", fails=True)
    assert "stages are not as dvc.lock records them" in complaint
    assert "train_nyud_mti_net@hrnet18-mti-n-0" in complaint
    clone.run("dvc", "commit", "--force")
    assert "up to date" in clone.run("dvc", "status")
    complaint = clone.run("python", "-m", "pipeline.adopt", fails=True)
    assert "hrnet18-mti-n/seed0.json: config_hash is" in complaint


@pytest.mark.follows("docs/sharing.md", "dvc remote add --local --default bucket", "dvc remote modify --local bucket")
def test_a_clone_pulls_from_s3_and_renders_the_report(committed: Project, tmp_path: Path, shown: list[Command]) -> None:
    with s3_server("my-bucket") as endpoint:
        clone = clone_of(committed, tmp_path / "clone")
        for project in (committed, clone):
            project.environment |= CREDENTIALS
            for line in shown:
                line.run(project)
            project.run("dvc", "remote", "modify", "--local", "bucket", "endpointurl", endpoint)
        committed.run("dvc", "push")
        clone.run("dvc", "pull")
    assert clone.outputs() == committed.outputs()
    page = clone.folder / "reports/scenes-smoke/nyud.html"
    before = page.read_bytes()
    page.unlink()
    assert stages_run(clone.run("dvc", "repro", "--force", "--single-item", "report_nyud")) == {"report_nyud"}
    assert page.read_bytes() == before
    assert "up to date" in clone.run("dvc", "status")


def test_a_learning_rate_reruns_its_experiment_alone(after_snakemake: Project) -> None:
    def change(params: Any) -> None:
        params["experiments"]["nyud"]["mti_net"]["hrnet18-mti-n"]["lr"] = 3e-4

    text = (after_snakemake.folder / "params.yaml").read_text()
    after_snakemake.change_params(change)
    plan = after_snakemake.run("snakemake", "-n", "--cores", "2")
    (after_snakemake.folder / "params.yaml").write_text(text)
    assert planned(plan) == {
        "train_nyud_mti_net",
        "evaluate_nyud_mti_net",
        "compare_nyud_table2a",
        "claims_nyud",
        "track_nyud",
        "figure_nyud_curves",
        "figure_nyud_patches",
        "figure_nyud_deltas",
        "figure_nyud_costs",
        "table_nyud_table2a",
        "report_nyud",
    }


def test_a_failing_job_shows_the_one_line(after_snakemake: Project) -> None:
    def change(params: Any) -> None:
        params["experiments"]["nyud"]["mti_net"]["hrnet18-mti-n"]["lerning_rate"] = 1.0

    before, text = after_snakemake.outputs(), (after_snakemake.folder / "params.yaml").read_text()
    after_snakemake.change_params(change)
    output = after_snakemake.run("snakemake", "--cores", "2", fails=True)
    (after_snakemake.folder / "params.yaml").write_text(text)
    assert "hrnet18-mti-n.lerning_rate: unknown parameter" in output
    assert after_snakemake.outputs() == before
