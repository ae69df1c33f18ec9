"""`dvc repro`, for real: what runs, what reruns, what it reads, and what a failure leaves behind."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from archive_layout import write_layout
from documents import Command
from following import ended, experiments, file_at, follow
from forge import Job
from lock_entries import changed, declared, digest_code, digested, noted, without_entries
from remotes import use_folder
from tracking_server import runs_of
from workflow import KEPT, TABLES, Project, stages_run

from mtinet.data import nyud

pytestmark = pytest.mark.orchestrator
TABLE = "reports/scenes-smoke/tables/table2a"
MTI = ("experiments", "nyud", "mti_net", "hrnet18-mti-n")
COMPARISON = "reports/scenes-smoke/comparison/table2a.json"
ENTRY = "experiments.hrnet18-mti-n"  # in that file
DEPTH_MANIFEST = "reports/scenes-smoke/manifests/nyud/hrnet18-single-depth/seed0.json"


def set_learning_rate(value: float) -> Any:
    def change(params: Any) -> None:
        for part in MTI:
            params = params[part]
        params["lr"] = value

    return change


@pytest.fixture(scope="module")
def notes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("notes")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, notes: Path) -> Project:
    """A project after its first `dvc repro`, committed; every process noted what it imported and opened."""
    project = Project.copy(tmp_path_factory.mktemp("dvc"))
    hooks = Path(__file__).parent / "hooks"
    project.environment |= {
        "MTINET_NOTES": str(notes),
        "PYTHONPATH": f"{hooks}:{project.environment['PYTHONPATH']}",
    }
    output = project.run("dvc", "repro")
    assert re.search(r"Report: \S+/reports/scenes-smoke/nyud\.html", output)
    del project.environment["MTINET_NOTES"]
    project.commit("results")
    return project


def test_every_stage_imports_only_what_it_declares(project: Project, notes: Path) -> None:
    pairs = noted(project, notes)
    assert {stage["cmd"] for _, stage in pairs} == {stage["cmd"] for stage in declared(project).values()}
    for content, stage in pairs:
        depends = set(digested(project, stage))
        used = {path for path in content["imported"] if path.startswith(("src/", "stages/", "pipeline/"))}
        assert used <= depends, f"{stage['cmd']} imports {sorted(used - depends)} without declaring it"


def test_every_stage_reads_only_what_it_declares(project: Project, notes: Path) -> None:
    for content, stage in noted(project, notes):
        places = [entry["path"] for kind in ("deps", "outs") for entry in stage[kind]]
        # config reads both as a whole to check them; a stage depends on the entries that it uses.
        places += [*stage.get("params", {}), "params.yaml", "src/mtinet/tasks.yaml"]
        places += [name.partition(":")[0] for name in digested(project, stage)]
        for path in content["opened"]:
            if path.startswith(("data/", "runs/", "reports/", "pipeline/")) or path.endswith(".yaml"):
                inside = any(path == place or path.startswith(f"{place}/") for place in places)
                assert inside or "/.part-" in path or "/timing.json" in path, f"{stage['cmd']} reads {path}"


def test_every_stage_reads_only_the_parameters_it_declares(project: Project, notes: Path) -> None:
    """A key that a stage reads without depending on it would leave a stale result when it changes."""
    pairs = [(content, stage) for content, stage in noted(project, notes) if "check.py" not in stage["cmd"]]
    assert any("compute.threads" in content["params"] for content, _ in pairs)
    for content, stage in pairs:
        depends = set(stage["params"]["params.yaml"])
        for key in set(content["params"]) - without_entries(project, content["argv"]):
            inside = any(key == name or key.startswith(f"{name}.") or name.startswith(f"{key}.") for name in depends)
            assert inside, f"{stage['cmd']} reads {key}, it depends on {sorted(depends)}"


def test_the_table_is_there_with_all_its_rows(project: Project) -> None:
    lines = (project.folder / f"{TABLE}.md").read_text().splitlines()
    assert lines[0].startswith("Source: scenes (rendered here); scale: smoke")
    assert "NOT comparable" in lines[0]
    labels = [line.split("|")[1].strip() for line in lines if line.startswith("| ")][1:]
    assert labels[:4] == ["Best constant", "Per-position prior", "Single task", "MTL"]
    assert labels[-1] == "Ours (w/ FPM) (N+E)"
    assert len(labels) == 13
    for suffix in ("csv", "tex"):
        assert (project.folder / f"{TABLE}.{suffix}").stat().st_size > 500


def test_a_second_time_there_is_nothing_to_do(project: Project) -> None:
    output = project.run("dvc", "repro")
    assert stages_run(output) == set()
    assert "up to date" in output


def test_a_comment_reruns_nothing(project: Project) -> None:
    path = project.folder / "params.yaml"
    before = path.read_text()
    path.write_text(f"# a comment\n{before}")
    assert "up to date" in project.run("dvc", "status")
    path.write_text(before)


@pytest.mark.parametrize(
    ("method", "counted"),
    [
        ("mti_net", {"architecture_nyud", "growth_nyud"}),
        ("single_task", {"architecture_nyud", "growth_nyud", "resources_nyud_table7a"}),
    ],
)
def test_editing_a_method_reruns_that_method_alone(project: Project, method: str, counted: set[str]) -> None:
    """Its runs, and the counts of its networks."""
    path = project.folder / f"src/mtinet/models/{method}.py"
    before = path.read_text()
    path.write_text(f"{before}\n# an edit\n")
    found = changed(project)
    path.write_text(before)
    digest_code(project)
    runs = {f"train_nyud_{method}", f"evaluate_nyud_{method}"}
    assert {name.split("@")[0] for name in found} == {"check_nyud", *runs, *counted}


def test_adding_a_method_a_task_or_a_backbone_reruns_no_run(project: Project) -> None:
    new = project.folder / "src/mtinet/models/new_method.py"
    new.write_text((project.folder / "src/mtinet/models/multi_task.py").read_text())
    tasks = project.folder / "src/mtinet/tasks.yaml"
    before = tasks.read_text()
    entry = before[before.index("edge:") :].replace("edge:", "outline:")
    tasks.write_text(before + entry)
    params = (project.folder / "params.yaml").read_text()

    def add(content: Any) -> None:
        single = content["experiments"]["nyud"]["single_task"]
        single["r18-single-seg"] = single["hrnet18-single-seg"] | {"backbone": "fpn/resnet18"}

    project.change_params(add)
    runs = {name for name in changed(project) if name.startswith(("train", "evaluate"))}
    assert runs == {f"{kind}_nyud_single_task@r18-single-seg-0" for kind in ("train", "evaluate")}
    new.unlink()
    tasks.write_text(before)
    (project.folder / "params.yaml").write_text(params)
    digest_code(project)
    assert "up to date" in project.run("dvc", "status")


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        (MTI, {"lerning_rate": 1.0}, r"hrnet18-mti-n\.lerning_rate: unknown parameter"),
        (MTI, {"tasks": ["sge"]}, r"hrnet18-mti-n\.tasks: unknown name 'sge'.*did you mean 'seg'"),
        (MTI, {"options": {"propagation": "fpn"}}, r"experiments\.nyud\.mti_net\.hrnet18-mti-n: .*propagation.*fpn"),
        (MTI, {"backbone": "timm/hrnet_w19"}, r"hrnet18-mti-n: .*hrnet_w19"),
        (("datasets", "nyud", "archive"), {"path": "/nowhere/NYUD_MT.tgz"}, r"/nowhere/NYUD_MT\.tgz"),
        (
            ("datasets", "nyud", "archive"),
            {"url": "http://127.0.0.1:9/NYUD_MT.tgz"},
            r"http://127\.0\.0\.1:9/.*archive\.path",
        ),
    ],
)
def test_a_mistake_is_one_line_from_check_and_costs_nothing(
    project: Project, key: tuple[str, ...], value: dict[str, Any], message: str
) -> None:
    before, text = project.outputs(), (project.folder / "params.yaml").read_text()

    def change(params: Any) -> None:
        if key[0] == "datasets":
            params["study"]["source"]["nyud"] = "archive"
        for part in key:
            params = params[part]
        params.update(value)

    project.change_params(change)
    output = project.run("dvc", "repro", fails=True)
    (project.folder / "params.yaml").write_text(text)  # the next test sees that only `check` then reruns
    errors = [line for line in output.splitlines() if line.startswith("ERROR: ") and "failed to reproduce" not in line]
    assert len(errors) == 1
    assert re.search(message, errors[0])
    assert "Traceback" not in output
    assert stages_run(output) - {"code_nyud"} == {"check_nyud"}
    assert project.outputs() == before


def test_a_wrong_archive_is_named_before_anything_is_lost(project: Project, tmp_path: Path) -> None:
    """An unpacked folder that is not the published archive: `check` says all of it, and the scenes stay."""
    folder = tmp_path / "NYUD_MT"
    write_layout(folder, train=2, val=1)
    nyud.label_path(folder, "depth", "0002").unlink()
    before, text = project.outputs(), (project.folder / "params.yaml").read_text()

    def change(params: Any) -> None:
        params["study"]["source"]["nyud"] = "archive"
        params["datasets"]["nyud"]["archive"]["path"] = str(folder)

    project.change_params(change)
    output = project.run("dvc", "repro", fails=True)
    (project.folder / "params.yaml").write_text(text)
    assert stages_run(output) - {"code_nyud"} == {"check_nyud"}
    assert "is not NYUD_MT.tgz as published" in output
    for part in ("lists 2 images, expected 795", "lists 1 images, expected 654", "no depth/0002.npy"):
        assert part in output
    assert "Traceback" not in output
    assert stages_run(project.run("dvc", "repro")) <= {"code_nyud", "check_nyud"}
    assert project.outputs() == before


def test_a_failing_stage_loses_nothing_and_says_how_to_restore(project: Project) -> None:
    before, text = project.outputs(), (project.folder / "params.yaml").read_text()
    project.change_params(set_learning_rate(1e30))
    output = project.run("dvc", "repro", fails=True)
    assert re.search(r"ERROR: nyud hrnet18-mti-n seed 0: loss of .* is not finite at step \d", output)
    commands = [line.strip() for line in output.splitlines() if re.match(r"  (dvc checkout|git restore) ", line)]
    assert len(commands) == 2
    assert project.outputs() == before
    # An orchestrator that deletes outputs before a run, or a hand that slipped: the commands bring them back.
    gone = [word for command in commands for word in command.split() if word.startswith(("runs/", "reports/"))]
    for path in gone:
        (project.folder / path).unlink()
    for command in commands:
        project.run(*command.split())
    assert project.outputs() == before
    (project.folder / "params.yaml").write_text(text)
    project.run("dvc", "repro")
    assert project.outputs() == before


@pytest.mark.follows("README.md", "dvc exp run --name", "dvc params diff", "dvc metrics diff", "dvc plots diff")
@pytest.mark.follows(
    "docs/comparing.md", "dvc exp run --name slower", "dvc params diff", "dvc metrics diff", "dvc exp show",
    "dvc plots diff", "mtinet diff",
)  # fmt: skip
def test_a_learning_rate_reruns_its_experiment_and_what_shows_it(project: Project, shown: list[Command]) -> None:
    """And is followed through everything that DVC has to compare, with the commands of both pages."""
    run, params, metrics_diff, plots, *same, show, same_plots, diff = (command.words for command in shown)
    assert ([run, params], plots) == (same[:2], same_plots)
    key = ".".join((*MTI, "lr"))
    assert f"{key}=3e-5" in run
    assert stages_run(follow(project, *run, only="^(Running stage|Ran exp)|^slower")) == {
        "code_nyud",  # params.yaml says which methods there are
        "check_nyud",
        "train_nyud_mti_net@hrnet18-mti-n-0",
        "evaluate_nyud_mti_net@hrnet18-mti-n-0",
        "compare_nyud_table2a",
        "claims_nyud",
        "track_nyud",
        "table_nyud_table2a",
        "figure_nyud_curves",
        "figure_nyud_patches",
        "figure_nyud_deltas",
        "figure_nyud_costs",
        "report_nyud",
    }
    assert key in follow(project, *params)
    assert f"{ENTRY}.delta_m" in project.run(*metrics_diff)
    assert COMPARISON in same[2]
    follow(project, *same[2], only=r"^Path|-n\.(delta_m|metrics)")
    metrics = json.loads(project.run("dvc", "metrics", "diff", "--json"))
    (changed,) = {path for path in metrics if "/metrics/" in path}
    assert "hrnet18-mti-n" in changed
    assert any("tasks.depth.rmse" in name for name in metrics[changed])
    assert f"{ENTRY}.delta_m" in metrics[COMPARISON]
    (row,) = experiments(project, "slower")
    assert float(row[key]) == 3e-5
    assert float(row[f"{ENTRY}.delta_m"]) == pytest.approx(metrics[COMPARISON][f"{ENTRY}.delta_m"]["new"], abs=1e-4)
    header = follow(project, *show).partition("\n")[0]
    assert [name in header for name in (key, f"{ENTRY}.delta_m", "tasks.seg.mIoU")] == [True, True, False]
    follow(project, *plots)
    page = (project.folder / "plots/index.html").read_text()
    assert f"history/nyud/{MTI[-1]}" in page
    assert "| Ours (w/ FPM) (N) |" in follow(project, *diff)
    project.commit("another learning rate")


def test_a_pull_request_gets_the_change_as_a_comment(project: Project, tmp_path: Path) -> None:
    """The workflow's own shell lines, in a clone, with a `gh` that only notes what it is told."""
    clone = Project(tmp_path / "clone")
    project.run("git", "clone", "-q", str(project.folder), str(clone.folder))
    use_folder(clone, str(project.folder / ".dvc/cache"))  # laid out as a remote is
    start, head = (project.run("git", "rev-parse", name).strip() for name in ("HEAD~1", "HEAD"))
    event = {"base.sha": start, "head.sha": head, "number": "7", "head.repo.full_name": "me/mtinet"}
    values = {f"github.event.pull_request.{key}": value for key, value in event.items()}
    values |= {"github.token": "token", "secrets.AWS_ACCESS_KEY_ID": "id", "secrets.AWS_SECRET_ACCESS_KEY": "key"}
    job = Job(clone.folder / ".github/workflows/changes.yml", "changes", clone, values)
    assert set(job.triggers) == {"pull_request"}
    steps = ["actions/checkout", "actions/setup-python", "install", "start", "statistics", "compare", "comment"]
    assert job.names() == steps
    gh = tmp_path / "bin/gh"
    gh.parent.mkdir()
    gh.write_text(f'#!/bin/sh\n[ "$GH_TOKEN" = token ] && echo "$@" > {tmp_path}/said && cp comment.md {tmp_path}\n')
    gh.chmod(0o755)
    clone.environment["PATH"] = f"{gh.parent}:{clone.environment['PATH']}"
    for name in steps[3:]:
        job.run(name)
    assert (tmp_path / "said").read_text().split() == [
        *("pr", "comment", "7", "--edit-last", "--create-if-none", "--body-file", "comment.md")
    ]
    comment = (tmp_path / "comment.md").read_text()
    assert f"| `{'.'.join((*MTI, 'lr'))}` | `0.0001` | `3e-05` |" in comment
    (row,) = [line for line in comment.splitlines() if line.startswith("| Ours (w/ FPM) (N) | Dep")]
    assert re.search(r"[+-]\d+\.\d+ \| \[[+-]?\d", row), row  # with its interval, from the statistics that were fetched
    assert "dvc metrics diff" in comment
    assert f"{ENTRY}.delta_m" in comment
    assert job.files["GITHUB_STEP_SUMMARY"].read_text() == comment


