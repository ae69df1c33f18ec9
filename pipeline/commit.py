"""Take the results of a Snakemake run into DVC's cache, once they are verified: `make commit`.

`dvc commit` on its own takes whatever lies there, stale results too. So first every declared run's files must
belong together and to the present parameters, code and data (pipeline/verify.py), and Snakemake must have nothing
left to do. No stage may write while that is found out.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import IO

from mtinet import config, locks, paths, stage
from mtinet.errors import UserError
from pipeline import code_digests
from pipeline.repro import DVC
from pipeline.rule import datasets_of
from pipeline.rules import rules
from pipeline.verify import verify


def due() -> str | None:
    """What Snakemake would still do, None when that is nothing."""
    plan = subprocess.run(["snakemake", "--cores", "1", "--dry-run"], capture_output=True, text=True, check=False)
    text = plan.stdout + plan.stderr
    if "missing provenance" in text:
        # Results that Snakemake did not make: it knows their times alone, not the parameters behind them.
        return "it has no record of how some results were made; only its own runs can be taken into DVC"
    if plan.returncode == 0 and "Nothing to be done" in text:
        return None
    return "\n".join(text.strip().splitlines()[-30:])


def nobody_at_work() -> IO[str]:
    """Keep every stage from beginning in this folder until the stream is closed; UserError when one is at work."""
    try:
        return locks.snakemake_alone()
    except UserError:
        raise UserError(
            f"snakemake or a stage is at work in {Path.cwd()}, and its results may be half of the old and half of the"
            " new; expected that nobody writes; run this again when it has ended"
        ) from None


def main() -> None:
    with stage.reporting_errors(), nobody_at_work():
        params = config.load(Path(paths.PARAMS))
        verify(params)
        declared = rules()
        for dataset in datasets_of(declared):
            code_digests.write(dataset, declared)  # a stage of DVC's alone
        left = due()
        if left is not None:
            raise UserError(f"snakemake has not finished its work; run it first. It says:\n{left}")
        sys.exit(subprocess.run([*DVC, "commit", "--force"], check=False).returncode)


if __name__ == "__main__":
    main()
