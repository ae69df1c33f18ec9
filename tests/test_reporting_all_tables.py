"""Every table of the paper from made-up metric files of all 71 experiments: its CSV, LaTeX and HTML are parsed back and
every cell is compared with one recomputed here from those files, published.yaml and the experiments' names."""

from __future__ import annotations

import html
import io
import re
import shutil
import subprocess
from decimal import Decimal
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest
import reporting_inputs as made
import yaml

from mtinet import config, metrics
from mtinet.evaluation import uncertainty
from mtinet.evaluation.comparison import compare
from mtinet.reporting import formats, layouts, page, tables
from mtinet.reporting.tables import Table
from mtinet.studies.intervals import resamples

LAYOUTS = yaml.safe_load((made.ROOT / "pipeline/tables.yaml").read_text())
PUBLISHED = yaml.safe_load((made.ROOT / "pipeline/published.yaml").read_text())
TASKS = yaml.safe_load((made.ROOT / "src/mtinet/tasks.yaml").read_text())
PARAMS = config.load(made.ROOT / "params.yaml")
IMAGES, REPLICATES = 12, 20
SHAPES = {"seg": (3, 6), "parts": (3, 5), "sal": (15, 4), "edge": (4, 99), "normals": (5,), "depth": (6,)}
DISTILLED = ("sal", "normals")
RESOURCES = {"convention": "one is one", "experiments": {}}


@cache
def statistics(dataset: str, name: str) -> dict[str, np.ndarray]:
    """Per-image statistics of one run, from a seed of its own."""
    source = np.random.default_rng([len(dataset), *name.encode()])
    _, experiment = PARAMS.experiment(dataset, name)
    keys = [key for task in experiment.tasks for key in (task, *(f"{task}@{stride}" for stride in (4, 8, 16, 32)))]
    keys += [f"{key}!exact" for key in keys if dataset == "pascal" and key.partition("@")[0] in DISTILLED]
    found = {}
    for key in keys:
        counts = source.integers(1, 90, (IMAGES, *SHAPES[re.split("[@!]", key)[0]])).astype(float)
        if key.startswith("edge"):
            counts = np.sort(counts, axis=1)[:, [0, 2, 1, 3]]
        found[key] = counts
    return found


@cache
def metrics_file(dataset: str, name: str) -> dict[str, Any]:
    """What the evaluation of one run writes."""
    rows = {key: metrics.summarize(re.split("[@!]", key)[0], value) for key, value in statistics(dataset, name).items()}
    return {
        "dataset": dataset, "experiment": name, "seed": 0, "steps": 50 + len(name), "epochs": 1, "auxiliary": {},
        "tasks": {key: row for key, row in rows.items() if key in TASKS},
        "initial": {key: row for key, row in rows.items() if "@" in key and "!" not in key},
        **({"exact": {key[:-6]: row for key, row in rows.items() if "!" in key}} if dataset == "pascal" else {}),
    }  # fmt: skip


@cache
def costs() -> dict[str, Any]:
    """What the stage resources writes, for all experiments."""
    names = {name for dataset in PARAMS.experiments for name, _ in PARAMS.runs(dataset)}
    source = np.random.default_rng(3)
    return {name: {"params_m": source.uniform(3, 90), "flops_g": source.uniform(9, 300)} for name in sorted(names)}


@cache
def built(name: str) -> Table:
    """The table as the stages compare and table build it."""
    layout = layouts.load_layouts(made.ROOT / layouts.TABLES)[name]
    content = compare(
        PARAMS, layout.dataset, layout.experiments, lambda n, s: metrics_file(layout.dataset, n),
        lambda n, s: statistics(layout.dataset, n), layout.references,
    )  # fmt: skip
    published = layouts.load_published(made.ROOT / layouts.PUBLISHED)
    return tables.build(
        layout, content, made.blind(), published, made.conditions(), RESOURCES | {"experiments": costs()}
    )


@pytest.fixture(autouse=True, scope="module")
def few_replicates():
    patch = pytest.MonkeyPatch()
    patch.setattr(uncertainty, "REPLICATES", REPLICATES)
    yield
    patch.undo()


