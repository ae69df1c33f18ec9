"""The study's page: one HTML file that needs nothing but itself, neither network nor other files."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from mtinet.reporting import formats
from mtinet.reporting import plain as plain_tables
from mtinet.reporting.cells import GAP
from mtinet.reporting.conditions import Conditions
from mtinet.reporting.plain import PlainTable
from mtinet.reporting.tables import Table

HERE = Path(__file__).parent
TYPES = {".png": "image/png", ".svg": "image/svg+xml"}
# What a run is described by, in the page's order: a manifest's key and the column's name.
FACTS = {
    "method": "method",
    "steps": "steps",
    "epochs": "epochs",
    "device": "device",
    "threads": "threads",
    "precision": "precision",
    "instruction_set": "instructions",
    "config_hash": "configuration",
    "code_hash": "code",
    "data_digest": "data",
}
HASHES = ("config_hash", "code_hash", "data_digest")
SHORT = 12  # characters of a hash that are shown; the whole of it is in the cell's title


@dataclass(frozen=True)
class Picture:
    """A figure of the page: `uri` holds the whole image."""

    name: str
    title: str
    caption: str
    uri: str

    @classmethod
    def of(cls, path: Path, title: str, caption: str = "") -> Picture:
        """A picture from a .png or .svg file."""
        return cls(path.stem, title, caption, data_uri(path.read_bytes(), TYPES[path.suffix]))


@dataclass(frozen=True)
class Fact:
    """One cell of the provenance: what is shown, and the whole of it where that is shortened."""

    text: str
    whole: str = ""


def render(
    dataset: str,
    conditions: Conditions,
    tables: Sequence[Table],
    pictures: Sequence[Picture],
    runs: Sequence[tuple[str, int]],
    manifests: Sequence[Mapping[str, Any]],
    notes: Sequence[str] = (),
    plain: Sequence[PlainTable] = (),
    went: str = "",
) -> str:
    """The page of one study as HTML; its first line says what the tables' first lines say.

    `runs` are the declared (experiment, seed); those without a manifest are shown as missing. `notes` state
    readings and choices beside those that `readings` takes from the manifests.
    `plain`: tables of text, that rest on no run. `went`: the page beside this one with how the runs went, if any.
    """
    by_run = {(manifest["experiment"], manifest["seed"]): manifest for manifest in manifests}
    present = [by_run[run] for run in runs if run in by_run]
    environment = Environment(
        loader=FileSystemLoader(HERE),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals |= {"heading": formats.heading}
    return environment.get_template("template.html").render(
        # The bare line, not its HTML; nothing in it can end the comment that it stands in.
        comment=Markup(conditions.line().replace("--", "- -").replace(">", "")),
        dataset=dataset,
        conditions=conditions,
        tables=[(table, formats.latex(table), downloads(table)) for table in tables],
        plain=[(table, plain_tables.latex(table), plain_downloads(table)) for table in plain],
        pictures=pictures,
        facts=list(FACTS.values()),
        provenance=[(*run, facts(by_run.get(run))) for run in runs],
        versions=versions(present),
        notes=[*readings(present), *notes],
        went=went,
    )


def downloads(table: Table) -> list[tuple[str, str]]:
    """The table's files as (file name, data URI)."""
    writers = {"csv": formats.csv, "md": formats.markdown, "tex": formats.latex}
    return [
        (f"{table.name}.{suffix}", data_uri(write(table).encode(), "text/plain;charset=utf-8"))
        for suffix, write in writers.items()
    ]


def plain_downloads(table: PlainTable) -> list[tuple[str, str]]:
    """A table of text's files as (file name, data URI)."""
    return [
        (f"{table.name}.{suffix}", data_uri(write(table).encode(), "text/plain;charset=utf-8"))
        for suffix, write in plain_tables.WRITERS.items()
    ]


def data_uri(content: bytes, kind: str) -> str:
    """Bytes as a link that contains them."""
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def facts(manifest: Mapping[str, Any] | None) -> list[Fact]:
    """One run's provenance in the order of FACTS; empty for a run that is missing."""
    if manifest is None:
        return []
    found = []
    for key in FACTS:
        text = GAP if manifest.get(key) is None else str(manifest[key])
        found.append(Fact(text[:SHORT], text) if key in HASHES and len(text) > SHORT else Fact(text))
    return found


def versions(manifests: Sequence[Mapping[str, Any]]) -> list[str]:
    """The library versions of the runs, one line for all runs that have the same."""
    groups: dict[str, list[str]] = {}
    for manifest in manifests:
        listed = ", ".join(f"{name} {version}" for name, version in manifest.get("versions", {}).items())
        groups.setdefault(listed, []).append(f"{manifest['experiment']} (seed {manifest['seed']})")
    if len(groups) == 1:
        return [f"All runs: {next(iter(groups))}"]
    return [f"{', '.join(names)}: {listed}" for listed, names in groups.items()]


def readings(manifests: Sequence[Mapping[str, Any]]) -> list[str]:
    """Which readings of the paper the runs used, as their configurations say; several where they differ."""
    switches: dict[str, list[str]] = {}
    for manifest in manifests:
        options = manifest.get("config", {}).get("experiment", {}).get("options")
        if options:
            switches.setdefault(named(options), []).append(manifest["experiment"])
    lines = [f"Set by a switch: {words}, in {', '.join(dict.fromkeys(names))}." for words, names in switches.items()]
    best = [
        f"{one['experiment']} (seed {one['seed']}: epoch {one['kept_epoch']} of {max(1, one['epochs'])})"
        for one in manifests
        if one.get("config", {}).get("experiment", {}).get("weights") == "best"
    ]
    if best:
        lines.append(
            "Weights of the epoch with the least loss on the very images that are scored, instead of the last epoch's:"
            f" {', '.join(best)}."
        )
    if manifests:
        lines.append("All other switches have their default, the paper's reading.")
    configs = [manifest.get("config", {}) for manifest in manifests]
    for words, sections in {
        "Loss weights": [config.get("loss_weights") for config in configs],
        "Augmentation": [config.get("scale", {}).get("augmentation") for config in configs],
    }.items():
        values = merged([section or {} for section in sections])
        if values:
            lines.append(f"{words}: {named(values)}.")
    return lines


def merged(sections: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Several runs' sections as one; where runs differ in a key, its values are listed."""
    result: dict[str, Any] = {}
    for key in dict.fromkeys(key for section in sections for key in section):
        distinct = list(dict.fromkeys(json.dumps(section[key]) for section in sections if key in section))
        result[key] = " or ".join(distinct)
    return result


def named(values: Mapping[str, Any]) -> str:
    """Keys and values in words."""
    return ", ".join(f"{key} {value}" for key, value in values.items())
