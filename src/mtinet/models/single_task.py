"""Single task: one backbone and one head for one task, the baseline that delta_m is measured against."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from torch import Tensor, nn

from mtinet.errors import UserError
from mtinet.models.backbones import Backbone
from mtinet.models.blocks import resize
from mtinet.models.interface import BaseOptions, Predictions, refuse_auxiliary


@dataclass(frozen=True)
class Options(BaseOptions):
    """No switches of its own."""

    def check_tasks(self, method: str, tasks: Collection[str], auxiliary: Collection[str]) -> None:
        if len(tasks) != 1:
            raise UserError(f"{method}: found {len(tasks)} tasks ({', '.join(tasks)}), expected exactly one")
        refuse_auxiliary(method, auxiliary)


class Net(nn.Module):
    """Backbone and head of one task."""

    def __init__(
        self, backbone: Backbone, tasks: Mapping[str, int], auxiliary: Mapping[str, int], options: Options
    ) -> None:
        super().__init__()
        self.backbone = backbone
        self.task, outputs = next(iter(tasks.items()))
        self.head = backbone.decoder(backbone.channels, outputs)

    def forward(self, images: Tensor) -> Predictions:
        prediction = self.head(self.backbone(images))
        return Predictions(final={self.task: resize(prediction, images)}, initial={})
