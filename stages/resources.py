"""Count parameters and multiply-adds of the networks behind a table, at the paper's input size."""

from typing import Any

from mtinet import config, files, paths, stage
from mtinet.reporting import layouts
from mtinet.studies.declared import counted

SCALE = "paper"  # counts do not depend on what is trained here: they are always those at the paper's size
CONVENTION = (
    "params: weights without buffers; FLOPs: one multiply-add is one, of convolutions, linear layers and matrix"
    " products, in one forward pass of one image of {height}x{width} pixels for all tasks. The first row's networks"
    " together; the others relative to it, their difference in percentage points."
)


def main() -> None:
    given = stage.arguments(__doc__, "dataset", "name")
    with stage.reporting_errors():
        params = config.load()
        target = paths.resources(params.study_name(given.dataset), given.name)
        declared = params.names(given.dataset)
        names = [name for name in layouts.of_name(given.name).experiments if name in declared]
        size = params.scales[SCALE][given.dataset].input
        content: dict[str, Any] = {
            "convention": CONVENTION.format(height=size.height, width=size.width),
            "experiments": {name: counted(params, given.dataset, name, size.height, size.width) for name in names},
        }
        with stage.writing(in_git=[target]):
            files.write_json(target, content)


if __name__ == "__main__":
    main()
