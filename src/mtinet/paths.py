"""Every path that the stages share, written once, relative to the repository root.

`study` is the name `<source>-<scale>` of the dataset's study, e.g. `scenes-laptop`. The same functions are
called by the stages (with values) and by the pipeline's rules (with placeholders such as `{exp}`).
"""

from __future__ import annotations

from pathlib import Path

PARAMS = Path("params.yaml")


def checked(study: str, dataset: str) -> Path:
    """What `check` writes: the study and the source that was found sound."""
    return Path("runs") / study / f"{dataset}-check.json"


def raw(study: str, dataset: str) -> Path:
    """The dataset in its archive's own on-disk layout."""
    return Path("data") / study / dataset


def exact(study: str, dataset: str) -> Path:
    """What rendering knows exactly of labels that are predictions in the archive, one folder per task."""
    return Path("data") / study / f"{dataset}-exact"


def card(study: str, dataset: str) -> Path:
    """The data card of the dataset: source, sizes, counts, classes, digest."""
    return Path("data") / study / f"{dataset}-card.json"


def teacher(study: str, dataset: str, task: str) -> Path:
    """The teacher of a task: its manifest, and its weights where the stage teach trained it."""
    return Path("runs") / study / f"{dataset}-teachers" / task


def pretrained(study: str, dataset: str, name: str) -> Path:
    """A backbone that experiments begin with: its manifest, and its weights where the stage pretrain trained it."""
    return Path("runs") / study / f"{dataset}-pretrained" / name


def distilled(study: str, dataset: str) -> Path:
    """Labels derived where the source lacks them, one folder per task."""
    return Path("data") / study / f"{dataset}-distilled"


def packed(study: str, dataset: str, split: str) -> Path:
    """One split ("train" or "val") as a few memory-mappable files."""
    return Path("data") / study / f"{dataset}-packed" / split


def run(study: str, dataset: str, experiment: str, seed: str | int) -> Path:
    """The folder of one run: one experiment under one seed."""
    return Path("runs") / study / dataset / experiment / f"seed{seed}"


def weights(study: str, dataset: str, experiment: str, seed: str | int) -> Path:
    """The weights of the last epoch, safetensors."""
    return run(study, dataset, experiment, seed) / "weights.safetensors"


def manifests_folder(study: str, dataset: str) -> Path:
    """The manifests of all runs of a dataset."""
    return report(study) / "manifests" / dataset


def manifest(study: str, dataset: str, experiment: str, seed: str | int) -> Path:
    """What determines a run: hashes of its configuration, code and data, versions, threads, seed."""
    return manifests_folder(study, dataset) / experiment / f"seed{seed}.json"


def timing(study: str, dataset: str, experiment: str, seed: str | int) -> Path:
    """Wall time, memory, host and MLflow id of a run; never a dependency of anything."""
    return run(study, dataset, experiment, seed) / "timing.json"


def statistics_folder(study: str, dataset: str) -> Path:
    """The statistics of all runs of a dataset: a folder that a stage can depend on without their weights."""
    return Path("runs") / study / "statistics" / dataset


def statistics(study: str, dataset: str, experiment: str, seed: str | int) -> Path:
    """Per-image sufficient statistics of every task, npz."""
    return statistics_folder(study, dataset) / experiment / f"seed{seed}.npz"


def examples_folder(study: str, dataset: str) -> Path:
    """The examples of all runs of a dataset: a folder that a stage can depend on without their weights."""
    return Path("runs") / study / "examples" / dataset


def examples(study: str, dataset: str, experiment: str, seed: str | int) -> Path:
    """Predictions on the images that panels show, npz."""
    return examples_folder(study, dataset) / experiment / f"seed{seed}.npz"


def tracked(study: str, dataset: str) -> Path:
    """Which runs' metrics MLflow holds."""
    return Path("runs") / study / f"{dataset}-tracked.json"


def report(study: str) -> Path:
    """Everything of a study that is meant to be read."""
    return Path("reports") / study


def histories_folder(study: str, dataset: str) -> Path:
    """The histories of all runs of a dataset."""
    return report(study) / "history" / dataset


def history(study: str, dataset: str, experiment: str, seed: str | int) -> Path:
    """Losses and learning rate per epoch, CSV."""
    return histories_folder(study, dataset) / experiment / f"seed{seed}.csv"


def metrics_folder(study: str, dataset: str) -> Path:
    """The metrics of all runs of a dataset."""
    return report(study) / "metrics" / dataset


def metrics(study: str, dataset: str, experiment: str, seed: str | int) -> Path:
    """The metrics of one run on the held-out split."""
    return metrics_folder(study, dataset) / experiment / f"seed{seed}.json"


def blind(study: str, dataset: str) -> Path:
    """The metrics of the two predictors that see no image."""
    return report(study) / "blind" / f"{dataset}.json"


def levels(study: str, dataset: str) -> Path:
    """The least training losses of the two predictors that see no image."""
    return report(study) / "levels" / f"{dataset}.json"


def affinity(study: str, dataset: str) -> Path:
    """Pixel affinities between the tasks of a dataset."""
    return report(study) / "affinity" / f"{dataset}.json"


def architecture(study: str, dataset: str) -> Path:
    """The structure of a dataset's MTI-Net, and what its experiments' networks cost."""
    return report(study) / "architecture" / f"{dataset}.json"


def growth(study: str, dataset: str) -> Path:
    """How costs of networks on a dataset's backbone grow with the number of tasks and of scales."""
    return report(study) / "growth" / f"{dataset}.json"


def latency(study: str, dataset: str) -> Path:
    """Measured time and memory of the networks behind a dataset's tables of resources."""
    return report(study) / "latency" / f"{dataset}.json"


def comparison(study: str, table: str) -> Path:
    """Metrics and delta_m of every experiment of a table, in one file."""
    return report(study) / "comparison" / f"{table}.json"


def claims(study: str, dataset: str) -> Path:
    """What this study says about each of the paper's claims."""
    return report(study) / "claims" / f"{dataset}.json"


def resources(study: str, table: str) -> Path:
    """Parameters and FLOPs of every network of a table."""
    return report(study) / "resources" / f"{table}.json"


def table(study: str, name: str, suffix: str) -> Path:
    """One rendered table; suffix is md, csv or tex."""
    return report(study) / "tables" / f"{name}.{suffix}"


def figure(study: str, name: str, suffix: str) -> Path:
    """One rendered figure; suffix is png or svg."""
    return report(study) / "figures" / f"{name}.{suffix}"


def page(study: str, dataset: str) -> Path:
    """The self-contained HTML page of a dataset's study."""
    return report(study) / f"{dataset}.html"


def unfinished(stage: str, key: str) -> Path:
    """A stage's unfinished work, keyed by what determines it; declared by no stage, removed when published."""
    return Path(".cache") / stage / key