@pytest.mark.follows(
    "docs/comparing.md", "dvc exp run --queue --name faster", "dvc exp run --queue --name edited", "dvc queue start",
    "dvc queue status", "dvc exp apply",
)  # fmt: skip
def test_queued_experiments_run_side_by_side_each_with_its_own_code(
    project: Project, tmp_path: Path, shown: list[Command]
) -> None:
    """Two workers, each in a copy of what was there when it was queued: parameters and code. Both are tracked live."""
    store = f"sqlite:///{tmp_path}/live.db"
    project.environment["MLFLOW_TRACKING_URI"] = store
    queue, queue_edited, start, status, apply = (command.words for command in shown)
    key = "experiments.nyud.single_task.hrnet18-single-depth.lr"
    assert f"{key}=3e-4" in queue
    follow(project, *queue)
    method = project.folder / "src/mtinet/models/single_task.py"
    code = method.read_text()
    method.write_text(f"{code}\n# an edit\n")
    follow(project, *queue_edited)
    method.write_text(code)
    follow(project, *start)
    del project.environment["MLFLOW_TRACKING_URI"]
    assert ended(project, tasks=2) == 2
    follow(project, *status)
    faster, edited = experiments(project, "faster", "edited")
    assert (faster["State"], edited["State"]) == ("Success", "Success")
    assert (float(faster[key]), float(edited[key])) == (3e-4, 1e-4)
    manifests = {name: json.loads(file_at(project, name, DEPTH_MANIFEST)) for name in ("HEAD", "faster", "edited")}
    assert {name: manifest["config"]["experiment"]["lr"] for name, manifest in manifests.items()} == {
        "HEAD": 1e-4,
        "faster": 3e-4,
        "edited": 1e-4,
    }
    assert manifests["faster"]["code_hash"] == manifests["HEAD"]["code_hash"] != manifests["edited"]["code_hash"]
    assert manifests["edited"]["code"] == manifests["HEAD"]["code"]
    assert {run.data.params["experiment.lr"]: run.info.status for run in runs_of(store, "scenes-smoke")} == {
        "0.0003": "FINISHED",
        "0.0001": "FINISHED",
    }
    follow(project, *apply)
    assert json.loads((project.folder / DEPTH_MANIFEST).read_text()) == manifests["faster"]
    project.run("git", "reset", "--hard", "-q")
    project.run("dvc", "checkout")


