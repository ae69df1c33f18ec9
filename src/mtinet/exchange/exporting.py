"""Networks as files that other programs run: ONNX, or torch.export's program.

Input "images": float32 [B, 3, H, W], RGB, (value / 255 - mean) / deviation of ImageNet, sides multiples of 32. Outputs,
by task, are raw (logits, metres, unnormalised vectors): of main tasks [B, C, H, W], of auxiliary ones, which the
front-end alone predicts, [B, C, H / 4, W / 4]. Batch, height and width are free where the architecture allows it:
HRNet and ResNets do; of transformers with windows the sizes are part of what is traced, so they are exported `fixed`.
"""

from __future__ import annotations

import contextlib
import copy
import io
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from mtinet import files
from mtinet.errors import UserError
from mtinet.evaluation.scoring import by_key, finest_key

INPUT = "images"
OPSET = 17
STEP = 32
LEAST = 2 * STEP  # sides of a torch.export program
MOST = 128  # sides of a torch.export program, in steps, and images in a batch: it wants bounds
Sizes = Sequence[tuple[int, int, int]]
Outputs = dict[str, Tensor]


class Flat(nn.Module):
    """A method's network with its outputs by task: final ones, and of auxiliary tasks the finest initial one."""

    def __init__(self, net: nn.Module, tasks: Sequence[str], auxiliary: Sequence[str]) -> None:
        super().__init__()
        self.net = net
        self.tasks, self.auxiliary = [*tasks], [*auxiliary]

    def forward(self, images: Tensor) -> Outputs:
        found = by_key(self.net(images))
        final = {task: found[task] for task in self.tasks}
        return final | {task: found[finest_key(task, found)] for task in self.auxiliary}


class Ordered(nn.Module):
    """The same as a tuple, as the writer of ONNX takes it."""

    def __init__(self, net: Flat) -> None:
        super().__init__()
        self.net = net

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        return tuple(self.net(images).values())


def write_onnx(net: Flat, path: Path, size: tuple[int, int], fixed: bool) -> None:
    """Write `net` as ONNX, opset 17, traced at `size` (height, width).

    By torch's tracing exporter: the newer one needs a package more, and writes the same operators for these networks.
    """
    names = [*net.tasks, *net.auxiliary]
    buffer: Any = io.BytesIO()  # which the exporter takes, whatever its annotation says
    free = {0: "batch", 2: "height", 3: "width"}
    axes = {} if fixed else {INPUT: free, **dict.fromkeys(names, free)}
    with warnings.catch_warnings(), torch.no_grad(), attempted("ONNX"):
        warnings.simplefilter("ignore")  # of traced conditions: `differences` looks at other sizes
        torch.onnx.export(
            Ordered(net).eval(), (example(size, fixed),), buffer, dynamo=False, opset_version=OPSET,
            input_names=[INPUT], output_names=names, dynamic_axes=axes,
        )  # fmt: skip
    files.write_bytes(path, buffer.getvalue())


def write_program(net: Flat, path: Path, size: tuple[int, int], fixed: bool) -> None:
    """Write `net` as torch.export has it; free sides go from LEAST to 4096, since a level of a single pixel is traced
    otherwise than larger ones."""
    size = size if fixed else (max(LEAST, size[0]), max(LEAST, size[1]))
    batch = torch.export.Dim("batch", min=1, max=MOST)
    height, width = (STEP * torch.export.Dim(name, min=LEAST // STEP, max=MOST) for name in ("rows", "columns"))
    shapes = None if fixed else ({0: batch, 2: height, 3: width},)
    buffer = io.BytesIO()
    with torch.no_grad(), attempted("torch.export"):
        program = torch.export.export(net, (example(size, fixed),), dynamic_shapes=shapes)
        torch.export.save(program, buffer)
    files.write_bytes(path, buffer.getvalue())


@contextlib.contextmanager
def attempted(what: str) -> Iterator[None]:
    """Turns what an exporter raises into one line that names the way on."""
    try:
        yield
    except UserError:
        raise
    except Exception as error:  # exporters raise errors of many kinds for what they cannot trace
        reason = " ".join(str(error).split())[:200]
        raise UserError(
            f"{what} cannot express this network ({type(error).__name__}: {reason}); try one size with --fixed, or the"
            " other format"
        ) from error


def example(size: tuple[int, int], fixed: bool) -> Tensor:
    """What is traced: zeros; two images where the batch is free, since 1 would be taken for a constant."""
    return torch.zeros(1 if fixed else 2, 3, *size)


def load_onnx(path: Path) -> Callable[[Tensor], Outputs]:
    """An ONNX file as a function, run by ONNX Runtime on the CPU."""
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]

    def run(images: Tensor) -> Outputs:
        found: list[NDArray[np.float32]] = session.run(None, {INPUT: images.numpy()})
        return {name: torch.from_numpy(array) for name, array in zip(names, found, strict=True)}

    return run


def load_program(path: Path) -> Callable[[Tensor], Outputs]:
    """A torch.export program as a function."""
    module = torch.export.load(io.BytesIO(path.read_bytes())).module()  # of a path torch asks that it ends in .pt2

    def run(images: Tensor) -> Outputs:
        with torch.no_grad():
            found: Outputs = module(images)
        return found

    return run


def differences(net: Flat, exported: Callable[[Tensor], Outputs], images: Tensor) -> dict[str, float]:
    """By task, the largest difference between the file's and the network's output for `images`, as a share of the
    output's largest magnitude."""
    with torch.no_grad():
        expected = net(images)
    found: Mapping[str, Tensor] = exported(images)
    if [*found] != [*expected]:
        raise UserError(f"the exported file has outputs {[*found]}, expected {[*expected]}")
    return {task: share(found[task], output) for task, output in expected.items()}


def rounding(net: Flat, images: Tensor) -> dict[str, float]:
    """By task, how far the network itself is from what float64 gives, in the same measure: no file can be expected to
    be nearer to it than that."""
    exact = copy.deepcopy(net).double()
    with torch.no_grad():
        expected, found = exact(images.double()), net(images)
    return {task: share(found[task], output) for task, output in expected.items()}


def share(found: Tensor, expected: Tensor) -> float:
    """The largest difference as a share of the largest magnitude."""
    return float((found - expected).abs().max() / expected.abs().max().clamp(min=1e-12))
