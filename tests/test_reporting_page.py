"""The page: parsed as HTML, and opened in a browser where there is one."""

from __future__ import annotations

import base64
import html
import re
import shutil
import subprocess
from html.parser import HTMLParser

import pytest
import reporting_inputs as made

from mtinet.reporting import formats
from mtinet.reporting.page import Picture, data_uri, merged, readings, render, versions

RUNS = [("hrnet18-mti", 0), ("hrnet18-mti", 1), ("<script>", 0)]
MANIFESTS = [made.manifest("hrnet18-mti"), made.manifest("<script>"), made.manifest("undeclared")]
PIXEL = data_uri(b"\x89PNG", "image/png")


def page(**changes) -> str:
    given = {
        "dataset": "NYUD-v2",
        "conditions": made.conditions(),
        "tables": [made.table2a()],
        "pictures": [Picture("curves", "Learning curves", "Per epoch & task.", PIXEL)],
        "runs": RUNS,
        "manifests": MANIFESTS,
        "notes": ["Weights of the last epoch are scored."],
    }
    return render(**(given | changes))


class Reader(HTMLParser):
    """Collects the text of tables' cells, ids, and every address that the page refers to."""

    def __init__(self) -> None:
        super().__init__()
        self.tables: list[list[list[str]]] = []
        self.ids: list[str] = []
        self.addresses: list[str] = []
        self.bold: list[str] = []
        self.open = self.best = False

    def handle_starttag(self, tag, attrs):
        found = dict(attrs)
        self.ids += [found["id"]] if "id" in found else []
        self.addresses += [found[key] for key in ("href", "src", "action") if key in found]
        if tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in ("td", "th"):
            self.tables[-1][-1].append("")
            self.open, self.best = True, "best" in (found.get("class") or "").split()

    def handle_endtag(self, tag):
        self.open = self.open and tag not in ("td", "th")

    def handle_data(self, data):
        if self.open:
            self.tables[-1][-1][-1] += data.strip()
            self.bold += [data] if self.best else []


def read(text: str) -> Reader:
    reader = Reader()
    reader.feed(text)
    return reader


def test_the_first_line_and_the_first_text_state_the_conditions():
    text = page()
    line = made.conditions().line()
    assert line in text.splitlines()[0]
    body = text.split("<body>")[1]
    assert html.unescape(re.search(r"<p[^>]*>(.*?)</p>", body).group(1)) == line


def test_the_first_line_stays_a_comment_whatever_the_file_is_called():
    text = page(conditions=made.conditions(pretrained=("a--><b>.pth",)))
    assert text.splitlines()[0].count("-->") == 1


def test_the_table_has_every_cell():
    table = made.table2a()
    found = read(page()).tables[0]
    assert found[1] == ["measured", "printed", "difference"] * 3
    assert found[2:] == [[row.label, *(cell.full for cell in row.cells(table.columns))] for row in table.rows]
    assert sorted(read(page()).bold) == sorted(c.full for row in table.rows for c in row.cells(table.columns) if c.bold)


def test_nothing_comes_from_elsewhere_and_links_lead_somewhere():
    reader = read(page())
    for address in reader.addresses:
        assert address.startswith(("#", "data:"))
    assert {address[1:] for address in reader.addresses if address.startswith("#")} <= set(reader.ids)
    assert "http://" not in page()
    assert "https://" not in page()


def test_the_page_of_the_runs_on_this_machine_is_linked_where_there_is_one():
    there = set(read(page(went="../../runs/s/nyud-timings.html")).addresses)
    assert there - {*read(page()).addresses} == {"../../runs/s/nyud-timings.html"}


def test_downloads_are_the_renderings():
    table = made.table2a()
    found = [a for a in read(page()).addresses if a.startswith("data:text")]
    decoded = [base64.b64decode(address.partition(",")[2]).decode() for address in found]
    assert decoded == [formats.csv(table), formats.markdown(table), formats.latex(table)]


