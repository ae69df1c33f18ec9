"""The cells of a table that differ between two revisions of its results."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from mtinet.reporting.cells import Cell, measured_cell
from mtinet.reporting.layouts import Column, Layout, RowLayout
from mtinet.reporting.tables import shown_columns


@dataclass(frozen=True)
class Side:
    """A table's results at one revision: its layout, the comparison file, what the networks cost by experiment."""

    layout: Layout
    comparison: Mapping[str, Any]
    costs: Mapping[str, Any] = field(default_factory=dict)

    def cells(self) -> dict[tuple[str, str], Place]:
        """Every measured cell, by the row's label and the column's name in files."""
        experiments = self.comparison["experiments"]
        first = self.layout.rows[0]
        return {
            (row.label, column.path): Place(row, column, measured_cell(row, column, experiments, self.costs, first))
            for row in self.layout.rows
            for column in shown_columns(self.layout, self.comparison)
        }


@dataclass(frozen=True)
class Place:
    """A cell and where it stands."""

    row: RowLayout
    column: Column
    cell: Cell


@dataclass(frozen=True)
class Moved:
    """A cell that differs; `before` or `after` is None where only one revision has it."""

    before: Place | None
    after: Place | None

    @property
    def place(self) -> Place:
        """Where it stands, in the later table if it is there."""
        found = self.after or self.before
        assert found is not None
        return found

    @property
    def printed(self) -> bool:
        """Whether the difference can be seen in the table."""
        return self.before is None or self.after is None or self.before.cell.full != self.after.cell.full

    @property
    def change(self) -> float | None:
        """After minus before, in the units shown; None where one of them has no number."""
        values = [None if place is None else place.cell.value for place in (self.before, self.after)]
        return None if values[0] is None or values[1] is None else values[1] - values[0]


def moved(before: Side | None, after: Side | None) -> Iterator[Moved]:
    """The cells that differ, in the order of the later table, then those that only the earlier one has.

    Cells with nothing to show (a task that a method does not do) are none.
    """
    old, new = (side.cells() if side else {} for side in (before, after))
    for key in [*new, *(key for key in old if key not in new)]:
        pair = Moved(has_something(old.get(key)), has_something(new.get(key)))
        both = [place.cell for place in (pair.before, pair.after) if place is not None]
        if both and (len(both) == 1 or pair.printed or both[0].value != both[1].value):
            yield pair


def has_something(place: Place | None) -> Place | None:
    """The place, None where there is no number and none is missing."""
    return place if place is not None and (place.cell.value is not None or place.cell.missing) else None
