"""The project at a git revision, or as it lies in the working tree."""

from __future__ import annotations

import configparser
import io
import json
import subprocess
import tempfile
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from mtinet import files, paths
from mtinet.errors import UserError
from mtinet.evaluation.uncertainty import Statistics
from mtinet.files import Yaml12Numbers
from mtinet.reporting import layouts
from mtinet.stage import SAFE_LOADER

WORKING_TREE = "working tree"


class Revision:
    """What a revision holds; `name` is a commit, branch or tag, or a DVC experiment; None: the working tree."""

    def __init__(self, name: str | None) -> None:
        self.commit = None if name is None else commit_of(name)
        self.name = WORKING_TREE if name is None else name

    @property
    def title(self) -> str:
        """The name, with the commit where that is another."""
        if self.commit is None or self.commit.startswith(self.name):
            return self.name
        return f"{self.name} ({self.commit[:8]})"

    def read(self, path: Path) -> bytes | None:
        """A file's content; None where there is none."""
        if self.commit is None:
            return path.read_bytes() if path.is_file() else None
        return git("show", f"{self.commit}:./{path.as_posix()}")

    def json(self, path: Path) -> Any:
        """A JSON file's content; None where there is none."""
        content = self.read(path)
        return None if content is None else parsed(content, path, self.title)

    def below(self, folder: Path) -> list[Path]:
        """All files below a folder, sorted."""
        if self.commit is None:
            return sorted(path for path in folder.rglob("*") if path.is_file())
        listed = git("ls-tree", "-r", "--name-only", "-z", self.commit, "--", folder.as_posix()) or b""
        return sorted(Path(name) for name in listed.decode().split("\0") if name)

    @cached_property
    def params(self) -> dict[str, Any]:
        """params.yaml as plain data, unchecked: an earlier revision may have had another schema."""
        content = self.read(paths.PARAMS)
        if content is None:
            raise UserError(f"no {paths.PARAMS} in {self.title}, expected a revision of this project")
        found: dict[str, Any] = parsed(content, paths.PARAMS, self.title)
        return found

    @cached_property
    def layouts(self) -> dict[str, layouts.Layout]:
        """Every table's layout; none where pipeline/tables.yaml is not there or of another schema."""
        content = self.read(layouts.TABLES)
        if content is None:
            return {}
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / layouts.TABLES.name
            files.write_text(path, content.decode())
            try:
                return layouts.load_layouts(path)
            except UserError:
                return {}

    def statistics(self, path: Path) -> Statistics | None:
        """A run's statistics: from the working tree, or by dvc.lock from DVC's cache; None where that lacks them."""
        found = path
        if self.commit is not None:
            digest = self.digests.get(path.as_posix(), "")
            found = cache_folder() / "files/md5" / digest[:2] / digest[2:]
            if not digest or not found.is_file():
                return None
        elif not path.is_file():
            return None
        with np.load(io.BytesIO(found.read_bytes()), allow_pickle=False) as stored:
            return dict(stored)

    @cached_property
    def digests(self) -> dict[str, str]:
        """Output of a stage -> its MD5, from dvc.lock."""
        recorded = yaml.load(self.read(Path("dvc.lock")) or b"", Loader=SAFE_LOADER) or {}
        return {
            out["path"]: out.get("md5", "")
            for stage in recorded.get("stages", {}).values()
            for out in stage.get("outs", [])
        }


def parsed(content: bytes, path: Path, where: str) -> Any:
    """Plain data of a file in JSON, or in YAML as DVC reads it."""
    try:
        return json.loads(content) if path.suffix == ".json" else yaml.load(content, Loader=Yaml12Numbers)
    except (ValueError, yaml.YAMLError) as error:
        reason = " ".join(str(error).split())[:200]
        raise UserError(f"{path} in {where} cannot be read ({reason}); expected {path.suffix[1:]}") from None


def commit_of(name: str) -> str:
    """The commit of a revision, or of the DVC experiment of that name; UserError where there is no such."""
    found = git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}")
    if found is None:
        listed = (git("for-each-ref", "--format=%(objectname) %(refname)", "refs/exps") or b"").decode().splitlines()
        experiments = [line.split()[0] for line in listed if line.rpartition("/")[2] == name]
        if len(experiments) != 1:
            raise UserError(f"git knows no revision '{name}' here, nor DVC one experiment of that name; see 'git log'")
        return experiments[0]
    return found.decode().strip()


def git(*words: str) -> bytes | None:
    """What git says; None where it fails. UserError without git."""
    try:
        done = subprocess.run(("git", *words), capture_output=True, check=False)
    except FileNotFoundError:
        raise UserError("git is not installed, expected it to read revisions; install it") from None
    return done.stdout if done.returncode == 0 else None


def cache_folder() -> Path:
    """DVC's cache: .dvc/cache, or where its configuration says."""
    parser = configparser.ConfigParser(strict=False, interpolation=None)
    parser.read([".dvc/config", ".dvc/config.local"])
    return Path(".dvc") / parser.get("cache", "dir", fallback="cache").strip()