def columns(name: str) -> list[dict[str, Any]]:
    """The columns of tables.yaml in their long form, with those against exact labels where they belong."""
    found = []
    for item in LAYOUTS[name]["columns"]:
        item = {"metric": item} if isinstance(item, str) else dict(item)
        task, _, metric = item["metric"].partition(".")
        entry = TASKS.get(task, {"metric": metric, "scale": 1.0, "digits": 2, "better": "higher"})
        item = {"of": "run", "task": task if task in TASKS else "", "against": ""} | entry | item
        item["metric"] = (metric or entry["metric"]) if item["task"] else task
        item.setdefault("published", task if item["task"] and not metric else item["metric"])
        found.append(item)
        exact = {"run": "exact", "baseline": "baseline exact"}.get(item["of"])
        if LAYOUTS[name]["dataset"] == "pascal" and task in (*DISTILLED, "delta_m") and exact:
            found.append(item | {"of": exact, "published": None})
    return found


def single(name: str, task: str) -> str:
    return f"{name.split('-')[0]}-single-{task}"


def figure(dataset: str, name: str, task: str, stride: int | None = None, exact: bool = False) -> float:
    kind, key = ("tasks", task) if stride is None else ("initial", f"{task}@{stride}")
    kind = "exact" if exact and task in DISTILLED else kind
    return metrics_file(dataset, name)[kind][key][TASKS[task]["metric"]]


def gain(dataset: str, name: str, stride: int | None, reference: str, exact: bool) -> float:
    """Equation 2."""
    tasks = PARAMS.experiment(dataset, name)[1].tasks
    signs = [1 if TASKS[task]["better"] == "higher" else -1 for task in tasks]
    ratios = [
        figure(dataset, name, t, stride, exact) / figure(dataset, single(reference, t), t, None, exact) - 1
        for t in tasks
    ]
    return 100 * float(np.mean(np.multiply(signs, ratios)))


def measured(name: str, row: dict[str, Any], column: dict[str, Any]) -> float | None:
    """The value of one measured cell in the units shown."""
    dataset, run, task, stride = LAYOUTS[name]["dataset"], row.get("run"), column["task"], row.get("stride")
    if run is None and "runs" not in row:
        return None
    if column["of"] == "resources":
        total, first = (
            sum(costs()[n][column["metric"]] for n in ([r["run"]] if "run" in r else r["runs"].values()))
            for r in (row, LAYOUTS[name]["rows"][0])
        )
        return total if row is LAYOUTS[name]["rows"][0] else 100 * (total / first - 1)
    if column["metric"] == "delta_m":
        reference = "r50fpn" if column["against"] else run
        return 0.0 if run is None else gain(dataset, run, stride, reference, column["of"] == "exact")
    run = run or row["runs"].get(task)
    if run is None or task not in PARAMS.experiment(dataset, run)[1].tasks:
        return None
    run = single(run, task) if "baseline" in column["of"] else run
    kind = "exact" if "exact" in column["of"] else "tasks" if stride is None else "initial"
    return (
        metrics_file(dataset, run)[kind][task if stride is None else f"{task}@{stride}"][column["metric"]]
        * column["scale"]
    )


def shown(name: str, row: dict[str, Any], column: dict[str, Any]) -> list[str]:
    """The fields of the CSV for one row and column: the measured one alone where the paper prints no such metric."""
    fields = triple(name, row, column)
    return fields if LAYOUTS[name].get("published") and column["published"] else fields[:1]


def triple(name: str, row: dict[str, Any], column: dict[str, Any]) -> list[str]:
    """Measured, printed, and their difference."""
    value, digits = measured(name, row, column), column["digits"]
    relative = column["of"] == "resources" and row is not LAYOUTS[name]["rows"][0]
    shown = "" if value is None else f"{value:+.{digits}f}%" if relative else f"{value + 0.0:.{digits}f}"
    table = PUBLISHED.get(LAYOUTS[name].get("published"))
    quoted = "run" not in row and "runs" not in row
    paper = table[row["label"]][table["columns"].index(column["published"])] if table and column["published"] else ""
    if paper is None:
        paper = "NA" if quoted or value is not None else ""
    elif not isinstance(paper, str):
        paper = f"{paper:.{digits}f}"
    if quoted or "" in (shown, paper):
        return [shown, paper, ""]
    if paper == "NA":
        return [shown, paper, "NA"]
    gap = Decimal(shown.rstrip("%")) - Decimal(paper.rstrip("%"))
    return [shown, paper, f"{gap:+.{digits}f}" + ("%" if relative else "")]


def expected(name: str) -> list[list[str]]:
    """All rows of the CSV without steps and intervals, those of the image-blind predictors left out."""
    rows = []
    for row in LAYOUTS[name]["rows"]:
        quoted = " (quoted)" if "run" not in row and "runs" not in row else ""
        rows.append([row["label"] + quoted, *(cell for column in columns(name) for cell in shown(name, row, column))])
    return rows