def test_mlflow_holds_a_run_per_experiment_and_seed(project: Project) -> None:
    import mlflow

    client = mlflow.MlflowClient(f"sqlite:///{project.folder}/mlflow.db")
    experiment = client.get_experiment_by_name("scenes-smoke")
    runs = client.search_runs([experiment.experiment_id], max_results=100)
    finished = {run.info.run_name: run for run in runs if run.info.status == "FINISHED"}
    nested = {name for name, run in finished.items() if "mlflow.parentRunId" in run.data.tags}
    assert nested == {f"nyud/{name}/seed0" for name in KEPT}
    assert set(finished) - nested == {f"nyud/{table}" for table in TABLES}
    run = finished["nyud/hrnet18-mtl/seed0"]
    metrics = json.loads((project.folder / "reports/scenes-smoke/metrics/nyud/hrnet18-mtl/seed0.json").read_text())
    assert run.data.metrics["depth.rmse"] == pytest.approx(metrics["tasks"]["depth"]["rmse"])
    assert run.data.params["experiment.lr"] == "0.0001"
    assert len(client.get_metric_history(run.info.run_id, "loss")) == 2
    assert {data.dataset.name for data in run.inputs.dataset_inputs} == {"nyud train", "nyud val"}
    assert (project.folder / run.data.tags["weights"]).exists()
