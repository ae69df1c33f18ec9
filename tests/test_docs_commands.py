"""Every command of README.md and docs/ is run by a test that takes it from the page, or is here with a reason."""

from __future__ import annotations

import argparse
import importlib.util
import os
import re
import shlex
import subprocess
from pathlib import Path

import documents
import pytest
from small_project import ROOT
from torch.distributed.run import get_args_parser
from workflow import Project

from mtinet import stage
from mtinet.cli.main import COMMANDS, build_parser

# Commands that no test runs as they stand, by page and beginning, and why; `rehearsed` is done with them instead.
GPUS = "asks for GPUs; jobs on them are tried with pretended ones in tests/test_gpu_places.py"
SLURM = "needs a cluster: `make cluster-test` has one of its own, tests/test_slurm_submission.py pretended tools"
NOT_RUN = {
    "README.md": {
        "make test": "runs all tests, this one among them",
        "dvc exp run -S study.source": "downloads the archive and trains on a GPU for days",
        "snakemake --cores 8": GPUS,
        "snakemake --profile profiles/local": GPUS,
        "snakemake --profile profiles/slurm": SLURM,
    },
    "docs/cluster.md": {
        "snakemake --cores 8": GPUS,
        "snakemake --profile profiles/local": GPUS,
        "snakemake --profile profiles/slurm": SLURM,
        "snakemake --profile profiles/slurm --default-resources": SLURM,
        "MTINET_JOBS_PER_GPU=3": GPUS,
    },
    "docs/several-gpus.md": {
        "torchrun --nproc-per-node 4": "four processes of a large network; torchrun is in tests/test_distributed.py",
        "torchrun --nnodes 2": "needs two machines",
    },
    "docs/sharing.md": {
        "snakemake --cores 8": GPUS,
        "mlflow server": "writes into /srv and serves all hosts; one is in tests/test_tracking_server.py",
        "export MLFLOW_TRACKING_URI": "names a host of the reader's",
    },
}
LEFT = [(page, start) for page, starts in NOT_RUN.items() for start in starts]


def test_every_command_is_run_or_has_a_reason() -> None:
    """The other way round too: no mark and no reason is left of a command that is gone (`documents.command` fails)."""
    run = {(page, documents.command(page, start).text) for page, start, _ in documents.followed()}
    left = {(page, documents.command(page, start).text) for page, start in LEFT}
    assert not run & left
    every = {(page, text) for page in documents.pages() for text in documents.commands(page)}
    assert len(every) > 50
    unknown = sorted(every - run - left)
    assert not unknown, (
        "commands that no test follows (mark one with pytest.mark.follows) and that have no reason in"
        f" {Path(__file__).name}: {unknown}"
    )


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    return documents.with_environment(Project.copy(tmp_path_factory.mktemp("rehearsal"), OMP_NUM_THREADS="1"))


def rehearsed(project: Project, text: str) -> str:
    """What the command would do, from the tool itself; each refuses options and targets that it does not know."""
    word = next(word for word in shlex.split(text) if "=" not in word)
    if word == "make":
        return project.run("make", "-n", *shlex.split(text)[1:])
    if word == "snakemake":
        return project.run("bash", "-ec", f"{text} --dry-run")
    if word == "dvc":
        project.run(*shlex.split(text.replace("exp run", "exp run --queue")))
        return project.run("git", "show", "refs/exps/celery/stash:params.yaml")
    if word == "mlflow":
        return project.run("bash", "-ec", f"{text} --help")
    if word == "torchrun":
        given = get_args_parser().parse_args(shlex.split(text)[1:])
        script = parsed_by_stage(given.training_script_args)
        return f"{given.nproc_per_node} {given.nnodes} {given.training_script} {script.experiment}"
    assert word == "export"
    return project.run("bash", "-ec", text)


