"""Which experiments the study's scale makes one and the same: what it settles for all, no reading can vary."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from mtinet.config import Params
from mtinet.reporting.layouts import Layout, RowLayout

Groups = Sequence[Sequence[str]]
WORDS = "here the same as"
NOTE = f"{WORDS}: at this scale both rows are one configuration, run twice; the row says nothing of its reading."


def resolved(params: Params, dataset: str, name: str) -> dict[str, Any]:
    """All that the declaration of an experiment determines at the study's scale."""
    method, experiment = params.experiment(dataset, name)
    scale = params.scale(dataset)
    optimizer, rate = scale.optimizer_for(experiment)
    found = experiment.model_dump() | {"method": method, "optimizer": optimizer, "lr": rate}
    if scale.epochs_for(experiment.backbone) <= 1:
        found["weights"] = "last"  # the only epoch is the best one
    return found


def alike(params: Params, dataset: str, names: Iterable[str]) -> tuple[tuple[str, ...], ...]:
    """The groups of several among the experiments `names` whose configurations are equal at the study's scale."""
    groups: list[tuple[dict[str, Any], list[str]]] = []
    for name in names:
        own = resolved(params, dataset, name)
        same = next((group for configuration, group in groups if configuration == own), None)
        if same is None:
            groups.append((own, [name]))
        else:
            same.append(name)
    return tuple(tuple(group) for _, group in groups if len(group) > 1)


def label_of(row: RowLayout, layout: Layout, groups: Groups) -> str:
    """The row's label, which says the earlier row that it is the same as, where there is one."""
    own = next((group for group in groups if row.single in group), ())
    earlier = layout.rows[: layout.rows.index(row)]
    same = next((other.label for other in earlier if other.single in own and other.single != row.single), None)
    return row.label if same is None else f"{row.label} ({WORDS} {same})"
