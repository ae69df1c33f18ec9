"""A forge's CI as far as it can be had here: a workflow file's shell steps, run one after the other in a clone."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from workflow import Project

EXPRESSION = re.compile(r"\$\{\{\s*([\w.]+)\s*\}\}")


def filled(text: str, values: Mapping[str, str]) -> str:
    """With what the forge would put in place of ${{ }}; KeyError for what it is not given."""
    return EXPRESSION.sub(lambda found: values[found[1]], text)


class Job:
    """A job of a workflow file. `values`: what its expressions stand for, e.g. {"github.token": "t"}."""

    def __init__(self, workflow: Path, name: str, project: Project, values: Mapping[str, str]) -> None:
        content = yaml.safe_load(workflow.read_text())
        self.triggers = content[True]  # YAML 1.1 takes the key `on` for a truth value, the forge does not
        self.job: dict[str, Any] = content["jobs"][name]
        self.project, self.values = project, values
        self.files = {key: project.folder / f".git/{key}" for key in ("GITHUB_ENV", "GITHUB_STEP_SUMMARY")}
        for path in self.files.values():
            path.write_text("")
        self.project.environment |= self.environment(self.job) | {key: str(path) for key, path in self.files.items()}

    def environment(self, part: Mapping[str, Any]) -> dict[str, str]:
        return {key: filled(str(value), self.values) for key, value in part.get("env", {}).items()}

    def names(self) -> list[str]:
        """The steps; those that use somebody else's action by its name."""
        return [step.get("name") or step["uses"].partition("@")[0] for step in self.job["steps"]]

    def run(self, name: str) -> str:
        """Run a step's shell lines as the forge does for `shell: bash`; its output."""
        assert self.job["defaults"]["run"]["shell"] == "bash"
        (step,) = [step for step in self.job["steps"] if step.get("name") == name]
        before = dict(self.project.environment)
        self.project.environment |= self.environment(step)
        output = self.project.run("bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"])
        written = dict(line.split("=", 1) for line in self.files["GITHUB_ENV"].read_text().splitlines())
        self.project.environment = before | written
        return output
