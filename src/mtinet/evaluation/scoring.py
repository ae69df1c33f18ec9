"""Score a model on a split: statistics per image, metrics of the set, and a few examples to look at."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from mtinet import metrics
from mtinet.data.packed import PackedSplit
from mtinet.data.transforms import prepare_image
from mtinet.evaluation.exact import MARK, exact_labels, scored_label
from mtinet.evaluation.outputs import activate, at_size
from mtinet.models.interface import Predictions
from mtinet.processes import done, sharing
from mtinet.tasks import task

EXAMPLES = 8
Summary = dict[str, float | None]
Rows = dict[str, dict[int, NDArray[np.float64]]]


@dataclass(frozen=True)
class Scores:
    """What `score` found.

    summaries: "tasks", "auxiliary" (task -> metrics) and "initial" ("seg@4" -> metrics of the front-end's
        prediction at stride 4); a metric is None where nothing was valid. "exact" (task or "normals@4" ->
        metrics against the exact labels) only where the split has such for a main or auxiliary task.
    statistics: sufficient statistics per image, float64 [N, ...], under the same keys ("seg", "seg@4"), and
        "normals!exact" and "normals@4!exact" of those against the exact labels. Of a costly metric only final
        predictions and an auxiliary task's finest one; the others have its stand-in.
    examples: "ids" [K], "sizes" int64 [K, 2] (height, width), "images" uint8 [K, H, W, 3], and per main and
        auxiliary task "label_<task>" and "prediction_<task>", [K, H, W] or [K, H, W, 3], at the stored size;
        smaller images are filled up with white, labels and predictions with the invalid value. Empty
        without examples.
    """

    summaries: dict[str, dict[str, Summary]]
    statistics: dict[str, NDArray]
    examples: dict[str, NDArray]


@dataclass
class Part:
    """What one process found on its images.

    keys: which prediction of each main and auxiliary task is scored in full. rows: statistics by entry and image.
    shown: the predictions on images that are examples.
    """

    keys: dict[str, str] = field(default_factory=dict)
    rows: Rows = field(default_factory=dict)
    shown: dict[int, dict[str, NDArray]] = field(default_factory=dict)


def alone(part: Part) -> list[Part]:
    """All parts, where there is one."""
    return [part]


def score(
    model: nn.Module,
    split: PackedSplit,
    *,
    main: Sequence[str],
    auxiliary: Sequence[str],
    classes: Mapping[str, int],
    size: tuple[int, int],
    batch_size: int,
    device: torch.device,
    examples: int = EXAMPLES,
    settings: metrics.Settings | None = None,
    workers: int = 1,
    share: tuple[int, int] = (0, 1),
    gathered: Callable[[Any], list[Any]] = alone,
) -> Scores:
    """Score `model`, in evaluation mode, on all images of `split` at their stored size.

    size: (height, width) of the network's input. classes: channels of each task's output. An auxiliary task
    is scored by its finest initial prediction, since it has no final one (section 2.5). settings: the
    dataset's, of its metrics. workers: processes that share costly metrics (1: none); no byte depends on them.

    share: this process's place among so many that score together, each some of the batches; `gathered` gives the
    parts of all of them, in their order. All return the same, byte for byte what one process would.
    """
    chosen = example_indices(len(split), examples)
    exact = exact_labels(split, [*main, *auxiliary])
    part = Part()
    collected: dict[str, dict[int, Future[NDArray[np.float64]]]] = {}
    costly = any(metrics.is_costly(name) for name in [*main, *auxiliary])
    with sharing(workers if costly else 1) as submit:
        for index, predictions in predicted(model, split, size, batch_size, device, share):
            part.keys = {name: name for name in main} | {name: finest_key(name, predictions) for name in auxiliary}
            for key, prediction in predictions.items():
                name, cheap = task_of(key), key != part.keys[task_of(key)]
                resized = at_size(name, prediction, split.image(index).shape[:2])
                count = submit if metrics.is_costly(name) and not cheap else done
                against = {key: name if cheap else scored_label(split, name)}
                if name in exact:
                    against[f"{key}{MARK}"] = exact[name]
                for entry, label in against.items():
                    target = split.label(label, index)
                    row = count(metrics.per_image, name, resized, target, classes[name], settings, cheap=cheap)
                    collected.setdefault(entry, {})[index] = row
                if index in chosen:
                    part.shown.setdefault(index, {})[key] = resized
        part.rows = {key: {index: row.result() for index, row in rows.items()} for key, rows in collected.items()}
    whole = merged(gathered(part))
    statistics = {key: np.stack([rows[index] for index in range(len(split))]) for key, rows in whole.rows.items()}
    for mark, names in {"": auxiliary, MARK: [name for name in auxiliary if name in exact]}.items():
        statistics |= {f"{name}{mark}": statistics[f"{whole.keys[name]}{mark}"] for name in names}
    summaries = summarized(statistics, main, auxiliary, whole.keys, settings)
    return Scores(summaries, statistics, pictures(split, whole.shown, whole.keys))


def merged(parts: Sequence[Part]) -> Part:
    """All parts in one; the first of them has images."""
    whole = Part(keys=parts[0].keys)
    for part in parts:
        for key, rows in part.rows.items():
            whole.rows.setdefault(key, {}).update(rows)
    whole.shown = {index: found for part in parts for index, found in part.shown.items()}
    whole.shown = dict(sorted(whole.shown.items()))
    return whole


def predicted(
    model: nn.Module,
    split: PackedSplit,
    size: tuple[int, int],
    batch_size: int,
    device: torch.device,
    share: tuple[int, int] = (0, 1),
) -> Iterator[tuple[int, dict[str, Tensor]]]:
    """Per image, in order: its index and its predictions [1, C, h, w] by key ("seg", "seg@4").

    Of several processes, see `score`, each takes whole batches: in a batch of other images a prediction may round
    otherwise. The mode that the model was in is restored at the end.
    """
    training = model.training
    model.eval()
    try:
        place, processes = share
        for start in range(place * batch_size, len(split), processes * batch_size):
            indices = range(start, min(start + batch_size, len(split)))
            images = [torch.as_tensor(prepare_image(split.image(index), size)) for index in indices]
            with torch.inference_mode():
                batch = torch.stack(images).to(device, memory_format=torch.channels_last)  # a tenth faster
                outputs = by_key(model(batch))
                ready = {key: activate(task_of(key), output) for key, output in outputs.items()}
            for row, index in enumerate(indices):
                yield index, {key: prediction[row : row + 1] for key, prediction in ready.items()}
    finally:
        model.train(training)


def by_key(predictions: Predictions) -> dict[str, Tensor]:
    """Final and initial predictions in one mapping, initial ones as "task@stride"."""
    initial = {
        f"{name}@{stride}": output
        for stride, outputs in predictions.initial.items()
        for name, output in outputs.items()
    }
    return {**predictions.final, **initial}


def task_of(key: str) -> str:
    """The task of "seg" or "seg@4"."""
    return key.split("@")[0]


def finest_key(name: str, keys: Iterable[str]) -> str:
    """The key of the initial prediction of `name` at the finest scale; ValueError where there is none."""
    return min((key for key in keys if key.startswith(f"{name}@")), key=lambda key: int(key.split("@")[1]))


def summarized(
    statistics: Mapping[str, NDArray[np.float64]],
    main: Sequence[str],
    auxiliary: Sequence[str],
    keys: Mapping[str, str],
    settings: metrics.Settings | None,
) -> dict[str, dict[str, Summary]]:
    """The metrics of every kind of prediction, as in Scores.summaries; `keys` of those that are scored in full."""
    distilled = [key for key in statistics if not key.endswith(MARK)]
    kinds = {
        "tasks": {name: name for name in main},
        "auxiliary": {name: name for name in auxiliary},
        "initial": {key: key for key in distilled if "@" in key},
        "exact": {key: f"{key}{MARK}" for key in distilled if f"{key}{MARK}" in statistics},
    }
    return {
        kind: {
            key: metrics.summarize(
                task_of(key), statistics[entry], settings, cheap=key not in (task_of(key), keys[task_of(key)])
            )
            for key, entry in entries.items()
        }
        for kind, entries in kinds.items()
        if entries or kind != "exact"
    }


def example_indices(images: int, examples: int) -> list[int]:
    """Evenly spaced indices, a rule that knows no prediction: nobody can have picked what looks good."""
    count = min(images, examples)
    return [(2 * number + 1) * images // (2 * count) for number in range(count)]


def pictures(
    split: PackedSplit, shown: Mapping[int, Mapping[str, NDArray]], keys: Mapping[str, str]
) -> dict[str, NDArray]:
    """Images, labels and predictions of the chosen images, as in Scores.examples; `keys` by task."""
    if not shown:
        return {}
    arrays: dict[str, NDArray] = {"ids": np.array([split.ids[index] for index in shown], dtype=np.str_)}
    arrays["sizes"] = np.array([split.image(index).shape[:2] for index in shown], dtype=np.int64)
    arrays["images"] = stacked([split.image(index) for index in shown], 255)
    for name, key in keys.items():
        invalid = task(name).invalid
        arrays[f"label_{name}"] = stacked([split.label(name, index) for index in shown], invalid)
        arrays[f"prediction_{name}"] = stacked([found[key] for found in shown.values()], invalid)
    return arrays


def stacked(arrays: Sequence[NDArray], fill: float) -> NDArray:
    """[K, H, W, ...] of the largest height and width; smaller ones are filled up at the right and below."""
    height, width = (max(array.shape[axis] for array in arrays) for axis in (0, 1))
    result: NDArray = np.full((len(arrays), height, width, *arrays[0].shape[2:]), fill, arrays[0].dtype)
    for place, array in zip(result, arrays, strict=True):
        place[: array.shape[0], : array.shape[1]] = array
    return result
