"""How a dataset's runs went where they were trained: wall time, memory, host, commit, and their places in MLflow.

None of it is the same a second time, so it stands on a page of its own that is no output of any stage, beside the runs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from mtinet import files, paths

HERE = Path(__file__).parent
LOCAL = "http://127.0.0.1:5000"  # where `mlflow ui` shows its pages


def place(study: str, dataset: str) -> Path:
    """Where the page stands; not in mtinet.paths, on which every training depends."""
    return Path("runs") / study / f"{dataset}-timings.html"


def address(store: str, experiment_id: str, run_id: str) -> str:
    """A run in MLflow's pages: those of its server, or of `mlflow ui` where the store is a file."""
    pages = store.rstrip("/") if store.startswith(("http://", "https://")) else LOCAL
    return f"{pages}/#/experiments/{experiment_id}/runs/{run_id}"


def render(study: str, dataset: str, runs: Sequence[tuple[str, int]], links: Mapping[tuple[str, int], str]) -> str:
    """The page as HTML; a run without timing.json was trained elsewhere, one without a link is not in MLflow.

    links: (experiment, seed) -> the run's address in MLflow's pages.
    """
    rows = [(run, found(paths.timing(study, dataset, *run)), links.get(run)) for run in runs]
    seconds = sum(timing["wall_s"] for _, timing, _ in rows if timing)
    environment = Environment(
        loader=FileSystemLoader(HERE), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["duration"] = duration
    template = environment.get_template("timings.html")
    return template.render(study=study, dataset=dataset, rows=rows, seconds=seconds)


def found(path: Path) -> dict[str, Any] | None:
    """The content of a timing.json, None where there is none."""
    return files.read_json(path) if path.exists() else None


def duration(seconds: float) -> str:
    """Hours, minutes and seconds, without what is zero in front: 2:03:05, 1:05, 0:07."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
