"""The ground truth of the edge benchmark from label maps, by the rule of seism (PASCAL-Context)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mtinet.errors import UserError
from mtinet.thinning import thin


def boundaries_from_labels(labels: NDArray) -> NDArray[np.bool_]:
    """Thin boundaries, bool [H, W], of integer labels [H, W].

    A pixel is boundary when its label differs from the right, lower or lower-right neighbour (in the last row
    the right one only, in the last column the lower one only); then thinned until stable. Every value is a
    label of its own, unlabelled included. This is not the training target of PASCAL-Context.
    """
    if np.ndim(labels) != 2 or np.asarray(labels).dtype.kind not in "bui":
        found = f"{np.asarray(labels).dtype} {list(np.shape(labels))}"
        raise UserError(f"label map {found}, expected integers [H, W]")
    boundary = np.zeros(labels.shape, np.bool_)
    boundary[:, :-1] |= labels[:, :-1] != labels[:, 1:]
    boundary[:-1] |= labels[:-1] != labels[1:]
    boundary[:-1, :-1] |= labels[:-1, :-1] != labels[1:, 1:]
    return thin(boundary)
