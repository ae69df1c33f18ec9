"""A copy of the project, at smoke scale with four experiments and three tables, in which the real tools are run."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from mtinet.stage import SAFE_LOADER

ROOT = Path(__file__).resolve().parents[1]
KEPT = ("hrnet18-single-seg", "hrnet18-single-depth", "hrnet18-mtl", "hrnet18-mti-n")
TABLES = ("table2a", "table4", "table7a")  # of each kind one: gains, scales of one run, resources
GIT_IDENTITY = ("GIT_AUTHOR_NAME", "GIT_AUTHOR_EMAIL", "GIT_COMMITTER_NAME", "GIT_COMMITTER_EMAIL")


class Project:
    """A folder with a git repository of its own; commands run there with the copy's code."""

    def __init__(self, folder: Path, **environment: str) -> None:
        self.folder = folder
        self.environment = {
            **os.environ,
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "PYTHONPATH": f"{folder / 'src'}:{folder}",
            "GIT_CONFIG_GLOBAL": os.devnull,
            **dict.fromkeys(GIT_IDENTITY, "test@example.org"),
            **environment,
        }

    @classmethod
    def copy(cls, folder: Path, **environment: str) -> Project:
        """The working tree as it is (what git tracks or would), reduced and committed."""
        listed = subprocess.run(["git", "ls-files", "-co", "--exclude-standard", "-z"], cwd=ROOT, capture_output=True)
        for name in listed.stdout.decode().split("\0"):
            if name and (ROOT / name).is_file() and not name.startswith("reports/"):
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(ROOT / name, folder / name)
        (folder / "dvc.lock").unlink(missing_ok=True)
        project = cls(folder, **environment)
        project.change_params(reduce)
        project.change("pipeline/tables.yaml", keep_tables)
        project.run("python", "-m", "pipeline.write_dvc")
        project.run("git", "init", "-q")
        project.commit("start")
        return project

    def run(self, *command: str, fails: bool = False, timeout: float = 600) -> str:
        """Run a command; its whole output. Fails the test when the exit status is not as expected."""
        # Into a file: workers that a command leaves behind hold a pipe open, and would be waited for.
        with tempfile.TemporaryFile("w+", encoding="utf-8") as stream:
            done = subprocess.run(
                command,
                cwd=self.folder,
                env=self.environment,
                stdout=stream,
                stderr=subprocess.STDOUT,
                timeout=timeout,
                stdin=subprocess.DEVNULL,
            )
            stream.seek(0)
            output = stream.read()
        assert (done.returncode != 0) == fails, f"{' '.join(command)} ended with {done.returncode}:\n{output[-4000:]}"
        return output

    def commit(self, message: str) -> None:
        self.run("git", "add", "-A")
        self.run("git", "commit", "-q", "--allow-empty", "-m", message)

    def change_params(self, change: Callable[[Any], None]) -> None:
        """Edit params.yaml; its comments go, which no stage depends on."""
        self.change("params.yaml", change)

    def change(self, name: str, change: Callable[[Any], None]) -> None:
        """Edit a YAML file."""
        path = self.folder / name
        content = yaml.safe_load(path.read_text())
        change(content)
        path.write_text(yaml.safe_dump(content, sort_keys=False))

    def outputs(self) -> dict[str, bytes]:
        """Content of every declared output file of all stages, by path."""
        found = {}
        for stage in yaml.load((self.folder / "dvc.lock").read_text(), Loader=SAFE_LOADER)["stages"].values():
            for out in stage["outs"]:
                path = self.folder / out["path"]
                for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
                    if file.is_file() and file.name != ".snakemake_timestamp":
                        found[file.relative_to(self.folder).as_posix()] = file.read_bytes()
        return found


@dataclass(frozen=True)
class Resumed:
    """A project whose `dvc repro` was killed and repeated: stages that either attempt finished."""

    project: Project
    first: set[str]
    second: set[str]


def reduce(params: Any) -> None:
    """Smoke scale, one thread, four experiments: what the workflow does does not depend on their number."""
    params["study"]["scale"] = "smoke"
    params["compute"]["threads"] = 1
    methods = params["experiments"]["nyud"]
    kept = {
        method: {name: entry for name, entry in experiments.items() if name in KEPT}
        for method, experiments in methods.items()
    }
    params["experiments"] = {"nyud": {method: experiments for method, experiments in kept.items() if experiments}}
    for section in ("readings", "controls"):
        params[section] = {"nyud": params[section]["nyud"]}
    for scale in params["scales"].values():
        scale["nyud"]["epochs_of"] = {}


def keep_tables(layouts: Any) -> None:
    """Three tables are enough: what stands in tables is other tests' subject."""
    for name in set(layouts) - set(TABLES):
        del layouts[name]


def stages_run(output: str) -> set[str]:
    """Which stages `dvc repro` ran, by its own words."""
    return set(re.findall(r"^Running stage '([^']+)'", output, re.M))


def interrupted(project: Project, at: str, seconds: float) -> set[str]:
    """Start `dvc repro`, kill all its processes `seconds` after the stage `at` began; stages that it finished."""
    process = subprocess.Popen(
        ["dvc", "repro"],
        cwd=project.folder,
        env=project.environment,
        start_new_session=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    seen = []
    for line in process.stdout:
        seen.append(line)
        if line.startswith(f"Running stage '{at}"):
            break
    time.sleep(seconds)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    process.stdout.close()
    return stages_run("".join(seen[:-1]))