def test_declared_runs_are_listed_missing_ones_too_and_undeclared_ones_not():
    rows = read(page()).tables[-1][1:]
    assert [row[:2] for row in rows] == [["hrnet18-mti", "0"], ["hrnet18-mti", "1"], ["<script>", "0"]]
    assert rows[0][2:] == [
        "mti_net", "125", "5", "cpu", "2", "float32", "AVX2", "c0" * 6, "c1" * 6, "d0" * 6,
    ]  # fmt: skip
    assert rows[1][2:] == ["– missing, this run has not finished"]
    assert "undeclared" not in page()


def test_text_is_escaped():
    assert page().count("<script>") == 1
    assert "Per epoch &amp; task." in page()


def test_readings_are_taken_from_the_runs():
    other = made.manifest("b")
    other["config"] = other["config"] | {"loss_weights": {"seg": 2.0, "depth": 1.0}}
    assert readings([made.manifest("a"), other]) == [
        "Set by a switch: propagation fpm, in a, b.",
        "All other switches have their default, the paper's reading.",
        "Loss weights: seg 1.0 or 2.0, depth 1.0.",
        "Augmentation: zoom [1.0, 1.2], flip true.",
    ]
    assert readings([]) == []
    assert merged([{"a": 1}, {"a": 1, "b": None}]) == {"a": "1", "b": "null"}


def test_versions_are_said_once_where_they_agree():
    assert versions([made.manifest("a"), made.manifest("b")]) == ["All runs: python 3.11.9, torch 2.13.0"]
    different = versions([made.manifest("a"), made.manifest("b", versions={"torch": "9"})])
    assert different == ["a (seed 0): python 3.11.9, torch 2.13.0", "b (seed 0): torch 9"]


def test_a_page_before_any_run():
    text = page(manifests=[], tables=[], pictures=[], notes=[])
    assert text.count("this run has not finished") == len(RUNS)
    assert "No run has finished yet." in text


def in_browser(text: str, script: str, folder) -> str:
    """The page's body after `script` ran in a headless browser."""
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if browser is None:
        pytest.skip("no chromium here")
    target = folder / "page.html"
    target.write_text(text.replace("</body>", f"<script>{script}</script></body>"))
    command = [
        browser, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-sync",
        "--disable-background-networking", "--disable-component-update",
        f"--user-data-dir={folder / 'profile'}", "--dump-dom", target.as_uri(),
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    if "<table" not in done.stdout:
        pytest.skip(f"the browser does not start here: {done.stderr.strip()[-200:]}")
    return done.stdout


@pytest.mark.parametrize(("clicks", "order"), [(1, 1), (2, -1), (3, 0)])
def test_columns_sort_up_down_and_back(clicks, order, tmp_path):
    content = made.comparison()
    content["experiments"]["hrnet18-mti-n"] = made.missing()
    table = made.table2a(content)
    press = "document.querySelector(\"th[data-column='2'] button\").click();" * clicks
    rows = read(in_browser(page(tables=[table]), press, tmp_path)).tables[0][2:]
    values = [row[2] for row in rows]
    if order == 0:
        assert [row[0] for row in rows] == [row.label for row in table.rows]
    else:
        assert values[-1] == "–"
        assert values[:-1] == sorted(values[:-1], key=float, reverse=order < 0)


def test_a_phone_scrolls_tables_and_not_the_page(tmp_path):
    frame = html.escape(page(), quote=True)
    inside = f'<table></table><iframe id="f" style="width: 390px" srcdoc="{frame}"></iframe>'
    outer = f"<html><body>{inside}</body></html>"
    script = (
        'document.getElementById("f").onload = event => { const inner = event.target.contentDocument;'
        "document.title = inner.documentElement.scrollWidth + ' ' + "
        "inner.querySelector('.scroll').scrollWidth; };"
    )
    title = re.search(r"<title>(\d+) (\d+)</title>", in_browser(outer, script, tmp_path))
    assert title, "the frame did not load"
    whole, inner = map(int, title.groups())
    assert whole <= 390 < inner
