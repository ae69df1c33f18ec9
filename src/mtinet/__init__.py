"""MTI-Net reproduced as a workflow: the library behind the stages. It imports neither DVC nor Snakemake."""

import os
import sys
from pathlib import Path

# An editable install names one tree. A stage of another one (the copy in which DVC runs a queued experiment, a git
# worktree) must run that tree's code, of which its results are made and which their manifests name.
_script = Path(sys.argv[0]).absolute()
_own = _script.parent.parent / "src" / __name__
if _script.parent.name == "stages" and (_own / "__init__.py").exists():
    __path__ = [str(_own)]
    __file__ = str(_own / "__init__.py")

from mtinet import interruption  # noqa: E402  (of the tree that is set above)

# The first that a stage imports: a scheduler's signal may come during the seconds of the other imports.
interruption.begin()

# libgomp spins while it waits, which makes training tens of times slower beside a busy neighbour. The
# variable is read when torch is imported, so it is set here, before any module of this package can do so.
os.environ.setdefault("GOMP_SPINCOUNT", "10000")

# Weights are tensors. Libraries that still load them as pickles of whatever (torchvision's downloads) may not run what
# is in there; read whenever torch loads.
os.environ.setdefault("TORCH_FORCE_WEIGHTS_ONLY_LOAD", "1")
