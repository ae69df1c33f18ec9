"""pipeline/tables.yaml and pipeline/published.yaml, read and checked."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import ValidationError, model_validator

from mtinet.config import Strict, problem
from mtinet.errors import UserError
from mtinet.tasks import registry

TABLES = Path("pipeline/tables.yaml")
PUBLISHED = Path("pipeline/published.yaml")
DELTA = "delta_m"


@dataclass(frozen=True)
class Column:
    """One metric of a table. `task` is empty for delta_m; `published` is the column's name in published.yaml.

    A measured value is printed as value * scale with `digits` digits, in `unit`.
    """

    task: str
    metric: str
    published: str
    label: str
    better: Literal["higher", "lower"]
    unit: str
    scale: float
    digits: int

    @property
    def arrow(self) -> str:
        """The direction in which the metric improves."""
        return "↑" if self.better == "higher" else "↓"


@dataclass(frozen=True)
class RowLayout:
    """One row of the paper's table: `single` is its one experiment, or `runs` has one for each task."""

    label: str
    single: str | None
    runs: dict[str, str]

    @property
    def experiments(self) -> list[str]:
        """The experiments behind the row; none when the row only quotes the paper."""
        return [self.single] if self.single else list(dict.fromkeys(self.runs.values()))


@dataclass(frozen=True)
class Layout:
    """One table: what stands in its rows and columns."""

    name: str
    title: str
    dataset: str
    published: str
    columns: tuple[Column, ...]
    rows: tuple[RowLayout, ...]

    @property
    def experiments(self) -> list[str]:
        """Every experiment that the table shows, in the order of the rows."""
        return list(dict.fromkeys(name for row in self.rows for name in row.experiments))


class MetricEntry(Strict):
    label: str
    better: Literal["higher", "lower"]
    unit: str
    scale: float
    digits: int


class ColumnEntry(Strict):
    metric: str
    published: str


class RowEntry(Strict):
    label: str
    run: str | None = None
    runs: dict[str, str] = {}  # noqa: RUF012  (pydantic copies defaults)

    @model_validator(mode="after")
    def one_of_both(self) -> RowEntry:
        if self.run and self.runs:
            raise ValueError(f"row '{self.label}' has both 'run' and 'runs', expected one of them")
        return self


class TableEntry(Strict):
    title: str
    dataset: str
    published: str
    columns: list[str | ColumnEntry]
    rows: list[RowEntry]


class TablesFile(Strict):
    metrics: dict[str, MetricEntry]
    tables: dict[str, TableEntry]


def load_layouts(path: Path = TABLES) -> dict[str, Layout]:
    """Every table's layout by name; raises UserError for a malformed file or an unknown metric."""
    try:
        content = TablesFile.model_validate(read_yaml(path))
    except ValidationError as error:
        raise UserError(f"{path}: {problem(error.errors()[0])}") from None
    return {name: resolve(name, entry, content.metrics, path) for name, entry in content.tables.items()}


def load_published(path: Path = PUBLISHED) -> dict[str, Any]:
    """The paper's printed numbers, table by table; null where a value is not legible."""
    return dict(read_yaml(path))


def read_yaml(path: Path) -> Any:
    """The content of a YAML file of the repository."""
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"no {path} here; run from the repository's root") from None
    except yaml.YAMLError as error:
        raise UserError(f"{path} is not valid YAML: {' '.join(str(error).split())}") from None


def resolve(name: str, entry: TableEntry, metrics: dict[str, MetricEntry], path: Path) -> Layout:
    """The layout with every column looked up."""
    return Layout(
        name=name,
        title=entry.title,
        dataset=entry.dataset,
        published=entry.published,
        columns=tuple(column(item, metrics, f"{path}: tables.{name}.columns") for item in entry.columns),
        rows=tuple(RowLayout(row.label, row.run, row.runs) for row in entry.rows),
    )


def column(item: str | ColumnEntry, metrics: dict[str, MetricEntry], where: str) -> Column:
    """A column from its short or long form."""
    path = item if isinstance(item, str) else item.metric
    task, _, metric = path.partition(".")
    published = path.rpartition(".")[2] if isinstance(item, str) else item.published
    if task in registry() and metric in ("", registry()[task].metric):
        main = registry()[task]
        label = f"{main.label} {main.metric}"
        return Column(task, main.metric, published, label, main.better, main.unit, main.scale, main.digits)
    if path not in metrics:
        options = ", ".join([*registry(), *metrics])
        raise UserError(f"{where}: unknown metric '{path}', expected one of: {options}")
    other = metrics[path]
    if path == DELTA:
        task, metric = "", DELTA
    label = f"{registry()[task].label} {other.label}" if task in registry() else other.label
    return Column(task, metric, published, label, other.better, other.unit, other.scale, other.digits)
