"""Several processes that train or score one run together, as torchrun starts them. Alone, all of this is the identity.

Every process holds the whole model and a share of each batch. Counts, losses and gradients are summed over all of
them, never averaged, so that a batch in parts trains as the whole one does, whatever the sizes of its parts.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from mtinet.errors import UserError
from mtinet.models.procedure import Procedure
from mtinet.paths import PARAMS
from mtinet.training.batch_norm import synchronised

Plain = TypeVar("Plain")


def is_started() -> bool:
    """Whether torchrun, or who sets its variables, started this process."""
    return {"RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE"} <= os.environ.keys()


def is_first() -> bool:
    """Whether this is the process that writes; known before it joins the others."""
    return not is_started() or os.environ["RANK"] == "0"


def by_first(manager: AbstractContextManager[None]) -> AbstractContextManager[None]:
    """The context in the process that writes, none in the others."""
    return manager if is_first() else contextlib.nullcontext()


def require(processes: int) -> None:
    """Raise UserError when torchrun started another number of processes than the run is declared with."""
    found = os.environ["WORLD_SIZE"] if is_started() else str(processes)
    if found != str(processes):
        raise UserError(
            f"torchrun started {found} processes, expected compute.processes in {PARAMS}, {processes}: with the number"
            " the bytes of the result change; make both equal, or call the stage with python alone, which starts them"
        )


@contextlib.contextmanager
def joined(device: torch.device) -> Iterator[None]:
    """Be one of the processes that were started, each on a GPU of its own where `device` is one.

    UserError where this machine has fewer GPUs than processes.
    """
    if not is_started() or os.environ["WORLD_SIZE"] == "1":
        yield
        return
    if device.type == "cuda":
        local, here = int(os.environ["LOCAL_WORLD_SIZE"]), torch.cuda.device_count()
        if local > here:
            raise UserError(
                f"{local} processes on this machine, but torch finds {here} GPUs, expected one for each: lower"
                f" compute.processes in {PARAMS}, or give the job more GPUs"
            )
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    # Objects and flags go through the CPU in any case.
    dist.init_process_group("cpu:gloo,cuda:nccl" if device.type == "cuda" else "gloo")
    yield
    dist.destroy_process_group()  # not after an error: others may be waiting in vain, which would hold this one up


def active() -> bool:
    """Whether there are others."""
    return dist.is_available() and dist.is_initialized()


def rank() -> int:
    return dist.get_rank() if active() else 0


def world() -> int:
    return dist.get_world_size() if active() else 1


def share(size: int) -> slice:
    """Which of a batch's samples are this process's: neighbours, and as many as the others' but for one."""
    return slice(rank() * size // world(), (rank() + 1) * size // world())


# Sums ---------------------------------------------------------------------------------------------------------


def totals(counts: Sequence[Tensor]) -> Sequence[Tensor]:
    """Integer tensors of any shapes, each summed over all processes; in one message."""
    if not active():
        return counts
    flat = torch.cat([count.reshape(-1) for count in counts])
    dist.all_reduce(flat)
    parts = flat.split([count.numel() for count in counts])
    return [part.reshape(count.shape) for part, count in zip(parts, counts, strict=True)]


def summed(values: Mapping[str, float]) -> dict[str, float]:
    """Each process's contributions to some figures, the same ones in all, added up."""
    if not active():
        return dict(values)
    flat = torch.tensor([*values.values()], dtype=torch.float64)
    dist.all_reduce(flat)
    return dict(zip(values, flat.tolist(), strict=True))


def largest(*numbers: int) -> tuple[int, ...]:
    """Of each number the largest that a process has."""
    if not active():
        return numbers
    found = torch.tensor(numbers)
    dist.all_reduce(found, dist.ReduceOp.MAX)
    return tuple(found.tolist())


def gathered(part: Plain) -> list[Plain]:
    """What all processes have, in their order."""
    found: list[Any] = [part] * world()
    if active():
        dist.all_gather_object(found, part)
    return found


def from_first(value: Plain) -> Plain:
    """What the first process has."""
    found = [value]
    if active():
        dist.broadcast_object_list(found)
    return found[0]


# Training -----------------------------------------------------------------------------------------------------


def shared(model: nn.Module) -> nn.Module:
    """The model with batch norms whose statistics are those of the whole batch; the same parameters and keys."""
    return synchronised(model) if active() else model


def share_gradients(procedure: Procedure, optimizer: torch.optim.Optimizer) -> None:
    """From here on have every step of the optimiser see the gradient of the whole batch, the sum of all shares'."""
    if not active():
        return
    procedure.totals = totals
    if procedure.one_pass:
        # While the backward pass goes on; unlike as it is, summing. The batch norms' statistics agree already.
        wrapped = DistributedDataParallel(procedure.net, forward_sync_buffers=False)
        wrapped.register_comm_hook(None, lambda _, bucket: sum_of(bucket))
        procedure.net = wrapped
    else:
        optimizer.register_step_pre_hook(lambda given, *_: sum_gradients(given))


def sum_of(bucket: Any) -> torch.futures.Future[Tensor]:
    """DistributedDataParallel's communication without its division by the number of processes."""
    work = dist.all_reduce(bucket.buffer(), async_op=True)
    result: torch.futures.Future[Tensor] = work.get_future().then(lambda done: done.value()[0])
    return result


def sum_gradients(optimizer: torch.optim.Optimizer) -> None:
    """Add up all processes' gradients of what this step touches; what it does not touch has none anywhere."""
    gradients = [
        parameter.grad
        for group in optimizer.param_groups
        for parameter in group["params"]
        if parameter.grad is not None
    ]
    flat = torch.cat([gradient.reshape(-1) for gradient in gradients])
    dist.all_reduce(flat)
    for gradient, total in zip(gradients, flat.split([each.numel() for each in gradients]), strict=True):
        gradient.copy_(total.view(gradient.shape))
