"""Equation 1 and the FPM of section 2.4 against a second computation in numpy, float64, from the weights."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

from mtinet.models.distillation import MultiModalDistillation
from mtinet.models.mti_net import FeaturePropagation

Array = NDArray[np.float64]
TASKS, CHANNELS, HEIGHT, WIDTH = ["seg", "depth", "normals"], 8, 5, 6


def array(tensor: torch.Tensor) -> Array:
    return tensor.detach().numpy()


def features(tasks=TASKS, channels=CHANNELS) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    shape = (2, channels, HEIGHT, WIDTH)
    return {task: torch.randn(shape, generator=generator, dtype=torch.float64) for task in tasks}


def ready(module: nn.Module) -> nn.Module:
    """In float64 and evaluation mode, with batch statistics that are not those of a new module."""
    for part in module.modules():
        if isinstance(part, nn.BatchNorm2d):
            nn.init.normal_(part.running_mean, 0, 0.1)
            nn.init.uniform_(part.running_var, 0.5, 2)
            nn.init.uniform_(part.weight, 0.5, 1.5)
            nn.init.normal_(part.bias, 0, 0.1)
    return module.double().eval()


def convolution(x: Array, layer: nn.Conv2d) -> Array:
    """Same-size cross-correlation, written as a sum over kernel offsets and pixels."""
    weight = array(layer.weight)
    outputs, _, size, _ = weight.shape
    margin = size // 2
    padded = np.pad(x, ((0, 0), (0, 0), (margin, margin), (margin, margin)))
    result = np.zeros((x.shape[0], outputs, *x.shape[2:]))
    for row in range(x.shape[2]):
        for column in range(x.shape[3]):
            window = padded[:, :, row : row + size, column : column + size]
            result[:, :, row, column] = np.einsum("bcij,ocij->bo", window, weight)
    return result if layer.bias is None else result + array(layer.bias)[:, None, None]


def batch_norm(x: Array, layer: nn.BatchNorm2d) -> Array:
    mean, variance, weight, bias = (
        array(value)[:, None, None] for value in (layer.running_mean, layer.running_var, layer.weight, layer.bias)
    )
    return (x - mean) / np.sqrt(variance + layer.eps) * weight + bias


def residual(x: Array, block: nn.Module) -> Array:
    """A basic residual block: two convolutions, the second added to the (projected) input."""
    y = np.maximum(batch_norm(convolution(x, block.conv1), block.bn1), 0)
    y = batch_norm(convolution(y, block.conv2), block.bn2)
    if block.downsample is not None:
        x = batch_norm(convolution(x, block.downsample[0]), block.downsample[1])
    return np.maximum(x + y, 0)


def sigmoid(x: Array) -> Array:
    return 1 / (1 + np.exp(-x))


def squeeze_excitation(x: Array, module: nn.Module) -> Array:
    """The gate of one number per image and channel."""
    gate = np.zeros(x.shape[:2])
    for image in range(x.shape[0]):
        pooled = np.array([channel.mean() for channel in x[image]])
        hidden = np.maximum(array(module.squeeze.weight) @ pooled + array(module.squeeze.bias), 0)
        gate[image] = sigmoid(array(module.excite.weight) @ hidden + array(module.excite.bias))
    return gate[:, :, None, None]


@pytest.mark.parametrize("gate", ["attention", "squeeze_excitation"])
def test_equation_1(gate):
    torch.manual_seed(0)
    receivers = ["seg", "depth"]
    module = ready(MultiModalDistillation(TASKS, receivers, CHANNELS, gate))
    given = features()
    found = module(given)
    assert [*found] == receivers
    for k in receivers:
        expected = array(given[k]).copy()
        for other in TASKS:
            if other != k:
                message, value = module.messages[k][other], array(given[other])
                if gate == "attention":
                    mask = sigmoid(convolution(value, message.gate.weight))
                else:
                    mask = squeeze_excitation(value, message.gate)
                expected += mask * convolution(value, message.content)
        np.testing.assert_allclose(array(found[k]), expected, atol=1e-10)


def test_distillation_holds_weights_for_ordered_pairs_only():
    """W and W' of every (receiver, giver) pair, k != l: 2 x 2 of 3x3 kernels without bias for 2 of 3 tasks."""
    module = MultiModalDistillation(TASKS, ["seg", "depth"], CHANNELS, "attention")
    assert [tuple(value.shape) for value in module.parameters()] == [(CHANNELS, CHANNELS, 3, 3)] * 8


