"""Training and predicting import nothing of torch's compiler, which is there all the same for who wants it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

TESTS = Path(__file__).resolve().parent

CODE = """
import sys, tempfile
from pathlib import Path
sys.argv = [""]
import mtinet.compat
from synthetic import SyntheticSplit
from test_training import CPU, make_run
from mtinet.training import loop
_, history = loop.train(make_run(epochs=2), SyntheticSplit(4), Path(tempfile.mkdtemp()), CPU, lambda row: None)
assert len(history) == 2
assert not [name for name in sys.modules if name.startswith(("torch._dynamo", "sympy"))]
import torch
assert torch.compile(lambda values: values + 1, backend="eager")(torch.zeros(2)).tolist() == [1, 1]
assert torch._dynamo.utils.is_compile_supported
from torchvision.ops.roi_align import is_compile_supported
assert is_compile_supported("cpu") == torch._dynamo.utils.is_compile_supported("cpu")
optimizer = torch.optim.Adam(torch.nn.Linear(2, 2).parameters(), fused=True)
optimizer.zero_grad()
optimizer.step()
"""


def test_training_does_without_the_compiler() -> None:
    """With a checkpoint after every step; afterwards the compiler works, and so do optimisers beside it."""
    paths = os.pathsep.join([str(TESTS), str(TESTS.parent / "src")])
    environment = os.environ | {"PYTHONPATH": paths, "MTINET_CHECKPOINT_SECONDS": "0"}
    done = subprocess.run([sys.executable, "-c", CODE], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
