"""Run a stage that trains, kill it at random moments, run it again.

    killed_training.py FOLDER KILLS SEED OUTPUTS STAGE ARGUMENT..   (outputs separated by commas)

Each attempt is a fork of this process, which has imported torch but computed nothing: that saves every attempt the
seconds of the imports. Only what the stage imports is imported here: more of the project would count as the run's
code. Prints as JSON at which steps the attempts were killed and how many published first.
"""

from __future__ import annotations

import json
import os
import random
import resource
import runpy
import signal
import sys
import time
from pathlib import Path

from mtinet import config, files
from mtinet.training import checkpoints, loop
from mtinet.training.run import Run

STAGES = Path(__file__).resolve().parents[1] / "stages"


def attempt(stage: str, arguments: list[str]) -> int:
    """Start the stage in a process of its own; its number."""
    child = os.fork()
    if child:
        return child
    log = os.open("attempts.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(log, 1)
    os.dup2(log, 2)
    sys.argv = [f"stages/{stage}.py", *arguments]
    try:
        runpy.run_path(str(STAGES / f"{stage}.py"), run_name="__main__")
    except SystemExit as leaving:
        os._exit(int(leaving.code or 0))
    except BaseException as error:
        print(f"{type(error).__name__}: {error}", flush=True)
        os._exit(2)
    os._exit(0)


def ended(child: int, work: float = float("inf")) -> bool:
    """Kill the attempt after `work` seconds of the processor; whether it ended before. One that failed ends all.

    Not seconds of the clock: beside busy neighbours each attempt would be killed at the same place, the start.
    """
    while used(child) < work:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            if status:
                sys.exit(f"an attempt ended with {status}: see attempts.log")
            return True
        time.sleep(0.002)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return False


def used(child: int) -> float:
    """Seconds of the processor that a process, not yet waited for, has used."""
    fields = Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def step() -> int:
    """The step of the newest checkpoint, 0 where there is none."""
    names = [path.name for folder in Path(".cache").glob("*/*") for path in checkpoints.Checkpoints(folder).found()]
    return max((int(name.partition("-")[0]) for name in names), default=0)


def main() -> None:
    folder, kills, seed, outputs, stage, *arguments = sys.argv[1:]
    os.chdir(folder)
    runpy.run_path(str(STAGES / f"{stage}.py"), run_name="imported")
    if stage == "train":  # imports the method and its losses
        loop.check(Run.of(config.load(), "nyud", arguments[arguments.index("--experiment") + 1], 0))

    def forget() -> None:
        """Remove what an attempt published, so that the next one trains."""
        for name in outputs.split(","):
            files.remove(Path(name))

    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    ended(attempt(stage, arguments))
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    whole = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    forget()
    moments = random.Random(int(seed))
    killed_at: list[int] = []
    published = 0
    while len(killed_at) < int(kills):
        if ended(attempt(stage, arguments), moments.uniform(0.1 * whole, 0.95 * whole)):
            published += 1
            forget()
        else:
            killed_at.append(step())
    ended(attempt(stage, arguments))
    print(json.dumps({"killed_at": killed_at, "published": published}))


if __name__ == "__main__":
    main()
