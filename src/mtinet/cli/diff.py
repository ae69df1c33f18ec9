"""Changed parameters beside every changed table cell between two revisions, as Markdown for a pull request.

A revision is a commit, a branch, a tag or a DVC experiment; without the second one it is the working tree. Changes of a
number come with a 95 % interval, paired over the test images, where DVC's cache holds the statistics of both sides
('dvc fetch' gets them), so that noise and effect can be told apart.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mtinet.cli.progress import progress
from mtinet.cli.project import enter, print_json

if TYPE_CHECKING:
    from mtinet.cli.revisions import Revision
    from mtinet.reporting.cell_changes import Moved, Side
    from mtinet.reporting.change_report import ChangedCell, ChangedTable

HELP = "changed parameters beside changed table cells between two revisions"
EXAMPLE = "mtinet diff main my-branch > change.md"
REPORTS = Path("reports")


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("before", nargs="?", default="HEAD", metavar="REV1", help="default: HEAD")
    parser.add_argument("after", nargs="?", metavar="REV2", help="default: the working tree")
    parser.add_argument("--exit-code", action="store_true", help="end with 1 when something differs")
    parser.add_argument("--json", action="store_true", help="print JSON for a script")


def main(given: argparse.Namespace) -> int:
    with progress("comparing revisions") as shown:
        from mtinet.cli.revisions import Revision
        from mtinet.reporting import change_report
        from mtinet.reporting.changes import changes

        enter(given)
        before, after = Revision(given.before), Revision(given.after)
        shown.now(f"comparing {before.name} with {after.name}")
        parameters = changes(before.params, after.params)
        tables = [changed(before, after, path) for path in comparisons(before, after)]
    found = [table for table in tables if table is not None]
    if given.json:
        content = {
            "before": {"name": before.name, "commit": before.commit},
            "after": {"name": after.name, "commit": after.commit},
            "parameters": [vars(change) for change in parameters],
            "tables": [change_report.plain(table) for table in found if table.cells or table.beyond],
        }
        print_json(content)
    else:
        print(change_report.markdown(before.title, after.title, parameters, found), end="")
    differs = bool(parameters) or any(table.cells or table.beyond for table in found)
    return int(given.exit_code and differs)


def comparisons(before: Revision, after: Revision) -> list[Path]:
    """The comparison files of either revision, reports/<study>/comparison/<table>.json."""
    listed = {*before.below(REPORTS), *after.below(REPORTS)}
    return sorted(path for path in listed if path.parent.name == "comparison" and path.suffix == ".json")


def changed(before: Revision, after: Revision, path: Path) -> ChangedTable | None:
    """What differs in one table; None for a file that no revision lays out as a table."""
    from mtinet.reporting.cell_changes import moved
    from mtinet.reporting.change_report import ChangedTable

    old, new = side(before, after, path), side(after, before, path)
    known = new or old
    if known is None:
        return None
    found = list(moved(old, new))
    measure = intervals(before, after, path, old, new)
    cells = tuple(measure(one) for one in found if one.printed)
    return ChangedTable(path.parts[1], known.layout.title, cells, beyond=len(found) - len(cells))


def side(revision: Revision, other: Revision, path: Path) -> Side | None:
    """A table at a revision, in its own layout or, where it has none that can be read, in the other's."""
    from mtinet import paths
    from mtinet.reporting.cell_changes import Side

    layout = revision.layouts.get(path.stem) or other.layouts.get(path.stem)
    comparison = revision.json(path)
    if layout is None or comparison is None:
        return None
    study = comparison["study"]
    costs = revision.json(paths.resources(study, path.stem)) or {}
    blind = revision.json(paths.blind(study, comparison["dataset"])) or {}
    return Side(layout, comparison, costs.get("experiments", {}), blind)


def intervals(
    before: Revision, after: Revision, path: Path, old: Side | None, new: Side | None
) -> Callable[[Moved], ChangedCell]:
    """A function that gives a cell that differs the interval of its change, or why there is none."""
    from mtinet.reporting import paired
    from mtinet.reporting.change_report import ChangedCell

    if old is None or new is None:
        return lambda moved: ChangedCell(moved, None)
    sides = results(before, old), results(after, new)

    def measure(moved: Moved) -> ChangedCell:
        if moved.before is None or moved.after is None or moved.change is None:
            return ChangedCell(moved, None)
        try:
            return ChangedCell(moved, paired.interval((sides[0], moved.before), (sides[1], moved.after)))
        except paired.Unpaired as reason:
            return ChangedCell(moved, None, str(reason))

    return measure


def results(revision: Revision, found: Side) -> Any:
    """What intervals are computed from: statistics, and which images they are of."""
    from mtinet import paths
    from mtinet.reporting.paired import Results

    study, dataset = found.comparison["study"], found.comparison["dataset"]
    edges = revision.params.get("datasets", {}).get(dataset, {}).get("edges")

    def images(name: str, seed: int) -> str | None:
        digest: str | None = (revision.json(paths.metrics(study, dataset, name, seed)) or {}).get("data_digest")
        return digest

    return Results(
        found.comparison,
        lambda name, seed: revision.statistics(paths.statistics(study, dataset, name, seed)),
        images,
        {"edges": edges} if edges else {},
        found.layout.references,
    )
