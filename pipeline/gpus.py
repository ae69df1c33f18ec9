"""Which GPU a job on this machine gets: Snakemake only counts them (`--resources gpu=2`).

A job claims a place on a GPU by a lock of the system (flock) on a file that it keeps open: the claim ends with the
job, however that ends. One job per GPU, unless MTINET_JOBS_PER_GPU allows more, whose memory then must fit beside
the others'. The files lie in the machine's folder for temporary ones, so that all of a user's projects count.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from mtinet.errors import UserError
from mtinet.paths import PARAMS

JOBS_PER_GPU = "MTINET_JOBS_PER_GPU"
VISIBLE = "CUDA_VISIBLE_DEVICES"
PAUSE = 0.5  # seconds between two looks for a free place


@dataclass(frozen=True)
class Gpu:
    """One GPU: its number and UUID as nvidia-smi gives them, and MB of memory."""

    index: str
    uuid: str
    mem_mb: int


def found() -> list[Gpu]:
    """The GPUs of this machine that CUDA_VISIBLE_DEVICES leaves; none where there is no nvidia-smi."""
    query = ["nvidia-smi", "--query-gpu=index,uuid,memory.total", "--format=csv,noheader,nounits"]
    try:
        answer = subprocess.run(query, capture_output=True, text=True, check=True, timeout=60).stdout
    except (OSError, subprocess.SubprocessError):
        return []
    rows = [[field.strip() for field in line.split(",")] for line in answer.splitlines() if line.strip()]
    gpus = [Gpu(index, uuid, int(mem_mb)) for index, uuid, mem_mb in rows]
    if VISIBLE not in os.environ:
        return gpus
    wanted = [name.strip() for name in os.environ[VISIBLE].split(",")]
    return [gpu for gpu in gpus if gpu.index in wanted or any(name and gpu.uuid.startswith(name) for name in wanted)]


def jobs_per_gpu() -> int:
    """How many jobs may share a GPU. UserError when the variable holds no number above 0."""
    text = os.environ.get(JOBS_PER_GPU, "1")
    if not text.isdecimal() or int(text) < 1:
        raise UserError(f"{JOBS_PER_GPU} is {text!r}: expected how many jobs may share a GPU, such as 4")
    return int(text)


def take(mem_mb: int, number: int = 1) -> None:
    """Give this process, and what it becomes by exec, places on `number` GPUs; wait until so many are free at once.

    `mem_mb` of a GPU's memory must fit beside what the others there asked for; a job alone on its GPU always fits.
    Does nothing on a machine without GPUs. UserError where it has fewer than `number`.
    """
    gpus, most = found(), jobs_per_gpu()
    if not gpus:
        return
    if number > len(gpus):
        raise UserError(
            f"a job asks for {number} GPUs, but there are {len(gpus)} here; lower compute.processes in {PARAMS}"
        )
    folder = Path(tempfile.gettempdir()) / f"mtinet-gpus-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    claimed = claim(folder, gpus, mem_mb, most, number)
    if claimed is None:
        print(f"WAITING: all places on {len(gpus)} GPUs are taken, {most} on each", flush=True)
    while claimed is None:
        time.sleep(PAUSE)
        claimed = claim(folder, gpus, mem_mb, most, number)
    # By its UUID: CUDA's order of numbers may be another one than nvidia-smi's.
    os.environ[VISIBLE] = ",".join(gpu.uuid for gpu in claimed)


def claim(folder: Path, gpus: list[Gpu], mem_mb: int, most: int, number: int) -> list[Gpu] | None:
    """Take a place on each of the `number` GPUs with the fewest jobs that have room; None where fewer have.

    One process at a time, and all places or none: two jobs never wait for each other's.
    """
    with (folder / "choosing.lock").open("a") as choosing:
        fcntl.flock(choosing, fcntl.LOCK_EX)
        taken = {gpu: [int(text or 0) for text in claims(folder, gpu)] for gpu in gpus}
        free = [
            gpu
            for gpu in sorted(gpus, key=lambda gpu: len(taken[gpu]))
            if not taken[gpu] or (len(taken[gpu]) < most and sum(taken[gpu]) + mem_mb <= gpu.mem_mb)
        ][:number]
        if len(free) < number:
            return None
        for gpu in free:
            hold(folder, gpu, mem_mb)
        return free


def claims(folder: Path, gpu: Gpu) -> Iterator[str]:
    """What the jobs on the GPU asked for, as they wrote it down."""
    for path in folder.glob(f"{gpu.uuid}-*.lock"):
        with path.open() as stream:
            if not locked(stream.fileno()):
                yield stream.read()


def hold(folder: Path, gpu: Gpu, mem_mb: int) -> None:
    """Lock the GPU's first free place; the open file outlives exec and is closed by the end of the process."""
    place = 0
    while True:
        number = os.open(folder / f"{gpu.uuid}-{place}.lock", os.O_RDWR | os.O_CREAT, 0o600)
        if locked(number):
            os.ftruncate(number, 0)
            os.write(number, str(mem_mb).encode())
            os.set_inheritable(number, True)
            return
        os.close(number)
        place += 1


def locked(number: int) -> bool:
    """Lock the open file if nobody else has."""
    with contextlib.suppress(BlockingIOError):
        fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    return False
