"""Losses against float64 loops, finite-difference gradients, and their sum with deep supervision."""

from __future__ import annotations

from dataclasses import dataclass
from math import exp, log, sqrt

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from mtinet import losses
from mtinet.errors import UserError
from mtinet.tasks import registry

SHAPES = st.tuples(st.integers(1, 3), st.integers(1, 5), st.integers(1, 6))  # batch, height, width
SEEDS = st.integers(0, 2**16)
SHARES = st.sampled_from([0.0, 0.3, 0.9, 1.0])  # of invalid pixels


def loop_cross_entropy(logits: np.ndarray, target: np.ndarray) -> float:
    terms = []
    for b, y, x in np.ndindex(target.shape):
        if target[b, y, x] != 255:
            scores = [float(value) for value in logits[b, :, y, x]]
            terms.append(log(sum(exp(value) for value in scores)) - scores[target[b, y, x]])
    return sum(terms) / len(terms) if terms else 0.0


def loop_l1(depth: np.ndarray, target: np.ndarray) -> float:
    terms = [abs(float(depth[i]) - float(target[i])) for i in np.ndindex(target.shape) if target[i] > 0]
    return sum(terms) / len(terms) if terms else 0.0


def loop_normals(normals: np.ndarray, target: np.ndarray) -> float:
    terms = []
    for b, y, x in np.ndindex(target.shape[0], *target.shape[2:]):
        truth, guess = target[b, :, y, x], normals[b, :, y, x]
        if any(value != 0 for value in truth):
            length = sqrt(sum(float(value) ** 2 for value in guess))
            terms += [abs(float(g) / length - float(t)) for g, t in zip(guess, truth, strict=True)]
    return sum(terms) / len(terms) if terms else 0.0


def loop_edge(logits: np.ndarray, target: np.ndarray) -> float:
    terms = []
    for i in np.ndindex(target.shape):
        if target[i] != 255:
            probability = 1 / (1 + exp(-float(logits[i])))
            terms.append(-0.95 * log(probability) if target[i] == 1 else -0.05 * log(1 - probability))
    return sum(terms) / len(terms) if terms else 0.0


LOOPS = {"seg": loop_cross_entropy, "depth": loop_l1, "normals": loop_normals, "edge": loop_edge}


def example(task: str, shape: tuple[int, int, int], share: float, seed: int) -> tuple[Tensor, Tensor]:
    """A float64 output of 4 channels (seg) or the registry's, and a target with a share of invalid pixels."""
    batch, height, width = shape
    generator = np.random.default_rng(seed)
    invalid = generator.random((batch, 1, height, width)) < share
    output = 3 * generator.normal(size=(batch, registry()[task].channels or 4, height, width))
    if task == "seg":
        target = np.where(invalid, 255, generator.integers(0, 4, invalid.shape))[:, 0]
    elif task == "depth":
        target = np.where(invalid, 0.0, generator.uniform(0.5, 10, invalid.shape))
    elif task == "normals":
        vectors = generator.normal(size=output.shape)
        vectors[:, :, :1] = np.array([0.0, 0.0, -1.0])[:, None, None]  # valid, though with elements of 0
        target = np.where(invalid, 0.0, vectors / np.linalg.norm(vectors, axis=1, keepdims=True))
    else:
        target = np.where(invalid, 255, generator.integers(0, 2, invalid.shape))
    return torch.from_numpy(output), torch.from_numpy(target)


@pytest.mark.parametrize("task", LOOPS)
@settings(max_examples=30, deadline=None)
@given(shape=SHAPES, share=SHARES, seed=SEEDS)
def test_loss_agrees_with_a_loop(task: str, shape: tuple[int, int, int], share: float, seed: int) -> None:
    output, target = example(task, shape, share, seed)
    expected = LOOPS[task](output.numpy(), target.numpy())
    assert losses.loss_of(task)(output, target).item() == pytest.approx(expected, rel=1e-9, abs=1e-12)
    single = losses.loss_of(task)(output.float(), target.float() if target.is_floating_point() else target)
    assert single.item() == pytest.approx(expected, rel=1e-4, abs=1e-5)


@pytest.mark.parametrize("task", LOOPS)
def test_gradient_agrees_with_finite_differences(task: str) -> None:
    output, target = example(task, (2, 3, 2), 0.3, seed=1)
    assert torch.autograd.gradcheck(lambda x: losses.loss_of(task)(x, target), output.requires_grad_())


@pytest.mark.parametrize("task", LOOPS)
def test_batch_without_a_valid_pixel_gives_zero_and_a_gradient_of_zeros(task: str) -> None:
    output, target = example(task, (2, 3, 4), 1.0, seed=2)
    output.requires_grad_()
    loss = losses.loss_of(task)(output, target)
    loss.backward()
    assert loss.item() == 0
    assert output.grad is not None
    assert torch.equal(output.grad, torch.zeros_like(output))


