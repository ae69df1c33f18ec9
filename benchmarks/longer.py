"""What ten times the laptop's training shows: python -m benchmarks.longer, after `python -m pipeline.apart longer`.

Writes docs/longer.md from the committed files of the study reports/scenes-evening; nothing is trained or scored here.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mtinet import config, files, paths
from mtinet.config import Params
from mtinet.tasks import Task, registry

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs/longer.md"
STUDY = "scenes-evening"
TITLES = {"nyud": "NYUD-v2", "pascal": "PASCAL"}
TABLES = {"nyud": "table2a", "pascal": "table2b"}
BLIND = {"constant": "best constant", "position": "per position"}
TEXT = """# Ten times the laptop's training

Written by `python -m benchmarks.longer` from `reports/{study}/`, which `make longer` makes (about 25 minutes on two
cores) of the rendered sets: the single-task networks and MTI-Net on HRNet-18 at the scale `evening`, which
`pipeline/apart.yaml` declares; one seed. Of the other experiments that study has gaps. It asks two things that 80 steps
cannot answer: whether networks learn what no prediction without an image knows, and how MTI-Net then stands against
single-task learning.

Scores are of held-out images, in brackets their 95 % intervals by bootstrap over the images; differences are paired
over the same images. What training with another seed would change is in no interval.
{parts}"""
PART = """
## {title}

{train} training images, {val} held-out ones, {steps} steps of {batch}.

| task | metric | best constant | per position | single task | {name} | difference |
|---|---|--:|--:|--:|--:|---|
{scores}

Δm of {name} over the single-task networks: {gain}.

Training loss of the single-task networks, mean over an epoch, beside the least that a prediction without an image comes
to on the same labels: one output for all pixels, and one for each position.

| task | loss | best constant | per position | first epoch | half of them | last but one | last | below both since |
|---|---|--:|--:|--:|--:|--:|--:|--:|
{losses}

![Learning curves](../reports/{study}/figures/{dataset}-curves.svg)
"""


@dataclass(frozen=True)
class Study:
    """The committed files of one dataset's part of a study."""

    folder: Path
    dataset: str
    params: Params

    def read(self, place: Path) -> Any:
        return files.read_json(self.folder / place.relative_to(paths.report(STUDY)))

    @property
    def experiments(self) -> Mapping[str, Mapping[str, Any]]:
        """What the dataset's table compares."""
        found: Mapping[str, Mapping[str, Any]] = self.read(paths.comparison(STUDY, TABLES[self.dataset]))["experiments"]
        return found

    def history(self, experiment: str, task: str) -> list[float]:
        """The task's training loss, epoch by epoch."""
        place = paths.history(STUDY, self.dataset, experiment, self.params.seeds[0])
        with (self.folder / place.relative_to(paths.report(STUDY))).open() as stream:
            return [float(row[task]) for row in csv.DictReader(stream)]


def page(folder: Path, params: Params) -> str:
    """The page in Markdown, from a study's folder and the parameters that it was made with."""
    parts = [part(Study(folder, dataset, params)) for dataset in params.experiments]
    return TEXT.format(study=STUDY, parts="".join(parts))


def part(study: Study) -> str:
    """One dataset's sections."""
    params, dataset = study.params, study.dataset
    multi = next(iter(params.experiments[dataset]["mti_net"]))
    runs, scale = study.experiments, params.scale(dataset)
    singles = {task: name for name in params.experiments[dataset]["single_task"] for task in runs[name]["tasks"]}
    blind, levels = study.read(paths.blind(STUDY, dataset)), study.read(paths.levels(STUDY, dataset))
    assert scale.scenes is not None
    return PART.format(
        title=TITLES[dataset], dataset=dataset, study=STUDY, name=multi, train=scale.scenes.train, val=scale.scenes.val,
        steps=runs[multi]["steps"], batch=scale.batch_size,
        scores="\n".join(score_line(task, runs[name], runs[multi], blind) for task, name in singles.items()),
        gain=interval_in_words(runs[multi]["delta_m"], runs[multi]["delta_m_interval"]),
        losses="\n".join(loss_line(task, study.history(name, task), levels[task]) for task, name in singles.items()),
    )  # fmt: skip


def score_line(task: str, single: Mapping[str, Any], multi: Mapping[str, Any], blind: Mapping[str, Any]) -> str:
    """A row of the first table."""
    entry = registry()[task]
    known = [printed(entry, blind[predictor][task][entry.metric]) for predictor in BLIND]
    unit = f"{entry.metric} ({entry.unit}), {entry.better} is better"
    cells = [entry.label, unit, *known, scored(entry, task, single), scored(entry, task, multi)]
    return f"| {' | '.join([*cells, difference(entry, task, single, multi)])} |"


def printed(entry: Task, value: float) -> str:
    return f"{value * entry.scale:.{entry.digits}f}"


def scored(entry: Task, task: str, run: Mapping[str, Any]) -> str:
    """A run's score with its interval; a dash where it does not predict the task."""
    if task not in run["metrics"]:
        return "–"
    low, high = run["intervals"][task][entry.metric]
    value = run["metrics"][task][entry.metric]
    return f"{printed(entry, value)} [{printed(entry, low)}, {printed(entry, high)}]"


def difference(entry: Task, task: str, single: Mapping[str, Any], multi: Mapping[str, Any]) -> str:
    """MTI-Net's score minus the single-task network's with the paired interval, and who is ahead."""
    if task not in multi["metrics"]:
        return "–"
    change = multi["metrics"][task][entry.metric] - single["metrics"][task][entry.metric]
    low, high = multi["differences"][task][entry.metric]
    ahead = "undecided" if low <= 0 <= high else "better" if (low > 0) == (entry.better == "higher") else "worse"
    text = [f"{value * entry.scale:+.{entry.digits}f}" for value in (change, low, high)]
    return f"{text[0]} [{text[1]}, {text[2]}]: {ahead}"


def interval_in_words(value: float, interval: tuple[float, float]) -> str:
    """A gain in per cent and what its interval says."""
    low, high = interval
    words = "the sign is undecided" if low <= 0 <= high else "a gain" if low > 0 else "a loss"
    return f"{value:+.2f} % [{low:+.2f}, {high:+.2f}], {words}"


def loss_line(task: str, history: list[float], levels: Mapping[str, float]) -> str:
    """A row of the second table."""
    least = min(levels.values())
    below = next((epoch for epoch in range(1, len(history) + 1) if max(history[epoch - 1 :]) < least), None)
    middle = history[max(0, len(history) // 2 - 1)]
    values = [levels["constant"], levels["position"], history[0], middle, history[-2], history[-1]]
    cells = [
        registry()[task].label,
        registry()[task].loss,
        *(f"{value:.4g}" for value in values),
        f"epoch {below}" if below else "never",
    ]
    return f"| {' | '.join(cells)} |"


def main() -> None:
    folder = ROOT / paths.report(STUDY)
    text = page(folder, config.load(folder / paths.PARAMS))
    files.write_text(PAGE, text)
    print(text)


if __name__ == "__main__":
    main()
