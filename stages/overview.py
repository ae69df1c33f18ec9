"""Render what rests on no run: Table 1, or the audit of the paper's own numbers; as Markdown, CSV and LaTeX."""

from mtinet import config, files, paths, stage
from mtinet.config import Params
from mtinet.reporting import layouts, plain
from mtinet.reporting.audit import audit, audit_table
from mtinet.reporting.labels import labels_table
from mtinet.reporting.plain import PlainTable


def table1(params: Params, dataset: str) -> PlainTable:
    """Tasks and label sources."""
    return labels_table(params, dataset, layouts.load_published())


def audited(params: Params, dataset: str) -> PlainTable:
    """The paper's delta_m against its own metrics."""
    chosen = layouts.of_study(params, dataset)
    return audit_table(dataset, audit(chosen, layouts.load_published(), params))


TABLES = {"table1": table1, "audit": audited}


def main() -> None:
    given = stage.arguments(__doc__, "dataset", "name")
    with stage.reporting_errors():
        params = config.load()
        table = TABLES[given.name](params, given.dataset)
        study = params.study_name(given.dataset)
        targets = {suffix: paths.table(study, table.name, suffix) for suffix in plain.WRITERS}
        with stage.writing(in_git=list(targets.values())):
            for suffix, target in targets.items():
                files.write_text(target, plain.WRITERS[suffix](table))


if __name__ == "__main__":
    main()
