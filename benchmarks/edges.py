"""The edge benchmark's time and memory beside other exact ways, on one core: python -m benchmarks.edges.

Three ways on the same maps in one run: this library; thinning by scikit-image and one maximum flow (Dinic) per
threshold; and of the latter the thinning alone. Then growth with size and thresholds, and the worst cases.
Writes reports/benchmarks/edges.csv, or --output, conditions included.
"""

from __future__ import annotations

import argparse
import csv
import os
import platform
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import scipy
from numpy.typing import NDArray
from scipy import ndimage
from scipy.sparse import csr_array
from scipy.sparse.csgraph import maximum_flow
from skimage.morphology import thin

from benchmarks.edge_maps import label_maps, soft_map
from mtinet import files
from mtinet.metrics.edges import boundaries_from_labels, count_matches, suppress
from mtinet.metrics.edges.matching import candidate_pairs

OUTPUT = Path("reports/benchmarks/edges.csv")
STEPS = np.arange(1, 100) / 100
VALIDATION = 5105  # images of PASCAL-Context's validation split
FLOW = "skimage and dinic"  # both, per threshold
SIZES = ((321, 481), (375, 500))
Row = dict[str, Any]


def flow_counts(prediction: NDArray, truth: NDArray) -> list[int]:
    """Matched pixels at every threshold: thinned by scikit-image, matched by maximum_flow."""
    values = prediction / 255 if prediction.dtype == np.uint8 else prediction
    radius = 0.0075 * np.hypot(*truth.shape)
    return [flow(thin(values >= step), truth, radius) for step in STEPS]


def flow(rows: NDArray, columns: NDArray, radius: float) -> int:
    """Size of a maximum matching as a maximum flow by Dinic's method."""
    if not rows.any() or not columns.any():
        return 0
    pairs = candidate_pairs(rows, columns, radius)
    first, second = pairs.shape
    sink = first + second + 1
    indices = np.concatenate([np.arange(1, first + 1), pairs.indices + first + 1, np.full(second, sink)])
    starts = pairs.indptr[-1] + first + np.arange(1, second + 1)
    indptr = np.concatenate([[0], pairs.indptr + first, starts, starts[-1:]])
    graph = csr_array(
        (np.ones(len(indices), np.int32), indices.astype(np.int32), indptr.astype(np.int32)), shape=(sink + 1, sink + 1)
    )
    return int(maximum_flow(graph, 0, sink, method="dinic").flow_value)


def thinned(prediction: NDArray) -> None:
    """Thin every threshold by scikit-image."""
    values = prediction / 255 if prediction.dtype == np.uint8 else prediction
    for step in STEPS:
        thin(values >= step)


def timed(function: Callable[[], Any], repetitions: int = 1) -> tuple[Any, float]:
    """What the function gives, and the least seconds of several calls."""
    times = []
    for _ in range(repetitions):
        begin = time.perf_counter()
        result = function()
        times.append(time.perf_counter() - begin)
    return result, min(times)


def images(size: tuple[int, int], count: int) -> Iterator[tuple[NDArray, NDArray, NDArray]]:
    """Thick prediction, suppressed prediction, truth."""
    _, maps = label_maps(count, size)
    for seed, labels in enumerate(maps):
        thick = soft_map(labels, seed)
        yield thick, suppress(thick), boundaries_from_labels(labels)


def compared(count: int, repetitions: int) -> Iterator[Row]:
    """Seconds per image of the three ways on one core."""
    for size in SIZES:
        times: dict[tuple[str, str], list[float]] = {}
        for thick, thin_map, truth in images(size, count):
            for kind, prediction in (("thick", thick), ("suppressed", thin_map)):
                mine, seconds = timed(partial(count_matches, prediction, truth, STEPS), repetitions)
                times.setdefault((kind, "this"), []).append(seconds)
                flows, seconds = timed(partial(flow_counts, prediction, truth))
                times.setdefault((kind, FLOW), []).append(seconds)
                times.setdefault((kind, "skimage thinning"), []).append(timed(partial(thinned, prediction))[1])
                if flows != mine.cntP.tolist():
                    raise AssertionError(f"counts differ on a {kind} map of {size}")
        for (kind, way), measured in times.items():
            often = repetitions if way == "this" else 1
            yield row("compared", kind, way, size, len(STEPS), measured, often)


