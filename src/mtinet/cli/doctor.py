"""What is installed here, which devices and sources there are, and what will be slow.

It ends with 1 when something that the project in this folder needs is missing; elsewhere that is just said.
"""

from __future__ import annotations

import argparse
from typing import Any

from mtinet.cli.progress import Progress, progress
from mtinet.cli.project import columns, enter, print_json
from mtinet.errors import UserError

HELP = "what is installed, devices, disk, sources, and what will be slow"
EXAMPLE = "mtinet doctor --offline"


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--offline", action="store_true", help="ask no host whether it answers")
    parser.add_argument("--timeout", type=seconds, default=5.0, metavar="S", help="seconds for all hosts; default: 5")
    parser.add_argument("--json", action="store_true", help="print JSON for a script")


def seconds(text: str) -> float:
    """A time as argparse takes it."""
    try:
        found = float(text)
    except ValueError:
        found = 0.0
    if not 0 < found < float("inf"):
        raise argparse.ArgumentTypeError(f"'{text}' is no time, expected seconds above 0")
    return found


def main(given: argparse.Namespace) -> int:
    with progress("looking at packages and devices") as shown:
        facts = found(given, shown)
    if given.json:
        print_json(facts)
    else:
        print(text(facts))
    return 1 if facts["problems"] else 0


def found(given: argparse.Namespace, shown: Progress) -> dict[str, Any]:
    """Everything, as `--json` prints it."""
    from mtinet.cli import advice, hosts, machine

    params, why = project(given)
    facts: dict[str, Any] = {
        "project": why or "found",
        "versions": machine.versions(),
        "locked": machine.unlike_locked(),
        "tools": machine.tools(),
        "devices": machine.devices(),
        "disk": machine.disk(),
        "sources": [],
    }
    if not given.offline:
        shown.now("asking the sources' hosts")
        facts["sources"] = hosts.asked(params, given.timeout)
    return facts | {"slow": advice.slow(facts, params), "problems": advice.problems(facts, params)}


def project(given: argparse.Namespace) -> tuple[Any, str]:
    """The project's parameters, or None and why there are none."""
    from mtinet import config

    try:
        enter(given)
        return config.load(), ""
    except UserError as error:
        return None, str(error)


def text(facts: dict[str, Any]) -> str:
    """The facts for a reader, a section each."""
    disk, devices = facts["disk"], facts["devices"]
    rows = [(name, version or "not installed") for name, version in facts["versions"].items()]
    rows += [(name, path or "not found") for name, path in facts["tools"].items()]
    processor = f"{devices['cores']} cores, {devices['instruction_set']}, {devices['memory_gb']:.0f} GB memory"
    rows += [("CPU", f"{processor}, load {devices['load']:.1f}")]
    rows += [("GPU", gpu) for gpu in devices["gpus"]] or [("GPU", "none")]
    rows.append(("disk", f"{disk['free_gb']:.0f} GB free at {disk['folder']}"))
    rows += [(source["name"], f"{source['answer']} ({source['url']})") for source in facts["sources"]]
    lines = [columns(rows)]
    if facts["locked"]:
        unlike = facts["locked"]
        lines.append(f"{len(unlike)} packages are not as in requirements.lock: {', '.join(unlike[:5])}")
    for title in ("slow", "problems"):
        lines += [f"{title}: {line}" for line in facts[title]]
    return "\n".join(lines if facts["problems"] else [*lines, "no problem found"])
