"""Training as a straightforward PyTorch script does it: what ours is measured against.

Eager, float32, tensors as they come (NCHW), torch's own settings (threads, TF32, algorithms), Adam as torch.optim has
it by default, losses written down task by task, and a DataLoader whose workers decode the archive's files and resize
and flip them one by one. Network and objective are the same as ours.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from mtinet.data import nyud
from mtinet.models.interface import Predictions

MEAN, DEVIATION = np.array([0.485, 0.456, 0.406], np.float32), np.array([0.229, 0.224, 0.225], np.float32)
EDGE_WEIGHT = 0.95  # of boundary pixels
AHEAD = 2  # batches that each worker of a DataLoader makes in advance: torch's default
Size = tuple[int, int]


class Frames(Dataset):
    """NYUD's layout, read frame by frame; `length` images, which repeat where the folder has fewer."""

    def __init__(self, root: Path, tasks: Sequence[str], size: Size, zooms: Sequence[float], length: int) -> None:
        self.root, self.tasks, self.size, self.zooms, self.length = root, tasks, size, zooms, length
        self.ids = nyud.split_ids(root, "train")

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        name = self.ids[index % len(self.ids)]
        sample = {task: read(self.root, task, name) for task in ("image", *self.tasks)}
        return augmented(sample, self.size, random.choice(self.zooms), random.random() < 0.5)


def read(root: Path, kind: str, name: str) -> NDArray[Any]:
    """An image or label from its file."""
    if kind == "image":
        return np.asarray(Image.open(nyud.image_path(root, name)).convert("RGB"))
    path = nyud.label_path(root, kind, name)
    if kind == "seg":
        return np.asarray(Image.open(path)) - np.uint8(1)  # 0, unlabelled, becomes 255
    return np.load(path)


def augmented(sample: Mapping[str, NDArray[Any]], size: Size, zoom: float, flip: bool) -> dict[str, Tensor]:
    """Zoom into the centre, resize, flip; depth divided by the zoom, x of the normals negated by a flip."""
    output = {}
    for kind, array in sample.items():
        view = resized(array, kind, size, zoom)
        if kind == "depth":
            view = view / zoom
        if flip:
            view = view[:, ::-1]
            if kind == "normals":
                view = view * np.array([-1, 1, 1], np.float32)
        if kind == "image":
            view = (view.astype(np.float32) / 255 - MEAN) / DEVIATION
        output[kind] = tensor_of(view, kind)
    return output


def resized(array: NDArray[Any], kind: str, size: Size, zoom: float) -> NDArray[Any]:
    """The centre 1/zoom of it at `size`."""
    height, width = array.shape[:2]
    down, across = round(height / zoom), round(width / zoom)
    top, left = (height - down) // 2, (width - across) // 2
    seen = np.ascontiguousarray(array[top : top + down, left : left + across])
    if kind == "edge" and down >= 2 * size[0]:  # or most of a line that is a pixel wide is lost
        seen = cv2.dilate(seen.astype(np.uint8), np.ones((down // size[0],) * 2, np.uint8))
    smooth = cv2.INTER_AREA if down > size[0] else cv2.INTER_LINEAR
    how = smooth if kind == "image" else cv2.INTER_NEAREST
    return np.asarray(cv2.resize(seen, (size[1], size[0]), interpolation=how))


def tensor_of(view: NDArray[Any], kind: str) -> Tensor:
    """Class indices int64 [h, w], everything else float32 [C, h, w]."""
    if kind == "seg":
        return torch.from_numpy(np.ascontiguousarray(view)).long()
    planes = view[None] if view.ndim == 2 else view.transpose(2, 0, 1)
    return torch.from_numpy(np.ascontiguousarray(planes)).float()


def objective(predictions: Predictions, targets: Mapping[str, Tensor]) -> Tensor:
    """The sum of the losses of all final and initial predictions, which are brought to full size (section 3.1)."""
    total = torch.zeros((), device=targets["image"].device)
    for task, output in predictions.final.items():
        total = total + loss(task, output, targets[task])
    for outputs in predictions.initial.values():
        for task, output in outputs.items():
            full = F.interpolate(output, size=targets[task].shape[-2:], mode="bilinear", align_corners=False)
            total = total + loss(task, full, targets[task])
    return total


def loss(task: str, output: Tensor, target: Tensor) -> Tensor:
    """Mean over the valid pixels of the batch, as the paper has it for each task."""
    if task == "seg":
        return F.cross_entropy(output, target, ignore_index=255)
    if task == "depth":
        valid = target > 0
        return F.l1_loss(output[valid], target[valid])
    if task == "normals":
        valid = (target != 0).any(dim=1, keepdim=True).expand_as(target)
        return F.l1_loss(F.normalize(output, dim=1)[valid], target[valid])
    if task == "edge":
        valid = target != 255
        weight = torch.where(target == 1, EDGE_WEIGHT, 1 - EDGE_WEIGHT)
        return F.binary_cross_entropy_with_logits(output[valid], target[valid], weight=weight[valid])
    raise ValueError(f"no plain loss for {task}")


def train_step(
    net: nn.Module, optimizer: torch.optim.Optimizer, batch: Mapping[str, Tensor], device: torch.device
) -> float:
    """One step on one batch; returns the loss."""
    targets = {key: value.to(device) for key, value in batch.items()}
    optimizer.zero_grad()
    total = objective(net(targets["image"]), targets)
    total.backward()
    optimizer.step()
    return total.item()


def batches(frames: Frames, size: int, workers: int) -> Iterator[dict[str, Tensor]]:
    """Batches of a DataLoader, epoch after epoch; its workers stay."""
    loader: DataLoader = DataLoader(
        frames, batch_size=size, shuffle=True, drop_last=True, num_workers=workers, persistent_workers=workers > 0,
        pin_memory=torch.cuda.is_available(),
    )  # fmt: skip
    while True:
        yield from loader