def from_csv(name: str) -> pd.DataFrame:
    text = formats.csv(built(name))
    return pd.read_csv(io.StringIO(text), comment="#", dtype=str, keep_default_na=False)


def of_methods(rows: list[list[str]]) -> list[list[str]]:
    return [row for row in rows if row[0] not in tables.BLIND.values()]


@pytest.mark.parametrize("name", LAYOUTS)
def test_every_cell_of_the_csv(name):
    frame = from_csv(name)
    kept = [key for key in frame if key == "method" or key.split(" ")[-1] in layouts.KINDS]
    assert of_methods(frame[kept].to_numpy().tolist()) == expected(name)


@pytest.mark.parametrize("name", LAYOUTS)
def test_printed_numbers_have_columns_where_the_paper_has_any(name):
    """In every format; a column of them in which nothing stands there is none."""
    frame, table = from_csv(name), built(name)
    widths = [3 if LAYOUTS[name].get("published") and column["published"] else 1 for column in columns(name)]
    kinds = [kind for width in widths for kind in ("measured", "printed", "difference")[:width]]
    assert [key.split(" ")[-1] for key in frame if key.split(" ")[-1] in layouts.KINDS] == kinds
    assert all(frame[key].any() for key in frame if key.split(" ")[-1] in ("printed", "difference"))
    said = {
        (1,): "measured here alone.",
        (3,): "printed in the paper, and the difference measured - printed.",
        (1, 3): "and the difference measured - printed; what the paper does not print is measured alone.",
    }
    assert said[tuple(sorted({*widths}))] in table.notes[0]
    head, rule, *_ = [line for line in formats.markdown(table).splitlines() if line.startswith("|")]
    assert re.findall(r"printed|difference", head) == [kind for kind in kinds if kind != "measured"]
    assert rule.count("--:|") == 1 + len(kinds)
    text = page.render("x", made.conditions(), [table], [], [], [])
    top, below = re.findall(r"<tr>(.*?)</tr>", text.split("<thead>")[1].split("</thead>")[0], re.S)
    assert [int(width) for width in re.findall(r'colspan="(\d)"', top)] == widths
    assert re.findall(r'data-column="(\d+)"><button type="button">(\w+)', below) == [
        (str(2 + place), kind) for place, kind in enumerate(kinds)
    ]


@pytest.mark.parametrize("name", LAYOUTS)
def test_every_line_of_the_latex_has_all_columns(name):
    """And rules lie below the headings that they belong to."""
    bodies = re.findall(r"\\begin\{tabular\}\{(\w+)\}(.*?)\\end\{tabular\}", formats.latex(built(name)), re.S)
    widths = []
    for places, body in bodies:
        head, *lines = [line.removesuffix(r" \\").split(" & ") for line in body.splitlines() if line.endswith(r" \\")]
        spans = [int(span) for span in re.findall(r"\\multicolumn\{(\d)\}", " & ".join(head))]
        assert len(head) == 2 + len(spans)
        assert {len(places), 2 + sum(spans)} == {len(line) for line in lines}
        rules = [(int(first), int(last)) for first, last in re.findall(r"\\cmidrule\(lr\)\{(\d+)-(\d+)\}", body)]
        ends = [2 + sum(spans[: place + 1]) for place in range(len(spans))]
        assert rules == [(end - span + 1, end) for end, span in zip(ends, spans, strict=True)]
        widths += spans
    assert widths == [len(column.kinds) for column in built(name).columns]


@pytest.mark.parametrize("name", LAYOUTS)
def test_every_cell_of_the_latex(name):
    parts: list[list[list[str]]] = []
    for body in re.findall(r"\\begin\{tabular\}.*?\\end\{tabular\}", formats.latex(built(name)), re.S):
        lines = [line.removesuffix(r" \\").split(" & ") for line in body.splitlines() if line.endswith(r" \\")]
        parts.append([[plain(cell) for cell in line] for line in lines[2:] if line[0]])
    rows = [[part[i][0], *(cell for p in parts for cell in p[i][2:])] for part in parts[:1] for i in range(len(part))]
    assert of_methods(rows) == [[cell.replace("NA", "–") for cell in row] for row in expected(name)]


def plain(field: str) -> str:
    """The text of one LaTeX cell, without its mark."""
    text = field.strip().strip("$").replace(r"\mathbf{", "").replace(r" \approx", "").replace("--", "–")
    return text.replace("}", "").replace(r"\%", "%")


