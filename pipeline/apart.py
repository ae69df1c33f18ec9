"""Make a study of some experiments at a scale of their own, beside the one that params.yaml chooses.

    python -m pipeline.apart longer [--jobs N] [--scale smoke]

dvc.lock knows one study at a time, and the tables' stages want every declared run. So the tree is copied into
.cache/apart/<name>, params.yaml is cut there to what the entry of pipeline/apart.yaml names, and `make repro`'s own
workflow runs on it; tables show the other experiments as gaps. In the end what git keeps of the study is in
reports/<study>, with the params.yaml that it was made from and the figures named in KEPT; everything else, its pages
too, stays in the copy. Interrupted or repeated, the same command goes on where it was. With --scale the entry is tried
at another scale, and the results stay in the copy.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any

import yaml

from mtinet import config, files, paths, stage
from mtinet.config import Params
from mtinet.errors import UserError
from pipeline.dependencies import ROOT

DECLARED = Path("pipeline/apart.yaml")
FOLDER = Path(".cache/apart")
CODE = ("src", "stages", "pipeline")  # taken anew each time, so that no file stays that the tree has no more
KEPT = ("*-curves.svg", "*-sheet.png")  # figures that are committed with the study


def with_scale(params: Mapping[str, Any], entry: Mapping[str, Any]) -> dict[str, Any]:
    """The content of params.yaml with the entry's scale: one that is there, changed. Raises UserError for another."""
    like, name = entry["like"], entry["scale"]
    if like not in params["scales"] or name in params["scales"]:
        raise UserError(f"{DECLARED}: scale '{name}' like '{like}': expected a new name, and one of {paths.PARAMS}")
    scale = merged(deepcopy(params["scales"][like]), entry["changes"])  # shared parts would be YAML's anchors
    result = {**params, "scales": {**params["scales"], name: scale}}
    for section in ("teachers", "pretraining"):
        result[section] = {
            dataset: {one: with_budget(content, like, name) for one, content in trainings.items()}
            for dataset, trainings in params.get(section, {}).items()
        }
    return result


def with_budget(training: Mapping[str, Any], like: str, name: str) -> dict[str, Any]:
    """A training before the experiments that has at the scale `name` what it has at `like`."""
    return {**training, "budgets": {**training["budgets"], name: deepcopy(training["budgets"][like])}}


def merged(content: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """A mapping with changes, those of mappings in it merged likewise."""
    both = {key: merged(content[key], value) if isinstance(value, Mapping) and isinstance(content.get(key), Mapping)
            else value for key, value in changes.items()}  # fmt: skip
    return {**content, **both}


def cut(params: Mapping[str, Any], scale: str, chosen: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """The content of params.yaml with the experiments `chosen` (dataset -> names) alone, at `scale`.

    What names backbones that are then unused goes too: params.yaml may not name such. Raises UserError for an
    experiment that is not declared, or none at all.
    """
    experiments = {dataset: kept(params, dataset, names) for dataset, names in chosen.items() if names}
    if not experiments:
        raise UserError(f"{DECLARED}: a study apart names no experiments")
    used = {
        dataset: {one["backbone"] for method in methods.values() for one in method.values()}
        for dataset, methods in experiments.items()
    }
    off = {"scale": scale} | dict.fromkeys((*config.ON_DEMAND, "latency"), False)
    result = {**params, "study": {**params["study"], **off}, **{section: {} for section in config.ON_DEMAND}}
    result["experiments"] = experiments
    result["scales"] = {
        name: {dataset: without(entry, used.get(dataset, set())) for dataset, entry in sets.items()}
        for name, sets in params["scales"].items()
    }
    result["pretraining"] = {
        dataset: {name: one for name, one in trainings.items() if one["backbone"] in used.get(dataset, set())}
        for dataset, trainings in params.get("pretraining", {}).items()
    }
    return result


def kept(params: Mapping[str, Any], dataset: str, names: Sequence[str]) -> dict[str, Any]:
    """Method -> name -> declaration of the experiments `names`, in the order of params.yaml."""
    methods = params["experiments"].get(dataset, {})
    missing = set(names) - {name for experiments in methods.values() for name in experiments}
    if missing:
        raise UserError(f"{DECLARED}: no experiments.{dataset} named {', '.join(sorted(missing))} in {paths.PARAMS}")
    found = {m: {name: one for name, one in experiments.items() if name in names} for m, experiments in methods.items()}
    return {method: experiments for method, experiments in found.items() if experiments}


def without(entry: Mapping[str, Any], used: set[str]) -> dict[str, Any]:
    """A scale's entry of one dataset that names no backbones but those in use."""
    result = dict(entry)
    for key in ("epochs_of", "pretrained"):
        if isinstance(entry[key], Mapping):
            result[key] = {backbone: value for backbone, value in entry[key].items() if backbone in used}
    return result


def copy_tree(target: Path) -> None:
    """The working tree as git lists it, without results; data and runs of an earlier attempt stay."""
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", "-z"], cwd=ROOT, capture_output=True, check=True
    )
    for folder in CODE:
        files.remove(target / folder)
    for name in listed.stdout.decode().split("\0"):
        if name and (ROOT / name).is_file() and not name.startswith("reports/") and name != "dvc.lock":
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, target / name)
    # A repository of DVC's alone: git would be asked about every file, and has nothing to keep here.
    files.write_text(target / ".dvc/config.local", "[core]\n    no_scm = true\n")


