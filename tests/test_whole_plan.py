"""All of the paper's experiments under three seeds as one plan: nothing is left out, and the profiles are accepted."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from typing import Any

import pytest
import yaml

from pipeline.dependencies import ROOT
from pipeline.rules import rules

pytestmark = pytest.mark.orchestrator
SEEDS = [0, 1, 2]


@pytest.fixture(scope="module")
def counts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, int]:
    """Rule -> jobs, by Snakemake's own table, on a workstation with four GPUs."""
    folder = tmp_path_factory.mktemp("plan")
    for name in ("pipeline", "profiles", "src", "stages"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "Snakefile", folder)
    params: dict[str, Any] = yaml.safe_load((ROOT / "params.yaml").read_text())
    (folder / "params.yaml").write_text(yaml.safe_dump(params | {"seeds": SEEDS}, sort_keys=False))
    done = subprocess.run(
        ["snakemake", "--profile", "profiles/local", "--cores", "8", "--resources", "gpu=4", "--dry-run"],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": f"{folder / 'src'}:{folder}"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-4000:]
    return {name: int(count) for name, count in re.findall(r"^(\w+) +(\d+)$", done.stdout, re.M)}


@pytest.mark.parametrize("stage", ["train", "evaluate"])
def test_every_experiment_runs_under_every_seed(counts: dict[str, int], stage: str) -> None:
    by_dataset = {
        dataset: sum(count for name, count in counts.items() if name.startswith(f"{stage}_{dataset}_"))
        for dataset in ("nyud", "pascal")
    }
    assert by_dataset == {"nyud": 26 * len(SEEDS), "pascal": 45 * len(SEEDS)}


def test_every_rule_is_in_the_plan_and_no_other(counts: dict[str, int]) -> None:
    assert set(counts) - {"all", "total"} == {rule.name for rule in rules()}
    assert counts["total"] == sum(counts.values()) - counts["total"]
