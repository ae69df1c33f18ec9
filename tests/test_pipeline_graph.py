"""Both orchestrators see the same stages: the graphs are taken from the tools themselves and compared."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import yaml
from dvc.repo import Repo

from mtinet import models
from mtinet.config import load
from mtinet.tasks import registry
from pipeline import code_digests, write_dvc
from pipeline.dependencies import BACKBONES, ROOT, layouts, shown, shown_experiments
from pipeline.imports import imported_files
from pipeline.rules import rules

pytestmark = pytest.mark.orchestrator


@dataclass
class Job:
    """One stage item as a tool reports it."""

    command: str
    inputs: set[str] = field(default_factory=set)
    outputs: set[str] = field(default_factory=set)


@pytest.fixture(scope="module")
def dvc_jobs() -> dict[str, Job]:
    """By command: what DVC resolves from dvc.yaml, with the code that the digests are of, which Snakemake lists."""
    digested = {str(code_digests.path_of(rule)): rule.code for rule in rules()}
    jobs = {}
    for stage in Repo(ROOT).index.stages:
        if stage.name.startswith("code_"):
            continue
        inputs = {dep.def_path for dep in stage.deps if not hasattr(dep, "params")}
        code = {path for name in inputs & set(digested) for path in digested[name]}
        assert code, stage.cmd
        data = {path for path in inputs - set(digested) if not path.endswith(".yaml")}
        jobs[stage.cmd] = Job(stage.cmd, data | code, {out.def_path for out in stage.outs})
    return jobs


@pytest.fixture(scope="module")
def snake_jobs() -> dict[str, Job]:
    """By command: what `snakemake -n --forceall -p` prints."""
    shown = subprocess.run(
        ["snakemake", "-n", "--forceall", "-p", "--cores", "2", "--nolock"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout + ""  # fmt: skip
    jobs = {}
    for block in re.split(r"\n(?=(?:local)?rule )", shown)[1:]:
        name = re.match(r"(?:local)?rule (\w+):", block)
        if name is None or name[1] == "all":
            continue
        found = {key: re.search(rf"^    {key}: (.*)$", block, re.M) for key in ("input", "output")}
        launch = r"exec python -m pipeline\.launch --gpu [01] --gpu-mem-mb \d+ --"
        command = re.search(rf"^Shell command: {launch} (.*?) > logs/\S+ 2>&1$", block, re.M)
        assert command is not None, block
        inputs, outputs = (
            {part.strip() for part in match[1].split(",")} if match else set() for match in found.values()
        )
        jobs[command[1]] = Job(command[1], inputs, outputs)
    return jobs


def test_dvc_yaml_is_what_the_rules_declare() -> None:
    assert (ROOT / "dvc.yaml").read_text() == write_dvc.dvc_yaml(), "run 'make pipeline' and commit dvc.yaml"


def test_an_edit_changes_the_digests_of_the_stages_that_import_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder in ("src", "stages", "pipeline"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(code_digests, "ROOT", tmp_path)

    def digests() -> dict[str, bytes]:
        code_digests.write("nyud", rules())
        return {path.stem: path.read_bytes() for path in (tmp_path / code_digests.folder("nyud")).iterdir()}

    (tmp_path / code_digests.folder("nyud")).mkdir(parents=True)
    (tmp_path / code_digests.folder("nyud") / "train_nyud_forgotten.json").touch()
    before = digests()
    assert set(before) == {rule.name for rule in rules() if rule.dataset == "nyud"}
    method = tmp_path / "src/mtinet/models/pad_net.py"
    method.write_text(method.read_text() + "# an edit\n")
    after = digests()
    changed = {name for name in before if before[name] != after[name]}
    assert {"train_nyud_pad_net", "evaluate_nyud_pad_net"} <= changed
    assert not {"train_nyud_mti_net", "train_nyud_single_task", "dataset_nyud", "table_nyud_table2a"} & changed
    assert digests() == after
    layouts = tmp_path / "pipeline/tables.yaml"
    layouts.write_text(layouts.read_text().replace("\ntable2a:\n", "\ntable2a:\n  another: entry\n"))
    code_digests.content.cache_clear()
    assert {name for name, content in digests().items() if after[name] != content} >= {"table_nyud_table2a"}
    assert {name for name, content in digests().items() if after[name] != content}.isdisjoint({"table_nyud_table3"})


def test_same_commands(dvc_jobs: dict[str, Job], snake_jobs: dict[str, Job]) -> None:
    assert set(dvc_jobs) == set(snake_jobs)
    assert len(dvc_jobs) > 30


def test_same_outputs(dvc_jobs: dict[str, Job], snake_jobs: dict[str, Job]) -> None:
    for command, job in dvc_jobs.items():
        assert job.outputs == snake_jobs[command].outputs, command


def test_same_inputs(dvc_jobs: dict[str, Job], snake_jobs: dict[str, Job]) -> None:
    """Where DVC depends on a folder that many stages write into, Snakemake lists the files."""
    everything = set().union(*(job.outputs for job in dvc_jobs.values()))
    for command, job in dvc_jobs.items():
        if command.startswith("python stages/check.py"):
            assert not snake_jobs[command].inputs, "Snakemake runs the check at every start instead"
            continue
        written = {path for path in job.inputs if path in everything}
        for folder in job.inputs - written:
            written |= {path for path in everything if path.startswith(folder + "/")} or {folder}
        assert written == snake_jobs[command].inputs, command


def test_every_job_depends_on_the_check(dvc_jobs: dict[str, Job]) -> None:
    """Nothing that could fail in the parameters runs before they were checked."""
    writer = {path: job for job in dvc_jobs.values() for path in job.outputs}
    parents = {
        command: [
            other for path in job.inputs for out, other in writer.items() if out == path or out.startswith(path + "/")
        ]
        for command, job in dvc_jobs.items()
    }
    checked: set[str] = set()

    def is_checked(command: str) -> bool:
        if command not in checked and (
            command.startswith("python stages/check.py") or any(is_checked(p.command) for p in parents[command])
        ):
            checked.add(command)
        return command in checked

    for command in dvc_jobs:
        assert is_checked(command), command


def test_every_experiment_and_seed_is_trained_and_evaluated(dvc_jobs: dict[str, Job]) -> None:
    params = yaml.safe_load((ROOT / "params.yaml").read_text())
    for dataset, methods in params["experiments"].items():
        for name in [name for experiments in methods.values() for name in experiments]:
            for seed in params["seeds"]:
                for stage in ("train", "evaluate"):
                    assert f"python stages/{stage}.py --dataset {dataset} --experiment {name} --seed {seed}" in dvc_jobs


def test_table_2a_has_its_twelve_runs() -> None:
    """The paper's section 3.2: two single-task runs, MTL, three PAD-Net, three MTI-Net without and three with FPM."""
    shown = {key.split(".")[-1]: key.split(".")[-2] for key in shown_experiments("nyud", "table2a")}
    counts = Counter(shown.values())
    assert counts == {"single_task": 2, "multi_task": 1, "pad_net": 3, "mti_net": 6}
    assert all(name.startswith("hrnet18-") for name in shown)


