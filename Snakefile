"""The same stages for a cluster: every rule of pipeline/rules.py in one shape.

snakemake --cores 2                                             on this machine
snakemake --cores 8 --resources gpu=2 -n                        the plan for two GPUs
snakemake --profile profiles/local --resources gpu=2            a workstation with two GPUs
snakemake --profile profiles/slurm                              a cluster: docs/cluster.md
"""

import os
import signal
import sys

from snakemake_interface_executor_plugins.settings import ExecMode

sys.path.insert(0, workflow.basedir)
os.environ.setdefault("GOMP_SPINCOUNT", "10000")
os.environ["MTINET_SNAKEMAKE"] = "1"  # for jobs: see src/mtinet/locks.py

from pipeline import launch, snake

if workflow.exec_mode == ExecMode.REMOTE:
    os.environ[launch.QUEUED] = "1"
    # SLURM's notice that the time is nearly over is for the stage; this process waits until that has left.
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)


onstart:
    # At every start, before a job deletes anything: see pipeline/snake.py.
    snake.alone()
    for command in snake.CHECKS:
        shell(command)


rule all:
    input:
        snake.TARGETS,


for declared in snake.RULES:

    rule:
        name:
            declared.name
        input:
            **declared.inputs,
        output:
            declared.outputs,
        params:
            command=declared.command,
            declared=declared.parameters,
        log:
            declared.log,
        benchmark:
            declared.benchmark
        threads: declared.threads
        resources:
            gpu=declared.gpu,
            gpu_mem_mb=declared.gpu_mem_mb,
            mem_mb=declared.mem_mb,
            runtime=declared.minutes,
            nodes=1,  # SLURM might spread a job's GPUs, and its processes start on one machine
        localrule: declared.local
        wildcard_constraints:
            **declared.constraints,
        shell:
            # Not declared.command: this line runs when the loop is long over.
            # exec: no shell is left that SLURM's signals would end before the stage has left.
            "exec python -m pipeline.launch --gpu {resources.gpu} --gpu-mem-mb {resources.gpu_mem_mb} --"
            " {params.command} > {log} 2>&1"
