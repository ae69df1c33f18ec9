"""A real SLURM on this machine: munged, slurmctld and slurmd of one's own, in a folder of their own. Needs root.

Nothing of the system's configuration is read or changed. The node has two GPUs that are none: SLURM counts them
and sets CUDA_VISIBLE_DEVICES, which is all that is tested of them.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "squeue", "scontrol", "scancel", "srun")
CONFIGURATION = """\
ClusterName=loopback
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller}
SlurmdPort={node}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CredType=cred/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SchedulerParameters=batch_sched_delay=1,sched_interval=2
KillWait=30
ReturnToService=2
GresTypes=gpu
NodeName={host} NodeAddr=127.0.0.1 CPUs={cpus} RealMemory={memory} Gres=gpu:2 State=UNKNOWN
PartitionName=all Nodes={host} Default=YES MaxTime=INFINITE State=UP OverSubscribe=NO
"""


def missing() -> list[str]:
    """What keeps a SLURM from starting here."""
    reasons = [f"{name} is not installed" for name in PROGRAMS if shutil.which(name) is None]
    return reasons if os.geteuid() == 0 else ["not root", *reasons]


@contextlib.contextmanager
def running(folder: Path) -> Iterator[dict[str, str]]:
    """Start all daemons; yields what the environment of their commands needs, and ends them."""
    folder.mkdir(parents=True)
    configure(folder)
    path = f"{folder / 'bin'}:{Path(sys.executable).parent}:{os.environ['PATH']}"
    own = {"SLURM_CONF": str(folder / "slurm.conf"), "PATH": path}
    environment = os.environ | own
    with contextlib.ExitStack() as stack:
        stack.callback(end_left_behind, folder)
        munge = [f"--{name}={folder}/munge.{name.split('-')[0]}" for name in ("key-file", "socket", "pid-file")]
        others = [f"--{name}={folder}/munge.{name.split('-')[0]}" for name in ("log-file", "seed-file")]
        for command in (["munged", "--foreground", "--force", *munge, *others], ["slurmctld", "-D"], ["slurmd", "-D"]):
            with (folder / f"{command[0]}.out").open("w") as output:
                daemon = subprocess.Popen(command, env=environment, stdout=output, stderr=subprocess.STDOUT)
            stack.callback(end, daemon)
            time.sleep(0.5)
        wait_until_idle(folder, environment)
        yield own


def configure(folder: Path) -> None:
    """Write the key, slurm.conf, gres.conf and a srun that finds them: the executor empties its environment."""
    for name in ("state", "spool", "bin"):
        (folder / name).mkdir()
    (folder / "munge.key").write_bytes(os.urandom(128))
    (folder / "munge.key").chmod(0o400)
    for number, minor in enumerate((3, 5)):  # as /dev/null and /dev/zero: slurmd takes devices alone
        os.mknod(folder / f"gpu{number}", stat.S_IFCHR | 0o600, os.makedev(1, minor))
    host = socket.gethostname().partition(".")[0]
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**20
    text = CONFIGURATION.format(
        host=host, folder=folder, controller=free_port(), node=free_port(), cpus=os.cpu_count(), memory=memory - 100
    )
    (folder / "slurm.conf").write_text(text)
    srun = folder / "bin/srun"
    srun.write_text(f'#!/bin/sh\nSLURM_CONF={folder}/slurm.conf exec {shutil.which("srun")} "$@"\n')
    srun.chmod(0o755)
    (folder / "gres.conf").write_text(f"NodeName={host} Name=gpu File={folder}/gpu[0-1] Flags=nvidia_gpu_env\n")


def free_port() -> int:
    """A port that nobody uses at present."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_until_idle(folder: Path, environment: dict[str, str], seconds: float = 60) -> None:
    """Until the node takes jobs; the logs' ends where it does not."""
    for _ in range(int(seconds)):
        state = subprocess.run(["sinfo", "-h", "-o", "%T"], env=environment, capture_output=True, text=True)
        if state.stdout.strip() == "idle":
            return
        time.sleep(1)
    ends = [path.read_text(errors="replace")[-2000:] for path in sorted(folder.glob("*.log"))]
    raise RuntimeError("\n".join(["SLURM did not start:", state.stdout + state.stderr, *ends]))


def end_left_behind(folder: Path) -> None:
    """Kill what jobs left behind: linuxproc loses a process whose parent is gone, where a cluster's cgroups do not."""
    mark = f"SLURM_CONF={folder}/slurm.conf".encode()
    for place in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if int(place.name) != os.getpid() and mark in (place / "environ").read_bytes().split(b"\0"):
                os.kill(int(place.name), signal.SIGKILL)


def end(daemon: subprocess.Popen[bytes]) -> None:
    """End a daemon, by force where it does not obey."""
    daemon.terminate()
    try:
        daemon.wait(20)
    except subprocess.TimeoutExpired:
        daemon.kill()
        daemon.wait()
