"""How the orchestrators' own time grows with the number of experiments: python -m benchmarks.growth (minutes).

Three graphs, in which nothing is trained: outputs are files of a few bytes, and the records are there that let both
tools find everything up to date, so that what is measured is theirs alone. One process at a time.

project   the project's own, with the declared experiments repeated under further names; dvc at the declared number
trivial   training and evaluation of every experiment and one report, all experiments in one params.yaml
split     the same with a file of parameters for every 50 experiments

Writes reports/benchmarks/growth.csv, conditions included.
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
DECLARED = 71
GROUP = 50  # experiments in a file of parameters where they are split
PLAN = ("snakemake", "--cores", "8", "--resources", "gpu=2", "-n")
UP_TO_DATE = "Data and pipelines are up to date"
Row = dict[str, Any]

# Every output of every job of the project, a few bytes each.
FILL = """
from pathlib import Path
from pipeline.snake import EVERYTHING
for path in map(Path, EVERYTHING):
    file = path if path.suffix else path / "content"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(str(path))
"""
# What `dvc commit` does, but that this writes dvc.lock once and not after each stage, and reads each file of
# parameters once and not for each stage.
LOCK = """
import yaml
from functools import cache
from dvc.dependency import param
from dvc.repo import Repo
from dvc.stage.serialize import to_single_stage_lockfile
read = param.load_path
known = {}
def once(path, fs, **options):
    if path not in known:
        known[path] = read(path, fs, **options)
    return known[path]
param.load_path = once
def plain(value):
    if isinstance(value, dict):
        return {str(key): plain(entry) for key, entry in value.items()}
    return [plain(entry) for entry in value] if isinstance(value, list) else value
with Repo() as repo, repo.lock:
    stages = {}
    for stage in repo.index.stages:
        stage.save()
        stage.commit()
        stages[stage.addressing] = to_single_stage_lockfile(stage)
with open("dvc.lock", "w") as stream:
    yaml.dump({"schema": "2.0", "stages": plain(stages)}, stream, Dumper=yaml.CSafeDumper, sort_keys=False)
"""


@dataclass(frozen=True)
class Cost:
    """What a command took: seconds on the clock, seconds of the processor, peak MB."""

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


def trivial(folder: Path, count: int, group: int) -> None:
    """Training and evaluation of each experiment, and a report; `group` experiments in each file of parameters."""
    names = [f"experiment{number:04}" for number in range(count)]
    entry = {"backbone": "timm/hrnet_w18_small_v2", "tasks": ["seg", "depth"], "lr": 0.001, "options": {"fpm": True}}
    stages: dict[str, Any] = {}
    (folder / "params").mkdir()
    for number in range(0, count, group):
        key = f"group{number // group:03}"
        chosen = dict.fromkeys(names[number : number + group], entry)
        text = yaml.dump({key: chosen}, Dumper=Plain)
        (folder / f"params/{key}.yaml").write_text(text)
        item: dict[str, Any] = {"matrix": {"exp": f"${{{key}}}"}}
        item["params"] = [{f"params/{key}.yaml": [f"{key}.${{item.exp}}"]}]
        weights, metrics = "runs/${item.exp}.safetensors", "metrics/${item.exp}.json"
        stages[f"train_{key}"] = item | {"cmd": "train ${item.exp}", "deps": ["code.py"], "outs": [weights]}
        made = {"deps": ["code.py", weights], "metrics": [{metrics: {"cache": False}}]}
        stages[f"evaluate_{key}"] = item | {"cmd": "evaluate ${item.exp}"} | made
    stages["report"] = {"cmd": "report", "deps": ["metrics"], "outs": ["report.html"]}
    sources = [f"params/{path.name}" for path in sorted((folder / "params").iterdir())]
    (folder / "dvc.yaml").write_text(yaml.dump({"vars": sources, "stages": stages}, Dumper=Plain, sort_keys=False))
    for path in ("code.py", "report.html", *(f"runs/{name}.safetensors" for name in names)):
        (folder / path).parent.mkdir(exist_ok=True)
        (folder / path).write_text(path)
    (folder / "metrics").mkdir()
    for name in names:
        (folder / f"metrics/{name}.json").write_text("{}")
    run(folder, "git", "init", "--quiet")
    run(folder, "dvc", "init", "--quiet")


class Plain(yaml.SafeDumper):
    """YAML without anchors: every experiment written out."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


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


