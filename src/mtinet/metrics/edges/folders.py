"""A folder of predictions against a folder of ground truth, on several processes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtinet import processes
from mtinet.errors import UserError
from mtinet.metrics.edges import reading
from mtinet.metrics.edges.protocols import protocol

Progress = Callable[[int, int], None]
AHEAD = 16  # files a process takes at a time


@dataclass(frozen=True)
class Pair:
    """The files of one image."""

    prediction: Path
    truth: Path


Files = tuple[Path | None, Path | None]  # prediction and truth of one image


def count_folder(
    predictions: Path,
    truths: Path,
    *,
    protocol_name: str,
    max_dist: float,
    ids: Sequence[str] | None = None,
    labels: bool = False,
    workers: int = 1,
    progress: Progress | None = None,
) -> tuple[list[str], NDArray[np.int64]]:
    """Ids and counts [N, 4, K] of all images, in the order of `ids` (default: every ground truth, by name).

    All files are read and checked first: the UserError has one line for every bad or missing one. The counts do
    not depend on `workers`, the number of processes. `progress` is called with the numbers of finished and of
    all images, once per pass.
    """
    steps = protocol(protocol_name)
    names = list(ids) if ids is not None else sorted(files_by_name(truths, reading.TRUTHS))
    everything, problems = found_files(predictions, truths, names)
    found = mapped(partial(problems_of, labels=labels), everything, workers, progress)
    problems += [line for lines in found for line in lines]
    if problems:
        raise UserError("\n".join(problems))
    pairs = [Pair(prediction, truth) for prediction, truth in everything if prediction and truth]
    count = partial(counts_of, protocol_name=steps.name, max_dist=max_dist, labels=labels)
    return names, np.stack(list(mapped(count, pairs, workers, progress)))


def found_files(predictions: Path, truths: Path, names: Sequence[str]) -> tuple[list[Files], list[str]]:
    """Both files of every name, None for one that is missing, and a line for each such; UserError without a name."""
    have, need = files_by_name(predictions, reading.PREDICTIONS), files_by_name(truths, reading.TRUTHS)
    if not names:
        raise UserError(f"{truths}: no image to score, expected files *{', *'.join(reading.TRUTHS)} or names in --list")
    problems = []
    for folder, files, suffixes in ((predictions, have, reading.PREDICTIONS), (truths, need, reading.TRUTHS)):
        wanted = "".join(suffixes[:1]) if len(suffixes) == 1 else f"{{{','.join(suffixes)}}}"
        problems += [f"{folder / name}: missing, expected {name}{wanted}" for name in names if name not in files]
    return [(have.get(name), need.get(name)) for name in names], problems


def files_by_name(folder: Path, suffixes: Sequence[str]) -> dict[str, Path]:
    """The files with one of the suffixes, by their names without it; UserError for two of one name."""
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder, expected one with files *{', *'.join(suffixes)}")
    files: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        if path.suffix in suffixes and files.setdefault(path.stem, path) != path:
            raise UserError(f"{folder}: both {files[path.stem].name} and {path.name}, expected one file per image")
    return files


def problems_of(files: Files, *, labels: bool) -> list[str]:
    """What is wrong with an image's files: a line for each bad one, and one where their sizes differ."""
    problems: list[str] = []

    def attempt(read: Callable[[], Any]) -> Any:
        try:
            return read()
        except UserError as error:
            problems.append(str(error))
            return None

    path, truth_path = files
    prediction = attempt(lambda: reading.read_prediction(path)) if path else None
    truth = attempt(lambda: reading.read_truth(truth_path, labels=labels)) if truth_path else None
    if path and truth_path and prediction is not None and truth is not None:
        attempt(lambda: reading.check_sizes(prediction, truth, path, truth_path))
    return problems


def counts_of(pair: Pair, *, protocol_name: str, max_dist: float, labels: bool) -> NDArray[np.int64]:
    """Counts [4, K] of one image."""
    prediction, truth = reading.read_prediction(pair.prediction), reading.read_truth(pair.truth, labels=labels)
    return np.stack(protocol(protocol_name).count(prediction, truth, max_dist))


def mapped(
    function: Callable[[Any], Any], pairs: Sequence[Any], workers: int, progress: Progress | None
) -> Iterator[Any]:
    """`function` of every pair, in order, by `workers` processes (1: this one)."""
    if workers == 1 or len(pairs) < 2:
        results: Iterator[Any] = map(function, pairs)
        yield from reported(results, len(pairs), progress)
        return
    with processes.pool(workers) as pool:
        chunk = max(1, min(AHEAD, len(pairs) // (4 * workers)))
        yield from reported(pool.map(function, pairs, chunksize=chunk), len(pairs), progress)


def reported(results: Iterator[Any], total: int, progress: Progress | None) -> Iterator[Any]:
    """The results, with a call of `progress` after each."""
    for done, result in enumerate(results, 1):
        yield result
        if progress:
            progress(done, total)
