"""What is bfloat16 in training and what stays float32, against a step in float32."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from synthetic import SyntheticSplit
from test_training import CPU, make_run
from torch import nn

from mtinet import models
from mtinet.errors import UserError
from mtinet.models.procedure import Progress
from mtinet.training import batches, loop, precision

METHODS = ("hrnet18-single-seg", "hrnet18-mtl", "hrnet18-pad-ne", "hrnet18-mti-ne", "r18fpn-mti-n", "astmt")


@pytest.fixture
def capable(monkeypatch: pytest.MonkeyPatch) -> None:
    """A CPU without the instructions gets the same results from emulation."""
    monkeypatch.setattr(precision, "multiplies_bfloat16", lambda device: True)


def stepped(experiment: str, wanted: str) -> tuple[nn.Module, dict[str, float], set[torch.dtype]]:
    """The network after one step without momentum, with its gradients; the losses; what its convolutions gave."""
    run = dataclasses.replace(make_run(experiment), precision=wanted)
    loop.prepare_torch(run)
    model = loop.build_model(run)
    procedure = models.procedure(run.method, model)
    optimizer = torch.optim.SGD(procedure.parameter_groups(), lr=run.learning_rate)
    found: set[torch.dtype] = set()
    for part in model.modules():
        if isinstance(part, nn.Conv2d):
            part.register_forward_hook(lambda part, given, output: found.add(output.dtype))
    model.train()
    (batch,) = list(batches.epoch(run, SyntheticSplit(4), 0))
    values = loop.train_step(run, procedure, optimizer, batch, 1e-6, Progress(0, 1, 0, 1), CPU)
    return model, values, found


def gradients(model: nn.Module) -> torch.Tensor:
    """Of all behind the backbone: in its depths even noise of 2^-8 on the images turns a float32 gradient about."""
    found = [each.grad for name, each in model.named_parameters() if not name.startswith("backbone.")]
    return torch.cat([gradient.flatten() for gradient in found if gradient is not None])


@pytest.mark.usefixtures("capable")
@pytest.mark.parametrize("experiment", METHODS)
def test_a_step_in_bfloat16_is_that_in_float32_to_its_precision(experiment: str) -> None:
    """Convolutions compute in bfloat16, weights and gradients are float32, and point the same way."""
    exact, expected, before = stepped(experiment, "float32")
    model, values, after = stepped(experiment, "bfloat16")
    assert (before, after) == ({torch.float32}, {torch.bfloat16})
    assert {value.dtype for value in model.state_dict().values()} <= {torch.float32, torch.int64}
    assert gradients(model).dtype == torch.float32
    assert values == pytest.approx(expected, rel=0.05)
    assert values != expected
    assert torch.cosine_similarity(gradients(model), gradients(exact), dim=0) > 0.97


@pytest.mark.usefixtures("capable")
def test_losses_see_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: set[Any] = set()
    total_loss = loop.total_loss

    def noting(predictions: Any, *others: Any) -> Any:
        outputs: Iterator[torch.Tensor] = (
            output for found in (predictions.final, *predictions.initial.values()) for output in found.values()
        )
        seen.update(output.dtype for output in outputs)
        seen.add(torch.is_autocast_enabled("cpu"))
        return total_loss(predictions, *others)

    monkeypatch.setattr(loop, "total_loss", noting)
    stepped("hrnet18-mti-ne", "bfloat16")
    assert seen == {torch.float32, False}


def test_what_is_wanted_and_what_the_device_has(monkeypatch: pytest.MonkeyPatch) -> None:
    for has, auto in ((True, "bfloat16"), (False, "float32")):
        monkeypatch.setattr(precision, "multiplies_bfloat16", lambda device, has=has: has)
        assert precision.chosen("auto", CPU) == auto
        assert precision.chosen("float32", CPU) == "float32"
    with pytest.raises(UserError, match=r"compute.precision is 'bfloat16' but this cpu has no instructions for it"):
        precision.chosen("bfloat16", CPU)


def test_asking_the_hardware() -> None:
    """By the CPU's flags, as the kernel lists them."""
    listed = Path("/proc/cpuinfo")
    flags = re.search(r"^flags\s*:(.*)$", listed.read_text(), re.M) if listed.exists() else None
    if flags is None:
        pytest.skip("no flags of an x86 CPU in /proc/cpuinfo")
    assert precision.multiplies_bfloat16(CPU) == bool({"avx512_bf16", "amx_tile"} & set(flags[1].split()))