@pytest.mark.parametrize("name", LAYOUTS)
def test_every_cell_of_the_page(name):
    text = page.render("x", made.conditions(), [built(name)], [], [], [])
    body = text.split(f'<section id="{name}">')[1].split("<tbody>")[1].split("</tbody>")[0]
    rows = []
    for row in re.findall(r"<tr.*?</tr>", body, re.S):
        cells = [
            re.sub(r"<br><small>.*?</small>| ≈", "", cell) for cell in re.findall(r"<t[dh][^>]*>(.*?)</t[dh]>", row)
        ]
        rows.append([html.unescape(cells[0]), *cells[2:]])
    assert of_methods(rows) == [[cell.replace("NA", "–") for cell in row] for row in expected(name)]


@cache
def replicates(dataset: str, name: str, key: str, metric: str) -> np.ndarray:
    """A metric of the drawn images, draw by draw."""
    task = re.split("[@!]", key)[0]
    rows = statistics(dataset, name)[key]
    return np.array([metrics.summarize(task, rows[draw])[metric] for draw in resamples(IMAGES, REPLICATES, 0)])


@pytest.mark.parametrize("name", ["table2b", "table4", "table4_pascal", "table5", "tableS2a", "tableS3c"])
def test_every_interval_and_mark(name):
    dataset, frame = LAYOUTS[name]["dataset"], from_csv(name).set_index("method")
    compared = 0
    for row in LAYOUTS[name]["rows"]:
        for column, cell in zip(columns(name), built(name).columns, strict=True):
            run = row.get("run") or row.get("runs", {}).get(column["task"])
            if run is None or measured(name, row, column) is None:
                continue
            found = frame.loc[row["label"], [f"{cell.path} {kind}" for kind in ("low", "high", "unclear")]].to_list()
            at, mark = f"@{row['stride']}" if "stride" in row else "", "!exact" if "exact" in column["of"] else ""
            if column["metric"] == "delta_m":
                tasks = PARAMS.experiment(dataset, run)[1].tasks
                base = "r50fpn" if column["against"] else run
                main = {task: TASKS[task]["metric"] for task in tasks}
                marks = {task: mark if task in DISTILLED else "" for task in tasks}
                draws = 100 * np.mean([
                    (1 if TASKS[t]["better"] == "higher" else -1)
                    * (replicates(dataset, run, t + at + end, m) / replicates(dataset, single(base, t), t + end, m) - 1)
                    for (t, m), end in zip(main.items(), marks.values(), strict=True)
                ], axis=0)  # fmt: skip
                gap = draws
            else:
                run = single(run, column["task"]) if "baseline" in column["of"] else run
                draws = replicates(dataset, run, column["task"] + at + mark, column["metric"]) * column["scale"]
                base = single(run, column["task"])
                plainly = column["of"] == "run" and "stride" not in row and base != run
                gap = (
                    draws - replicates(dataset, base, column["task"], column["metric"]) * column["scale"]
                    if plainly
                    else None
                )
            low, high = np.quantile(draws, [0.025, 0.975])
            marked = gap is not None and np.quantile(gap, 0.025) <= 0 <= np.quantile(gap, 0.975)
            assert found == [f"{low:.{column['digits']}f}", f"{high:.{column['digits']}f}", "1" if marked else ""]
            compared += 1
    assert compared > 15


def test_latex_of_every_table_compiles(tmp_path):
    if shutil.which("pdflatex") is None:
        pytest.skip("pdflatex is not installed")
    texts = "\n\\clearpage\n".join(formats.latex(built(name)) for name in LAYOUTS)
    document = "\\documentclass{article}\n\\usepackage{booktabs}\n\\begin{document}\n%s\\end{document}\n"
    (tmp_path / "tables.tex").write_text(document % texts)
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "tables.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:]
    assert "too large" not in done.stdout


@pytest.mark.parametrize("name", LAYOUTS)
def test_an_experiment_that_is_removed_leaves_a_gap_in_its_row_and_a_note(name):
    layout = layouts.load_layouts(made.ROOT / layouts.TABLES)[name]
    gone = next(row.single for row in reversed(layout.rows) if row.single)
    kept = [other for other in layout.experiments if other != gone]
    content = compare(PARAMS, layout.dataset, kept, lambda n, s: metrics_file(layout.dataset, n))
    table = tables.build(layout, content, made.blind(), PUBLISHED, made.conditions())
    rows = [
        row for row, entry in zip(table.rows[-len(layout.rows) :], layout.rows, strict=True) if entry.single == gone
    ]
    assert rows
    for row in rows:
        assert all(cell.value is None for cell in row.measured)
        assert any(cell.missing for cell in row.measured)
    assert any("missing, no metrics of" in note and gone in note for note in table.notes)


