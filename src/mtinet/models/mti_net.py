"""MTI-Net (section 2): initial predictions and distillation at every scale, propagation from coarse to fine
scales, aggregation of all scales into the final predictions.

    for every scale, coarsest first:
        front-end     backbone features ++ features propagated from the coarser scale -> task features
        initial       task features -> initial predictions                                  (section 2.3)
        distillation  task features of all tasks -> distilled features of the main tasks    (equation 1)
        propagation   task features -> FPM -> input of the next finer front-end             (section 2.4)
    final predictions: distilled features of all scales -> head                             (section 2.5)
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Annotated, Literal

import torch
from pydantic import AfterValidator, Field, Strict
from torch import Tensor, nn

from mtinet.errors import UserError
from mtinet.models.backbones import Backbone
from mtinet.models.blocks import SqueezeExcitation, residual_block, resize
from mtinet.models.distillation import MultiModalDistillation
from mtinet.models.interface import STRIDES, BaseOptions, Predictions, check_interaction


def prefix_of_strides(scales: tuple[int, ...]) -> tuple[int, ...]:
    """`scales` when it is the finest k of 4, 8, 16, 32, which is what Table 3 varies."""
    if not scales or scales != STRIDES[: len(scales)]:
        raise ValueError(f"found {[*scales]}, expected [4], [4, 8], [4, 8, 16] or [4, 8, 16, 32]")
    return scales


Scales = Annotated[tuple[Annotated[int, Strict()], ...], AfterValidator(prefix_of_strides)]
Width = Annotated[int, Strict(), Field(ge=4)]


@dataclass(frozen=True)
class Options(BaseOptions):
    """Switches of MTI-Net; the defaults are the paper's reading.

    scales: strides of the scales used, the finest k (Table 3).
    propagation: fpm; upsample, section 2.4's trivial implementation; none, the rows "w/o FPM" of Table 2a.
    propagated: what is passed on: task_features, as section 2.4 says, or distilled_features (main tasks
        refined by equation 1), as the abstract and section 1 say.
    fpm_softmax: tasks, the softmax of section 2.4 over the tasks; channels, the released reading, whose
        reshape puts N adjacent channels under the softmax, so that tasks never compete.
    fpm_order: order of the tasks' features in the FPM's concatenation, all tasks; empty: main tasks, then
        auxiliary. It matters for released weights only (there [seg, normals, edge, depth] on NYUD-v2).
    distillation: attention (equation 1) or squeeze_excitation (section 2.3).
    width: channels of the task features at every scale; null: as many as the backbone has there, the C of
        Table 7a's discussion. The paper does not say it for FPN, whose 256 channels at every scale make far more
        parameters and FLOPs than Table 7b prints; see mtinet/studies/task_width.py.
    """

    scales: Scales = STRIDES
    propagation: Literal["fpm", "upsample", "none"] = "fpm"
    propagated: Literal["task_features", "distilled_features"] = "task_features"
    fpm_softmax: Literal["tasks", "channels"] = "tasks"
    fpm_order: tuple[str, ...] = ()
    distillation: Literal["attention", "squeeze_excitation"] = "attention"
    width: Width | None = None

    @property
    def strides(self) -> tuple[int, ...]:
        return self.scales

    def check_tasks(self, method: str, tasks: Collection[str], auxiliary: Collection[str]) -> None:
        check_interaction(method, tasks, auxiliary)
        if self.fpm_order and sorted(self.fpm_order) != sorted([*tasks, *auxiliary]):
            raise UserError(
                f"{method}: option 'fpm_order': found {[*self.fpm_order]}, expected every task once,"
                f" an order of {[*tasks, *auxiliary]}"
            )


class FrontEnd(nn.Module):
    """Task features and initial predictions at one scale: per task two basic residual blocks (section 3.1)
    and a 1x1 convolution."""

    def __init__(self, outputs: Mapping[str, int], inputs: int, channels: int) -> None:
        super().__init__()
        self.features = nn.ModuleDict(
            {
                task: nn.Sequential(residual_block(inputs, channels), residual_block(channels, channels))
                for task in outputs
            }
        )
        self.predictors = nn.ModuleDict({task: nn.Conv2d(channels, count, 1) for task, count in outputs.items()})

    def forward(self, shared: Tensor, propagated: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """Backbone features [B, C, H, W] and, per task, features of the coarser scale (or none) to task
        features [B, C', H, W] and initial predictions [B, C_task, H, W], both by task."""
        features = {}
        for task, extract in self.features.items():
            coarser = [resize(propagated[task], shared)] if propagated else []
            features[task] = extract(torch.cat([shared, *coarser], dim=1))
        return features, {task: predict(features[task]) for task, predict in self.predictors.items()}


class FeaturePropagation(nn.Module):
    """The FPM (section 2.4, Fig. 3) at one scale: harmonises the features of N tasks into one shared
    representation and adds to every task what its squeeze-and-excitation selects from that."""

    def __init__(self, tasks: Collection[str], channels: int, softmax: Literal["tasks", "channels"]) -> None:
        super().__init__()
        self.tasks = list(tasks)
        self.softmax = softmax
        stacked = len(self.tasks) * channels
        # f "aggressively reduces the number of channels" (section A.2): to a quarter, as released.
        self.attention = nn.Sequential(
            residual_block(stacked, stacked // 4),
            residual_block(stacked // 4, stacked // 4),
            nn.Conv2d(stacked // 4, stacked, 1),
        )
        self.reduction = residual_block(stacked, channels)
        self.selection = nn.ModuleDict({task: SqueezeExcitation(channels) for task in self.tasks})

    def mask(self, stacked: Tensor) -> Tensor:
        """The task attention mask [B, N * C, H, W] of the concatenated features, same shape, in (0, 1)."""
        batch, width, height, columns = stacked.shape
        tasks = len(self.tasks)
        scores = self.attention(stacked)
        if self.softmax == "tasks":
            split = scores.view(batch, tasks, width // tasks, height, columns).softmax(dim=1)
        else:
            split = scores.view(batch, width // tasks, tasks, height, columns).softmax(dim=2)
        mask: Tensor = split.reshape(batch, width, height, columns)
        return mask

    def forward(self, features: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Task -> [B, C, H, W] to the refined features, same tasks and shapes."""
        stacked = torch.cat([features[task] for task in self.tasks], dim=1)
        shared = self.reduction(self.mask(stacked) * stacked)
        return {task: features[task] + select(shared) * shared for task, select in self.selection.items()}


class Net(nn.Module):
    """Multi-scale front-ends, distillation and propagation, and one head per main task."""

    def __init__(
        self, backbone: Backbone, tasks: Mapping[str, int], auxiliary: Mapping[str, int], options: Options
    ) -> None:
        super().__init__()
        self.options = options
        everything = {**tasks, **auxiliary}
        channels = {stride: options.width or backbone.channels[stride] for stride in options.scales}
        self.backbone = backbone
        self.front_ends = nn.ModuleDict()
        self.distillation = nn.ModuleDict()
        self.propagation = nn.ModuleDict()
        coarser = 0
        for stride in reversed(options.scales):
            width, scale = channels[stride], str(stride)
            self.front_ends[scale] = FrontEnd(everything, backbone.channels[stride] + coarser, width)
            self.distillation[scale] = MultiModalDistillation(everything, tasks, width, options.distillation)
            if options.propagation == "fpm" and stride != options.scales[0]:
                order = options.fpm_order or tuple(everything)
                self.propagation[scale] = FeaturePropagation(order, width, options.fpm_softmax)
            coarser = 0 if options.propagation == "none" else width
        self.heads = nn.ModuleDict({task: backbone.decoder(channels, outputs) for task, outputs in tasks.items()})

    def forward(self, images: Tensor) -> Predictions:
        shared = self.backbone(images)
        initial: dict[int, dict[str, Tensor]] = {}
        distilled: dict[int, dict[str, Tensor]] = {}
        passed: dict[str, Tensor] = {}
        for stride in reversed(self.options.scales):
            features, initial[stride] = self.front_ends[str(stride)](shared[stride], passed)
            distilled[stride] = self.distillation[str(stride)](features)
            passed = self.propagate(stride, features, distilled[stride])
        final = {
            task: resize(decode({stride: distilled[stride][task] for stride in distilled}), images)
            for task, decode in self.heads.items()
        }
        return Predictions(final=final, initial={stride: initial[stride] for stride in self.options.scales})

    def propagate(
        self, stride: int, features: Mapping[str, Tensor], distilled: Mapping[str, Tensor]
    ) -> dict[str, Tensor]:
        """What the front-end of the next finer scale receives from `stride`, by task; empty for none."""
        if self.options.propagation == "none" or stride == self.options.scales[0]:
            return {}
        chosen = dict(features)
        if self.options.propagated == "distilled_features":
            chosen.update(distilled)
        return self.propagation[str(stride)](chosen) if self.options.propagation == "fpm" else chosen