@pytest.mark.parametrize("task", LOOPS)
def test_invalid_pixels_get_no_gradient_and_valid_ones_do(task: str) -> None:
    output, target = example(task, (1, 4, 5), 0.5, seed=3)
    output.requires_grad_()
    losses.loss_of(task)(output, target).backward()
    mark = {"seg": 255, "depth": 0, "normals": 0, "edge": 255}[task]
    invalid = (target.reshape(1, -1, 4, 5) == mark).all(dim=1)[0]
    touched = (output.grad != 0).any(dim=1)[0]
    assert torch.equal(touched, ~invalid)


@pytest.mark.parametrize("task", ["seg", "depth", "edge"])
def test_singleton_channel_of_the_target_makes_no_difference(task: str) -> None:
    output, target = example(task, (2, 3, 4), 0.3, seed=4)
    flat, channel = target.reshape(2, 3, 4), target.reshape(2, 1, 3, 4)
    assert torch.equal(losses.loss_of(task)(output, flat), losses.loss_of(task)(output, channel))


def test_edge_loss_stays_finite_for_saturated_logits() -> None:
    logits = torch.tensor([[[[200.0, -200.0]]]], requires_grad=True)
    loss = losses.edge_bce(logits, torch.tensor([[[[0, 1]]]]))
    loss.backward()
    assert loss.item() == pytest.approx((0.05 * 200 + 0.95 * 200) / 2)
    assert torch.isfinite(logits.grad).all()


def test_normals_at_exactly_zero_keep_a_bounded_gradient() -> None:
    output = torch.zeros(1, 3, 1, 1, requires_grad=True)
    losses.normals_l1(output, torch.tensor([0.0, 0.6, 0.8]).reshape(1, 3, 1, 1)).backward()
    assert output.grad.abs().max() <= 1e6


def test_every_task_has_its_loss_and_an_unknown_task_is_one_clear_line() -> None:
    assert {losses.loss_of(name).__name__ for name in registry()} <= set(losses.LOSSES)
    with pytest.raises(UserError, match="unknown task 'sgm', expected one of seg, depth"):
        losses.loss_of("sgm")


@dataclass
class Outputs:
    final: dict[str, Tensor]
    initial: dict[int, dict[str, Tensor]]


def upsample(values: np.ndarray, height: int, width: int) -> np.ndarray:
    """Bilinear interpolation with half-pixel centres and clamped borders, [B, C, h, w], written as a loop."""
    rows, columns = values.shape[2:]
    result = np.zeros((*values.shape[:2], height, width))
    for y, x in np.ndindex(height, width):
        v = min(max((y + 0.5) * rows / height - 0.5, 0), rows - 1)
        u = min(max((x + 0.5) * columns / width - 0.5, 0), columns - 1)
        top, left = int(v), int(u)
        down, right = min(top + 1, rows - 1), min(left + 1, columns - 1)
        above = values[:, :, top, left] * (1 - u + left) + values[:, :, top, right] * (u - left)
        below = values[:, :, down, left] * (1 - u + left) + values[:, :, down, right] * (u - left)
        result[:, :, y, x] = above * (1 - v + top) + below * (v - top)
    return result


def test_total_is_the_weighted_sum_over_final_and_initial_predictions() -> None:
    weights = {"seg": 1.0, "depth": 2.0, "normals": 10.0, "edge": 50.0}
    full = {name: example(name, (2, 8, 12), 0.3, seed=index) for index, name in enumerate(weights)}
    targets = {name: target for name, (_, target) in full.items()}
    final = {name: full[name][0] for name in ("seg", "depth")}
    initial = {
        stride: {name: example(name, (2, 8 // stride, 12 // stride), 0, seed=stride)[0] for name in weights}
        for stride in (2, 4)
    }
    total, parts = losses.total_loss(Outputs(final, initial), targets, weights)
    expected = {name: LOOPS[name](output.numpy(), targets[name].numpy()) for name, output in final.items()}
    for stride, outputs in initial.items():
        for name, output in outputs.items():
            enlarged = upsample(output.numpy(), 8, 12)
            expected[f"{name}@{stride}"] = LOOPS[name](enlarged, targets[name].numpy())
    assert {key: part.item() for key, part in parts.items()} == pytest.approx(expected, rel=1e-9)
    summed = sum(weights[key.split("@")[0]] * value for key, value in expected.items())
    assert total.item() == pytest.approx(summed, rel=1e-9)


def test_gradient_reaches_every_prediction_and_parts_carry_none() -> None:
    target = {"depth": torch.full((1, 1, 4, 4), 2.0)}
    final, initial = torch.zeros(1, 1, 4, 4, requires_grad=True), torch.ones(1, 1, 1, 1, requires_grad=True)
    outputs = Outputs({"depth": final}, {4: {"depth": initial}})
    total, parts = losses.total_loss(outputs, target, {"depth": 3.0})
    total.backward()
    assert total.item() == pytest.approx(3 * 2 + 3 * 1)
    assert final.grad.sum().item() == pytest.approx(-3)
    assert initial.grad.item() == pytest.approx(-3)
    assert not any(part.requires_grad for part in parts.values())
