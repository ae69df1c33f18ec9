"""How predictions are prepared and thresholded: as the released MTI-Net code does it, or as ASTMT and InvPT."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mtinet.errors import UserError
from mtinet.metrics.edges.counting import Counts, count_matches, count_matches_annotators
from mtinet.metrics.edges.sets import checked_prediction
from mtinet.metrics.edges.suppression import suppress

# Of the image's diagonal. PASCAL-Context and BSDS500 use the first, NYUD-v2 usually the second.
MAX_DIST = {"pascal": 0.0075, "nyud": 0.011}


@dataclass(frozen=True)
class Protocol:
    """What happens to a prediction before matching; `images` says which of PASCAL's validation images count."""

    name: str
    thresholds: tuple[float, ...]
    strict: bool  # > instead of >=
    prepare: Callable[[NDArray], NDArray] | None
    images: str

    def count(self, prediction: NDArray, truth: NDArray | Sequence[NDArray], max_dist: float) -> Counts:
        """Counts of one image; `truth`: one thin boundary map, or a list of several annotators' maps.

        Arguments and errors as count_matches and count_matches_annotators have them.
        """
        ready = self.prepare(checked_prediction(prediction)) if self.prepare else prediction
        if isinstance(truth, np.ndarray):
            return count_matches(ready, truth, self.thresholds, max_dist, strict=self.strict)
        return count_matches_annotators(ready, truth, self.thresholds, max_dist, strict=self.strict)


HUNDREDTHS = tuple(step / 100 for step in range(1, 100))
PROTOCOLS = {
    "released": Protocol("released", HUNDREDTHS, False, None, "2,498 of the 5,105 validation images"),
    # The suppression is experimental: see suppression.py.
    "astmt": Protocol("astmt", (0.001, *HUNDREDTHS, 0.999), True, suppress, "all 5,105 validation images"),
}


def protocol(name: str) -> Protocol:
    """The protocol called `name`; UserError for another name."""
    if name not in PROTOCOLS:
        raise UserError(f"unknown edge protocol '{name}', expected one of {', '.join(PROTOCOLS)}")
    return PROTOCOLS[name]
