"""The files of tables and pipeline/published.yaml, read and checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import TypeAdapter, ValidationError, model_validator

from mtinet import config, files
from mtinet.config import Params, Strict
from mtinet.errors import UserError
from mtinet.tasks import registry

TABLES = Path("pipeline/tables.yaml")
ON_DEMAND = {name: Path(f"pipeline/{name}.yaml") for name in config.ON_DEMAND}
PUBLISHED = Path("pipeline/published.yaml")
DELTA = "delta_m"
KINDS = ("measured", "printed", "difference")
Source = Literal["run", "baseline", "exact", "baseline exact", "resources"]
EXACT: dict[Source, Source] = {"run": "exact", "baseline": "baseline exact"}


@dataclass(frozen=True)
class Column:
    """One metric of a table. `task` is empty for delta_m; `published` is the column's name in published.yaml, empty
    where the paper does not print it.

    A measured value is printed as value * scale with `digits` digits, in `unit`. `of` says what is measured: the
    row's own run, the single-task run that its delta_m refers to (baseline), the run against exact labels where
    those learnt from are a teacher's (exact), that single-task run likewise (baseline exact), or what its network
    costs relative to the first row's (resources).
    `against`: the declared set of single-task runs that delta_m is relative to; empty: those on the row's backbone.
    """

    task: str
    metric: str
    published: str
    label: str
    better: Literal["higher", "lower"]
    unit: str
    scale: float
    digits: int
    of: Source = "run"
    against: str = ""

    @property
    def path(self) -> str:
        """The column's name in files: unlike the heading it is made of letters."""
        name = f"{self.task}.{self.metric}" if self.task else self.metric
        return " ".join(
            part for part in (name, "" if self.of in ("run", "resources") else self.of, self.against) if part
        )

    @property
    def kinds(self) -> tuple[str, ...]:
        """What stands side by side; a metric that the paper's table does not have is measured alone."""
        return KINDS if self.published else KINDS[:1]

    @property
    def arrow(self) -> str:
        """The direction in which the metric improves."""
        return "↑" if self.better == "higher" else "↓"


@dataclass(frozen=True)
class RowLayout:
    """One row of the paper's table: `single` is its one experiment, or `runs` has one for each task.

    `stride`: that of the initial predictions that the row is about (Table 4), None for final ones.
    """

    label: str
    single: str | None
    runs: dict[str, str]
    stride: int | None = None

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
    published: str | None
    columns: tuple[Column, ...]
    rows: tuple[RowLayout, ...]
    baselines: tuple[str, ...] = ()
    references: Mapping[str, dict[str, str]] = field(default_factory=dict)

    @property
    def experiments(self) -> list[str]:
        """Every experiment that the table shows, in the order of the rows, and baselines that it does not show."""
        references = [name for runs in self.references.values() for name in runs.values()]
        shown = [name for row in self.rows for name in row.experiments]
        return list(dict.fromkeys([*shown, *self.baselines, *references]))

    @property
    def has_resources(self) -> bool:
        """Whether a column shows what the networks cost."""
        return any(column.of == "resources" for column in self.columns)


class ColumnEntry(Strict):
    """A column's long form; from `label` to `digits` needed where no task has the metric (digits may be given)."""

    metric: str
    published: str | None = None
    label: str | None = None
    better: Literal["higher", "lower"] | None = None
    unit: str | None = None
    scale: float | None = None
    digits: int | None = None
    of: Source = "run"
    against: str = ""


class RowEntry(Strict):
    label: str
    run: str | None = None
    runs: dict[str, str] = {}  # noqa: RUF012  (pydantic copies defaults)
    stride: int | None = None

    @model_validator(mode="after")
    def one_of_both(self) -> RowEntry:
        if self.run and self.runs:
            raise ValueError(f"row '{self.label}' has both 'run' and 'runs', expected one of them")
        return self


class TableEntry(Strict):
    title: str
    dataset: str
    published: str | None = None
    columns: list[str | ColumnEntry]
    rows: list[RowEntry]
    baselines: list[str] = []  # noqa: RUF012
    references: dict[str, dict[str, str]] = {}  # noqa: RUF012

    @model_validator(mode="after")
    def references_known(self) -> TableEntry:
        for item in self.columns:
            name = "" if isinstance(item, str) else item.against
            if name and name not in self.references:
                raise ValueError(f"a column is against '{name}', expected one of: {', '.join(self.references)}")
        return self


