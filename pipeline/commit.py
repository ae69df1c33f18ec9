"""Take the results of a Snakemake run into DVC's cache, once they are verified: `python -m pipeline.commit`.

`dvc commit` on its own takes whatever lies there, stale results too. So first every declared run's files must
belong together and to the present parameters, code and data (what its manifest records), and Snakemake must
have nothing left to do.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from mtinet import config, paths, stage
from mtinet.errors import UserError
from mtinet.training.verification import problems


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


def main() -> None:
    with stage.reporting_errors():
        found = list(problems(config.load(Path(paths.PARAMS))))
        if found:
            listed = "".join(f"\n  - {line}" for line in found)
            raise UserError(f"{len(found)} results do not belong to params.yaml, code and data; run snakemake:{listed}")
        left = due()
        if left is not None:
            raise UserError(f"snakemake has not finished its work; run it first. It says:\n{left}")
    sys.exit(subprocess.run(["dvc", "commit", "--force"], check=False).returncode)


if __name__ == "__main__":
    main()
