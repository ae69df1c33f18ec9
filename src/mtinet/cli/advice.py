"""What follows from the facts about a machine: what will be slow, and what is missing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mtinet.cli.hosts import ANSWERS
from mtinet.cli.machine import installed

if TYPE_CHECKING:
    from mtinet.config import Params

LITTLE_DISK = 5.0  # GB: a laptop study with its cache
PAPER_DISK = 50.0  # GB: an archive as it came, unpacked, packed and in the cache


def slow(facts: dict[str, Any], params: Params | None) -> list[str]:
    """One line for everything here that makes the project slow."""
    devices = facts["devices"]
    lines = []
    if not devices["gpus"]:
        paper = params is not None and params.study.scale == "paper"
        asked = ", which params.yaml asks for," if paper else ""
        lines.append(f"no GPU: a run at the scale 'paper'{asked} takes a day or longer, one at 'laptop' minutes")
    if devices["load"] > max(1, devices["cores"] - 1):
        lines.append(f"other programs keep {devices['load']:.1f} of {devices['cores']} cores busy")
    if params is not None and params.compute.threads > devices["cores"]:
        lines.append(
            f"compute.threads is {params.compute.threads}, there are {devices['cores']} cores: set it to fewer"
        )
    if not facts["disk"]["cache_beside"]:
        lines.append("DVC's cache is on another disk: every result is copied instead of linked")
    if installed("ruamel.yaml.clib") is None:
        lines.append("ruamel.yaml.clib is not installed: DVC reads its files several times slower")
    return lines


def problems(facts: dict[str, Any], params: Params | None) -> list[str]:
    """One line for everything that the project needs and is not there; nothing without a project."""
    if params is None:
        return []
    lines = [f"{name} is not installed: make setup" for name, version in facts["versions"].items() if version is None]
    lines += [f"{name} is not on the path: install it" for name, path in facts["tools"].items() if path is None]
    if facts["devices"]["broken"]:
        lines.append(f"torch cannot be imported ({facts['devices']['broken']}): make setup")
    free, least = facts["disk"]["free_gb"], PAPER_DISK if params.study.scale == "paper" else LITTLE_DISK
    if free < least:
        lines.append(f"{free:.1f} GB free at {facts['disk']['folder']}, expected {least:.0f} GB or more")
    if params.compute.device == "cuda" and not facts["devices"]["gpus"]:
        lines.append("compute.device is cuda, but torch finds no GPU: set it to auto or cpu")
    for name in dict.fromkeys(source["name"] for source in facts["sources"] if source["needed"]):
        answers = {one["url"]: one["answer"] for one in facts["sources"] if one["name"] == name}
        if ANSWERS not in answers.values():
            listed = ", ".join(f"{url} {answer}" for url, answer in answers.items())
            lines.append(f"{name}: {listed}; get it by other means (see params.yaml)")
    return lines
