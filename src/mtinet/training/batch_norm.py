"""Batch norm over the batches of all processes."""

from __future__ import annotations

from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

from mtinet.errors import UserError
from mtinet.models.blocks import at_least_float32


def synchronised(model: nn.Module) -> nn.Module:
    """`model` with every batch norm replaced by a synchronised one of the same parameters and keys.

    On GPUs torch's own; on a CPU, which that refuses, `SharedBatchNorm`. UserError for another kind of batch norm.
    """
    norms = [part for part in model.modules() if isinstance(part, nn.modules.batchnorm._BatchNorm)]
    odd = {type(part).__name__ for part in norms if type(part) is not nn.BatchNorm2d}
    if odd:
        raise UserError(
            f"the backbone has {', '.join(sorted(odd))}, expected BatchNorm2d alone, whose statistics several processes"
            " share: set compute.processes to 1 in params.yaml"
        )
    if next(model.parameters()).device.type == "cuda":
        converted: nn.Module = nn.SyncBatchNorm.convert_sync_batchnorm(model)
        return converted
    for part in norms:
        part.__class__ = SharedBatchNorm  # the same state, another forward pass
    return model


class Sum(torch.autograd.Function):
    """The sum over all processes; differentiable any number of times, since its gradient is the sum of theirs."""

    @staticmethod
    def forward(ctx: Any, values: Tensor) -> Tensor:
        result = values.clone()
        dist.all_reduce(result)
        return result

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        result: Tensor = Sum.apply(gradients[0].contiguous())
        return result


class SharedBatchNorm(nn.BatchNorm2d):
    """nn.BatchNorm2d whose statistics in training are those of all processes' batches, which may differ in size."""

    def forward(self, features: Tensor) -> Tensor:
        if not self.training:
            return super().forward(features)
        given, features = features.dtype, at_least_float32(features)
        ones = features.new_full((1,), features.numel() / features.shape[1])
        sums, pixels = Sum.apply(torch.cat([features.sum((0, 2, 3)), ones])).split([self.num_features, 1])
        pixels = pixels.detach()
        mean = sums / pixels
        centred = features - mean[:, None, None]
        # Two passes: the mean square less the squared mean would lose what float32 has of small variances.
        variance = Sum.apply(centred.square().sum((0, 2, 3))) / pixels
        self.note(mean.detach(), variance.detach() * pixels / (pixels - 1))
        scale = (variance + self.eps).rsqrt() * self.weight
        result: Tensor = (centred * scale[:, None, None] + self.bias[:, None, None]).to(given)
        return result

    def note(self, mean: Tensor, variance: Tensor) -> None:
        """Move the running statistics towards a batch's, its variance the unbiased one."""
        assert self.running_mean is not None
        assert self.running_var is not None
        assert self.num_batches_tracked is not None
        assert self.momentum is not None
        self.num_batches_tracked.add_(1)
        self.running_mean.lerp_(mean, self.momentum)
        self.running_var.lerp_(variance, self.momentum)
