"""How the orchestrators' own time grows with the number of experiments: python -m benchmarks.growth (minutes).

A copy of the project with the declared experiments repeated under further names until there are so many. Nothing is
trained: every output is a file of a few bytes, and dvc.lock and Snakemake's records are written for them, so that
both tools find everything up to date and what is measured is theirs alone. One process at a time. Writes
reports/benchmarks/growth.csv, conditions included.
"""

from __future__ import annotations

import argparse
import csv
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import yaml

from mtinet import files

ROOT = Path(__file__).resolve().parents[1]
OUTPUT = Path("reports/benchmarks/growth.csv")
FOLDERS, FILES = ("pipeline", "profiles", "src", "stages"), ("Snakefile", "params.yaml", ".dvc/config", ".dvcignore")
Row = dict[str, Any]

# Every output of every job, a few bytes each, older than nothing that it is made of.
FILL = """
from pathlib import Path
from pipeline.snake import EVERYTHING
for path in map(Path, EVERYTHING):
    file = path if path.suffix else path / "content"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(str(path))
"""
# What `dvc commit` does, but that it writes the whole file anew after each stage.
LOCK = """
import yaml
from dvc.repo import Repo
from dvc.stage.serialize import to_single_stage_lockfile
with Repo() as repo, repo.lock:
    stages = {}
    for stage in repo.index.stages:
        stage.save()
        stage.commit()
        stages[stage.addressing] = to_single_stage_lockfile(stage)
def plain(value):
    if isinstance(value, dict):
        return {str(key): plain(entry) for key, entry in value.items()}
    return [plain(entry) for entry in value] if isinstance(value, list) else value
with open("dvc.lock", "w") as stream:
    yaml.dump({"schema": "2.0", "stages": plain(stages)}, stream, Dumper=yaml.CSafeDumper, sort_keys=False)
"""


@dataclass(frozen=True)
class Cost:
    """What a command took: seconds on the clock, seconds of the processor, peak MB of the largest process."""

    clock: float
    processor: float
    peak_mb: float


def project(folder: Path, count: int, seeds: int) -> None:
    """The project in `folder` with so many experiments."""
    for name in FOLDERS:
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in FILES:
        (folder / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, folder / name)
    content = yaml.safe_load((folder / "params.yaml").read_text())
    grow(content["experiments"], count)
    content["seeds"] = list(range(seeds))
    (folder / "params.yaml").write_text(yaml.safe_dump(content, sort_keys=False))
    run(folder, "git", "init", "--quiet")
    run(folder, sys.executable, "-m", "pipeline.write_dvc")


def grow(experiments: dict[str, dict[str, dict[str, Any]]], count: int) -> None:
    """Repeat the declared experiments in turn until there are `count`."""
    declared = [
        (dataset, method, name)
        for dataset, methods in experiments.items()
        for method, named in methods.items()
        for name in named
    ]
    for number in range(count - len(declared)):
        dataset, method, name = declared[number % len(declared)]
        copies = experiments[dataset][method]
        copies[f"{name}-copy{2 + number // len(declared)}"] = dict(copies[name])


def run(folder: Path, *command: str, says: str = "") -> Cost:
    """Run a command there; what it took. Exits when it fails or does not say what it must."""
    environment = {
        **os.environ,
        "PYTHONPATH": f"{folder / 'src'}:{folder}",
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "DVC_NO_ANALYTICS": "true",
    }
    with tempfile.TemporaryFile("w+") as output:
        began = time.perf_counter()
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=output, stderr=subprocess.STDOUT)
        _, status, used = os.wait4(process.pid, 0)
        clock = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        text = output.read()
    if process.returncode or says not in text:
        sys.exit(f"ERROR: {' '.join(command)[:200]} ended with {process.returncode}:\n{text[-3000:]}")
    return Cost(clock, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)


def measured(count: int, seeds: int) -> Iterator[Row]:
    """The rows of one number of experiments."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        project(folder, count, seeds)
        plan = ("snakemake", "--cores", "8", "--resources", "gpu=2", "-n")
        yield row(folder, count, seeds, "snakemake -n, everything to do", run(folder, *plan, says="This was a dry-run"))
        run(folder, sys.executable, "-c", FILL)
        yield row(folder, count, seeds, "snakemake --touch", run(folder, "snakemake", "--cores", "8", "--touch"))
        yield row(folder, count, seeds, "snakemake -n, nothing to do", run(folder, *plan, says="Nothing to be done"))
        run(folder, sys.executable, "-c", LOCK)
        upto = "Data and pipelines are up to date"
        yield row(folder, count, seeds, "dvc status, nothing to do", run(folder, "dvc", "status", says=upto))
        yield row(folder, count, seeds, "dvc repro, nothing to do", run(folder, "dvc", "repro", says=upto))
        one = ("dvc", "commit", "--force", "train_nyud_multi_task@hrnet18-mtl-0")
        yield row(folder, count, seeds, "dvc commit of one run", run(folder, *one))


def row(folder: Path, count: int, seeds: int, command: str, cost: Cost) -> Row:
    """One line of the table; printed at once."""
    lock = folder / "dvc.lock"
    found: Row = {
        "experiments": count, "seeds": seeds, "command": command, "clock_s": round(cost.clock, 1),
        "processor_s": round(cost.processor, 1), "peak_mb": round(cost.peak_mb),
        "lock_mb": round(lock.stat().st_size / 1e6, 1) if lock.exists() else "",
    }  # fmt: skip
    print("{experiments:6} x {seeds}  {command:32}{clock_s:8} s  {processor_s:8} s of the processor  {peak_mb:6} MB"
          .format(**found), flush=True)  # fmt: skip
    return found


def conditions() -> list[str]:
    """Under what the numbers were measured; head of the file."""
    information = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    names = [line.split(":", 1)[1].strip() for line in information if line.startswith("model name")]
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)
    return [
        f"cpu {names[0] if names else platform.processor()}, {os.cpu_count()} cores; load average at the start"
        f" {os.getloadavg()[0]:.2f}",
        f"python {platform.python_version()}, dvc {version('dvc')}, snakemake {version('snakemake')};"
        f" commit {commit.stdout.strip()}",
        "one call each; processor_s: user and system seconds of the command and its children",
        "experiments x seeds trainings and as many evaluations, and the tables, figures and pages of the declared ones",
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--experiments", type=int, nargs="+", default=[71, 300, 1000])
    parser.add_argument("--three-seeds", action="store_true", help="the declared experiments under three seeds, too")
    parser.add_argument("--note", help="a line for the head of the file, such as what else was running")
    given = parser.parse_args()
    lines = [*conditions(), *([given.note] if given.note else [])]
    print("\n".join(lines), file=sys.stderr)
    sizes = [(count, 1) for count in given.experiments] + ([(71, 3)] if given.three_seeds else [])
    rows = [found for count, seeds in sizes for found in measured(count, seeds)]
    with files.replacing(OUTPUT) as temporary, temporary.open("w", newline="") as stream:
        stream.writelines(f"# {line}\n" for line in lines)
        table = csv.DictWriter(stream, list(rows[0]), lineterminator="\n")
        table.writeheader()
        table.writerows(rows)


if __name__ == "__main__":
    main()
