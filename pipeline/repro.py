"""`make repro`: what `dvc repro` makes, with several runs side by side, and how long it will still take.

DVC runs one stage after another, and a small network cannot keep two cores busy: two runs with one thread each are
done well before the same two in turn with two threads each. So DVC gets the stages in portions, as many at once as
there are cores for `compute.threads`, the first table's runs first.

    python -m pipeline.repro [--jobs N] [--run DATASET/EXPERIMENT]
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from pathlib import Path

from mtinet import config, locks, paths, stage
from mtinet.cli.project import check_declared, run_name, seeds_of
from mtinet.config import Params
from mtinet.errors import UserError
from pipeline import write_dvc
from pipeline.code_digests import stage_name
from pipeline.dependencies import layouts
from pipeline.jobs import Job, due, jobs, of_run
from pipeline.rule import datasets_of
from pipeline.rules import rules

DVC = (sys.executable, "-m", "pipeline.dvc", "--wait-for-lock")
LOGS = Path("logs/repro")
TAIL = 30  # lines of a failed job's output that are shown
# The first jobs are no trainings and say little about the pace: until much more is done, it is about this one.
ASSUMED, STEP = 1000.0, 0.25  # cost (steps, see pipeline/jobs.py), and seconds of a core per step


class Display:
    """Says what began, what ended, how many runs are left and about how long."""

    def __init__(self, found: Sequence[Job], workers: int) -> None:
        self.left = list(found)
        self.assumed = ASSUMED * STEP / workers
        self.began = time.monotonic()
        self.done = 0.0

    def start(self, job: Job) -> None:
        self.say(f"{job.name} ...")

    def end(self, job: Job, seconds: float) -> None:
        self.left.remove(job)
        self.done += job.cost
        runs = sum(other.run for other in self.left)
        self.say(f"{job.name}: {seconds:.0f} s; {runs} run{'' if runs == 1 else 's'} left, about {self.remaining()}")

    def remaining(self) -> str:
        """At the pace so far, cost done in the time since the start, after `ASSUMED` at the usual one."""
        pace = (self.done + ASSUMED) / (time.monotonic() - self.began + self.assumed)
        minutes = sum(job.cost for job in self.left) / pace / 60
        return f"{minutes:.0f} min" if minutes >= 1 else "less than a minute"

    def say(self, text: str) -> None:
        minutes, seconds = divmod(int(time.monotonic() - self.began), 60)
        print(f"[{minutes:2d}:{seconds:02d}] {text}", flush=True)


def log_of(job: Job) -> Path:
    return LOGS / f"{job.name.replace(' ', '-')}.log"


def make(job: Job) -> float:
    """Have DVC bring the job's stages up to date; returns the seconds. Raises UserError when one fails."""
    began = time.monotonic()
    log = log_of(job)
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("w") as output:
        command = [*DVC, "repro", "--single-item", *job.stages]
        status = subprocess.run(command, stdout=output, stderr=subprocess.STDOUT, check=False).returncode
    if status:
        tail = "\n".join(log.read_text(errors="replace").splitlines()[-TAIL:])
        raise UserError(f"{job.name} failed; its output ends with (all of it: {log}):\n{tail}")
    return time.monotonic() - began


def side_by_side(found: Sequence[Job], workers: int) -> None:
    """Make all jobs, each after those that it needs; after a failure those that run are finished, no other begins."""
    display = Display(found, workers)
    waiting = list(found)
    unfinished = {job.name for job in found}
    running: dict[Future[float], Job] = {}
    failures: list[BaseException] = []
    with ThreadPoolExecutor(workers) as executor:
        while running or (waiting and not failures):
            for job in [job for job in waiting if not job.after & unfinished]:
                if len(running) < workers and not failures:
                    waiting.remove(job)
                    display.start(job)
                    running[executor.submit(make, job)] = job
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                job = running.pop(future)
                error = future.exception()
                if error:
                    failures.append(error)
                else:
                    unfinished.remove(job.name)
                    display.end(job, future.result())
    for failure in failures[1:]:
        display.say(f"ERROR: {failure}")
    if failures:
        raise failures[0]


def begun(params: Params) -> bool:
    """Whether anything of the study has been made here: the stage `check` comes before all others."""
    return any(paths.checked(params.study_name(dataset), dataset).exists() for dataset in params.experiments)


def changed_stages() -> list[str]:
    """What DVC finds changed, or never made."""
    answer = subprocess.run([*DVC, "status", "--json"], capture_output=True, text=True, check=False)
    if answer.returncode:
        raise UserError(f"`dvc status` failed:\n{answer.stderr.strip()}")
    return list(json.loads(answer.stdout))


def run_dvc(*options: str) -> None:
    """`dvc repro`; raises UserError when it fails."""
    status = subprocess.run([*DVC, "repro", *options], check=False).returncode
    if status:
        raise UserError(f"`dvc repro` ended with {status}, see above")


def workers_for(params: Params) -> int:
    """Runs side by side: by cores; one where a GPU may be used, whose memory nobody counts here."""
    gpu = params.compute.device != "cpu" and Path("/dev/nvidiactl").exists()
    return 1 if gpu else max(1, stage.cores() // (params.compute.threads * params.compute.processes))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, help="runs side by side; default: cores / threads of a run, 1 with a GPU")
    parser.add_argument("--run", type=run_name, help="only this run, dataset/experiment[/seedN], and what it needs")
    given = parser.parse_args()
    with stage.reporting_errors(), locks.repro_alone():
        params = config.load()
        if given.run:
            check_declared(params, given.run)
        write_dvc.check()
        declared = rules()
        # Code first: then it shows what changed.
        run_dvc("--quiet", "--single-item", *map(stage_name, datasets_of(declared)))
        found = (
            of_run(params, declared, given.run.dataset, given.run.experiment, seeds_of(params, given.run))
            if given.run
            else jobs(params, declared)
        )
        if begun(params):  # elsewhere all is due, and DVC takes seconds to find so
            found = due(found, changed_stages())
        side_by_side(found, given.jobs or workers_for(params))
        if given.run:
            return
        if not found:  # else the portions were everything, and to have DVC look at all again takes seconds
            run_dvc()
        for dataset in filter(layouts, params.experiments):
            print(f"Report: {paths.page(params.study_name(dataset), dataset).absolute()}")


if __name__ == "__main__":
    os.environ.setdefault("GOMP_SPINCOUNT", "10000")
    main()
