"""Every command inside a sentence of README.md and docs/ is launched in a project where nothing is made yet.

Those in blocks are tests/test_docs_commands.py's: each is run by a test marked to follow it, or rehearsed there.
"""

from __future__ import annotations

import re
import shlex
from typing import Any

import documents
import pytest
from test_docs_commands import NOT_RUN as NOT_RUN_BLOCKS
from test_docs_commands import quoted
from workflow import Project

pytestmark = pytest.mark.orchestrator
TOOLS = ("dvc", "git", "make", "mlflow", "mtinet", "python", "snakemake", "squeue", "torchrun")
LR = "experiments.nyud.mti_net.hrnet18-mti-n.lr=3e-5"

# What is typed for a command of the pages ("" as it stands), and what is said then. Capitals are filled in; a command
# that would train, serve or show a page for good is told to say only what it would do.
LAUNCHED: dict[str, tuple[str, str]] = {
    "dvc repro --single-item STAGE ..": ("dvc repro --single-item code_nyud", "Running stage 'code_nyud'"),
    "dvc status": ("", r"train_nyud_mti_net@hrnet18-mti-n-0"),
    "dvc status STAGE": ("dvc status code_nyud", "up to date"),
    "python -m pipeline.dvc": ("python -m pipeline.dvc --version", r"\d\."),
    "dvc checkout": ("dvc checkout code_nyud", ""),
    "dvc exp run -S seeds=[0,1]": ("dvc exp run --queue -S seeds=[0,1]", "Queued experiment"),
    "dvc exp run --queue -S KEY=VALUE": (f"dvc exp run --queue -S {LR}", "Queued experiment"),
    "dvc exp show --only-changed": ("dvc exp show --only-changed --md", r"mti-n\.lr"),
    "dvc cache dir --local /shared/mtinet-cache": ("", ""),
    "dvc config --local cache.shared group": ("", ""),
    "mtinet completion bash": ("mtinet completion bash | bash -n", ""),
    "mtinet import-released": ("mtinet import-released --help", "--dataset"),
    "mtinet check-data": ("mtinet check-data --help", "--distilled"),
    "mtinet run": ("mtinet run --help", "Train one run"),
    "mtinet evaluate": ("mtinet evaluate --help", "RUN"),
    "mtinet diff main my-branch": ("", r"hrnet18-mti-n\.lr.*3e-05"),
    "mtinet diff HEAD slower": ("", r"hrnet18-mti-n\.lr.*3e-05"),
    "make setup": ("", ""),
    "make pipeline": ("make pipeline && git diff --exit-code -- dvc.yaml", ""),
    "make verify": ("! make verify", "ERROR: .*results do not belong to params.yaml"),
    "snakemake -n": ("", "train_nyud_mti_net"),
    "mlflow ui --backend-store-uri sqlite:///mlflow.db": (
        "mlflow ui --backend-store-uri sqlite:///mlflow.db --help", "--backend-store-uri",
    ),
    "python -m pipeline.apart": ("python -m pipeline.apart --help", "usage"),
    "python -m benchmarks.pictures": ("python -m benchmarks.pictures --help", "usage"),
    "python -m benchmarks.scenes": ("python -m benchmarks.scenes --help", "usage"),
}  # fmt: skip

# What make would do, from make itself: it refuses a target that it cannot make.
MINUTES = [
    "repro", "longer", "bench", "bench-edges", "test", "growth", "reliability", "cluster-test", "commit", "adopt",
]  # fmt: skip
PLANNED = [f"make {target}" for target in MINUTES] + ["make bench BENCH_FLAGS=--quick"]

NOT_RUN = {
    "squeue --states=all": "needs a cluster, and is Snakemake's own",
    "dvc commit": "of results, which `make commit` takes home in tests/test_workflow_snakemake.py",
    "dvc queue start -j 2": "trains what is queued: `dvc queue start --jobs 2` in tests/test_workflow_dvc.py",
    "dvc exp run -S KEY=VALUE": "trains; the same with --queue is launched",
    "snakemake --touch": "of results, which `make adopt` does there",
    "dvc pull": "from a remote, which `make adopt` does there",
    "dvc exp apply NAME": "needs an experiment: `dvc exp apply faster` in tests/test_workflow_dvc.py",
    "dvc repro --force --single-item report_nyud": "needs results: tests/test_workflow_snakemake.py",
    "dvc repro --force --single-item track_nyud": "needs results, as that of the report",
    "python -m benchmarks.comparing": "trains a project at smoke scale, to write what docs/comparing.md shows",
    "python -m benchmarks.start_up --causes": "starts every stage several times: minutes",
    "python -m mtinet.studies.task_width": "trains networks: minutes",
    "python -m mtinet.studies.coverage": "draws a thousand test sets: minutes",
}


def in_sentences() -> set[str]:
    """What begins with a tool and has more than that word."""
    texts = {text for page in documents.pages() for text in quoted(page)}
    return {text for text in texts if text.split()[0] in TOOLS and len(text.split()) > 1}


def in_blocks() -> set[str]:
    """Commands that other tests account for, and their beginnings: `git commit`, of the line that has a message."""
    found = {documents.command(page, start).text for page, start, _ in documents.followed()}
    found |= {documents.command(page, start).text for page, starts in NOT_RUN_BLOCKS.items() for start in starts}
    parts = [part.split() for text in found for part in text.split("&&")]
    return {" ".join(words[:count]) for words in parts for count in range(1, len(words) + 1)}


def test_every_command_is_launched_or_has_a_reason() -> None:
    """And nothing is left here of a command that is gone."""
    here = {*LAUNCHED, *PLANNED, *NOT_RUN}
    assert len(here) == len(LAUNCHED) + len(PLANNED) + len(NOT_RUN)
    said = in_sentences()
    assert not sorted(said - here - in_blocks()), "launch these, or say why not"
    assert not sorted(here - said), "no page says these"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Committed; two branches have another learning rate."""
    project = documents.with_environment(Project.copy(tmp_path_factory.mktemp("sentences"), OMP_NUM_THREADS="1"))
    project.run("git", "branch", "-m", "main")
    project.run("git", "checkout", "-q", "-b", "slower")
    project.change_params(slow_down)
    project.commit("slower")
    project.run("git", "branch", "my-branch")
    project.run("git", "checkout", "-q", "main")
    return project


def slow_down(params: Any) -> None:
    params["experiments"]["nyud"]["mti_net"]["hrnet18-mti-n"]["lr"] = 3e-5


@pytest.mark.parametrize("text", LAUNCHED)
def test_a_command_of_a_sentence(project: Project, text: str) -> None:
    typed, expected = LAUNCHED[text]
    said = project.run("bash", "-ec", typed or text)
    assert re.search(expected, said, re.M), said[-2000:]


@pytest.mark.parametrize("text", PLANNED)
def test_what_takes_minutes_is_planned(project: Project, text: str) -> None:
    """With the modules that it would start."""
    planned = project.run("make", "-n", *shlex.split(text)[1:])
    assert planned.strip()
    for name in re.findall(r"python -m ((?:pipeline|benchmarks)\.\w+)", planned):
        assert (project.folder / name.replace(".", "/")).with_suffix(".py").is_file(), name