def project_rows(count: int, seeds: int) -> Iterator[Row]:
    """The project's own graph; DVC, whose time grows with the square, at the declared number under one seed."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        project(folder, count, seeds)
        yield row("project", count, seeds, "snakemake -n, everything to do", run(folder, *PLAN, says="a dry-run"))
        run(folder, sys.executable, "-c", FILL)
        yield row("project", count, seeds, "snakemake --touch", run(folder, "snakemake", "--cores", "8", "--touch"))
        plan = run(folder, *PLAN, says="Nothing to be done")
        yield row("project", count, seeds, "snakemake -n, nothing to do", plan)
        if count == DECLARED and seeds == 1:
            yield from dvc_rows(folder, "project", count, "train_nyud_multi_task@hrnet18-mtl-0")


def trivial_rows(count: int, graph: str, group: int) -> Iterator[Row]:
    """DVC on trivial stages."""
    with tempfile.TemporaryDirectory() as name:
        trivial(Path(name), count, group)
        yield from dvc_rows(Path(name), graph, count, "train_group000@experiment0000")


def dvc_rows(folder: Path, graph: str, count: int, stage: str) -> Iterator[Row]:
    """DVC where nothing is to be done, and where one stage's result is."""
    run(folder, sys.executable, "-c", LOCK)
    yield row(graph, count, 1, "dvc status, nothing to do", run(folder, "dvc", "status", says=UP_TO_DATE))
    yield row(graph, count, 1, "dvc repro, nothing to do", run(folder, "dvc", "repro", says=UP_TO_DATE))
    yield row(graph, count, 1, "dvc status of one stage", run(folder, "dvc", "status", stage, says=UP_TO_DATE))
    yield row(graph, count, 1, "dvc commit of one stage", run(folder, "dvc", "commit", "--force", stage))


def row(graph: str, count: int, seeds: int, command: str, cost: Cost) -> Row:
    """One line of the table; printed at once."""
    found: Row = {
        "graph": graph, "experiments": count, "seeds": seeds, "command": command, "clock_s": round(cost.clock, 1),
        "processor_s": round(cost.processor, 1), "peak_mb": round(cost.peak_mb),
    }  # fmt: skip
    print("{graph:8} {experiments:6} x {seeds}  {command:32}{clock_s:8} s, {processor_s:8} s of the processor, "
          "{peak_mb:6} MB".format(**found), flush=True)  # fmt: skip
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
        "graphs: python -m benchmarks.growth --help",
    ]


def rows(counts: list[int]) -> Iterator[Row]:
    """All rows, the longest last."""
    yield from project_rows(DECLARED, 3)
    for count in counts:
        yield from project_rows(count, 1)
    for graph in ("split", "trivial"):
        for count in counts:
            yield from trivial_rows(count, graph, GROUP if graph == "split" else count)


def write(lines: list[str], found: list[Row]) -> None:
    """The file with what has been measured so far."""
    with files.replacing(OUTPUT) as temporary, temporary.open("w", newline="") as stream:
        stream.writelines(f"# {line}\n" for line in lines)
        table = csv.DictWriter(stream, list(found[0]), lineterminator="\n")
        table.writeheader()
        table.writerows(found)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--experiments", type=int, nargs="+", default=[DECLARED, 300, 1000])
    parser.add_argument("--note", help="a line for the head of the file, such as what else was running")
    given = parser.parse_args()
    lines = [*conditions(), *([given.note] if given.note else [])]
    print("\n".join(lines), file=sys.stderr)
    found: list[Row] = []
    for measured in rows(given.experiments):
        found.append(measured)
        write(lines, found)


if __name__ == "__main__":
    main()
