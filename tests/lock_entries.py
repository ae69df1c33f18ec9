"""What dvc.lock records of a project's stages, and what their processes noted of themselves."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml
from workflow import Project

from mtinet.stage import SAFE_LOADER


def declared(project: Project) -> dict[str, dict[str, Any]]:
    """By command: the stage as dvc.lock records it, with what it depended on and wrote."""
    lock = yaml.load((project.folder / "dvc.lock").read_text(), Loader=SAFE_LOADER)["stages"]
    return {stage["cmd"].removeprefix("python "): stage for name, stage in lock.items() if not is_code(name)}


def digested(project: Project, stage: dict[str, Any]) -> list[str]:
    """The files, and the entries of files as file:key, behind the digests that the stage depends on."""
    (digests,) = [entry["path"] for entry in stage["deps"] if entry["path"].startswith("runs/code/")]
    return list(json.loads((project.folder / digests).read_text()))


def changed(project: Project) -> set[str]:
    """What DVC finds changed, once the code is digested."""
    digest_code(project)
    return set(json.loads(project.run("dvc", "status", "--json")))


def digest_code(project: Project) -> None:
    project.run("dvc", "repro", "--single-item", "code_nyud")


def is_code(name: str) -> bool:
    """Whether it is a stage that digests the code of others."""
    return name.startswith("code_")


def noted(project: Project, notes: Path) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """Per process of a stage, workers included: its notes and its stage in dvc.lock."""
    stages = declared(project)
    contents = [json.loads(path.read_text()) for path in notes.glob("*.json")]
    pairs = [(content, stages.get(" ".join(content["argv"]))) for content in contents]
    return [(content, stage) for content, stage in pairs if stage is not None]


def without_entries(project: Project, command: list[str]) -> set[str]:
    """Sections by data set that have none for the stage's: what it reads there is that there is nothing."""
    params = yaml.safe_load((project.folder / "params.yaml").read_text())
    dataset = command[command.index("--dataset") + 1]
    return {section for section in ("teachers", "experiments") if dataset not in params[section]}
