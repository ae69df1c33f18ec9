"""Teachers that the stage teach trains: single-task networks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from mtinet import files, losses, models
from mtinet.config import Compute, Teacher, TrainedTeacher
from mtinet.data import transforms
from mtinet.errors import UserError
from mtinet.evaluation import outputs
from mtinet.teachers import Predictor
from mtinet.training import checkpoints, loop
from mtinet.training.beforehand import MANIFEST

METHOD = "single_task"
WEIGHTS = "weights.safetensors"


def check(teacher: Teacher, task: str, scale: str) -> None:
    """Raise UserError unless the network can be built, with its ImageNet weights at `scale`, and has a loss."""
    losses.module(task)
    options = models.check_options(METHOD, {}, [task], [])
    models.check_backbone(section(teacher).backbone, teacher.budgets[scale].pretrained, options)


def section(teacher: Teacher) -> TrainedTeacher:
    """The declaration, which a teacher of this kind has."""
    assert teacher.trained is not None
    return teacher.trained


def load(teacher: Teacher, task: str, folder: Path, compute: Compute) -> Predictor:
    """The network as its manifest declares it, with the published weights; UserError when they are not there.

    It predicts float32: unit normals [H, W, 3], or probabilities [H, W], from its input's size bilinearly.
    """
    if not (folder / WEIGHTS).exists():
        raise UserError(f"no weights of the teacher at {folder / WEIGHTS}: run the stage teach for '{task}' first")
    made_of: dict[str, Any] = files.read_json(folder / MANIFEST)["config"]
    net = models.build(
        METHOD, backbone=made_of["experiment"]["backbone"], tasks=made_of["channels"], auxiliary={}, options={}
    )
    checkpoints.load_weights(folder / WEIGHTS, net)
    torch.set_num_threads(compute.threads)
    device = loop.device_of(compute.device)
    # As in training: faster on a CPU.
    net = net.to(device).eval().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    size = (made_of["scale"]["input"]["height"], made_of["scale"]["input"]["width"])

    def predict(image: NDArray[np.uint8]) -> NDArray[Any]:
        prepared = torch.from_numpy(transforms.prepare_image(image, size))[None].to(device)
        prepared = prepared.contiguous(memory_format=torch.channels_last)
        with torch.inference_mode():
            found = outputs.activate(task, net(prepared).final[task])
        return outputs.at_size(task, found, (image.shape[0], image.shape[1]))

    return predict