def parsed_by_stage(arguments: list[str]) -> argparse.Namespace:
    """A training stage's own arguments."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.argv", ["stages/train.py", *arguments])
        return stage.arguments("", "dataset", "experiment", "seed")


# What the tools say of them, so that a rehearsal that does nothing would be noticed.
SAID = {
    "make test": r"pytest",
    "dvc exp run -S study.source": r"study:\n  scale: paper\n  source:\n    nyud: archive\n",
    "snakemake": r"train_nyud_mti_net +\d",
    "MTINET_JOBS_PER_GPU": r"train_nyud_mti_net +\d",
    "torchrun --nproc": r"4 1:1 stages/train\.py hrnet48-mti-ne",
    "torchrun --nnodes": r"2 2 stages/train\.py hrnet48-mti-ne",
    "mlflow": r"--backend-store-uri",
    "export": r"^$",
}
REHEARSED: dict[str, str] = {}  # the same command on several pages is rehearsed once


@pytest.mark.orchestrator
@pytest.mark.parametrize(("page", "start"), LEFT)
def test_what_is_not_run_is_rehearsed(project: Project, page: str, start: str) -> None:
    text = documents.command(page, start).text
    once = text.removesuffix(" -n")
    if once not in REHEARSED:
        REHEARSED[once] = rehearsed(project, text)
    (expected,) = [pattern for begins, pattern in SAID.items() if text.startswith(begins)]
    assert re.search(expected, REHEARSED[once]), REHEARSED[once][-2000:]


@pytest.mark.parametrize("page", ["README.md", "docs/predicting.md", "docs/extending.md"])
def test_every_mtinet_command_is_taken(page: str) -> None:
    lines = [line for line in documents.commands(page) if line.startswith("mtinet ")]
    assert lines
    for line in lines:
        given = build_parser().parse_args(shlex.split(line)[1:])
        assert given.main.__module__.startswith("mtinet.cli.")


# What stands inside a sentence ---------------------------------------------------------------------------------


def quoted(page: str) -> list[str]:
    """What the page has in backquotes outside its blocks."""
    text = documents.BLOCK.sub("", (ROOT / page).read_text(encoding="utf-8"))
    return [" ".join(part.split()) for part in re.findall(r"`([^`]+)`", text) if part.strip()]


@pytest.mark.parametrize("page", documents.pages())
def test_commands_in_sentences_exist(page: str) -> None:
    """Their targets, subcommands and modules; whole commands are in blocks."""
    targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.M))
    for text in quoted(page):
        words = text.split()
        if words[0] == "make" and len(words) > 1:
            assert words[1] in targets, f"{page}: {text}"
        if words[0] == "mtinet" and len(words) > 1 and words[1] != "COMMAND":
            assert words[1] in COMMANDS, f"{page}: {text}"
        if words[:2] == ["python", "-m"]:
            assert importlib.util.find_spec(words[2]), f"{page}: {text}"


@pytest.mark.parametrize("page", documents.pages())
def test_links_and_files_exist(page: str) -> None:
    """Of links all, of names in backquotes those that begin with a folder of the repository."""
    text = (ROOT / page).read_text(encoding="utf-8")
    links = [link.partition("#")[0] for link in re.findall(r"\]\(([^)\s]+)\)", text) if "://" not in link]
    for link in filter(None, links):
        assert ((ROOT / page).parent / link).exists(), f"{page} links to {link}"
    folders = ("src/", "stages/", "pipeline/", "docs/", "tests/", "benchmarks/", "profiles/", ".github/")
    for name in quoted(page):
        if name.startswith(folders) and re.fullmatch(r"[\w./-]+", name):
            assert (ROOT / name).exists(), f"{page} names {name}"


def test_make_finds_the_environment_set_up(project: Project) -> None:
    """So that tests that call make never install anything."""
    planned = project.run("make", "-n", "setup")
    assert "pip" not in planned
    seen = subprocess.run(
        [project.folder / ".venv/bin/python", "-c", "import sys, torch; print(sys.prefix)"],
        capture_output=True, text=True, check=True, env={**os.environ, "PYTHONPATH": ""},
    )  # fmt: skip
    assert seen.stdout.strip() == str(project.folder / ".venv")
