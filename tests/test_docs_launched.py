"""Commands of the pages that start work in many places: on GPUs, in several processes, beside a server."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import fake_tools
import pytest
from documents import Command, with_environment
from small_project import STUDY, contents, copy_code, write_project
from tracking_server import wait_for
from workflow import Project

pytestmark = pytest.mark.orchestrator

# A stage that leaves what it declares, empty, and notes the GPU that it was given.
STAGE = """
import json, os, sys
from pathlib import Path
with open("gpus.txt", "a") as notes:
    print(Path(sys.argv[0]).stem, os.environ.get("CUDA_VISIBLE_DEVICES"), file=notes)
for path in map(Path, json.loads(Path("made.json").read_text())[" ".join(["python", *sys.argv])]):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch() if path.suffix else path.mkdir(exist_ok=True)
"""
DECLARED = """
import json
from pathlib import Path
from pipeline.matrix import items
from pipeline.rules import rules
from pipeline.snake import RULES
made = {rule.name: rule for rule in RULES}
print(json.dumps({
    made[rule.name].command.format(**item): [str(path).format(**item) for path in made[rule.name].outputs]
    for rule in rules() for item in items(rule)
}))
"""


@pytest.fixture(scope="module")
def workstation(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project whose stages take no time, on a machine that pretends to have two GPUs."""
    tools = fake_tools.nvidia_smi(tmp_path_factory.mktemp("tools"), [80_000, 80_000])
    project = with_environment(Project.copy(tmp_path_factory.mktemp("workstation")))
    places = {"PATH": f"{tools}:{project.environment['PATH']}", "TMPDIR": str(tmp_path_factory.mktemp("claims"))}
    project.environment |= places
    (project.folder / "made.json").write_text(project.run("python", "-c", DECLARED))
    for script in (project.folder / "stages").glob("*.py"):
        script.write_text(STAGE)
    return project


def gpus_of(project: Project) -> dict[str, list[str]]:
    """The GPUs that the jobs of each stage were given since the last look."""
    notes, found = project.folder / "gpus.txt", dict[str, list[str]]()
    for line in notes.read_text().splitlines():
        stage, gpu = line.split()
        found.setdefault(stage, []).append(gpu)
    notes.unlink()
    return found


def trained_again(project: Project, name: str) -> None:
    (project.folder / f"runs/{STUDY}/nyud/{name}/seed0/weights.safetensors").unlink()


@pytest.mark.follows("docs/sharing.md", "snakemake --cores 8")
@pytest.mark.follows("docs/cluster.md", "snakemake --profile profiles/local", "MTINET_JOBS_PER_GPU=3")
@pytest.mark.follows("docs/cluster.md", "snakemake --cores 8")
@pytest.mark.follows("README.md", "snakemake --cores 8", "snakemake --profile profiles/local")
def test_jobs_get_the_machines_gpus(workstation: Project, shown: list[Command]) -> None:
    """The plan, all of it on two GPUs, and again what a missing file makes necessary, with several jobs on each."""
    plan, local, same_plan, same_local, shared, cores = shown
    assert (plan.words, local.words) == (same_plan.words, same_local.words)
    assert len(re.findall(r"^rule train_nyud\w+:", plan.run(workstation), re.M)) == 4
    assert not (workstation.folder / "gpus.txt").exists()
    local.run(workstation)
    found = gpus_of(workstation)
    assert len(found["train"]) == len(found["evaluate"]) == 4
    assert set(found["train"]) == {"GPU-00", "GPU-11"} or set(found["train"]) == {"0", "1"}
    assert set(found["table"]) == set(found["prepare"]) == {"None"}
    for command in (shared, cores):
        trained_again(workstation, "hrnet18-mti-n")
        command.run(workstation)
        (gpu,) = gpus_of(workstation)["train"]
        assert gpu != "None"
    assert "Nothing to be done" in plan.run(workstation)


# Several processes of one run ----------------------------------------------------------------------------------

NAME = "hrnet48-mti-ne"


def four_processes(params: Any) -> None:
    """As the page declares them; the network is a small one, under the name that the page trains."""
    params["compute"] |= {"processes": 4, "device": "cpu"}
    params["experiments"]["nyud"]["mti_net"][NAME]["backbone"] = "timm/hrnet_w18_small_v2"


@pytest.fixture
def shared_run(tmp_path: Path) -> Project:
    write_project(tmp_path / "project", 4, change=four_processes, epochs=1)
    copy_code(tmp_path / "project")
    return Project(tmp_path / "project", OMP_NUM_THREADS="1")


@pytest.mark.follows("docs/several-gpus.md", "torchrun --nproc-per-node 4", "torchrun --nnodes 2")
def test_torchrun_starts_the_declared_processes(shared_run: Project, shown: list[Command]) -> None:
    """On one machine, and on two, which are this one twice: the same bytes."""
    one, two = shown
    one.run(shared_run)
    alone = contents(shared_run.folder, NAME)
    assert json.loads(alone["manifest"])["config"]["processes"] == 4
    (shared_run.folder / f"runs/{STUDY}/nyud/{NAME}/seed0/weights.safetensors").unlink()
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"127.0.0.1:{free.getsockname()[1]}"
    words = [address if word == "first-host:29400" else word for word in two.words]
    assert address in words
    hosts = [subprocess.Popen(words, cwd=shared_run.folder, env=shared_run.environment) for _ in range(2)]
    assert [host.wait(300) for host in hosts] == [0, 0]
    assert contents(shared_run.folder, NAME) == alone


SAID = "import os; print(os.environ['MLFLOW_TRACKING_URI'])"


# A server of histories -----------------------------------------------------------------------------------------


@pytest.mark.follows("docs/sharing.md", "mlflow server", "export MLFLOW_TRACKING_URI")
def test_a_server_is_where_jobs_are_told_that_it_is(tmp_path: Path, shown: list[Command]) -> None:
    """For this machine alone, in this test's folder and at a free port: all else is as the page has it."""
    server, exported = shown
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    own = {"0.0.0.0": "127.0.0.1", "5000": str(port), "sqlite:////srv/mlflow.db": f"sqlite:///{tmp_path}/mlflow.db"}
    words = server.words
    assert {*own} <= {*words}
    with (tmp_path / "log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", *(own.get(word, word) for word in words)], cwd=tmp_path, stdout=log, stderr=log,
            start_new_session=True, env={key: value for key, value in os.environ.items() if "MLFLOW_TR" not in key},
        )  # fmt: skip
        try:
            wait_for(f"http://127.0.0.1:{port}/health", process, tmp_path / "log")
        finally:
            os.killpg(process.pid, signal.SIGTERM)
            process.wait(60)
    assert (tmp_path / "mlflow.db").stat().st_size > 0
    (assignment,) = exported.words[1:]
    told = subprocess.run(
        ["bash", "-ec", f"{exported.text}; {sys.executable} -c \"{SAID}\""],
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    assert f"MLFLOW_TRACKING_URI={told.strip()}" == assignment
