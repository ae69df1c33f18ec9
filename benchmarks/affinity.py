"""Pixel affinity: its time per image, and the numbers of NYUD-v2's real label maps.

    python -m benchmarks.affinity time
    python -m benchmarks.affinity record nyuv2_test_class40.tgz      (writes pipeline/affinity.yaml)

`time` prints seconds per 480x640 image and dilation on one core, for the tasks of each dataset. `record` takes the
654 label maps of the test split with the archive's 40 classes (0 unlabelled), as one .tgz of PNG files; edges are
derived from them as the stage distill does. Depth of the same frames is not to be had apart from the archive.
"""

from __future__ import annotations

import argparse
import sys
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray
from PIL import Image

from mtinet import config, files
from mtinet.data.labels import edges_from_labels
from mtinet.studies.affinity import Rules, described, matches, summed

RECORDED = Path("pipeline/affinity.yaml")
HEADER = """\
# Pixel affinity between seg and edge on the real label maps of NYUD-v2's test split, which figure affinity draws beside
# the study's own: counts of pairs and rates as mtinet/studies/affinity.py names them, per edge rule, at each dilation
# in pixels of the maps. Written by: python -m benchmarks.affinity record nyuv2_test_class40.tgz
"""
SIZE, REPEATS = (480, 640), 5


def maps(archive: Path) -> Iterator[dict[str, NDArray]]:
    """Labels 0..39 with 255 unlabelled, and edges, of each picture in the archive, in the order of their names."""
    with tarfile.open(archive) as tar:
        for name in sorted(member.name for member in tar if member.name.endswith(".png")):
            stream = tar.extractfile(name)
            assert stream is not None
            seg = np.asarray(Image.open(stream)) - np.uint8(1)
            yield {"seg": seg, "edge": edges_from_labels(seg)}


def record(archive: Path, settings: config.Affinity) -> dict[str, Any]:
    """The content of RECORDED."""
    images = list(maps(archive))
    measured = {}
    for edge_rule in ("equal", "between"):
        rules = Rules(settings.depth_threshold, settings.normals_threshold, edge_rule)
        measured[edge_rule] = described(summed(images, settings.dilations, settings.kernel, rules))
    return {
        "dataset": "nyud",
        "images": len(images),
        "mean_height": sum(len(labels["seg"]) for labels in images) / len(images),
        "kernel": settings.kernel,
        "dilations": settings.dilations,
        "sha256": files.digest_of_file(archive),
        "pairs": measured,
    }


def frame(source: np.random.Generator) -> dict[str, NDArray]:
    """Labels of every task without structure: what is counted does not change the time."""
    label = {name: source.integers(0, count, SIZE, dtype=np.uint8) for name, count in LABELS.items()}
    label["depth"] = source.uniform(0.5, 10, SIZE).astype(np.float32)
    normals = source.normal(size=(*SIZE, 3))
    return {**label, "normals": (normals / np.linalg.norm(normals, axis=2, keepdims=True)).astype(np.float32)}


LABELS = {"seg": 40, "parts": 7, "sal": 2, "edge": 2}


def timed(settings: config.Affinity) -> Iterator[str]:
    """One line per dataset and edge rule."""
    labels = frame(np.random.default_rng(0))
    for dataset, names in settings.tasks.items():
        chosen = {name: labels[name] for name in names}
        for edge_rule in ("equal", "between"):
            rules = Rules(settings.depth_threshold, settings.normals_threshold, edge_rule)
            seconds = {step: best(chosen, step, settings.kernel, rules) for step in settings.dilations}
            shown = ", ".join(f"{step}: {value:.3f}" for step, value in seconds.items())
            yield f"{dataset} ({', '.join(names)}), edges {edge_rule}: s per image by dilation {shown}"


def best(labels: dict[str, NDArray], dilation: int, kernel: int, rules: Rules) -> float:
    """The fastest of REPEATS measurements, in seconds."""
    times = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        matches(labels, dilation, kernel, rules)
        times.append(time.perf_counter() - start)
    return min(times)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["time", "record"])
    parser.add_argument("archive", type=Path, nargs="?", help="the label maps, to record")
    given = parser.parse_args()
    settings = config.load().affinity
    if given.what == "time":
        for line in timed(settings):
            print(line)
    elif given.archive is None or not given.archive.is_file():
        sys.exit(f"ERROR: found no label maps at '{given.archive}', expected nyuv2_test_class40.tgz")
    else:
        content = yaml.safe_dump(record(given.archive, settings), sort_keys=False, width=110)
        files.write_text(RECORDED, HEADER + content)


if __name__ == "__main__":
    main()
