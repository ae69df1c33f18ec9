"""All that is wrong with a data set on disk, at once: every image and every label of both splits is read."""

from __future__ import annotations

import argparse
import contextlib
import re
import sys
from collections.abc import Sequence

from mtinet.cli.progress import progress
from mtinet.cli.project import absolute, enter, print_json
from mtinet.errors import UserError

HELP = "everything that is wrong with a data set on disk"
EXAMPLE = "mtinet check-data ~/NYUD_MT --dataset nyud --published"


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", type=absolute, metavar="FOLDER", help="a data set in its layout")
    parser.add_argument("--dataset", required=True, help="whose layout it has: nyud, pascal, or one of params.yaml's")
    parser.add_argument("--distilled", type=absolute, metavar="FOLDER", help="with the labels that the source lacks")
    parser.add_argument("--published", action="store_true", help="it has to be the published archive")
    parser.add_argument("--json", action="store_true", help="print JSON for a script")


def main(given: argparse.Namespace) -> int:
    with progress(f"reading every image and label in {given.folder}"):
        from mtinet.data.checking import faults

        with contextlib.suppress(UserError):  # a data set of one's own is declared in the project
            enter(given)
        found = faults(given.folder, given.dataset, given.distilled, given.published)
    if given.json:
        print_json({"folder": str(given.folder), "dataset": given.dataset, "faults": found})
    else:
        for line in found:
            print(line)
        print(f"{given.folder}: {in_short(found)}", file=sys.stderr)
    return 1 if found else 0


def in_short(found: Sequence[str]) -> str:
    """How many faults there are; where one kind has several, how many of each, with the first one as its example."""
    total = f"{len(found) or 'no'} {'fault' if len(found) == 1 else 'faults'}"
    kinds: dict[str, list[str]] = {}
    for line in found:
        kinds.setdefault(kind_of(line), []).append(line)
    if len(kinds) == len(found):
        return total
    rows = [f"{len(lines):6}  {'such as ' if len(lines) > 1 else ''}{lines[0]}" for lines in kinds.values()]
    return "\n".join([f"{total} of {len(kinds)} {'kind' if len(kinds) == 1 else 'kinds'}:", *rows])


def kind_of(line: str) -> str:
    """A fault without what differs from file to file: the file's name in its folder, ids and numbers."""
    return re.sub(r"(?<=/)[^/:]+(?=:)|'[^']*'|\d+", "*", line)
