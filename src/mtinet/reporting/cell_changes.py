"""The cells of a table that differ between two revisions of its results."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from mtinet.reporting.cells import Cell, measured_cell
from mtinet.reporting.layouts import Column, Layout, RowLayout
from mtinet.reporting.tables import BLIND, blind_row, shown_columns, steps_cell

STEPS = Column("", "steps", "", "Steps", "lower", "", 1.0, 0)


@dataclass(frozen=True)
class Side:
    """A table's results at one revision: its layout, the comparison file, what the networks cost by experiment, and the
    metrics of the predictors that see no image."""

    layout: Layout
    comparison: Mapping[str, Any]
    costs: Mapping[str, Any] = field(default_factory=dict)
    blind: Mapping[str, Any] = field(default_factory=dict)

    def cells(self) -> dict[tuple[str, str], Place]:
        """Every cell that is not the paper's, by the row's label and the column's name in files."""
        return {(place.row.label, place.column.path): place for place in [*self.of_blind(), *self.of_runs()]}

    def of_blind(self) -> Iterator[Place]:
        """The cells of the predictors that see no image."""
        columns = shown_columns(self.layout, self.comparison)
        for key in BLIND:
            row = blind_row(columns, self.blind, key)
            for column, cell in zip(columns, row.measured, strict=True):
                yield Place(RowLayout(row.label, None, {}), column, cell)

    def of_runs(self) -> Iterator[Place]:
        """The cells of the rows that are measured, the number of training steps among them."""
        experiments, first = self.comparison["experiments"], self.layout.rows[0]
        for row in self.layout.rows:
            yield Place(row, STEPS, steps_cell(row, experiments))
            for column in shown_columns(self.layout, self.comparison):
                yield Place(row, column, measured_cell(row, column, experiments, self.costs, first))


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
    """The place, None where nothing is printed, not even a gap."""
    return place if place is not None and place.cell.text else None
