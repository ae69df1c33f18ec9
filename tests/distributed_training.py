"""Do jobs in several processes with torchrun's variables: `distributed_training.py [[PROCESSES, JOB, ARGUMENT..], ..]`.

Every process is a fork of this one, which has imported torch but computed nothing: that saves each the seconds of the
imports. Ends with the first status that is not 0.

    float64 FOLDER RUN...        train runs in float64; every process writes its weights and history
    stage FOLDER SCRIPT RUN      a stage as the orchestrators call it, in a folder with parameters and data
"""

from __future__ import annotations

import json
import os
import runpy
import socket
import sys
import traceback
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
from synthetic import SyntheticSplit

from mtinet.config import Params
from mtinet.training import batches, distributed, loop
from mtinet.training.run import Run

ROOT = Path(__file__).resolve().parents[1]
STEPS, BATCH = 5, 5  # two processes get shares of different sizes
INVALID = {"seg": 255, "parts": 255, "sal": 255, "edge": 255, "depth": 0, "normals": 0}


def make_run(name: str) -> Run:
    """The run that is declared, on few and small pictures.

    ASTMT has two tasks, each of which is a pass of its own, and not those with one output: the direction of their
    gradient is one of two, so that its derivative is rounding alone, over a gradient of 1e-9. There one process
    differs from itself by 1e-7 when the images of a batch come in reverse order; with these two tasks by 1e-10.
    """
    dataset, experiment = name.split("/")
    content = yaml.safe_load((ROOT / "params.yaml").read_text())
    content["study"]["scale"] = "smoke"
    content["compute"] = {"threads": 1, "device": "cpu"}
    smoke = {"epochs": 1, "batch_size": BATCH, "lr_factor": 1.0, "input": {"height": 32, "width": 64}}
    content["scales"]["smoke"][dataset] |= smoke
    content["experiments"]["pascal"]["astmt"]["r26dlv3-astmt-a"]["tasks"] = ["seg", "normals"]
    return Run.of(Params.model_validate(content), dataset, experiment, 0)


def split() -> SyntheticSplit:
    """All tasks' labels, ignored in an upper part that grows from picture to picture; every fourth one's altogether."""
    made = SyntheticSplit(STEPS * BATCH + 2, height=64, width=64)
    for index, frame in enumerate(made.frames):
        frame["sal"] = (frame["seg"] == 5).astype(np.uint8)
        frame["parts"] = (frame["seg"] % 3).astype(np.uint8)
        rows = 64 if index % 4 == 0 else 3 * (index % 13)
        for task, invalid in INVALID.items():
            frame[task][:rows] = invalid
    return made


def train_in_float64(folder: str, *names: str) -> None:
    build, batch = loop.build_model, batches.batch

    def doubled(*arguments: Any) -> dict[str, torch.Tensor]:
        return {key: value.double() if value.is_floating_point() else value for key, value in batch(*arguments).items()}

    loop.build_model = lambda *arguments: build(*arguments).double()
    batches.batch = doubled  # type: ignore[assignment]
    cpu = torch.device("cpu")
    with distributed.joined(cpu):
        for name in names:
            place = Path(folder) / name.replace("/", "-") / str(distributed.rank())
            place.mkdir(parents=True)
            model, history = loop.train(make_run(name), split(), place / "unfinished", cpu, lambda row: None)  # type: ignore[arg-type]
            torch.save(model.state_dict(), place / "weights.pt")
            (place / "history.json").write_text(json.dumps(history))


def run_stage(folder: str, script: str, name: str) -> None:
    os.chdir(folder)
    dataset, experiment = name.split("/")
    path = str(ROOT / "stages" / script)
    sys.argv = [path, "--dataset", dataset, "--experiment", experiment, "--seed", "0"]
    runpy.run_path(path, run_name="__main__")


JOBS = {"float64": train_in_float64, "stage": run_stage}


def forked(rank: int, processes: int, port: int, job: str, *arguments: str) -> int:
    """Do the job as one of the processes; the number of the new one."""
    child = os.fork()
    if child:
        return child
    own = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": processes, "LOCAL_WORLD_SIZE": processes}
    os.environ |= {
        name: str(value) for name, value in (own | {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}).items()
    }
    try:
        JOBS[job](*arguments)
    except SystemExit as leaving:
        os._exit(int(leaving.code or 0))
    except BaseException:
        traceback.print_exc()
        os._exit(1)
    sys.stdout.flush()
    os._exit(0)


def main() -> None:
    import mtinet.evaluation.scoring  # noqa: F401 - imported for all that is forked
    from mtinet import models

    models.methods()
    for processes, job, *arguments in json.loads(sys.argv[1]):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        children = [forked(rank, processes, port, job, *arguments) for rank in range(processes)]
        states = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
        if any(states):
            sys.exit(f"{job} {arguments}: the processes ended with {states}")


if __name__ == "__main__":
    main()
