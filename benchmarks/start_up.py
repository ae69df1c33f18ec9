"""Seconds until a stage is at its work: python -m benchmarks.start_up; writes reports/benchmarks/start_up.csv.

From the start of the process to the moment when parameters are read, with all that the stage's script imports; of the
train to its first step, of evaluate until its network is built. Plain: a process that imports at its start all
libraries which any stage uses. --causes prints the imports that take longest instead, of one start of each stage.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import yaml

from benchmarks import frames, harness
from benchmarks.begin import LOADED
from benchmarks.harness import ROOT, Plan, Row, Way
from mtinet import files, paths

STUDY, DATASET, EXPERIMENT = "scenes-smoke", "nyud", "r18fpn-single-depth"
MARKS = {"train": "mtinet.training.loop:train_step", "evaluate": "mtinet.training.provenance:check_weights"}
ARGUMENTS = {
    "train": ["--experiment", EXPERIMENT, "--seed", "0"],
    "evaluate": ["--experiment", EXPERIMENT, "--seed", "0"],
    "teach": ["--task", "normals"],
    "pretrain": ["--name", "hrnet18"],
    "compare": ["--name", "table2a"],
    "table": ["--name", "table2a"],
    "resources": ["--name", "table7a"],
    "figure": ["--name", "curves"],
    "overview": ["--name", "tables"],
}
EVERYTHING = (
    "from mtinet.compat import timm, torchvision; import torch, numpy, scipy.stats, scipy.ndimage, pandas, skimage,"
    " cv2, PIL.Image, matplotlib.pyplot, mlflow, pydantic, yaml, trimesh, safetensors.torch, onnxruntime, jinja2"
)
SLOWEST = 12  # imports that are printed


def stages() -> list[str]:
    """All stages, by name."""
    return sorted(path.stem for path in (ROOT / "stages").glob("*.py"))


def project() -> Path:
    """A folder in which train and evaluate start: parameters at smoke scale, packed frames, a manifest."""
    folder = frames.CACHE / "project"
    source = frames.made(frames.LAPTOP) / "packed"
    folder.mkdir(parents=True, exist_ok=True)
    content = yaml.safe_load((ROOT / paths.PARAMS).read_text())
    content["study"] = {"scale": "smoke", "source": {"nyud": "scenes", "pascal": "scenes"}}
    (folder / paths.PARAMS).write_text(yaml.safe_dump(content, sort_keys=False))
    for split in ("train", "val"):
        target = folder / paths.packed(STUDY, DATASET, split)
        if not target.exists():
            shutil.copytree(source / split, target)
    files.write_json(folder / paths.manifest(STUDY, DATASET, EXPERIMENT, 0), {})
    return folder


def environment() -> dict[str, str]:
    """This process's, without a store that a training would be tracked in."""
    return {name: value for name, value in os.environ.items() if name != "MLFLOW_TRACKING_URI"}


def arguments_of(stage_name: str) -> list[str]:
    """The stage's command line, with the dataset that it is for."""
    dataset = "pascal" if stage_name in ("teach", "pretrain") else DATASET
    return ["--dataset", dataset, *ARGUMENTS.get(stage_name, [])]


def command_of(stage_name: str, *options: str) -> list[str]:
    """What starts a stage and ends it where its work begins."""
    script = str(ROOT / "stages" / f"{stage_name}.py")
    mark = MARKS.get(stage_name, LOADED)
    return [sys.executable, *options, "-m", "benchmarks.begin", mark, script, *arguments_of(stage_name)]


def seconds_of(stage_name: str, folder: Path) -> float:
    """From the start of the process to its mark. RuntimeError when it never came there."""
    told = environment() | {"PYTHONPATH": os.pathsep.join([*filter(None, [os.environ.get("PYTHONPATH")]), str(ROOT)])}
    began = time.monotonic()
    done = subprocess.run(command_of(stage_name), cwd=folder, env=told, capture_output=True, text=True, check=False)
    try:
        return float(done.stdout.splitlines()[-1]) - began
    except (IndexError, ValueError):
        raise RuntimeError(f"the stage {stage_name} ended before its work began:\n{done.stderr}") from None


def everything(folder: Path) -> float:
    """Seconds until a process has imported all of it."""
    began = time.monotonic()
    code = f"{EVERYTHING}; import time; print(time.monotonic())"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, env=environment(), stdout=subprocess.PIPE, text=True, check=True
    )
    return float(done.stdout.splitlines()[-1]) - began


def measure(quick: bool) -> list[Row]:
    """All lines."""
    folder = project()
    names = ["train", "table"] if quick else stages()
    ways = {"plain": Way(partial(everything, folder))}
    ways |= {name: Way(partial(seconds_of, name, folder)) for name in names}
    plan = harness.QUICK if quick else Plan(repetitions=3, warm_up=0, seconds=30, least=2)
    times = harness.interleaved(ways, plan)
    lines = harness.rows("start-up", ways, times, "plain", plan, device="cpu")
    for line in lines:
        line["images_per_s"] = ""
        line["note"] = "imports every library" if line["way"] == "plain" else until(str(line["way"]))
    return lines


def until(stage_name: str) -> str:
    """What counts as its work."""
    return {"train": "until the first step", "evaluate": "until its network is built"}.get(
        stage_name, "until parameters are read"
    )


# Causes -------------------------------------------------------------------------------------------------------


def causes(stage_name: str, folder: Path) -> list[tuple[float, str]]:
    """The slowest packages that the stage imports before its work: seconds of the outermost import, and name."""
    told = environment() | {"PYTHONPATH": os.pathsep.join([*filter(None, [os.environ.get("PYTHONPATH")]), str(ROOT)])}
    command = command_of(stage_name, "-X", "importtime")
    done = subprocess.run(command, cwd=folder, env=told, capture_output=True, text=True, check=False)
    longest: dict[str, float] = {}
    for line in done.stderr.splitlines():
        found = re.match(r"import time:\s+\d+ \|\s+(\d+) \|\s+(\S+)$", line)
        if found:
            name = ".".join(found[2].split(".")[: 3 if found[2].startswith("mtinet") else 1])
            longest[name] = max(longest.get(name, 0.0), int(found[1]) / 1e6)
    return sorted(((seconds, name) for name, seconds in longest.items()), reverse=True)[:SLOWEST]


def main() -> None:
    if "--causes" not in sys.argv:
        harness.main("start_up", __doc__, measure)
        return
    folder = project()
    for name in stages():
        shown = ", ".join(f"{module} {seconds:.2f}" for seconds, module in causes(name, folder))
        print(f"{name}: {shown}", flush=True)


if __name__ == "__main__":
    main()
