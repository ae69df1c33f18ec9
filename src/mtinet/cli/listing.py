"""All declared runs and their state, from their manifests and metrics against params.yaml, code and data.

done     trained and evaluated with the present parameters, code and data; "no weights" where they are not here
stale    trained or evaluated with others: the reason stands behind it
missing  never made, or gone

With --names only the names, a line each: at once, where no state is asked for.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from mtinet.cli.progress import progress
from mtinet.cli.project import columns, enter, print_json
from mtinet.errors import UserError

if TYPE_CHECKING:
    from mtinet.training.run import Run
    from mtinet.training.verification import Finding

HELP = "declared runs and their state: done, stale, missing"
EXAMPLE = "mtinet list nyud --state stale"
STATES = ("done", "stale", "missing")


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("dataset", nargs="?", help="only runs of this dataset")
    parser.add_argument("--state", choices=STATES, help="only runs in this state")
    parser.add_argument("--read-weights", action="store_true", help="compare the weights' digests too (reads them all)")
    parser.add_argument("--exit-code", action="store_true", help="end with 1 unless all that are listed are done")
    printed = parser.add_mutually_exclusive_group()
    printed.add_argument("--names", action="store_true", help="print the runs' names only")
    printed.add_argument("--json", action="store_true", help="print JSON for a script")


def main(given: argparse.Namespace) -> int:
    from mtinet import config

    enter(given)
    params = config.load()
    datasets = [given.dataset] if given.dataset else list(params.experiments)
    if given.dataset and given.dataset not in params.experiments:
        raise UserError(
            f"no dataset '{given.dataset}' in params.yaml, expected one of: {', '.join(params.experiments)}"
        )
    if given.names and not given.state and not given.exit_code:
        print_names(f"{dataset}/{name}/seed{seed}" for dataset in datasets for name, seed in params.runs(dataset))
        return 0
    with progress("comparing manifests with parameters, code and data"):
        found = [entry for dataset in datasets for entry in entries(params, dataset, given.read_weights)]
    shown = [entry for entry in found if given.state in (None, entry["state"])]
    if given.names:
        print_names(entry["run"] for entry in shown)
    elif given.json:
        print_json(shown)
    else:
        print(text(shown))
    return int(given.exit_code and any(entry["state"] != "done" for entry in shown))


def print_names(names: Iterable[str]) -> None:
    """One per line; nothing at all where there are none."""
    for name in names:
        print(name)


def entries(params: Any, dataset: str, read_weights: bool) -> list[dict[str, Any]]:
    """Every run of a dataset as plain data."""
    from mtinet import paths
    from mtinet.training import verification
    from mtinet.training.run import Run

    digests = verification.data_digests(params, dataset)
    result = []
    for name, seed in params.runs(dataset):
        run = Run.of(params, dataset, name, seed)
        found = list(verification.findings(run, digests, read_weights))
        result.append(
            {
                "run": f"{dataset}/{name}/seed{seed}",
                "state": verification.state_of(found),
                "weights": paths.weights(*run.location).exists(),
                "method": run.method,
                "backbone": run.experiment.backbone,
                "tasks": run.experiment.tasks,
                "auxiliary": run.experiment.auxiliary,
                "why": [finding.line for finding in found],
                "in_short": in_short(run, found),
            }
        )
    return result


def in_short(run: Run, found: list[Finding]) -> str:
    """The reasons in a few words; of other parameters, which ones."""
    from mtinet import files, paths
    from mtinet.reporting.changes import changes

    words = []
    missing = [finding.line for finding in found if finding.kind == "missing"]
    if len(missing) == 1:
        words.append("not evaluated" if str(paths.metrics(*run.location)) in missing[0] else "no manifest")
    for finding in found:
        if finding.kind == "stale" and ": config_hash is" in finding.line:
            before = files.read_json(paths.manifest(*run.location))["config"]
            words += [
                f"{change.key}: {change.before} -> {change.after}" for change in changes(before, run.config())[:3]
            ]
        elif finding.kind == "stale":
            words.append(other(finding.line))
    return "; ".join(words)


def other(line: str) -> str:
    """What a result was made from that is not what is there now."""
    kinds = {": code_hash is": "other code", ": data_digest is": "other data", ": weights_digest is": "other weights"}
    kinds |= {": initial_weights is": "other initial weights", "chosen on other data": "epoch chosen on other data"}
    kinds |= {"from another training": "evaluated from another training", "from other data": "evaluated on other data"}
    return next(words for mark, words in kinds.items() if mark in line)


def text(shown: list[dict[str, Any]]) -> str:
    """The runs in columns, and how many are in each state; of results those whose weights are not here."""
    counts = Counter(entry["state"] for entry in shown)
    total = ", ".join(f"{counts[state]} {state}" for state in STATES if counts[state]) or "no runs"
    if not shown:
        return total
    without = [entry["state"] != "missing" and not entry["weights"] for entry in shown]
    if any(without):
        total += f"; {sum(without)} without weights here: 'dvc pull' brings them, or 'mtinet run RUN' makes them"
    rows = [
        (entry["run"], entry["state"] + (", no weights" if gone else ""), entry["in_short"])
        for entry, gone in zip(shown, without, strict=True)
    ]
    return f"{columns(rows)}\n{total}"