def expected_mask(scores: Array, softmax: str) -> Array:
    """Channel c belongs to task c // C; over tasks it competes with the channels of equal c % C, in the
    released reading with the N channels of equal c // N."""
    count = len(TASKS)
    mask = np.zeros_like(scores)
    total = scores.shape[1]
    for channel in range(total):
        if softmax == "tasks":
            rivals = [other for other in range(total) if other % CHANNELS == channel % CHANNELS]
        else:
            rivals = [other for other in range(total) if other // count == channel // count]
        assert len(rivals) == count
        mask[:, channel] = np.exp(scores[:, channel]) / np.exp(scores[:, rivals]).sum(1)
    return mask


@pytest.mark.parametrize("softmax", ["tasks", "channels"])
def test_feature_propagation_module(softmax):
    torch.manual_seed(0)
    module = ready(FeaturePropagation(TASKS, CHANNELS, softmax))
    given = features()
    found = module(given)
    stacked = np.concatenate([array(given[task]) for task in TASKS], axis=1)
    first, second, last = module.attention
    scores = convolution(residual(residual(stacked, first), second), last)
    shared = residual(expected_mask(scores, softmax) * stacked, module.reduction)
    assert shared.shape == (2, CHANNELS, HEIGHT, WIDTH)
    for task in TASKS:
        expected = array(given[task]) + squeeze_excitation(shared, module.selection[task]) * shared
        np.testing.assert_allclose(array(found[task]), expected, atol=1e-10)


def test_f_reduces_to_a_quarter():
    """Section A.2: f reduces the channels aggressively; as released from N * C to N * C / 4 and back."""
    widths = [layer.weight.shape[:2] for layer in FeaturePropagation(TASKS, CHANNELS, "tasks").attention.modules()
              if isinstance(layer, nn.Conv2d)]  # fmt: skip
    assert [tuple(width) for width in widths] == [(6, 24), (6, 6), (6, 24), (6, 6), (6, 6), (24, 6)]


def test_tasks_compete_in_the_papers_softmax_only():
    """The mask sums to 1 over the tasks at every channel and pixel; in the released reading it does not."""
    torch.manual_seed(0)
    paper = ready(FeaturePropagation(TASKS, CHANNELS, "tasks"))
    released = ready(FeaturePropagation(TASKS, CHANNELS, "channels"))
    released.load_state_dict(paper.state_dict())
    stacked = torch.cat([*features().values()], dim=1)
    by_task = [module.mask(stacked).unflatten(1, (len(TASKS), CHANNELS)) for module in (paper, released)]
    torch.testing.assert_close(by_task[0].sum(1), torch.ones_like(by_task[0][:, 0]))
    assert (by_task[1].sum(1) - 1).abs().max() > 0.1
    assert not torch.allclose(by_task[0], by_task[1], atol=1e-3)


def test_selection_is_alive_from_the_start():
    """A squeeze-and-excitation whose few hidden units are all off would never learn."""
    for seed in range(20):
        torch.manual_seed(seed)
        module = FeaturePropagation(["a", "b"], 16, "tasks")
        given = {task: torch.rand(2, 16, 4, 4) for task in ("a", "b")}
        sum(value.square().sum() for value in module(given).values()).backward()
        assert all(part.squeeze.weight.grad.any() for part in module.selection.values())
