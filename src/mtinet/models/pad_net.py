"""PAD-Net [47] on a multi-scale backbone: initial predictions and distillation at the single scale 1/4.

The paper compares with it in section 3 and describes it in section 2.1 and under Table 7: multi-modal
distillation at 1/4 with 4C channels, where C is the number of backbone channels at a single scale.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Literal

from torch import Tensor, nn

from mtinet.models.backbones import Backbone
from mtinet.models.blocks import bottleneck, residual_block, resize
from mtinet.models.distillation import MultiModalDistillation
from mtinet.models.heads import concatenated, fusion
from mtinet.models.interface import BaseOptions, Predictions, check_interaction


@dataclass(frozen=True)
class Options(BaseOptions):
    """Switches of PAD-Net.

    task_features: residual_4c, the paper's reading: task features have 4C channels, C being the backbone's at
        1/4, from two basic residual blocks (section 3.1). bottleneck_256, the released reading: the
        backbone's concatenated features pass a 1x1 convolution, task features have 256 channels, from two
        bottleneck blocks. Table 7a's print (-15 % parameters, +204 % FLOPs) fits the released reading.
    distillation: attention (equation 1) or squeeze_excitation (section 2.3).
    """

    task_features: Literal["residual_4c", "bottleneck_256"] = "residual_4c"
    distillation: Literal["attention", "squeeze_excitation"] = "attention"

    def check_tasks(self, method: str, tasks: Collection[str], auxiliary: Collection[str]) -> None:
        check_interaction(method, tasks, auxiliary)


class Net(nn.Module):
    """Front-end with initial predictions for all tasks, distillation, final heads for the main tasks."""

    def __init__(
        self, backbone: Backbone, tasks: Mapping[str, int], auxiliary: Mapping[str, int], options: Options
    ) -> None:
        super().__init__()
        released = options.task_features == "bottleneck_256"
        block = bottleneck if released else residual_block
        shared = sum(backbone.channels.values())
        width = 256 if released else 4 * backbone.channels[4]
        everything = {**tasks, **auxiliary}
        self.backbone = backbone
        self.fusion = fusion(shared) if released else nn.Identity()
        self.task_features = nn.ModuleDict(
            {task: nn.Sequential(block(shared, width), block(width, width)) for task in everything}
        )
        self.initial = nn.ModuleDict({task: nn.Conv2d(width, outputs, 1) for task, outputs in everything.items()})
        self.distillation = MultiModalDistillation(everything, tasks, width, options.distillation)
        self.heads = nn.ModuleDict(
            {
                task: nn.Sequential(block(width, width), block(width, width), nn.Conv2d(width, outputs, 1))
                for task, outputs in tasks.items()
            }
        )

    def forward(self, images: Tensor) -> Predictions:
        shared = self.fusion(concatenated(self.backbone(images)))
        features: dict[str, Tensor] = {task: extract(shared) for task, extract in self.task_features.items()}
        initial = {task: predict(features[task]) for task, predict in self.initial.items()}
        distilled = self.distillation(features)
        final = {task: resize(decode(distilled[task]), images) for task, decode in self.heads.items()}
        return Predictions(final=final, initial={4: initial})
