"""Whether the results of every declared run belong to the present parameters, code and data: `make verify`.

What is compared is what each run's manifest records: the hash of its configuration and of the code that it imported,
the digests of its data and of its weights; and every file that its training and evaluation declare must be there.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from mtinet import config, paths, stage
from mtinet.config import Params
from mtinet.errors import UserError
from mtinet.training.verification import problems
from pipeline.matrix import items
from pipeline.rules import rules

RUN_STAGES = ("train", "evaluate")


def absent(params: Params) -> Iterator[str]:
    """A line for every declared output of a training or an evaluation that is not there."""
    for rule in rules():
        if rule.stage not in RUN_STAGES:
            continue
        study = params.study_name(rule.dataset)
        for item in items(rule):
            places = (out.path.format(study=study, **item) for out in rule.outputs)
            yield from (f"{place} is not there" for place in places if not Path(place).exists())


def verify(params: Params) -> int:
    """The number of declared runs, once all of each is there and up to date; UserError names all that is not."""
    found = list(dict.fromkeys([*problems(params), *absent(params)]))
    if found:
        listed = "".join(f"\n  - {line}" for line in found)
        raise UserError(f"{len(found)} results do not belong to params.yaml, code and data; run snakemake:{listed}")
    return sum(len(params.runs(dataset)) for dataset in params.experiments)


def main() -> None:
    with stage.reporting_errors():
        count = verify(config.load(Path(paths.PARAMS)))
        print(f"{count} runs: all of their results are there and belong to params.yaml, code and data")


if __name__ == "__main__":
    main()
