"""What the figures share: a style that no user's settings change, and files of the same bytes every time."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import matplotlib.style
from matplotlib.figure import Figure

from mtinet import files
from mtinet.errors import UserError

STYLE = {
    "font.family": "DejaVu Sans",  # comes with matplotlib, so that every machine has it
    "font.size": 9,
    "axes.titlesize": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#555555",
    "axes.grid": True,
    "grid.color": "#e4e4e4",
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "svg.hashsalt": "mtinet",  # otherwise the ids inside an SVG are random
    "svg.fonttype": "path",
    "savefig.dpi": 110,
}
# Dates and versions would change the bytes.
METADATA: dict[str, dict[str, None]] = {"png": {"Software": None}, "svg": {"Date": None, "Creator": None}}


@contextlib.contextmanager
def style() -> Iterator[None]:
    """Draw within: matplotlib's defaults with STYLE on top, whatever the user's own settings are."""
    with matplotlib.style.context(["default", STYLE]):
        yield


def save(figure: Figure, path: Path) -> None:
    """Write the figure as PNG or SVG, as the path's suffix says; raises UserError for another one."""
    kind = path.suffix.removeprefix(".")
    if kind not in METADATA:
        raise UserError(f"cannot draw '{path}': the suffix is '{path.suffix}', expected .png or .svg")
    with files.replacing(path) as temporary:
        figure.savefig(temporary, format=kind, metadata=METADATA[kind])
