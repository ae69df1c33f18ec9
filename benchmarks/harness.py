"""How everything here is timed: ways in turn, again and again, so that a busy neighbour hits all of them alike.

A subject is a module with ways of doing the same, the plain one among them. `interleaved` times them, `rows` makes the
lines of the table, ratios included, and `write` the file below reports/benchmarks/ with the conditions at its head.
"""

from __future__ import annotations

import argparse
import csv
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

from mtinet import files, stage

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "reports" / "benchmarks"
LIBRARIES = ("torch", "torchvision", "timm", "numpy", "opencv-python-headless", "pillow")
COLUMNS = (
    "case", "way", "device", "precision", "tf32", "batch", "height", "width", "threads", "processes",
    "warm_up", "repetitions", "median_s", "low_s", "high_s", "images_per_s", "ratio", "ratio_low", "ratio_high",
    "rate", "unit", "note",
)  # fmt: skip
MEANING = (
    "median_s, low_s, high_s: median and quartiles of the seconds of one repetition; repetitions of all ways of a case"
    " take turns (A B A B); images_per_s: of the whole machine, at the median",
    "ratio: the plain way's seconds per image over this way's in the same round, above 1 is faster than plain; median"
    " and quartiles over the rounds; threads: per process",
)
Clock = Callable[[], float]
Row = dict[str, Any]


@dataclass(frozen=True)
class Plan:
    """How often: `warm_up` rounds that do not count, then `repetitions`, fewer when `seconds` are over, yet `least`."""

    repetitions: int = 7
    warm_up: int = 1
    seconds: float = 20.0
    least: int = 3


@dataclass(frozen=True)
class Way:
    """One way of doing it: `run` does it once, of `images` images; it may return the seconds, else they are taken here.

    conditions: columns of the table in which ways differ, such as threads and precision.
    """

    run: Callable[[], float | None]
    images: int = 1
    conditions: Mapping[str, Any] = field(default_factory=dict)


def interleaved(ways: Mapping[str, Way], plan: Plan, clock: Clock = time.perf_counter) -> dict[str, list[float]]:
    """Seconds of every repetition by way; the ways take turns, so that round i of one lies beside round i of the rest.

    The warm-up counts towards the plan's seconds: what takes long is repeated less often.
    """
    began = clock()
    times: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(-plan.warm_up, plan.repetitions):
        if number >= plan.least and clock() - began > plan.seconds:
            break
        for name, way in ways.items():
            start = clock()
            told = way.run()
            seconds = clock() - start if told is None else told
            if number >= 0:
                times[name].append(seconds)
    return times


def quartiles(values: Sequence[float]) -> tuple[float, float, float]:
    """Lower quartile, median, upper quartile, interpolated linearly."""
    low, middle, high = np.percentile(np.asarray(values, np.float64), [25, 50, 75])
    return float(low), float(middle), float(high)


def rows(
    case: str, ways: Mapping[str, Way], times: Mapping[str, Sequence[float]], reference: str, plan: Plan, **shared: Any
) -> list[Row]:
    """One line per way, with its ratio to the way `reference`, round by round; `shared` are columns of all."""
    base = ways[reference].images
    found = []
    for name, way in ways.items():
        low, middle, high = quartiles(times[name])
        pairs = zip(times[reference], times[name], strict=True)
        ratios = [(theirs / base) / (mine / way.images) for theirs, mine in pairs]
        slow, ratio, fast = quartiles(ratios)
        found.append(
            row(
                case=case, way=name, warm_up=plan.warm_up, repetitions=len(times[name]), median_s=middle, low_s=low,
                high_s=high, images_per_s=way.images / middle, ratio=ratio, ratio_low=slow, ratio_high=fast,
                **{**shared, **way.conditions},
            )
        )  # fmt: skip
    return found


def row(**values: Any) -> Row:
    """A line of a table, printed at once; what a benchmark has no value for stays empty."""
    unknown = values.keys() - set(COLUMNS)
    if unknown:
        raise ValueError(f"no column for {sorted(unknown)}")
    if values.get("device") == "cpu":
        values = {"tf32": "none", **values}  # there is no such thing
    found = {name: shown(values.get(name, "")) for name in COLUMNS}
    print(
        "{case:32} {way:34} {precision:9} {threads:>2} threads {median_s:>10} s {images_per_s:>9} /s  ratio {ratio:>7}"
        "  {note}".format(**{name: str(value) for name, value in found.items()}), flush=True,
    )  # fmt: skip
    return found


