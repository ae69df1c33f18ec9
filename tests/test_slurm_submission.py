"""profiles/slurm as Snakemake and its executor take it: what is submitted, with an sbatch that only pretends to."""

from __future__ import annotations

import json
import re

import fake_tools
import pytest
import yaml
from workflow import ROOT, Project

from pipeline.allocation import content

pytestmark = pytest.mark.orchestrator

# Makes what the job would make, empty, notes its arguments, and gives it the next number. The first training of MTL
# ends as one that took too much memory.
SBATCH = """
import json, os, re, sys
from pathlib import Path
sys.path.insert(0, os.getcwd())
from pipeline.snake import RULES
wrapped = next(word for word in sys.argv if word.startswith("--wrap="))
rule, wildcards = re.search(r"--target-jobs '?(\\w+):([^ ']*)", wrapped).groups()
jobs = Path(os.environ["FAKE_JOBS"])
number = len(list(jobs.iterdir())) + 1
values = dict(pair.split("=") for pair in wildcards.split(",") if pair)
failed = "multi_task" in rule and "--attempt 1 " in wrapped
(jobs / str(number)).write_text(json.dumps([rule, values, sys.argv[1:], "OUT_OF_MEMORY" if failed else "COMPLETED"]))
made = next(found for found in RULES if found.name == rule)
for path in [] if failed else [*made.outputs, made.benchmark]:
    path = Path(path.format(**values))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch() if path.suffix else path.mkdir()
print(number)
"""
SQUEUE = """
import json, os
from pathlib import Path
for path in Path(os.environ["FAKE_JOBS"]).iterdir():
    print(f"{path.name}|{json.loads(path.read_text())[3]}")
"""
SINFO = "print('all*')"
SACCT = "raise SystemExit('Slurm accounting storage is disabled')"
SCONTROL = "print('MinJobAge = 300 sec\\nMaxArraySize = 1001')"


@pytest.fixture(scope="module")
def submitted(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[str, dict[str, str], list[str], str]]:
    """Rule, wildcards, sbatch's arguments and the job's end, of every job up to the trainings, in their order."""
    project = Project.copy(tmp_path_factory.mktemp("submission"))
    tools = tmp_path_factory.mktemp("tools")
    bodies = {"sbatch": SBATCH, "squeue": SQUEUE, "sinfo": SINFO, "sacct": SACCT, "scontrol": SCONTROL}
    for name, body in bodies.items():
        fake_tools.write(tools, name, body)
    jobs = tmp_path_factory.mktemp("jobs")
    project.environment |= {"PATH": f"{tools}:{project.environment['PATH']}", "FAKE_JOBS": str(jobs)}
    # Not the check, which takes seconds and is run at every start: other tests are about it.
    snakefile = project.folder / "Snakefile"
    snakefile.write_text(snakefile.read_text().replace("shell(command)", "pass"))
    (project.folder / "runs/scenes-smoke").mkdir(parents=True)
    (project.folder / "runs/scenes-smoke/nyud-check.json").write_text("{}")
    places = {"single_task": "hrnet18-single-seg", "multi_task": "hrnet18-mtl", "mti_net": "hrnet18-mti-n"}
    project.run(
        "snakemake", "--profile", "profiles/slurm", "--slurm-init-seconds-before-status-checks", "1",
        "--seconds-between-status-checks", "1", "--latency-wait", "5",
        *(f"runs/scenes-smoke/nyud/{name}/seed0/weights.safetensors" for name in places.values()),
    )  # fmt: skip
    notes = sorted(jobs.iterdir(), key=lambda path: int(path.name))
    return [tuple(json.loads(path.read_text())) for path in notes]


def option(arguments: list[str], name: str) -> str | None:
    """The value of a command-line option, written `--name value` or `--name=value`; None where it is not given."""
    for index, word in enumerate(arguments):
        if word == name:
            return arguments[index + 1]
        if word.startswith(f"{name}="):
            return word.partition("=")[2]
    return None


def test_every_stage_is_a_job_and_only_trainings_ask_for_a_gpu(submitted: list) -> None:
    rules = [rule for rule, *_ in submitted]
    assert rules[:3] == ["dataset_nyud", "distill_nyud", "prepare_nyud"]
    assert sorted(set(rules[3:])) == ["train_nyud_mti_net", "train_nyud_multi_task", "train_nyud_single_task"]
    for rule, _, arguments, _ in submitted:
        assert option(arguments, "--gpus") == ("1" if rule.startswith("train") else None), rule


def test_memory_time_and_cpus_are_what_is_declared(submitted: list) -> None:
    asked = content()["smoke"]["other"]
    for rule, _, arguments, _ in submitted:
        attempt = int(re.findall(r"--attempt (\d)", option(arguments, "--wrap") or "")[0])
        assert option(arguments, "--mem") == str(attempt * asked["mem_mb"]), rule
        assert option(arguments, "-t") == str(attempt * asked["minutes"]), rule
        assert option(arguments, "--cpus-per-task") == ("1" if rule.startswith("train") else "2"), rule


def test_no_job_is_spread_over_nodes(submitted: list) -> None:
    """With several GPUs too, where account and partition on the command line replace the profile's defaults."""
    assert {option(arguments, "--nodes") for _, _, arguments, _ in submitted} == {"1"}
    assert "nodes" not in yaml.safe_load((ROOT / "profiles/slurm/config.yaml").read_text())["default-resources"]


def test_what_failed_is_tried_again_with_twice_as_much(submitted: list) -> None:
    trainings = [(arguments, end) for rule, _, arguments, end in submitted if rule == "train_nyud_multi_task"]
    assert [end for _, end in trainings] == ["OUT_OF_MEMORY", "COMPLETED"]
    first, second = (option(arguments, "--mem") for arguments, _ in trainings)
    assert int(second or 0) == 2 * int(first or 0)


def test_jobs_come_back_and_are_told_before_their_time_is_up(submitted: list) -> None:
    for _, _, arguments, _ in submitted:
        assert "--requeue" in arguments
        assert option(arguments, "--signal") == "USR1@120"
        assert option(arguments, "--output") is not None


def test_a_job_is_known_by_its_experiment(submitted: list) -> None:
    comments = {option(arguments, "--comment") for rule, _, arguments, _ in submitted if rule.startswith("train")}
    assert "rule_train_nyud_mti_net_wildcards_hrnet18-mti-n_0" in comments


@pytest.mark.parametrize("name", ["local", "slurm"])
def test_profiles_say_nothing_of_what_rules_declare(name: str) -> None:
    """One place for what jobs ask for: a profile that repeated it would win over it."""
    profile = yaml.safe_load((ROOT / f"profiles/{name}/config.yaml").read_text())
    assert not {"set-resources", "set-threads"} & set(profile)
    assert not {"mem_mb", "runtime", "gpu"} & set(profile.get("default-resources", {}))
