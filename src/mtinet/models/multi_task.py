"""MTL, the multi-task baseline (section 3.2): a shared backbone with one head per task."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from torch import Tensor, nn

from mtinet.models.backbones import Backbone
from mtinet.models.blocks import resize
from mtinet.models.interface import BaseOptions, Predictions, refuse_auxiliary


@dataclass(frozen=True)
class Options(BaseOptions):
    """No switches of its own."""

    def check_tasks(self, method: str, tasks: Collection[str], auxiliary: Collection[str]) -> None:
        refuse_auxiliary(method, auxiliary)


class Net(nn.Module):
    """Shared backbone and task-specific heads."""

    def __init__(
        self, backbone: Backbone, tasks: Mapping[str, int], auxiliary: Mapping[str, int], options: Options
    ) -> None:
        super().__init__()
        self.backbone = backbone
        self.heads = nn.ModuleDict(
            {task: backbone.decoder(backbone.channels, outputs) for task, outputs in tasks.items()}
        )

    def forward(self, images: Tensor) -> Predictions:
        features = self.backbone(images)
        final = {task: resize(decode(features), images) for task, decode in self.heads.items()}
        return Predictions(final=final, initial={})