def shown(value: Any) -> Any:
    """Numbers with four significant digits, None as nothing."""
    if isinstance(value, float):
        return float(f"{value:.4g}")
    return "" if value is None else value


def compared(
    case: str, ways: Mapping[str, Way], plan: Plan, reference: str = "plain", **shared: Any
) -> tuple[list[Row], dict[str, list[float]]]:
    """Time the ways and make their lines."""
    times = interleaved(ways, plan)
    return rows(case, ways, times, reference, plan, **shared), times


# Conditions and files -----------------------------------------------------------------------------------------


def processor() -> str:
    """The name of the processor."""
    path = Path("/proc/cpuinfo")
    lines = path.read_text().splitlines() if path.exists() else []
    names = (line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor() or platform.machine())


def conditions(subject: str) -> list[str]:
    """Under what the numbers were measured: the head of the file."""
    commit = stage.answer("git", "rev-parse", "--short", "HEAD") or "unknown"
    changed = " with changes" if stage.answer("git", "status", "--porcelain", "--untracked-files=no") else ""
    spinning = ", ".join(f"{name} {os.environ.get(name, 'unset')}" for name in ("GOMP_SPINCOUNT", "OMP_NUM_THREADS"))
    return [
        f"{subject}; written by python -m benchmarks.{subject.split(':')[0]}",
        f"cpu {processor()}, {stage.cores()} cores; {gpu()}; load average at the start {os.getloadavg()[0]:.2f};"
        f" {spinning} where a way sets nothing else",
        f"python {platform.python_version()}, {', '.join(f'{name} {installed(name)}' for name in LIBRARIES)};"
        f" commit {commit}{changed}",
        *MEANING,
    ]


def installed(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:  # a library may come under another name, as OpenCV does
        return "?"


def gpu() -> str:
    """The GPU's name, as its driver tells it; without torch."""
    if not Path("/dev/nvidiactl").exists():
        return "no GPU here, nothing measured on one"
    try:
        command = ["nvidia-smi", "--query-gpu=name,driver_version", "--format=csv,noheader"]
        found = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30).stdout.splitlines()
    except (OSError, subprocess.TimeoutExpired):
        found = []
    return f"gpu {found[0]}" if found else "a GPU that says nothing of itself"


def write(
    subject: str, found: Sequence[Row], lines: Sequence[str], folder: Path = FOLDER, columns: Sequence[str] = COLUMNS
) -> Path:
    """Write <subject>.csv whole, conditions first, as comments; without the columns that nothing stands in."""
    path = folder / f"{subject}.csv"
    folder.mkdir(parents=True, exist_ok=True)
    used = [name for name in columns if any(line[name] != "" for line in found)]
    with files.replacing(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as stream:
        stream.writelines(f"# {line}\n" for line in lines)
        table = csv.DictWriter(stream, used, lineterminator="\n", extrasaction="ignore")
        table.writeheader()
        table.writerows(found)
    return path


def read(subject: str, folder: Path = FOLDER) -> tuple[list[str], list[dict[str, str]]]:
    """The conditions and the lines of <subject>.csv."""
    text = (folder / f"{subject}.csv").read_text(encoding="utf-8").splitlines()
    head = [line.removeprefix("# ") for line in text if line.startswith("# ")]
    return head, list(csv.DictReader(line for line in text if not line.startswith("# ")))


def arguments(description: str | None) -> argparse.Namespace:
    """What every benchmark takes: --quick tries it out in seconds, --note adds a line to the head of the file."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one repetition of the smallest case: does it run?")
    parser.add_argument("--note", action="append", default=[], help="a line for the head: what else was running")
    parser.add_argument("--folder", type=Path, default=FOLDER, help="where the table goes")
    return parser.parse_args()


def main(
    subject: str,
    description: str | None,
    measure: Callable[[bool], Sequence[Row]],
    columns: Sequence[str] = COLUMNS,
) -> None:
    """A benchmark's entry point: measure(quick) gives the lines of <subject>.csv."""
    given = arguments(description)
    lines = [*conditions(subject), *(["a quick try, not a measurement"] if given.quick else []), *given.note]
    print("\n".join(lines), file=sys.stderr)
    began = time.monotonic()
    found = measure(given.quick)
    lines.append(f"measured in {time.monotonic() - began:.0f} s")
    write(subject, found, lines, given.folder, columns)


QUICK = Plan(repetitions=1, warm_up=0, least=1)


def median(values: Sequence[float]) -> float:
    return statistics.median(values)
