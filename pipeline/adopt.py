"""Take over results that were made elsewhere: `make adopt` = `dvc pull`, a verification, `snakemake --touch`.

After `dvc pull` DVC knows what lies there, but Snakemake goes by modification times, which are the pull's, and would
train everything again. Its --touch makes it take for current whatever lies there. So first DVC must find nothing
changed against dvc.lock, and every run's manifest must belong to the present parameters, code and data.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

from mtinet import config, paths, stage
from mtinet.errors import UserError
from pipeline.commit import due
from pipeline.repro import changed_stages
from pipeline.verify import verify


def pull() -> None:
    """Get what dvc.lock names from the remote."""
    status = subprocess.run(["dvc", "pull"], check=False).returncode
    if status:
        raise UserError(
            f"'dvc pull' ended with {status}, see above; expected a remote that holds what dvc.lock names: declare it"
            " with 'dvc remote add --local --default NAME URL', and 'dvc push' where the results were made"
        )


def touch() -> None:
    """Let Snakemake record everything that lies there as made by the present parameters and code."""
    # All of it: what Snakemake finds in order by its times alone it would leave without a record.
    command = ["snakemake", "--touch", "--forceall", "--cores", "1", "--quiet", "all"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    left = done.stdout + done.stderr if done.returncode else due()
    if left:
        raise UserError(f"'snakemake --touch' has not settled it. It says:\n{left}")


def main() -> None:
    with stage.reporting_errors():
        pull()
        changed = changed_stages()
        if changed:
            raise UserError(
                f"{len(changed)} stages are not as dvc.lock records them ({', '.join(changed[:5])}, ...); expected"
                " parameters and code of the commit that the results belong to: check out that commit, or 'dvc repro'"
            )
        count = verify(config.load(Path(paths.PARAMS)))
        touch()
        print(f"{count} runs adopted: DVC and Snakemake have nothing to do")


if __name__ == "__main__":
    main()