def test_all_of_the_papers_experiments_are_declared() -> None:
    """71 runs stand behind the paper's tables; each is one that `check` accepts."""
    params = load(ROOT / "params.yaml")
    counts = {dataset: len(params.runs(dataset)) for dataset in params.experiments}
    assert counts == {"nyud": 26 * len(params.seeds), "pascal": 45 * len(params.seeds)}
    for dataset in counts:
        for name in {name for name, _ in params.runs(dataset)}:
            method, experiment = params.experiment(dataset, name)
            options = models.check_options(method, experiment.options, experiment.tasks, experiment.auxiliary)
            models.check_backbone(experiment.backbone, options=options)


def test_every_experiment_stands_in_a_table_and_every_table_has_its_experiments() -> None:
    experiments = yaml.safe_load((ROOT / "params.yaml").read_text())["experiments"]
    for dataset, methods in experiments.items():
        declared = {name for group in methods.values() for name in group}
        assert {name for layout in layouts(dataset).values() for name in shown(layout)} == declared


def test_a_methods_file_is_a_dependency_of_that_methods_runs_alone() -> None:
    for rule in rules():
        if rule.stage in ("train", "evaluate"):
            methods = {"single_task", "single_task_dlv3", "multi_task", "pad_net", "mti_net", "astmt"}
            files = {path for path in rule.code if Path(path).stem in methods}
            # The one method that is another one on a further backbone.
            base = {"src/mtinet/models/single_task.py"} if rule.method == "single_task_dlv3" else set()
            assert files == {f"src/mtinet/models/{rule.method}.py"} | base, rule.name


