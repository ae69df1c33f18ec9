"""What the evaluation wrote of a dataset's runs; None of a run that has no such file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from mtinet import files, paths


@dataclass(frozen=True)
class Results:
    """The files of all runs of one dataset in one study."""

    study: str
    dataset: str

    def metrics(self, experiment: str, seed: int) -> dict[str, Any] | None:
        """A run's metrics file."""
        path = paths.metrics(self.study, self.dataset, experiment, seed)
        return files.read_json(path) if path.exists() else None

    def statistics(self, experiment: str, seed: int) -> dict[str, Any] | None:
        """A run's sufficient statistics per image, by the keys of `Scores.statistics`."""
        path = paths.statistics(self.study, self.dataset, experiment, seed)
        if not path.exists():
            return None
        with np.load(path, allow_pickle=False) as stored:
            return dict(stored)
