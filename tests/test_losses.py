"""Losses against float64 loops, finite-difference gradients, and their sum with deep supervision."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass, replace
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


def loop_balanced(logits: np.ndarray, target: np.ndarray) -> float:
    positives = [i for i in np.ndindex(target.shape) if target[i] == 1]
    negatives = [i for i in np.ndindex(target.shape) if target[i] == 0]
    pixels = len(positives) + len(negatives)
    if not pixels:
        return 0.0
    beta = len(negatives) / pixels
    summed = sum(beta * log(1 + exp(-float(logits[i]))) for i in positives)
    summed += sum((1 - beta) * log(1 + exp(float(logits[i]))) for i in negatives)
    return summed / pixels


LOOPS = {
    "seg": loop_cross_entropy,
    "depth": loop_l1,
    "normals": loop_normals,
    "edge": loop_edge,
    "parts": loop_cross_entropy,
    "sal": loop_balanced,
}
LABELS = ("seg", "parts")


def example(task: str, shape: tuple[int, int, int], share: float, seed: int) -> tuple[Tensor, Tensor]:
    """A float64 output of 4 channels (labels) or the registry's, and a target with a share of invalid pixels."""
    batch, height, width = shape
    generator = np.random.default_rng(seed)
    invalid = generator.random((batch, 1, height, width)) < share
    output = 3 * generator.normal(size=(batch, registry()[task].channels or 4, height, width))
    if task in LABELS:
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
    mark = registry()[task].invalid
    invalid = (target.reshape(1, -1, 4, 5) == mark).all(dim=1)[0]
    touched = (output.grad != 0).any(dim=1)[0]
    assert torch.equal(touched, ~invalid)


@pytest.mark.parametrize("task", ["seg", "depth", "edge", "sal"])
def test_singleton_channel_of_the_target_makes_no_difference(task: str) -> None:
    output, target = example(task, (2, 3, 4), 0.3, seed=4)
    flat, channel = target.reshape(2, 3, 4), target.reshape(2, 1, 3, 4)
    assert torch.equal(losses.loss_of(task)(output, flat), losses.loss_of(task)(output, channel))


def test_edge_loss_stays_finite_for_saturated_logits() -> None:
    logits = torch.tensor([[[[200.0, -200.0]]]], requires_grad=True)
    loss = losses.loss_of("edge")(logits, torch.tensor([[[[0, 1]]]]))
    loss.backward()
    assert loss.item() == pytest.approx((0.05 * 200 + 0.95 * 200) / 2)
    assert torch.isfinite(logits.grad).all()


@pytest.mark.parametrize("size", [1e2, 1e30, 3e38])
def test_balanced_loss_stays_finite_for_saturated_logits(size: float) -> None:
    logits = torch.tensor([[[[size, -size, size, -size]]]], requires_grad=True)
    loss = losses.loss_of("sal")(logits, torch.tensor([[[[0, 1, 1, 255]]]]))
    loss.backward()
    assert torch.isfinite(loss)
    # One negative, two positives: beta = 1/3. The wrong negative and the one wrong positive err by `size`.
    assert loss.item() / size == pytest.approx((2 / 3 + 1 / 3) / 3, rel=1e-6)
    assert logits.grad.flatten().tolist() == pytest.approx([2 / 9, -1 / 9, 0, 0], abs=1e-6)


def test_balanced_loss_by_hand() -> None:
    # beta = 3/4: the positive weighs 3/4, the three negatives 1/4 each; everywhere p = 1/2, so ln 2.
    target = torch.tensor([[[[1, 0], [0, 255]]], [[[0, 255], [255, 255]]]])
    loss = losses.loss_of("sal")(torch.zeros(2, 1, 2, 2), target)
    assert loss.item() == pytest.approx((3 / 4 + 3 / 4) * log(2) / 4)


@given(shape=SHAPES, seed=SEEDS, logit=st.floats(-5, 5))
@settings(max_examples=30, deadline=None)
def test_balanced_classes_pull_equally_at_one_half(shape: tuple[int, int, int], seed: int, logit: float) -> None:
    """What the balance is for: the best constant is p = 1/2, whatever the share of salient pixels."""
    _, target = example("sal", shape, 0.3, seed)
    constant = torch.zeros((), dtype=torch.float64, requires_grad=True)
    losses.loss_of("sal")(constant.expand(target.shape), target).backward()
    assert constant.grad.item() == pytest.approx(0, abs=1e-12)
    other = losses.loss_of("sal")(torch.full(target.shape, logit, dtype=torch.float64), target)
    assert other >= losses.loss_of("sal")(torch.zeros(target.shape, dtype=torch.float64), target) - 1e-12


@pytest.mark.parametrize("task", LOOPS)
def test_sums_and_counts_of_two_halves_make_the_loss_of_the_whole_batch(task: str) -> None:
    output, target = example(task, (4, 3, 5), 0.4, seed=6)
    module = losses.module(task)
    halves = [module.sums(output[part], target[part]) for part in (slice(0, 1), slice(1, 4))]
    summed, counts = (sum(pair) for pair in zip(*halves, strict=True))
    assert module.combine(summed, counts).item() == pytest.approx(
        losses.loss_of(task)(output, target).item(), rel=1e-12
    )


def test_normals_at_exactly_zero_keep_a_bounded_gradient() -> None:
    output = torch.zeros(1, 3, 1, 1, requires_grad=True)
    losses.loss_of("normals")(output, torch.tensor([0.0, 0.6, 0.8]).reshape(1, 3, 1, 1)).backward()
    assert output.grad.abs().max() <= 1e6


def test_every_task_has_its_loss_and_an_unknown_task_is_one_clear_line() -> None:
    for name, task in registry().items():
        assert losses.module(name).__name__ == f"mtinet.losses.{task.loss}"
    with pytest.raises(UserError, match="unknown task 'sgm', expected one of seg, depth"):
        losses.loss_of("sgm")


def test_an_unknown_loss_is_one_clear_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(losses, "task", lambda name: replace(registry()["sal"], loss="balanced_bec"))
    with pytest.raises(UserError, match=r"^task 'sal' in tasks.yaml: unknown loss 'balanced_bec', expected a module"):
        losses.loss_of("sal")


def test_a_loss_imports_no_other_loss() -> None:
    """Trainings depend on the losses of their own tasks alone."""
    code = "import sys; from mtinet import losses; losses.loss_of('seg'); print(*sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    loaded = {name for name in found if name.startswith("mtinet.losses.")}
    assert loaded == {"mtinet.losses.cross_entropy", "mtinet.losses.reduction"}


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
