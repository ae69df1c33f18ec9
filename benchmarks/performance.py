"""The tables of docs/performance.md from reports/benchmarks/*.csv: python -m benchmarks.performance.

Nothing is measured here; a table whose file is missing keeps what it had.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from benchmarks import harness
from benchmarks.harness import ROOT
from mtinet import files

DOCUMENT = ROOT / "docs/performance.md"
Line = Mapping[str, str]


def markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table; columns of numbers are to the right."""
    numeric = [any(cell[:1].isdigit() for cell in column) for column in zip(*rows, strict=True)] or [False] * len(head)
    rule = ["---:" if number_of_it else "---" for number_of_it in numeric]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (head, rule, *rows))


def number(text: str, digits: int = 3) -> str:
    """So many significant digits, never as a power of ten."""
    if text == "":
        return ""
    value = float(text)
    rounded = float(f"{value:.{digits}g}")
    return f"{rounded:,.0f}" if abs(rounded) >= 10 ** (digits - 1) else f"{rounded:g}"


def spread(line: Line, names: tuple[str, str, str], factor: float = 1.0) -> str:
    """Median and, in brackets, the quartiles, where it was repeated."""
    if not line[names[0]]:
        return number(str(float(line[names[1]]) * factor))
    low, middle, high = (number(str(float(line[name]) * factor)) for name in names)
    return f"{middle} ({low} to {high})"


def seconds(line: Line) -> str:
    """Milliseconds of one image."""
    images = float(line["images_per_s"]) * float(line["median_s"]) if line.get("images_per_s") else 1.0
    return spread(line, ("low_s", "median_s", "high_s"), 1e3 / images)


def ratio(line: Line) -> str:
    """How many times as fast as the plain way."""
    return spread(line, ("ratio_low", "ratio", "ratio_high"))


def timed(prefix: str, subject: str, note: str | None = None) -> Callable[[], str]:
    """A table of the cases that begin with `prefix`: milliseconds per image, images per second, ratio."""

    def table() -> str:
        _, lines = harness.read(subject)
        chosen = [line for line in lines if line["case"].startswith(prefix)]
        head = ["case", "way", "ms per image", "images per s", "times as fast as plain", *([note] if note else [])]
        rows = []
        for line in chosen:
            if not line["median_s"]:
                found = [line["case"].removeprefix(prefix), line["way"], "", "", ""]
                rows.append([*found, line["note"]] if note else found)
                continue
            quick = ratio(line) if line["ratio"] else ""
            cells = [
                line["case"].removeprefix(prefix).strip(),
                line["way"],
                seconds(line),
                number(line["images_per_s"]),
            ]
            rows.append([*cells, quick, *([line["note"]] if note else [])])
        return markdown(head, rows)

    return table


def started() -> str:
    """Seconds until each stage is at its work."""
    _, lines = harness.read("start_up")
    rows = [[line["way"], spread(line, ("low_s", "median_s", "high_s")), line["note"]] for line in lines]
    return markdown(["stage", "seconds", "measured"], rows)


def machine() -> str:
    """What the machine can do at most."""
    _, lines = harness.read("ceilings")
    rows = [
        [line["case"], line["way"], line["threads"], f"{number(line['rate'])} {line['unit']}"]
        for line in lines
    ]  # fmt: skip
    return markdown(["measurement", "of", "threads", "rate"], rows)


def bounds() -> str:
    """What a step has to do and how long that takes at least."""
    _, lines = harness.read("limits")
    head = [
        "network",
        "way",
        "step, ms",
        "GFLOP",
        "MB",
        "operators",
        "GFLOP/s",
        "at least, ms",
        "calls, ms",
        "of the limit",
    ]
    rows = []
    for line in lines:
        plain = [
            number(line[name]) for name in ("gflop", "megabytes", "operators", "gflop_per_s", "least_ms", "calling_ms")
        ]
        name = f"{line['way']}, {line['precision']}"
        share = f"{100 * float(line['limit_share']):.0f} %"
        rows.append([line["network"], name, spread(line, ("low_ms", "step_ms", "high_ms")), *plain, share])
    return markdown(head, rows)


def profiled(network: str, way: str) -> Callable[[], str]:
    """The operators of one step with the most time of their own."""

    def table() -> str:
        _, lines = harness.read("profiles")
        rows = [
            [
                line["operator"] if line["operator"] == "others" else f"`{line['operator']}`",
                line["calls"],
                number(line["ms"]),
                f"{100 * float(line['share']):.1f} %",
            ]
            for line in lines
            if (line["network"], line["way"]) == (network, way)
        ]
        return markdown(["operator", "calls", "ms", "share"], rows)

    return table


def conditions_of(subject: str) -> Callable[[], str]:
    """The head of a file, as a list."""
    return lambda: "\n".join(f"- {line}" for line in harness.read(subject)[0])


TABLES: dict[str, Callable[[], str]] = {
    "conditions": conditions_of("training"),
    "step": timed("step ", "training", "note"),
    "epoch": timed("epoch ", "training"),
    "batch": timed("batch ", "data_path", "frames"),
    "waiting": timed("waiting ", "data_path", "waiting"),
    "metric": timed("metric ", "evaluation"),
    "scoring": timed("scoring ", "evaluation"),
    "share": timed("share ", "evaluation", "share"),
    "start-up": started,
    "neighbours": timed("", "neighbours", "slowed down"),
    "side by side": timed("two runs ", "side_by_side"),
    "ceilings": machine,
    "limits": bounds,
    **{f"profile {network} {way}": profiled(network, way)
       for network in ("hrnet18-mti-ne", "r18fpn-mti-ne") for way in ("plain", "ours")},
}  # fmt: skip


def filled(text: str) -> str:
    """The document with every table made anew; ValueError for a marker that nothing makes a table for."""

    def block(found: re.Match[str]) -> str:
        name = found[1]
        if name not in TABLES:
            raise ValueError(f"no table '{name}', expected one of {', '.join(TABLES)}")
        try:
            return f"<!-- table: {name} -->\n\n{TABLES[name]()}\n\n<!-- end of table -->"
        except FileNotFoundError as error:
            print(f"table '{name}' stays as it is: {Path(error.filename).name} is not there", flush=True)
            return found[0]

    return re.sub(r"<!-- table: (.+?) -->.*?<!-- end of table -->", block, text, flags=re.S)


def main() -> None:
    files.write_text(DOCUMENT, filled(DOCUMENT.read_text(encoding="utf-8")))


if __name__ == "__main__":
    main()
