"""The paper's claims, each as the difference of two delta_m with its paired interval; no torch."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import TypeAdapter, ValidationError

from mtinet import files
from mtinet.config import Params, Strict
from mtinet.errors import UserError
from mtinet.evaluation import uncertainty
from mtinet.evaluation.comparison import compare
from mtinet.evaluation.uncertainty import Samples, Statistics
from mtinet.studies.intervals import Floats, percentile

CLAIMS = Path("pipeline/claims.yaml")
NOTHING = "single"


class Claim(Strict):
    """`better` is ahead of `worse` in delta_m: experiments, "name@stride" of initial predictions, or "single"."""

    claim: str
    where: str
    better: str
    worse: str

    @property
    def experiments(self) -> list[str]:
        """The experiments that it compares."""
        return [side.partition("@")[0] for side in (self.better, self.worse) if side != NOTHING]


def load_claims(dataset: str, path: Path = CLAIMS) -> list[Claim]:
    """The claims about a dataset; raises UserError for a malformed file."""
    try:
        return TypeAdapter(dict[str, list[Claim]]).validate_python(files.read_yaml(path)).get(dataset, [])
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise UserError(f"{path}: {where}: found {first['input']!r}: {first['msg']}") from None


def judge(
    claims: Sequence[Claim],
    params: Params,
    dataset: str,
    read: Callable[[str, int], dict[str, Any] | None],
    statistics: Callable[[str, int], Statistics | None],
) -> list[dict[str, Any]]:
    """Per claim its words, "effect" (delta_m of better minus worse, in points), "interval", "seeds" and "verdict".

    supported: the interval is above 0; contradicted: below; inconclusive: it contains 0; missing: no such runs.
    "exact": effect, interval and verdict of the delta_m of scores against exact labels; absent where no task has such.
    """
    single = [name for name in params.names(dataset) if len(params.experiment(dataset, name)[1].tasks) == 1]
    names = list(dict.fromkeys([*(name for claim in claims for name in claim.experiments), *single]))
    rows = compare(params, dataset, names, read)["experiments"]
    samples = uncertainty.sampled(
        {name: row["tasks"] for name, row in rows.items()},
        {name: row["seeds"] for name, row in rows.items()},
        statistics,
        params.datasets[dataset].metric_settings(),
    )
    known = {uncertainty.main_task(key) for row in rows.values() for key in row.get("exact") or {}}
    exact_rows = {name: {**row, **row.get("exact_gains", {})} for name, row in rows.items()}
    exact_samples = {name: uncertainty.exactly(found, known) for name, found in samples.items()}
    return [
        {
            **claim.model_dump(),
            "seeds": min((len((rows.get(name) or {}).get("seeds", [])) for name in claim.experiments), default=0),
            **judged(claim, rows, samples),
            **({"exact": judged(claim, exact_rows, exact_samples)} if known else {}),
        }
        for claim in claims
    ]


def judged(claim: Claim, rows: Mapping[str, Any], samples: Mapping[str, Samples]) -> dict[str, Any]:
    """Effect, interval and verdict of one claim."""
    better, worse = point(claim.better, rows), point(claim.worse, rows)
    ours, theirs = replicates(claim.better, rows, samples), replicates(claim.worse, rows, samples)
    effect = None if better is None or worse is None else better - worse
    known = None if effect is None or ours is None or theirs is None else ours - theirs
    interval = None if known is None else percentile(known)
    return {"effect": effect, "interval": interval, "verdict": verdict(interval)}


def point(side: str, rows: Mapping[str, Any]) -> float | None:
    """delta_m of one side."""
    name, _, stride = side.partition("@")
    row = rows.get(name) or {}
    if side == NOTHING:
        return 0.0
    value: float | None = (
        row.get("initial_delta_m", {}).get(stride, {}).get("delta_m") if stride else row.get("delta_m")
    )
    return value


def replicates(side: str, rows: Mapping[str, Any], samples: Mapping[str, Samples]) -> Floats | None:
    """delta_m of one side in every replicate."""
    if side == NOTHING:
        return np.zeros(uncertainty.REPLICATES)
    name, _, stride = side.partition("@")
    if name not in rows:
        return None
    return uncertainty.delta_m_samples(
        samples.get(name), rows[name]["baseline"], samples, int(stride) if stride else None
    )


def verdict(interval: Sequence[float] | None) -> str:
    """What the interval says about the claim."""
    if interval is None:
        return "missing"
    return "supported" if interval[0] > 0 else "contradicted" if interval[1] < 0 else "inconclusive"
