"""Whether a run's published results belong to the present parameters, code and data, by what its manifest records."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from mtinet import files, paths, stage
from mtinet.config import Params
from mtinet.data.packed import PackedSplit
from mtinet.training.run import Run

State = Literal["done", "stale", "missing"]
SPLITS = ("train", "val")


@dataclass(frozen=True)
class Finding:
    """One thing that keeps a run's results from being all there and up to date, as a line for a reader.

    missing: a result that git keeps was never made, or is gone. stale: one belongs to other parameters, code, data
    or weights. elsewhere: weights or data are not on this machine, so that nothing can be said about them.
    """

    kind: Literal["missing", "stale", "elsewhere"]
    line: str


def findings(run: Run, digests: Mapping[str, str], read_weights: bool = True) -> Iterator[Finding]:
    """What is missing, stale or elsewhere among the results of one run; nothing when all is well.

    digests: those of the packed splits that are there, see `data_digests`. read_weights: compare the weights with
    the manifest too, which reads all of them; otherwise they have to be there only.
    """
    manifest_path, metrics_path = paths.manifest(*run.location), paths.metrics(*run.location)
    weights = paths.weights(*run.location)
    absent = [path for path in (manifest_path, metrics_path) if not path.exists()]
    yield from (Finding("missing", f"{path} is not there") for path in absent)
    if not weights.exists():
        yield Finding("elsewhere", f"{weights} is not there")
    if absent:
        return
    manifest, metrics = files.read_json(manifest_path), files.read_json(metrics_path)
    expected = {"config_hash": files.digest_of(run.config()), "code_hash": stage.code_hash(manifest["code"])}
    if "train" in digests:
        expected["data_digest"] = digests["train"]
    if read_weights and run.pretrained_backbone is not None and run.pretrained_backbone.exists():
        expected["initial_weights"] = run.initial_weights().partition("#sha256=")[2]
    if read_weights and weights.exists():
        expected["weights_digest"] = files.digest_of_file(weights)
    for key, value in expected.items():
        recorded = str(manifest.get(key))  # one of earlier code may lack it
        if recorded != value:
            yield Finding("stale", f"{manifest_path}: {key} is {recorded[:12]}, now it is {value[:12]}")
    if metrics["key"] != manifest["key"]:
        yield Finding("stale", f"{metrics_path} was made from another training than {manifest_path} records")
    held = paths.packed(run.study, run.dataset, "val")
    if "val" in digests and metrics["data_digest"] != digests["val"]:
        yield Finding("stale", f"{metrics_path} was made from other data than {held} holds")
    if "val" in digests and run.experiment.weights == "best" and manifest.get("validation_digest") != digests["val"]:
        yield Finding("stale", f"{manifest_path}: its epoch was chosen on other data than {held} holds")


def data_digests(params: Params, dataset: str) -> dict[str, str]:
    """Split -> digest of its packed data, of those splits that are there and whole."""
    found = {}
    for split in SPLITS:
        folder = paths.packed(params.study_name(dataset), dataset, split)
        if folder.is_dir():
            found[split] = PackedSplit(folder).digest
    return found


def state_of(found: Iterable[Finding]) -> State:
    """missing, stale, or else done, whatever of it is elsewhere."""
    kinds = {finding.kind for finding in found}
    if "missing" in kinds:
        return "missing"
    return "stale" if "stale" in kinds else "done"


def problems(params: Params) -> Iterator[str]:
    """One line for everything that is not all there and up to date among the results of all declared runs."""
    for dataset in params.experiments:
        lacking = [
            paths.packed(params.study_name(dataset), dataset, split)
            for split in SPLITS
            if not paths.packed(params.study_name(dataset), dataset, split).is_dir()
        ]
        if lacking:
            yield f"{lacking[0]} is not there"
            continue
        digests = data_digests(params, dataset)
        for name, seed in params.runs(dataset):
            yield from (finding.line for finding in findings(Run.of(params, dataset, name, seed), digests))
