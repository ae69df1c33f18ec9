"""Measured costs of networks: what resources.py counts takes time and memory, which depend on the machine.

    latency_ms     prediction of one image, all tasks
    images_per_s   throughput of prediction in batches as training has them
    step_ms        one training step on such a batch, the method's own procedure, in memory
    peak_mb        the most memory meanwhile: of tensors on a GPU; on a CPU of the process, libraries included

Times are medians, on tensors in memory, after steps that are not counted. Prediction computes in float32, as the
evaluation does, training in the precision of the runs; both on channels-last tensors.
"""

from __future__ import annotations

import resource
import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from mtinet import models
from mtinet.models.procedure import Progress
from mtinet.studies import growth
from mtinet.training import loop, precision
from mtinet.training.run import Run

WARM_UP, REPETITIONS = 2, 7
LAYOUT = "channels_last"


def conditions(run: Run, device: torch.device) -> dict[str, Any]:
    """What the numbers depend on, as plain data."""
    on_gpu = device.type == "cuda"
    return {
        "device": torch.cuda.get_device_name(device) if on_gpu else f"cpu ({torch.backends.cpu.get_cpu_capability()})",
        "threads": run.threads,
        "precision": "float32",
        "training_precision": precision.chosen(run.precision, device),
        "batch": run.scale.batch_size,
        "height": run.scale.input.height,
        "width": run.scale.input.width,
        "layout": LAYOUT,
        "statistic": f"median of {REPETITIONS} after {WARM_UP}",
        "torch": torch.__version__,
    }


def measured(run: Run, batch: Mapping[str, Tensor], device: torch.device) -> dict[str, float]:
    """The four costs of a run's network on one of its batches; peak memory means something in a fresh process only."""
    loop.prepare_torch(run)
    net = placed(loop.build_model(run), device)
    images = batch["image"].to(device).contiguous(memory_format=torch.channels_last)
    one, many = forward_ms(net, images[:1], device), forward_ms(net, images, device)
    step = step_ms(run, net, batch, device)
    return {
        "latency_ms": one, "images_per_s": 1000 * len(images) / many, "step_ms": step, "peak_mb": peak_mb(device),
    }  # fmt: skip


def grown(declared: Mapping[str, Any], height: int, width: int, device: torch.device) -> Iterator[dict[str, Any]]:
    """The points of growth.points with "time_ms", the prediction of one image; none of cross-stitch networks, which are
    not built. Single-task networks run one after the other."""
    image = torch.zeros(1, 3, height, width, device=device).contiguous(memory_format=torch.channels_last)
    for point in growth.points(declared):
        if point.method == growth.CROSS_STITCH:
            continue
        alike = point.method == growth.SINGLE
        net = placed(growth.network(declared, point.method, 1 if alike else point.tasks, point.scales), device)
        spent = forward_ms(net, image, device) * (point.tasks if alike else 1)
        yield {
            "axis": point.axis,
            "method": point.method,
            "tasks": point.tasks,
            "scales": point.scales,
            "time_ms": spent,
        }


def placed(net: nn.Module, device: torch.device) -> nn.Module:
    """The network on the device in the layout that it is trained in."""
    moved: nn.Module = net.to(device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return moved


def forward_ms(net: nn.Module, images: Tensor, device: torch.device) -> float:
    """Prediction of a batch in evaluation mode, in ms."""
    net.eval()

    def predict() -> None:
        with torch.inference_mode():
            net(images)

    return median_ms(predict, device)


def step_ms(run: Run, net: nn.Module, batch: Mapping[str, Tensor], device: torch.device) -> float:
    """A training step, in ms."""
    procedure = models.procedure(run.method, net)
    optimizer = loop.optimizer_of(run, procedure.parameter_groups())
    net.train()

    def step() -> None:
        loop.train_step(run, procedure, optimizer, batch, 0.0, Progress(0, 1, 0, 1), device)

    return median_ms(step, device)


def median_ms(call: Callable[[], None], device: torch.device) -> float:
    """The median time of a call in ms, waiting for the device each time."""
    times = []
    for _ in range(WARM_UP + REPETITIONS):
        synchronise(device)
        began = time.perf_counter()
        call()
        synchronise(device)
        times.append(1000 * (time.perf_counter() - began))
    return statistics.median(times[WARM_UP:])


def synchronise(device: torch.device) -> None:
    """Wait for what a GPU has been told to do."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def peak_mb(device: torch.device) -> float:
    """The most memory so far, in MiB."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 2**20
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10