def growth(count: int, repetitions: int) -> Iterator[Row]:
    """Seconds by image size and by number of thresholds."""
    for size in ((120, 160), (240, 320), (480, 640), (960, 1280)):
        seconds = [
            timed(partial(count_matches, thick, truth, STEPS), repetitions)[1]
            for thick, _, truth in images(size, count)
        ]
        yield row("size", "thick", "this", size, len(STEPS), seconds, repetitions)
    few = list(images((375, 500), count))
    for steps in (9, 33, 99, 199):
        thresholds = np.arange(1, steps + 1) / (steps + 1)
        seconds = [timed(partial(count_matches, thick, truth, thresholds), repetitions)[1] for thick, _, truth in few]
        yield row("thresholds", "thick", "this", (375, 500), steps, seconds, repetitions)


def worst_cases(sizes: tuple[tuple[int, int], ...]) -> Iterator[Row]:
    """Maps made to be hard; one call each."""
    for size in sizes:
        random = np.random.default_rng(0)
        _, (labels,) = label_maps(1, size)
        truth, noise = boundaries_from_labels(labels), random.random(size)
        blobs = ndimage.gaussian_filter(noise, 3)
        cases = {
            "all pixels predicted": np.full(size, 255, np.uint8),
            "one huge component": np.tile(np.linspace(0, 255, size[1]).astype(np.uint8), (size[0], 1)),
            "noise": (255 * noise).astype(np.uint8),
            "smooth noise": (255 * (blobs - blobs.min()) / np.ptp(blobs)).astype(np.uint8),
            "thick": soft_map(labels, 0),
        }
        for kind, prediction in cases.items():
            seconds = timed(partial(count_matches, prediction, truth, STEPS))[1]
            yield row("worst", kind, "this", size, len(STEPS), [seconds], 1)


def row(
    part: str, kind: str, way: str, size: tuple[int, int], thresholds: int, seconds: list[float], often: int
) -> Row:
    """One line of the table; printed at once."""
    median = statistics.median(seconds)
    found: Row = {
        "part": part, "maps": kind, "way": way, "size": f"{size[0]}x{size[1]}", "thresholds": thresholds,
        "images": len(seconds), "repetitions": often, "median_s": round(median, 4),
        "lowest_s": round(min(seconds), 4), "worst_s": round(max(seconds), 4),
        "hours_for_5105": round(VALIDATION * statistics.mean(seconds) / 3600, 2) if part == "compared" else "",
        "peak_gib": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, 2),
    }  # fmt: skip
    print("{part:11}{maps:22}{way:21}{size:>10}{thresholds:4} thresholds  median {median_s:8.3f} s  "
          "worst {worst_s:8.3f} s  {hours_for_5105:>6} h  {peak_gib:5.2f} GiB".format(**found), flush=True)  # fmt: skip
    return found


def conditions(source: str) -> list[str]:
    """Under what the numbers were measured; head of the file."""
    processor = next(
        (line.split(":", 1)[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines()
         if line.startswith("model name")), platform.processor(),
    ) if Path("/proc/cpuinfo").exists() else platform.processor()  # fmt: skip
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)
    return [
        f"cpu {processor}, {os.cpu_count()} cores, one thread used; load average at the start {os.getloadavg()[0]:.2f}",
        f"python {platform.python_version()}, numpy {np.__version__}, scipy {scipy.__version__}, "
        f"scikit-image {version('scikit-image')}; commit {commit.stdout.strip()}",
        f"maps: thick predictions made around boundaries of {source}; max_dist 0.0075; seconds per image, thinning "
        "included: per image the least of the repetitions, then median, lowest and worst over the images",
        "peak_gib: of the whole process up to that line; hours_for_5105: mean x 5,105 images on one core",
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=4)
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--full", action="store_true", help="worst cases at 2000x3000 too (minutes, 3 GiB)")
    parser.add_argument("--output", type=Path, default=OUTPUT)
    parser.add_argument("--note", help="a line for the head of the file, such as what else was running")
    given = parser.parse_args()
    lines = [*conditions(label_maps(1, (8, 8))[0]), *([given.note] if given.note else [])]
    print("\n".join(lines), file=sys.stderr)
    sizes = ((375, 500), (2000, 3000)) if given.full else ((375, 500),)
    rows = [*compared(given.images, given.repetitions), *growth(2, given.repetitions), *worst_cases(sizes)]
    with files.replacing(given.output) as temporary, temporary.open("w", newline="") as stream:
        stream.writelines(f"# {line}\n" for line in lines)
        table = csv.DictWriter(stream, list(rows[0]), lineterminator="\n")
        table.writeheader()
        table.writerows(rows)


if __name__ == "__main__":
    main()