def test_the_libraries_of_a_groups_backbones_are_its_dependencies_and_no_other_is() -> None:
    experiments = yaml.safe_load((ROOT / "params.yaml").read_text())["experiments"]
    for rule in rules():
        if rule.stage in ("train", "evaluate"):
            used = {entry["backbone"].split("/")[0] for entry in experiments[rule.dataset][rule.method].values()}
            files = {Path(path).stem for path in rule.code if Path(path).parent.name == "backbones"}
            assert used <= files, rule.name
            assert files - {"__init__", "timm", "fpn"} <= used, rule.name


@pytest.mark.parametrize("method", ["single_task", "multi_task", "pad_net", "mti_net"])
def test_the_dilated_encoder_and_astmt_are_no_dependency_of_other_methods(method: str) -> None:
    code = imported_files(ROOT, ["stages/train.py", *BACKBONES, f"src/mtinet/models/{method}.py"])
    apart = {"dlv3", "deeplab", "astmt", "adversary", "task_specific", "single_task_dlv3"}
    assert not apart & {Path(path).stem for path in code}


@pytest.mark.parametrize("method", ["single_task_dlv3", "astmt"])
def test_methods_on_the_dilated_encoder_depend_on_it(method: str) -> None:
    code = imported_files(ROOT, ["stages/train.py", *BACKBONES, f"src/mtinet/models/{method}.py"])
    assert {"src/mtinet/models/backbones/dlv3.py", "src/mtinet/models/deeplab.py"} <= set(code)


def test_a_training_depends_on_the_losses_of_its_datasets_tasks_alone() -> None:
    datasets = yaml.safe_load((ROOT / "params.yaml").read_text())["datasets"]
    for rule in rules():
        if rule.stage == "train":
            found = {Path(path).stem for path in rule.code if path.startswith("src/mtinet/losses/")}
            used = {registry()[task].loss for task in datasets[rule.dataset]["tasks"]}
            assert found == used | {"__init__", "reduction"}, rule.name


def test_stages_never_import_the_orchestrators() -> None:
    """src/ and stages/ run where neither DVC nor Snakemake is installed, and know nothing of pipeline/."""
    for path in [*ROOT.glob("src/**/*.py"), *ROOT.glob("stages/*.py")]:
        for line in path.read_text().splitlines():
            assert not re.match(r"\s*(from|import) (dvc|snakemake|pipeline)\b", line), f"{path}: {line}"


@pytest.mark.parametrize("stage", ["compare", "table", "figure", "report", "claims", "overview"])
def test_reporting_imports_no_torch(stage: str) -> None:
    code = (
        f"import sys, runpy; runpy.run_path('stages/{stage}.py', run_name='imported'); sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run(["python", "-c", code], cwd=ROOT, check=False).returncode == 0


def test_imports_are_followed_into_functions_and_packages(tmp_path: Path) -> None:
    package = tmp_path / "src/mtinet/sub"
    package.mkdir(parents=True)
    guarded = "from typing import TYPE_CHECKING\nfrom mtinet import a\nif TYPE_CHECKING:\n    import mtinet.unused\n"
    sources = {
        "src/mtinet/__init__.py": "",
        "src/mtinet/sub/__init__.py": "",
        "src/mtinet/sub/leaf.py": "import numpy",
        "src/mtinet/a.py": "def f():\n    from mtinet.sub import leaf\n",
        "src/mtinet/unused.py": "",
        "stage.py": guarded,
    }
    for path, text in sources.items():
        (tmp_path / path).write_text(text)
    assert imported_files(tmp_path, ["stage.py"]) == [
        "src/mtinet/__init__.py", "src/mtinet/a.py", "src/mtinet/sub/__init__.py", "src/mtinet/sub/leaf.py", "stage.py",
    ]  # fmt: skip
