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
    pairs, problems = found_pairs(predictions, truths, names)
    problems += filter(None, mapped(partial(problem_of, labels=labels), pairs, workers, progress))
    if problems:
        raise UserError("\n".join(problems))
    count = partial(counts_of, protocol_name=steps.name, max_dist=max_dist, labels=labels)
    return names, np.stack(list(mapped(count, pairs, workers, progress)))


def found_pairs(predictions: Path, truths: Path, names: Sequence[str]) -> tuple[list[Pair], list[str]]:
    """The files of every name, and a line for each that is missing; UserError without any name."""
    have, need = files_by_name(predictions, reading.PREDICTIONS), files_by_name(truths, reading.TRUTHS)
    if not names:
        raise UserError(f"{truths}: no ground truth, expected files *{', *'.join(reading.TRUTHS)}")
    problems = []
    for folder, files, suffixes in ((predictions, have, reading.PREDICTIONS), (truths, need, reading.TRUTHS)):
        wanted = "".join(suffixes[:1]) if len(suffixes) == 1 else f"{{{','.join(suffixes)}}}"
        problems += [f"{folder / name}: missing, expected {name}{wanted}" for name in names if name not in files]
    return [Pair(have[name], need[name]) for name in names if name in have and name in need], problems


def files_by_name(folder: Path, suffixes: Sequence[str]) -> dict[str, Path]:
    """The files with one of the suffixes, by their names without it; UserError for two of one name."""
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder, expected one with files *{', *'.join(suffixes)}")
    files: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        if path.suffix in suffixes and files.setdefault(path.stem, path) != path:
            raise UserError(f"{folder}: both {files[path.stem].name} and {path.name}, expected one file per image")
    return files


def problem_of(pair: Pair, *, labels: bool) -> str | None:
    """What is wrong with an image's files, in one line."""
    try:
        prediction = reading.read_prediction(pair.prediction)
        reading.check_sizes(prediction, reading.read_truth(pair.truth, labels=labels), pair.prediction, pair.truth)
    except UserError as error:
        return str(error)
    return None


def counts_of(pair: Pair, *, protocol_name: str, max_dist: float, labels: bool) -> NDArray[np.int64]:
    """Counts [4, K] of one image."""
    prediction, truth = reading.read_prediction(pair.prediction), reading.read_truth(pair.truth, labels=labels)
    return np.stack(protocol(protocol_name).count(prediction, truth, max_dist))


def mapped(
    function: Callable[[Pair], Any], pairs: Sequence[Pair], workers: int, progress: Progress | None
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
