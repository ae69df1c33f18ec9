"""Multi-task performance delta_m, equation 2 of the paper."""

from __future__ import annotations

from collections.abc import Mapping
from math import isnan

from mtinet.tasks import task


def delta_m(metrics: Mapping[str, float | None], baseline: Mapping[str, float | None]) -> float | None:
    """Average relative gain over the single-task baseline in %, positive when the model is better.

    The average runs over the tasks of `metrics` (main tasks only); `baseline` may know more. Values are in
    any unit, the same in both. None when a value is missing (absent, None or NaN), when a baseline is 0, or
    without tasks. Raises UserError for a task that the registry lacks.

    >>> round(delta_m({"seg": 32.09, "depth": 0.668}, {"seg": 33.18, "depth": 0.667}), 2)
    -1.72
    """
    gains = [gain(name, value, baseline.get(name)) for name, value in metrics.items()]
    known = [value for value in gains if value is not None]
    return 100 * sum(known) / len(known) if known and len(known) == len(gains) else None


def gain(name: str, value: float | None, reference: float | None) -> float | None:
    """One task's term of equation 2: (-1)^l (M - b) / b with l = 1 where lower is better."""
    sign = -1 if task(name).better == "lower" else 1
    if value is None or reference is None or isnan(value) or isnan(reference) or reference == 0:
        return None
    return sign * (value - reference) / reference
