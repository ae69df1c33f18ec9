"""Rendered rooms beside real NYUD-v2 frames, in numbers: python -m benchmarks.scenes.

Writes docs/scenes.md. Where the real material is at hand, its summary statistics are taken anew and written to
tests/data/nyud_statistics.yaml; elsewhere they are read from there.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from benchmarks import nyud_fixtures
from mtinet import files
from mtinet.data import scenes
from mtinet.studies import scene_statistics
from mtinet.studies.scene_statistics import Check, Statistics

ROOT = Path(__file__).resolve().parents[1]
PUBLISHED = ROOT / "tests" / "data" / "nyud_statistics.yaml"
PAGE = ROOT / "docs" / "scenes.md"
SIZE = (120, 160)
SIZES = ((240, 320), (480, 640))  # at which speed is measured
GROUP = 3  # real frames with colours and labels: as many images as the colour classifier gets at a time
TEXT = """# Rendered rooms and real frames

Written by `python -m benchmarks.scenes`: {count} rendered rooms, seed {seed}, against the 654 label maps of NYUD-v2's
test split and the three frames with colours and depth that are at hand (one of them with its holes), all of them at
{height}x{width} pixels. `tests/test_scene_statistics.py` asserts the same limits.

| statistic | real | rendered | limit | met |
|---|---|---|---|---|
{checks}

- Boundaries: pixels whose right or lower neighbour has another label; unlabelled counts as a label.
- Segments: 4-connected regions of one class, of at least 1/5000 of the image.
- Colour: a classifier ({neighbours} nearest neighbours) of single pixels is trained with position and colour, and with
  position alone, on all images but one, and asked about that one; the table has the difference of the two accuracies,
  in groups of {group} images on both sides, since there are but {group} real ones. Three frames say little: trained on
  half of all {count} rendered rooms and asked about the other half, colour adds {gain:+.3f}.
- Depth: median over the images of each one's median.
- Speed: {speed}, processor time of one core
  (load average {load} on {cores} cores meanwhile; what else runs slows it down).
- Unlabelled pixels: {real_unlabelled:.1%} real, {rendered_unlabelled:.1%} rendered.

## Classes

Share of the labelled pixels, and of the images in which the class occurs, in %.

| class | pixels, real | rendered | images, real | rendered |
|---|---|---|---|---|
{classes}

## Real files used

Only the numbers above are kept here. SHA-256:

{digests}
"""


def measured_statistics() -> dict[str, Any]:
    """Statistics of the real material, with the size that they hold for and the digests of its files."""
    real = nyud_fixtures.material(SIZE)
    found = scene_statistics.summary(real.labels, (real.frames, real.frame_labels), real.depths, real.raw, GROUP)
    return {"size": list(SIZE), "digests": nyud_fixtures.digests(), "statistics": rounded(found)}


def rounded(statistics: Statistics) -> dict[str, Any]:
    """Six significant digits, as they are written."""
    return {
        name: [float(f"{one:.6g}") for one in value] if isinstance(value, list) else float(f"{value:.6g}")  # type: ignore[attr-defined, str-format]
        for name, value in statistics.items()
    }


def published() -> dict[str, Any]:
    """The committed statistics of the real material, with their size and digests."""
    return dict(yaml.safe_load(PUBLISHED.read_text()))


def rendered_statistics(seed: int, count: int) -> tuple[Statistics, float]:
    """Statistics of frames 0 .. count - 1 of the set `seed`, and what colour adds from one half to the other."""
    frames = [scenes.render(seed, index, *SIZE) for index in range(count)]
    labels, images = np.stack([one.segmentation for one in frames]), np.stack([one.image for one in frames])
    depths = np.stack([one.depth for one in frames])
    found = scene_statistics.summary(labels, (images, labels), depths, depths, GROUP)
    return found, scene_statistics.colour_gain(images, labels, scene_statistics.halves(count))


def room(seed: int, size: tuple[int, int], index: int) -> scenes.Frame:
    """A frame of the set."""
    return scenes.render(seed, index, *size)


def seconds_per_image(render: Callable[[int], object], count: int) -> float:
    """Mean processor time of rendering one of the images 0 .. count - 1, each the faster one of two times.

    What else runs on the machine slows it down by more than the second time does.
    """
    render(0)
    return sum(min(seconds(render, index) for _ in range(2)) for index in range(count)) / count


def seconds(render: Callable[[int], object], index: int) -> float:
    """Processor time of rendering one image."""
    begin = time.process_time()
    render(index)
    return time.process_time() - begin


def page(real: dict[str, Any], rendered: Statistics, gain: float, seed: int, count: int) -> str:
    """The whole page in Markdown."""
    speeds = [(size, seconds_per_image(partial(room, seed, size), min(count, 20))) for size in SIZES]
    statistics: Statistics = real["statistics"]
    return TEXT.format(
        count=count, seed=seed, height=SIZE[0], width=SIZE[1], gain=gain, group=GROUP,
        neighbours=scene_statistics.NEIGHBOURS,
        speed=", ".join(f"{seconds:.2f} s per image at {size[0]}x{size[1]}" for size, seconds in speeds),
        load=f"{os.getloadavg()[0]:.1f}", cores=os.cpu_count(),
        real_unlabelled=statistics["unlabelled"], rendered_unlabelled=rendered["unlabelled"],
        checks="\n".join(check_line(check) for check in scene_statistics.checks(statistics, rendered)),
        classes="\n".join(class_lines(statistics, rendered)),
        digests="\n".join(f"- `{name}` {digest}" for name, digest in real["digests"].items()),
    )  # fmt: skip


def check_line(check: Check) -> str:
    """One row of the first table."""
    real = "" if check.real is None else f"{check.real:.3g}"
    limit = f"{check.low:.3g} to {check.high:.3g}" if np.isfinite(check.low) else f"at most {check.high:.3g}"
    return f"| {check.statistic} | {real} | {check.rendered:.3g} | {limit} | {'yes' if check.met else '**no**'} |"


def class_lines(real: Statistics, rendered: Statistics) -> list[str]:
    """Rows of the second table, the most frequent class first."""
    order = sorted(range(scene_statistics.CLASSES), key=lambda k: -real["frequency"][k])
    return [
        f"| {scenes.CLASSES[k]} | {100 * real['frequency'][k]:.2f} | {100 * rendered['frequency'][k]:.2f}"
        f" | {100 * real['presence'][k]:.1f} | {100 * rendered['presence'][k]:.1f} |"
        for k in order
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=654)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    if nyud_fixtures.REAL.is_dir():
        files.write_text(PUBLISHED, yaml.safe_dump(measured_statistics(), sort_keys=False))
    rendered, gain = rendered_statistics(given.seed, given.images)
    text = page(published(), rendered, gain, given.seed, given.images)
    files.write_text(PAGE, text)
    print(text)


if __name__ == "__main__":
    main()
