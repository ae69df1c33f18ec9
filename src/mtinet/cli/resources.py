"""Parameters and multiply-adds of the declared networks (Table 7), counted without computing anything.

One multiply-add is one FLOP, as in the paper: of convolutions, linear layers and matrix products, in one forward pass
of one image for all tasks.
"""

from __future__ import annotations

import argparse
import re
from typing import TYPE_CHECKING, Any

from mtinet.cli.progress import progress
from mtinet.cli.project import RunName, check_declared, columns, enter, print_json, run_name

if TYPE_CHECKING:
    from mtinet.config import Params

HELP = "parameters and FLOPs of the declared networks"
EXAMPLE = "mtinet resources nyud/hrnet18-mti --size 480x640"
SCALE = "paper"  # whose input size is the default


def size(text: str) -> tuple[int, int]:
    """HEIGHTxWIDTH as argparse takes it."""
    found = re.fullmatch(r"(\d+)x(\d+)", text)
    sides = tuple(int(side) for side in found.groups()) if found else ()
    if len(sides) != 2 or any(side == 0 or side % 32 for side in sides):
        raise argparse.ArgumentTypeError(f"'{text}' is no size, expected HEIGHTxWIDTH, multiples of 32")
    return sides[0], sides[1]


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", nargs="?", type=run_name, metavar="RUN", help="dataset/experiment; all without it")
    parser.add_argument("--size", type=size, metavar="HxW", help="of the input; default: that of the scale 'paper'")
    parser.add_argument("--json", action="store_true", help="print JSON for a script")


def main(given: argparse.Namespace) -> int:
    from mtinet import config

    enter(given)
    params = config.load()
    if given.run:
        check_declared(params, given.run)
    names = [given.run] if given.run else declared(params)
    found = []
    with progress("counting networks", len(names)) as shown:
        for name in names:
            found.append(counted(params, name, given.size))
            shown.step()
    if given.json:
        print_json(found)
    else:
        rows = [(one["run"], f"{one['params_m']:.3f}", f"{one['flops_g']:.2f}", one["input"]) for one in found]
        print(columns([("run", "params (M)", "FLOPs (G)", "input"), *rows], right=(1, 2)))
    return 0


def declared(params: Params) -> list[RunName]:
    """Every declared experiment."""
    return [RunName(dataset, name) for dataset in params.experiments for name in params.names(dataset)]


def counted(params: Params, name: RunName, wanted: tuple[int, int] | None) -> dict[str, Any]:
    """One experiment's network and its input, as `--json` prints them."""
    from mtinet.studies import declared

    paper = params.scales[SCALE][name.dataset].input
    height, width = wanted or (paper.height, paper.width)
    found = declared.counted(params, name.dataset, name.experiment, height, width)
    return {"run": f"{name.dataset}/{name.experiment}", **found, "input": f"{height}x{width}"}