def run(target: Path, *command: str) -> None:
    """Run a command of the copy with the copy's code; raises UserError when it fails."""
    environment = {**os.environ, "PYTHONPATH": f"{target / 'src'}:{target}"}
    status = subprocess.run([sys.executable, *command], cwd=target, env=environment, check=False).returncode
    if status:
        raise UserError(
            f"`{' '.join(command)}` ended with {status} in {target}, see above; the same command goes on there"
        )


def take(target: Path, params: Params) -> list[Path]:
    """Copy what is to be committed of the study into this tree; its folders."""
    studies = sorted({params.study_name(dataset) for dataset in params.experiments})
    for study in studies:
        with files.replacing(ROOT / paths.report(study)) as work:
            ignored = shutil.ignore_patterns("figures", "*.html", ".gitignore", ".part-*")
            shutil.copytree(target / paths.report(study), work, ignore=ignored)
            (work / "figures").mkdir()
            for pattern in KEPT:
                for figure in sorted((target / paths.report(study) / "figures").glob(pattern)):
                    shutil.copy(figure, work / "figures")
            shutil.copy(target / paths.PARAMS, work)
    return [paths.report(study) for study in studies]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", help=f"an entry of {DECLARED}")
    parser.add_argument("--jobs", type=int, help="runs side by side, as for `make repro`")
    parser.add_argument("--scale", help="try it at another scale of params.yaml; the results stay in the copy")
    given = parser.parse_args()
    with stage.reporting_errors():
        declared = files.read_yaml(ROOT / DECLARED)
        if given.name not in declared:
            raise UserError(f"unknown study '{given.name}', {DECLARED} has: {', '.join(declared)}")
        entry, target = declared[given.name], ROOT / FOLDER / given.name
        whole = with_scale(files.read_yaml(ROOT / paths.PARAMS), entry)
        content = cut(whole, given.scale or entry["scale"], entry["experiments"])
        copy_tree(target)
        files.write_text(target / paths.PARAMS, yaml.safe_dump(content, sort_keys=False, width=120))
        params = config.load(target / paths.PARAMS)
        run(target, "-m", "pipeline.write_dvc")
        run(target, "-m", "pipeline.repro", *([f"--jobs={given.jobs}"] if given.jobs else []))
        if not given.scale:
            print(f"To be committed: {', '.join(map(str, take(target, params)))}")


if __name__ == "__main__":
    os.environ.setdefault("GOMP_SPINCOUNT", "10000")
    main()
