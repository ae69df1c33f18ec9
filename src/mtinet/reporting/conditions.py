"""Under which conditions numbers were measured, and whether they may be held against the paper's."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mtinet.config import SCENES, Params, Scale
from mtinet.reporting.alike import alike

SOURCES = {"scenes": "rendered here", "archive": "the real data"}


@dataclass(frozen=True)
class Conditions:
    """What the first line of every table and page says.

    `pretrained` are the backbones' choices, as in params.yaml: none, hub, scenes, file; `beforehand` says what scenes
    means, `detail` what the scale means, in words; `machine` adds what else determines the bytes (threads, instruction
    set, precision). `begins_with`: the backbones of each choice, where there are several. `steps`: of training, in
    words. `alike`: groups of experiments that are one configuration at this scale.
    """

    source: str
    scale: str
    pretrained: tuple[str, ...]
    device: str
    detail: str = ""
    machine: str = ""
    seeds: tuple[int, ...] = ()
    beforehand: tuple[str, ...] = ()
    begins_with: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    steps: str = ""
    alike: tuple[tuple[str, ...], ...] = ()

    @classmethod
    def of(
        cls, params: Params, dataset: str, names: Iterable[str], manifests: Iterable[Mapping[str, Any]]
    ) -> Conditions:
        """The conditions of the experiments `names` of a dataset, from params.yaml and the runs' manifests."""
        scale, source = params.scale(dataset), params.study.source[dataset]
        runs, names = list(manifests), list(names)
        backbones = {name: params.experiment(dataset, name)[1].backbone for name in names}
        used = sorted(set(backbones.values()))
        choices = sorted({scale.pretrained_for(backbone) for backbone in used})
        images = f"{scale.scenes.train} training images, " if scale.scenes and source == "scenes" else ""
        size = f"input {scale.input.height}x{scale.input.width}"
        return cls(
            source=source,
            scale=params.study.scale,
            pretrained=tuple(choices),
            device=together(runs, "device") or f"{params.compute.device}, as asked for",
            detail=f"{images}{size}, {duration(scale, used)}, batch {scale.batch_size}{instead(scale)}",
            machine=machine(runs),
            seeds=tuple(params.seeds),
            beforehand=tuple(dict.fromkeys(beforehand(params, dataset, used))),
            begins_with={
                choice: tuple(one for one in used if scale.pretrained_for(one) == choice) for choice in choices
            },
            steps=steps(runs, backbones),
            alike=alike(params, dataset, names),
        )

    @property
    def study(self) -> str:
        """The study's name, as in `Params.study_name`."""
        return f"{self.source}-{self.scale}"

    @property
    def comparable(self) -> bool:
        """Whether source, scale and pretraining are the paper's."""
        return not self.obstacles()

    def obstacles(self) -> list[str]:
        """Why the numbers are not comparable with the paper's; empty when they are."""
        found = []
        if self.source != "archive":
            found.append("the data are not the paper's")
        if self.scale != "paper":
            found.append("the training is not at the paper's scale")
        if {"none", SCENES} & {*self.pretrained}:
            found.append("the backbone is not pretrained on ImageNet")
        return found

    def choice(self, choice: str) -> str:
        """What backbones began with, in words; which ones, where others began with something else."""
        named = self.begins_with.get(choice, ()) if len(self.pretrained) > 1 else ()
        return pretraining(choice) + (f" on {', '.join(named)}" if named else "")

    def line(self) -> str:
        """One line: source, scale, pretraining, device, and whether comparable with the paper."""
        chosen = [choice for choice in self.pretrained if choice != SCENES or not self.beforehand]
        parts = [
            f"Source: {self.source}" + (f" ({SOURCES[self.source]})" if self.source in SOURCES else ""),
            f"scale: {self.scale}" + (f" ({self.detail})" if self.detail else ""),
            f"pretraining: {' and '.join([*self.beforehand, *map(self.choice, chosen)])}",
            f"device: {self.device}" + (f" ({self.machine})" if self.machine else ""),
        ]
        if self.seeds:
            parts.append(f"{'seed' if len(self.seeds) == 1 else 'seeds'}: {', '.join(map(str, self.seeds))}")
        verdict = "Comparable with the paper's numbers"
        if not self.comparable:
            verdict = f"NOT comparable with the paper's numbers: {', '.join(self.obstacles())}"
        return f"{'; '.join(parts)}. {verdict}."


def duration(scale: Scale, backbones: Iterable[str]) -> str:
    """Epochs in words; backbones that get another number are named."""
    others = {name: count for name, count in scale.epochs_of.items() if name in backbones and count != scale.epochs}
    words = ", ".join(f"{count} on {name}" for name, count in others.items())
    return f"{scale.epochs} epoch{'' if scale.epochs == 1 else 's'}" + (f" ({words})" if words else "")


def steps(runs: Iterable[Mapping[str, Any]], backbones: Mapping[str, str]) -> str:
    """Training steps as the manifests give them: one number, or those of each backbone where they differ."""
    found: dict[str, set[int]] = {}
    for run in runs:
        if run["experiment"] in backbones:
            found.setdefault(backbones[run["experiment"]], set()).add(run["steps"])
    if len(set().union(*found.values())) <= 1:
        return "".join(map(str, set().union(*found.values())))
    return ", ".join(f"{' or '.join(map(str, sorted(counts)))} on {name}" for name, counts in found.items())


def instead(scale: Scale) -> str:
    """The optimiser, where the scale puts one in the place of the experiments' own."""
    chosen = scale.optimizer
    return "" if chosen is None else f", {chosen.kind} at {chosen.lr:g} instead of the paper's optimisers"


def beforehand(params: Params, dataset: str, backbones: Iterable[str]) -> Iterator[str]:
    """What the backbones were trained on before, in words, each that begins with such a training."""
    for backbone in sorted(backbones):
        name = params.pretraining_of(dataset, backbone)
        if name is not None:
            budget = params.pretraining[dataset][name].budgets[params.study.scale]
            budgeted = f"{budget.steps} steps or more on {budget.images} other rendered pictures"
            yield f"{pretraining(SCENES)} ({name}: {budgeted})"


def pretraining(choice: str) -> str:
    """The choice in words; of a file only the name, since its folder concerns one machine only."""
    words = {"none": "none", "hub": "ImageNet (hub)", SCENES: "all tasks at once"}
    if choice in words:
        return words[choice]
    return f"ImageNet (file {Path(choice.partition('#')[0]).name})"


def together(runs: Iterable[Mapping[str, Any]], key: str) -> str:
    """The values that the manifests give for `key`, each once; several when runs were made differently."""
    return " and ".join(sorted({str(run[key]) for run in runs if run.get(key) is not None}))


def machine(runs: list[Mapping[str, Any]]) -> str:
    """Processes where there are several, threads, instruction set and precision of the runs, in words."""
    threads = together(runs, "threads")
    processes = together([run.get("config", {}) for run in runs], "processes")
    words = [f"{processes} processes" if processes not in ("", "1") else ""]
    words += [f"{threads} thread" + ("" if threads == "1" else "s") + (" each" if words[0] else "") if threads else ""]
    words += [together(runs, "instruction_set"), together(runs, "precision")]
    return ", ".join(word for word in words if word)
