"""Rendered pictures beside PASCAL's photographs, in numbers: python -m benchmarks.pictures.

Renders pictures of the set with seed 0, measures them as real ones were measured (benchmarks.real_pictures), and
writes docs/pictures.md. The limits in it are those that tests/test_picture_statistics.py asserts.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks.scenes import SIZES, seconds_per_image
from mtinet.data.pascal_classes import PARTS, SEGMENTATION
from mtinet.data.scenes.picture import Picture
from mtinet.data.scenes.pictures import render_picture
from mtinet.studies import picture_statistics as statistics
from mtinet.studies.picture_statistics import Shot

OUTPUT = Path("docs/pictures.md")
MEANING = (
    "Borders are pixels of the thinned borders between labels, in longer sides of the picture. Gradient is the mean "
    "difference of neighbouring pixels' brightness (0..255), flat the share of 8x8 blocks whose standard deviation is "
    "below 2.5. Guessed is the balanced accuracy with which a nearest-neighbour classifier names single pixels by "
    "colour and place on pictures that it has not seen: parts among six, objects against background, classes among "
    "21; parts and objects in sets as small as the real one. No real label maps of saliency or of whole scenes are at "
    "hand: these rows have limits of common sense."
)
POINTS = 0.1  # by which colour and place may give away more than on photographs


@dataclass(frozen=True)
class Row:
    """One number: of photographs (None where none is known), of rendered pictures, and its limits if any."""

    name: str
    real: float | None
    rendered: float
    limit: tuple[float, float] | None = None

    @property
    def kept(self) -> bool:
        """Whether the rendered number lies within the limits."""
        return self.limit is None or self.limit[0] <= self.rendered <= self.limit[1]


def twice(name: str, real: float, rendered: float) -> Row:
    """A number that has to lie within a factor of two of the real one."""
    return Row(name, real, rendered, (real / 2, real * 2))


def compared(shots: Sequence[Shot]) -> list[Row]:
    """Every measure of the pictures beside what is known of real ones."""
    return [*of_classes(shots), *of_labels(shots), *of_light(shots), *of_guesses(shots)]


def of_classes(shots: Sequence[Shot]) -> list[Row]:
    """Frequencies of classes, against VOC 2012's segmentation set."""
    known = statistics.real()["voc2012"]
    table = np.array(list(known["classes"].values()), float) / [known["images"], known["images"], 100]
    images, pixels = statistics.image_shares(shots)[1:], statistics.pixel_shares(shots)
    real_pixels = table[:, 0] * table[:, 2]
    person = SEGMENTATION.index("person") - 1
    several = np.mean([len(shot.objects) > 1 for shot in shots])
    return [
        Row("rank correlation of images per class", 1, statistics.rank_correlation(images, table[:, 0]), (0.6, 1)),
        Row("rank correlation of pixels per class", 1, statistics.rank_correlation(pixels[1:], real_pixels), (0.6, 1)),
        Row("background among pixels", 1 - real_pixels.sum(), pixels[0], (0.65, 0.85)),
        Row("pictures with people", table[person, 0], images[person], (0.2, 0.5)),
        twice("objects per picture", table[:, 1].sum(), float(np.mean([len(shot.objects) for shot in shots]))),
        Row("pictures with several objects", None, float(several), (0.3, 0.8)),
    ]


def of_labels(shots: Sequence[Shot]) -> list[Row]:
    """Borders of the label maps, salient areas, sizes."""
    known = statistics.real()
    sizes = np.array(known["photographs"]["sizes"])
    shapes = np.array([shot.classes.shape for shot in shots])
    borders = [statistics.border_length(shot.label_map) for shot in shots if shot.label_map is not None]
    salient = [shot.salient.mean() for shot in shots if shot.salient is not None]
    regions = [len(np.unique(shot.label_map)) for shot in shots if shot.label_map is not None]
    return [
        twice("borders (longer sides)", known["borders"]["mean"], float(np.mean(borders))),
        twice("borders, lowest tenth", known["borders"]["low"], float(np.quantile(borders, 0.1))),
        twice("borders, highest tenth", known["borders"]["high"], float(np.quantile(borders, 0.9))),
        Row("classes in a label map", None, float(np.mean(regions))),
        Row("broader than high", float((sizes[:, 1] > sizes[:, 0]).mean()),
            float((shapes[:, 1] > shapes[:, 0]).mean()), (0.6, 1.0)),
        Row("shorter by longer side", float((sizes.min(axis=1) / sizes.max(axis=1)).mean()),
            float((shapes.min(axis=1) / shapes.max(axis=1)).mean()), (0.68, 0.8)),
        Row("salient among pixels", None, float(np.mean(salient)), (0.08, 0.35)),
        Row("pictures with something salient", None, float(np.mean([share > 0 for share in salient])), (0.8, 1.0)),
    ]  # fmt: skip


