"""Predictions for photos of any size and shape: they are fitted into the network's input and padded, never squeezed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from mtinet.data.transforms import normalise, view_of_image
from mtinet.evaluation.outputs import activate, at_size
from mtinet.evaluation.scoring import by_key, finest_key, task_of
from mtinet.models.interface import Predictions
from mtinet.tasks import task

STEP = 32  # the networks take sides that are multiples of it
Size = tuple[int, int]
Photo = NDArray[np.uint8]


@dataclass(frozen=True)
class Fit:
    """How a photo lies in the network's input: resized to `size`, in the middle of `padded`, both (height, width)."""

    size: Size
    padded: Size

    @classmethod
    def of(cls, photo: Size, box: Size) -> Fit:
        """As large as it fits, all sides in proportion, into the box; that is turned for a photo that stands upright
        where the box lies, and the other way round. Padding goes to the next multiples of STEP only."""
        height, width = photo
        tall, wide = box if (height > width) == (box[0] > box[1]) else box[::-1]
        factor = min(tall / height, wide / width)
        size = (max(1, round(height * factor)), max(1, round(width * factor)))
        return cls(size, (up(size[0]), up(size[1])))

    @property
    def margins(self) -> tuple[tuple[int, int], tuple[int, int]]:
        """Pixels of padding above and below, to the left and to the right."""
        above, left = ((whole - part) // 2 for whole, part in zip(self.padded, self.size, strict=True))
        return (above, self.padded[0] - self.size[0] - above), (left, self.padded[1] - self.size[1] - left)

    def network_input(self, photo: Photo) -> NDArray[np.float32]:
        """The photo as the network takes it, float32 [3, h, w]; the padding repeats its border."""
        view = view_of_image(photo, self.size, zoom=1.0, flip=False)
        return normalise(np.pad(view, (*self.margins, (0, 0)), mode="edge"))

    def cropped(self, name: str, prediction: Tensor) -> Tensor:
        """The photo's part of an activated prediction [1, C, h, w] for the whole input, at any of its scales."""
        if tuple(prediction.shape[-2:]) != self.padded:
            nearest = task(name).interpolation == "nearest"
            options: dict[str, Any] = {"mode": "nearest-exact"} if nearest else {"mode": "bilinear"}
            kind = prediction.dtype
            prediction = F.interpolate(prediction.float(), size=self.padded, **options).to(kind)
        (above, below), (left, right) = self.margins
        return prediction[..., above : self.padded[0] - below, left : self.padded[1] - right]


def up(length: int) -> int:
    """The next multiple of STEP."""
    return -(-length // STEP) * STEP


def predictions(
    model: nn.Module,
    photos: Iterable[tuple[str, Photo]],
    box: Size,
    tasks: Sequence[str],
    auxiliary: Sequence[str],
    device: torch.device,
    batch: int = 1,
) -> Iterator[tuple[str, Photo, dict[str, NDArray]]]:
    """Name, photo and its predictions at its own size by task, in the order of the photos.

    photos: name and uint8 [H, W, 3]; neighbours that are padded to the same size share a batch. box: the network's
    input in training, (height, width). tasks have final predictions, `auxiliary` ones the finest initial one. Classes
    are uint8 [H, W]; depth in metres, probabilities float32 [H, W]; normals unit vectors float32 [H, W, 3].
    """
    model.eval()
    for group in groups(photos, box, batch):
        inputs = torch.stack([torch.from_numpy(fit.network_input(photo)) for _, photo, fit in group])
        with torch.inference_mode():
            ready = activated(model(inputs.to(device)), tasks, auxiliary)
        for row, (name, photo, fit) in enumerate(group):
            size = (photo.shape[0], photo.shape[1])
            yield (
                name,
                photo,
                {key: at_size(key, fit.cropped(key, output[row : row + 1]), size) for key, output in ready.items()},
            )


def activated(outputs: Predictions, tasks: Sequence[str], auxiliary: Sequence[str]) -> dict[str, Tensor]:
    """Task -> what the network predicts of it, [B, C, h, w]; of auxiliary tasks at the finest scale."""
    found: Mapping[str, Tensor] = by_key(outputs)
    keys = [*tasks, *(finest_key(name, found) for name in auxiliary)]
    return {task_of(key): activate(task_of(key), found[key]) for key in keys}


def groups(photos: Iterable[tuple[str, Photo]], box: Size, batch: int) -> Iterator[list[tuple[str, Photo, Fit]]]:
    """Neighbouring photos of one padded size, at most `batch` of them."""
    waiting: list[tuple[str, Photo, Fit]] = []
    for name, photo in photos:
        fit = Fit.of((photo.shape[0], photo.shape[1]), box)
        if waiting and (len(waiting) == batch or waiting[0][2].padded != fit.padded):
            yield waiting
            waiting = []
        waiting.append((name, photo, fit))
    if waiting:
        yield waiting
