"""The noise floor under a table: what other seeds change, and what is scored after learning others' labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mtinet.reporting.cells import GAP, printed
from mtinet.reporting.layouts import DELTA, Column, Layout, floor_of

HOW = "set study.controls to true in params.yaml, then make pipeline and make repro"


def noise(layout: Layout, floor: Mapping[str, Any] | None) -> list[str]:
    """The notes on noise, of the columns in which `layout` shows its own runs.

    floor: the comparison of the dataset's controls; None where the study has none. The controls' own table gets no
    such note, nor does one without a metric of a run.
    """
    columns = [column for column in layout.columns if column.of == "run"]
    if layout.name == floor_of(layout.dataset) or not columns:
        return []
    if floor is None:
        return [f"Noise floor (other seeds, shuffled labels): not measured; {HOW}."]
    found = {name: entry for name, entry in floor["experiments"].items() if "labels" in entry}
    return [sentence(name, entry, columns) for name, entry in found.items()]


def sentence(name: str, entry: Mapping[str, Any], columns: Sequence[Column]) -> str:
    """What one control says of the columns."""
    seeds = ", ".join(map(str, entry["seeds"])) or GAP
    if entry["labels"] == "shuffled":
        values = listed(entry, columns, "metrics", DELTA)
        return f"Negative control, {name}, trained on the labels of other images, mean over seeds {seeds}: {values}."
    values = listed(entry, columns, "std", "delta_m_std")
    return f"Noise floor, standard deviation of {name} over seeds {seeds}: {values}."


def listed(entry: Mapping[str, Any], columns: Sequence[Column], kind: str, delta: str) -> str:
    """The columns' values in the units that the table shows."""
    shown = []
    for column in columns:
        of_task = ((entry.get(kind) or {}).get(column.task) or {}).get(column.metric)
        value = entry.get(delta) if column.metric == DELTA and not column.against else of_task
        number = GAP if value is None else f"{printed(value * column.scale, column.digits)} {column.unit}".strip()
        if not column.against:  # controls are held against the single-task runs on their own backbone only
            shown.append(f"{column.label} {number}")
    return ", ".join(shown)