def of_light(shots: Sequence[Shot]) -> list[Row]:
    """Medians of light and texture."""
    known = statistics.real()["photographs"]["looks"]
    return [twice(name, known[name], value) for name, value in statistics.looks([s.image for s in shots]).items()]


def of_guesses(shots: Sequence[Shot]) -> list[Row]:
    """What single pixels' colour and place give away (balanced accuracy)."""
    known = statistics.real()["photographs"]
    found = statistics.guesses(shots, (known["with_parts"], known["images"]))
    labels = [shot.classes for shot in shots]
    chance = 1 / len(SEGMENTATION)
    classes = statistics.guessability([shot.image for shot in shots], labels, 3)
    return [
        *(Row(f"{name} guessed", known["guesses"][name], value, (0, known["guesses"][name] + POINTS))
          for name, value in found.items()),
        Row("classes guessed", None, classes, (0, chance + POINTS)),
    ]  # fmt: skip


# The page --------------------------------------------------------------------------------------------------


def shown(value: float | None) -> str:
    """Two or three digits."""
    return "" if value is None else f"{value:.3f}" if abs(value) < 1 else f"{value:.1f}"


def table(rows: Sequence[Row]) -> list[str]:
    """Rows as Markdown."""
    lines = ["| | real | rendered | limit |", "|---|---|---|---|"]
    for row in rows:
        limit = "" if row.limit is None else f"{shown(row.limit[0])} .. {shown(row.limit[1])}"
        lines.append(f"| {row.name} | {shown(row.real)} | {shown(row.rendered)} | {limit} |")
    return lines


def class_table(shots: Sequence[Shot]) -> list[str]:
    """Every class's share of the pictures, and its area where it is shown."""
    known = statistics.real()["voc2012"]
    images, areas = statistics.image_shares(shots)[1:], statistics.area_when_present(shots)[1:]
    lines = ["| class | pictures, real | rendered | area where shown, real | rendered |", "|---|---|---|---|---|"]
    for name, row, share, area in zip(SEGMENTATION[1:], known["classes"].values(), images, areas, strict=True):
        real = f"{100 * row[0] / known['images']:.1f} %"
        lines.append(f"| {name} | {real} | {100 * share:.1f} % | {row[2]:.1f} % | {100 * area:.1f} % |")
    return lines


def part_table(shots: Sequence[Shot]) -> list[str]:
    """Every part's share of persons' pixels."""
    known, found = statistics.real()["photographs"]["parts"], statistics.part_shares(shots)
    lines = ["| part | real | rendered |", "|---|---|---|"]
    return lines + [f"| {name} | {real:.3f} | {share:.3f} |"
                    for name, real, share in zip(PARTS[1:], known, found, strict=True)]  # fmt: skip


def rendered(side: int, index: int) -> Picture:
    """A picture of the set that is measured."""
    return render_picture(0, index, side)


def speed() -> str:
    """Processor time of one core per picture, at the sizes at which the rooms' is measured."""
    sides = [max(size) for size in SIZES]
    found = [seconds_per_image(partial(rendered, side), 20) for side in sides]
    times = ", ".join(f"{one:.2f} s with {side} pixels along it" for side, one in zip(sides, found, strict=True))
    return f"{times} (load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores meanwhile)"


def document(shots: Sequence[Shot], seconds: str) -> str:
    """The page; `seconds`: how long rendering takes, in words."""
    known = statistics.real()
    photographs, longest = known["photographs"], max(shots[0].classes.shape)
    written = (
        f"Written by `python -m benchmarks.pictures`: {len(shots)} rendered pictures of seed 0, {longest} pixels along "
        f"the longer side. Processor time of one core per picture: {seconds}. "
        f"Real classes: {known['voc2012']['origin']}. Real borders: "
        f"the edge benchmark's counts of {known['borders']['images']:,} label maps of PASCAL-Context. Real light, "
        f"sizes, parts and guesses: {photographs['images']} photographs (sha256 {photographs['sha256'][:12]}...), "
        f"of which {photographs['with_parts']} show people's parts. So few say little; what they say is written down "
        "as it is."
    )
    tables = [*table(compared(shots)), "", MEANING, "", "## Classes", "", *class_table(shots)]
    lines = ["# Rendered pictures beside PASCAL's photographs", "", written, "", *tables]
    lines += ["", "## Parts of people", "", *part_table(shots), ""]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=400)
    parser.add_argument("--longest", type=int, default=240)
    given = parser.parse_args()
    shots = [statistics.shot(render_picture(0, index, given.longest)) for index in range(given.count)]
    OUTPUT.write_text(document(shots, speed()))
    print(OUTPUT.read_text())


if __name__ == "__main__":
    main()
