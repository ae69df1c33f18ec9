"""What README.md shows of the committed reports, written anew: python -m benchmarks.readme (a second).

Table 2a without the columns of printed numbers, Figure 2b as the stage `figure` draws it, and what DVC said of one
change (docs/comparing.md). tests/test_readme_results.py compares all three with the reports.
"""

from __future__ import annotations

import re
from pathlib import Path

from mtinet import files, paths
from mtinet.reporting import figures

ROOT = Path(__file__).resolve().parents[1]
README = ROOT / "README.md"
STUDY, TABLE = "scenes-laptop", "table2a"
FIGURE = ROOT / "docs/figures/nyud-affinity.png"  # reports/ keeps pictures in DVC's cache, which GitHub cannot show
RESULTS = ("<!-- results: python -m benchmarks.readme -->", "<!-- end of results -->")
CHANGE = ("<!-- change: python -m benchmarks.readme -->", "<!-- end of change -->")
KEPT = r"\.(delta_m|seg\.mIoU|depth\.rmse)$"  # of the many metrics of an experiment


def cells(line: str) -> list[str]:
    """The cells of a row of a Markdown table."""
    return [cell.strip() for cell in line.strip().strip("|").split("|")]


def results() -> str:
    """Table 2a under the conditions that it was measured under."""
    lines = (ROOT / paths.table(STUDY, TABLE, "md")).read_text(encoding="utf-8").splitlines()
    rows = [cells(line) for line in lines if line.startswith("|")]
    left_out = ("Steps", "printed", "difference")
    columns = [number for number, name in enumerate(rows[0]) if name not in left_out]
    shown = [f"| {' | '.join(row[number] for number in columns)} |" for row in rows]
    (title,) = [line.removeprefix("## ") for line in lines if line.startswith("## ")]
    notes = [line for line in lines if line.startswith(("- In brackets", "- ≈"))]
    return "\n".join([f"**{title}.** {lines[0]}", "", *shown, "", *notes])


def change() -> str:
    """`dvc params diff`, and the telling lines of `dvc metrics diff`."""
    page = (ROOT / "docs/comparing.md").read_text(encoding="utf-8")
    blocks = [block.strip().splitlines() for block in re.findall(r"^```\n(.*?)^```$", page, re.M | re.S)]
    (params,) = [block for block in blocks if block[0].startswith("$ dvc params diff")]
    (metrics,) = [block for block in blocks if block[0].startswith("$ dvc metrics diff")]
    names = metrics[1].index("Metric")  # behind the path, which is the same in every line
    kept = [line for line in metrics[2:] if re.search(KEPT, line.split()[1])]
    return "\n".join(["```text", *params, metrics[0], *(line[names:] for line in [metrics[1], *kept]), "```"])


def draw(path: Path) -> None:
    """Figure 2b of the committed study."""
    recorded = files.read_yaml(ROOT / "pipeline/affinity.yaml")
    figures.affinity(files.read_json(ROOT / paths.affinity(STUDY, "nyud")), path, recorded)


def main() -> None:
    text = README.read_text(encoding="utf-8")
    for (begin, end), block in ((RESULTS, results()), (CHANGE, change())):
        before, _, rest = text.partition(begin)
        _, _, after = rest.partition(end)
        text = f"{before}{begin}\n\n{block}\n\n{end}{after}"
    files.write_text(README, text)
    FIGURE.parent.mkdir(exist_ok=True)
    draw(FIGURE)


if __name__ == "__main__":
    main()
