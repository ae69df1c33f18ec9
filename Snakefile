"""The same stages for a cluster: every rule of pipeline/rules.py in one shape.

snakemake --cores 2                                             on this machine
snakemake --cores 8 --resources gpu=2 -n                        the plan for two GPUs
"""

import os
import sys

sys.path.insert(0, workflow.basedir)
os.environ.setdefault("GOMP_SPINCOUNT", "10000")
os.environ["MTINET_SNAKEMAKE"] = "1"  # for jobs: see src/mtinet/locks.py

from pipeline import snake


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
        localrule: declared.local
        wildcard_constraints:
            **declared.constraints,
        shell:
            # Not declared.command: this line runs when the loop is long over.
            "{params.command} > {log} 2>&1"
