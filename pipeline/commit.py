"""Take the results of a Snakemake run into DVC's cache, once they are verified: `python -m pipeline.commit`.

`dvc commit` on its own takes whatever lies there, stale results too. So first every declared run's files must
belong together and to the present parameters, code and data (what its manifest records), and Snakemake must
have nothing left to do.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from mtinet import config, files, paths, stage
from mtinet.config import Params
from mtinet.data.packed import PackedSplit
from mtinet.errors import UserError
from mtinet.training.run import Run


def problems(params: Params) -> Iterator[str]:
    """What is stale or missing among the results of all declared runs, one line each."""
    for dataset in params.experiments:
        study = params.study_name(dataset)
        folders = {split: paths.packed(study, dataset, split) for split in ("train", "val")}
        missing = [folder for folder in folders.values() if not folder.is_dir()]
        if missing:
            yield f"{missing[0]} is not there"
            continue
        digests = {split: PackedSplit(folder).digest for split, folder in folders.items()}
        for name, seed in params.runs(dataset):
            yield from problems_of(Run.of(params, dataset, name, seed), digests)


def problems_of(run: Run, digests: dict[str, str]) -> Iterator[str]:
    """What is stale or missing among the results of one run."""
    manifest_path, metrics_path = paths.manifest(*run.location), paths.metrics(*run.location)
    weights = paths.weights(*run.location)
    absent = [path for path in (manifest_path, metrics_path, weights) if not path.exists()]
    if absent:
        yield from (f"{path} is not there" for path in absent)
        return
    manifest, metrics = files.read_json(manifest_path), files.read_json(metrics_path)
    expected = {
        "config_hash": files.digest_of(run.config()),
        "code_hash": stage.code_hash(manifest["code"]),
        "data_digest": digests["train"],
        "weights_digest": files.digest_of_file(weights),
    }
    for key, value in expected.items():
        if manifest[key] != value:
            yield f"{manifest_path}: {key} is {manifest[key][:12]}, now it is {value[:12]}"
    if metrics["key"] != manifest["key"]:
        yield f"{metrics_path} was made from another training than {manifest_path} records"
    if metrics["data_digest"] != digests["val"]:
        yield f"{metrics_path} was made from other data than {paths.packed(run.study, run.dataset, 'val')} holds"


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
