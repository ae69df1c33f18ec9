"""Teachers in ONNX files, with their pre-processing declared beside them; ONNX Runtime runs them on the CPU."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import torch
from numpy.typing import NDArray

from mtinet import files
from mtinet.config import Compute, OnnxTeacher, Teacher
from mtinet.data import transforms
from mtinet.errors import UserError
from mtinet.evaluation import outputs
from mtinet.tasks import task as registered
from mtinet.teachers import Predictor
from mtinet.teachers.elsewhere import stored_elsewhere

TOLERANCE = 1e-4  # by which a probability may leave 0..1: rounding


def check(teacher: Teacher, task: str, scale: str) -> None:
    """Raise UserError unless the file is the declared one and turns an image into the declared output."""
    declared = section(teacher)
    wanted = registered(task).channels
    if len(declared.channels) != wanted:
        raise UserError(f"channels: found {declared.channels}, expected {wanted} for '{task}'")
    session = opened(declared, threads=1)
    black = np.zeros((declared.input.height, declared.input.width, 3), np.uint8)
    answer(session, declared, black)


def load(teacher: Teacher, task: str, folder: Path, compute: Compute) -> Predictor:
    """The network in the file; it predicts float32: unit normals [H, W, 3], or probabilities [H, W].

    UserError for a prediction that is none: not finite, or a probability beyond 0..1.
    """
    declared = section(teacher)
    session = opened(declared, compute.threads)

    def predict(image: NDArray[np.uint8]) -> NDArray[Any]:
        found = answer(session, declared, image)
        refuse_odd(found, declared, probability=registered(task).geometry != "normals")
        return outputs.at_size(task, torch.from_numpy(found), (image.shape[0], image.shape[1]))

    return predict


def section(teacher: Teacher) -> OnnxTeacher:
    """The declaration, which a teacher of this kind has."""
    assert teacher.onnx is not None
    return teacher.onnx


def opened(declared: OnnxTeacher, threads: int) -> onnxruntime.InferenceSession:
    """A session of the file, which must be the declared one, hold its own weights, and have one input.

    Operators that ONNX Runtime does not bring itself are refused by it: no library with others is ever registered.
    """
    path = files.verified(declared.file, "file", "an ONNX file")
    try:
        elsewhere = stored_elsewhere(path.read_bytes())
    except ValueError as error:
        raise UserError(f"file: {path} is no readable ONNX network ({reason(error)})") from None
    if elsewhere:
        raise UserError(
            f"file: {path} keeps weights in other files, which its SHA-256 does not cover; expected all in one file:"
            " save it without external data"
        )
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.use_deterministic_compute = True
    options.log_severity_level = 4  # what goes wrong is raised
    try:
        session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # the runtime has an exception for each of its failures
        raise UserError(f"file: {path} is no readable ONNX network ({reason(error)})") from None
    names = [one.name for one in session.get_outputs()]
    if len(session.get_inputs()) != 1:
        raise UserError(f"file: {path} has {len(session.get_inputs())} inputs, expected one, an image")
    if declared.output is not None and declared.output not in names:
        raise UserError(f"output: found '{declared.output}', expected one of {', '.join(names)}")
    return session


def answer(
    session: onnxruntime.InferenceSession, declared: OnnxTeacher, image: NDArray[np.uint8]
) -> NDArray[np.float32]:
    """The declared channels of what the network says of an image, activated: float32 [1, channels, h, w]."""
    wanted = [declared.output or session.get_outputs()[0].name]
    try:
        (output,) = session.run(wanted, {session.get_inputs()[0].name: prepared(image, declared)})
    except Exception as error:
        raise UserError(f"input: the network does not take it ({reason(error)})") from None
    highest = max(int(channel[1:]) for channel in declared.channels)
    found = np.asarray(output)
    if found.ndim != 4 or found.shape[0] != 1 or found.shape[1] <= highest or found.dtype.kind != "f":
        raise UserError(
            f"output: found {found.dtype} of shape {[*found.shape]}, expected floating point [1, C, h, w] with C of"
            f" {highest + 1} or more, for channels {', '.join(declared.channels)}"
        )
    values = activated(found.astype(np.float32), declared.activation)
    signed = [values[:, int(name[1:])] * np.float32(-1 if name[0] == "-" else 1) for name in declared.channels]
    return np.stack(signed, axis=1)


def prepared(image: NDArray[np.uint8], declared: OnnxTeacher) -> NDArray[np.float32]:
    """An image uint8 [H, W, 3] as the network takes it, float32 [1, 3, h, w]."""
    view = transforms.view_of_image(image, (declared.input.height, declared.input.width), zoom=1.0, flip=False)
    ordered = view if declared.colours == "rgb" else view[..., ::-1]
    mean, std = np.array(declared.mean, np.float32), np.array(declared.std, np.float32)
    scaled = (ordered.astype(np.float32) / 255 - mean) / std
    return np.ascontiguousarray(scaled.transpose(2, 0, 1)[None], dtype=np.float32)


def activated(output: NDArray[np.float32], activation: str) -> NDArray[np.float32]:
    """The output [1, C, h, w] as probabilities or vectors."""
    values = torch.from_numpy(output)
    if activation == "sigmoid":
        values = values.sigmoid()
    elif activation == "softmax":
        values = values.softmax(dim=1)
    elif activation == "centred":
        values = 2 * values - 1
    return values.numpy()


def refuse_odd(found: NDArray[np.float32], declared: OnnxTeacher, probability: bool) -> None:
    """Raise UserError for values that are no prediction."""
    path = declared.file.partition("#")[0]
    if not np.isfinite(found).all():
        raise UserError(f"{path} predicts NaN or infinity, expected numbers; check the declared mean and std")
    low, high = float(found.min()), float(found.max())
    if probability and (low < -TOLERANCE or high > 1 + TOLERANCE):
        raise UserError(f"{path} predicts {low:g} to {high:g}, expected 0..1; declare its activation")


def reason(error: Exception) -> str:
    """The first line of what the runtime says, shortened."""
    return " ".join(str(error).split())[:200]