def test_distilled_labels_are_starred_and_their_teacher_is_named():
    table = built("table2b")
    labels = [column.label for column in table.columns]
    assert labels == [
        "Seg mIoU", "Parts mIoU", "Sal mIoU*", "Sal mIoU vs exact", "Sal maxF*", "Sal maxF vs exact", "Edge odsF",
        "Norm mean_angle*", "Norm mean_angle vs exact", "Δm", "Δm vs exact",
    ]  # fmt: skip
    for task in DISTILLED:
        assert f"* labels of {task} are predictions of a teacher (trained), in training and in scoring." in table.notes
    assert not any("*" in column.label for column in built("table2a").columns)


def test_distilled_labels_of_the_archive_are_starred_and_said_to_be_its_own():
    layout = layouts.load_layouts(made.ROOT / layouts.TABLES)["table2b"]
    study = PARAMS.study.model_copy(update={"source": {"nyud": "scenes", "pascal": "archive"}})
    params = PARAMS.model_copy(update={"study": study})
    content = compare(params, "pascal", layout.experiments, lambda n, s: {**metrics_file("pascal", n), "exact": {}})
    conditions = made.conditions(source="archive")
    table = tables.build(layout, content, made.blind(), PUBLISHED, conditions)
    starred = [column.label for column in table.columns if "*" in column.label]
    assert starred == ["Sal mIoU*", "Sal maxF*", "Norm mean_angle*"]
    for task in DISTILLED:
        assert f"* labels of {task} are predictions shipped by the archive, in training and in scoring." in table.notes


def test_predictors_that_see_no_image_stand_against_exact_labels_too():
    layout = layouts.load_layouts(made.ROOT / layouts.TABLES)["table2b"]
    content = compare(PARAMS, "pascal", layout.experiments, lambda n, s: metrics_file("pascal", n))
    exact = {"constant!exact": {"sal": {"mIoU": 0.125}}, "position!exact": {"sal": {"mIoU": 0.25}}}
    table = tables.build(layout, content, made.blind() | exact, PUBLISHED, made.conditions())
    place = [column.label for column in table.columns].index("Sal mIoU vs exact")
    assert [row.measured[place].value for row in table.rows[:2]] == [12.5, 25.0]
    assert any(note.startswith("vs exact: ") for note in table.notes)
    assert not any(note.startswith("vs exact: ") for note in built("table7a").notes)


def test_saliency_stands_as_maximum_iou_and_as_maximum_f_wherever_it_is_shown():
    files = ("tables", "readings", "controls")
    found = {
        name: entry
        for file in files
        for name, entry in layouts.load_layouts(made.ROOT / f"pipeline/{file}.yaml").items()
    }
    columns = {name: {(c.metric, c.of) for c in entry.columns if c.task == "sal"} for name, entry in found.items()}
    assert {"table2b", "table5", "tableS1", "controls_pascal"} < {name for name in columns if columns[name]}
    for kinds in columns.values():
        assert {of for metric, of in kinds if metric == "mIoU"} == {of for metric, of in kinds if metric == "maxF"}
    frame = from_csv("table2b").set_index("method")
    value = metrics_file("pascal", "hrnet18-mti-a")["tasks"]["sal"]["maxF"]
    assert frame.loc["Ours (a)", "sal.maxF measured"] == f"{100 * value:.2f}"
    assert not {"sal.maxF printed", "sal.maxF difference"} & {*frame}


def test_results_without_scores_against_exact_labels_leave_gaps_that_are_explained():
    """As results are that were evaluated before initial predictions stood against exact labels."""
    layout = layouts.load_layouts(made.ROOT / layouts.TABLES)["table4_pascal"]
    content = compare(PARAMS, "pascal", layout.experiments, lambda n, s: metrics_file("pascal", n))
    for found in content["experiments"].values():
        found["exact"] = {key: row for key, row in found.get("exact", {}).items() if "@" not in key}
    table = tables.build(layout, content, made.blind(), PUBLISHED, made.conditions())
    place = [column.label for column in table.columns].index("Norm mean_angle vs exact")
    rows = [row for row in table.rows if row.kind == "method"]
    assert [row.measured[place].missing for row in rows] == [False, True, True, True, True, False]
    assert any(note.startswith("– vs exact: ") for note in table.notes)
    assert not any(note.startswith("– vs exact: ") for note in built("table4_pascal").notes)
