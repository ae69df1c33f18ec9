"""Start a stage where a scheduler has put it: python -m pipeline.launch --gpu 1 --gpu-mem-mb 8000 -- COMMAND.

On this machine the command gets a GPU of its own (pipeline/gpus.py) and takes this process's place. In a cluster's
job the GPU is SLURM's to give; there this process waits, and puts the job back into the queue when the stage left
because SLURM told it to (status 75, mtinet/interruption.py). slurm.conf's RequeueExit cannot do that: between the stage
and SLURM is Snakemake, whose status is 1 whatever happened.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import time

from mtinet import interruption
from mtinet.errors import UserError
from pipeline import gpus

# Set by the Snakefile where it is read in a cluster's job.
QUEUED = "MTINET_QUEUED"
LEFT = (interruption.REQUEUE, *(-number for number in interruption.SIGNALS))  # the latter: while it still began
MOST_RESTARTS = 10  # a stage that cannot be interrupted and is given too little time would begin for ever
UNTIL_KILLED = 600.0  # seconds; SLURM ends this process long before


def queued(command: list[str]) -> int:
    """Run the command in a cluster's job; its exit status. SLURM's signals reach it directly, and end only it."""
    for number in interruption.SIGNALS:
        signal.signal(number, lambda number, frame: None)
    status = subprocess.run(command, check=False).returncode
    if status in LEFT and requeue():
        time.sleep(UNTIL_KILLED)
    return status if status >= 0 else 128 - status


def requeue() -> bool:
    """Have SLURM run this job once more, later; whether it will.

    Not where SLURM has already ended the job, because somebody cancelled it or something preempted it: what it then
    does with the job is its own affair, and a cancelled one must not come back.
    """
    job, restarts = os.environ.get("SLURM_JOB_ID"), int(os.environ.get("SLURM_RESTART_COUNT", "0"))
    if job is None or restarts >= MOST_RESTARTS:
        return False
    state = subprocess.run(
        ["squeue", "--noheader", f"--jobs={job}", "--format=%T"], capture_output=True, text=True, check=False
    )
    if state.stdout.strip() != "RUNNING":
        return False
    print(f"REQUEUED: job {job}, for the {restarts + 1}. time; it goes on from its last checkpoint", flush=True)
    return subprocess.run(["scontrol", "requeue", job], check=False).returncode == 0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gpu", type=int, default=0, help="how many GPUs the command uses")
    parser.add_argument("--gpu-mem-mb", type=int, default=0, help="how much of each GPU's memory it takes")
    parser.add_argument("command", nargs="+")
    given = parser.parse_args()
    if QUEUED in os.environ:
        sys.exit(queued(given.command))
    if given.gpu:
        try:
            gpus.take(given.gpu_mem_mb, given.gpu)
        except UserError as error:
            sys.exit(f"ERROR: {error}")
    os.execvp(given.command[0], given.command)


if __name__ == "__main__":
    main()