def load_layouts(path: Path = TABLES) -> dict[str, Layout]:
    """Every table's layout by name; raises UserError for a malformed file or an unknown metric."""
    try:
        content = TypeAdapter(dict[str, TableEntry]).validate_python(read_yaml(path))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise UserError(f"{path}: {where}: found {first['input']!r}: {first['msg']}") from None
    return {name: resolve(name, entry, f"{path}: {name}.columns") for name, entry in content.items()}


def of_study(params: Params, dataset: str) -> list[Layout]:
    """The dataset's tables: the paper's, and those of readings and controls where the study has such."""
    found = [*load_layouts().values()]
    for name, path in ON_DEMAND.items():
        found += load_layouts(path).values() if getattr(params.study, name) else ()
    return [layout for layout in found if layout.dataset == dataset]


def of_name(name: str) -> Layout:
    """The table called `name`, one of the paper's, of readings or of controls."""
    found = load_layouts()
    for path in ON_DEMAND.values() if name not in found else ():
        found |= load_layouts(path)
    return found[name]


def floor_of(dataset: str) -> str:
    """The name of the table of a dataset's controls."""
    return f"controls_{dataset}"


def load_published(path: Path = PUBLISHED) -> dict[str, Any]:
    """The paper's printed numbers, table by table; null where a value is not legible."""
    return dict(read_yaml(path))


def read_yaml(path: Path) -> Any:
    """The content of a YAML file of the repository."""
    try:
        return files.read_yaml(path)
    except FileNotFoundError:
        raise UserError(f"no {path} here; run from the repository's root") from None
    except yaml.YAMLError as error:
        raise UserError(f"{path} is not valid YAML: {' '.join(str(error).split())}") from None


def resolve(name: str, entry: TableEntry, where: str) -> Layout:
    """The layout with every column looked up."""
    columns = [ColumnEntry(metric=item) if isinstance(item, str) else item for item in entry.columns]
    return Layout(
        name=name,
        title=entry.title,
        dataset=entry.dataset,
        published=entry.published,
        columns=tuple(
            column(item, where) if entry.published else replace(column(item, where), published="") for item in columns
        ),
        rows=tuple(RowLayout(row.label, row.run, row.runs, row.stride) for row in entry.rows),
        baselines=tuple(entry.baselines),
        references=entry.references,
    )


def column(item: ColumnEntry, where: str) -> Column:
    """A column: delta_m, a cost of the network, a task's main metric, or one that says itself how it is printed."""
    name, _, metric = item.metric.partition(".")
    published = item.metric.rpartition(".")[2] if item.published is None else item.published
    if item.metric == DELTA:
        label = "Δm" + (f" w.r.t. {item.against}" if item.against else "")
        return Column("", DELTA, published, label, "higher", "%", 1.0, 2, against=item.against)
    if item.of == "resources":
        return own_column(item, "", item.metric, published, where)
    task = registry().get(name)
    if task is None:
        options = ", ".join([*registry(), DELTA])
        raise UserError(f"{where}: unknown task '{name}' in '{item.metric}', expected one of: {options}")
    if metric in ("", task.metric):
        label = f"{task.label} {task.metric}" + (" ST" if item.of == "baseline" else "")
        digits = task.digits if item.digits is None else item.digits
        return Column(name, task.metric, published, label, task.better, task.unit, task.scale, digits, item.of)
    return own_column(item, name, metric, published, where)


def own_column(item: ColumnEntry, task: str, metric: str, published: str, where: str) -> Column:
    """A column that no task describes: it says itself how it is printed."""
    if item.label is None or item.better is None or item.scale is None or item.digits is None:
        raise UserError(f"{where}: '{item.metric}' is no task's main metric; give label, better, scale and digits")
    label = f"{registry()[task].label} {item.label}" if task else item.label
    return Column(task, metric, published, label, item.better, item.unit or "", item.scale, item.digits, item.of)
