"""MTI-Net reproduced as a workflow: the library behind the stages. It imports neither DVC nor Snakemake."""

import os

from mtinet import interruption

# The first that a stage imports: a scheduler's signal may come during the seconds of the other imports.
interruption.begin()

# libgomp spins while it waits, which makes training tens of times slower beside a busy neighbour. The
# variable is read when torch is imported, so it is set here, before any module of this package can do so.
os.environ.setdefault("GOMP_SPINCOUNT", "10000")

# Weights are tensors. Libraries that still load them as pickles of whatever (torchvision's downloads) may not run what
# is in there; read whenever torch loads.
os.environ.setdefault("TORCH_FORCE_WEIGHTS_ONLY_LOAD", "1")
