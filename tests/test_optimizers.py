"""The optimisers take the steps of torch's plain ones however weights lie in memory, and leave them lying so."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor, nn

from mtinet.training.optimizers import optimizer_of

LAYOUTS = [torch.contiguous_format, torch.channels_last]


def network(layout: torch.memory_format = torch.contiguous_format) -> nn.Module:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.Conv2d(8, 8, 1), nn.Conv2d(8, 5, 3, bias=False))
    for weight in net.parameters():
        if weight.dim() == 4:
            weight.data = weight.data.contiguous(memory_format=layout)
    return net


def gradients(net: nn.Module, step: int, layout: torch.memory_format) -> None:
    generator = torch.Generator().manual_seed(step)
    for weight in net.parameters():
        drawn = torch.randn(weight.shape, generator=generator)
        weight.grad = drawn.contiguous(memory_format=layout) if weight.dim() == 4 else drawn


def plain_adam(net: nn.Module) -> torch.optim.Optimizer:
    return torch.optim.Adam(net.parameters(), lr=0.1, weight_decay=1e-2, foreach=False, fused=False)


def adam(net: nn.Module) -> torch.optim.Optimizer:
    return optimizer_of("adam", [{"params": [*net.parameters()], "lr_factor": 1.0}], 0.1, 1e-2)


def assert_equal(net: nn.Module, reference: nn.Module) -> None:
    for found, expected in zip(net.parameters(), reference.parameters(), strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("weights", LAYOUTS)
@pytest.mark.parametrize("of_gradients", LAYOUTS)
def test_adam_takes_torchs_own_step(weights: torch.memory_format, of_gradients: torch.memory_format) -> None:
    net, reference = network(weights), network()
    ours, theirs = adam(net), plain_adam(reference)
    for step in range(4):
        gradients(net, step, of_gradients)
        gradients(reference, step, torch.contiguous_format)
        ours.step()
        theirs.step()
    assert_equal(net, reference)


def test_after_a_step_weights_and_gradients_lie_as_before() -> None:
    net = network(torch.channels_last)
    gradients(net, 0, torch.channels_last)
    before: list[tuple[Tensor, int, tuple[int, ...]]] = [
        (weight, weight.data_ptr(), weight.stride()) for weight in net.parameters()
    ]
    adam(net).step()
    for weight, place, strides in before:
        assert (weight.data_ptr(), weight.stride()) == (place, strides)
        assert weight.grad is not None
        assert weight.grad.shape == weight.shape
    net(torch.randn(2, 3, 9, 9)).sum().backward()


def test_weights_without_a_gradient_are_left_alone() -> None:
    net = network(torch.channels_last)
    gradients(net, 0, torch.channels_last)
    first = next(net.parameters())
    first.grad, kept = None, first.detach().clone()
    adam(net).step()
    assert torch.equal(first, kept)
    assert first.shape == (8, 3, 3, 3)


def test_a_resumed_optimizer_goes_on_with_the_same_bytes() -> None:
    net = network(torch.channels_last)
    ours = adam(net)
    gradients(net, 0, torch.channels_last)
    ours.step()
    other = copy.deepcopy(net)
    resumed = adam(other)
    resumed.load_state_dict(copy.deepcopy(ours.state_dict()))
    for trained, optimizer in ((net, ours), (other, resumed)):
        gradients(trained, 1, torch.channels_last)
        optimizer.step()
    assert all(torch.equal(a, b) for a, b in zip(net.parameters(), other.parameters(), strict=True))


def test_sgd_has_the_papers_momentum() -> None:
    net, reference = network(), network()
    ours = optimizer_of("sgd", [{"params": [*net.parameters()], "lr_factor": 1.0}], 0.1, 1e-2)
    theirs = torch.optim.SGD(reference.parameters(), lr=0.1, momentum=0.9, weight_decay=1e-2)
    for step in range(3):
        for trained, optimizer in ((net, ours), (reference, theirs)):
            gradients(trained, step, torch.contiguous_format)
            optimizer.step()
    assert_equal(net, reference)
