"""Render one table beside the paper's printed numbers, as Markdown, CSV and LaTeX."""

from mtinet import config, files, paths, stage
from mtinet.reporting import formats, layouts, sources, tables

WRITERS = {"md": formats.markdown, "csv": formats.csv, "tex": formats.latex}


def main() -> None:
    given = stage.arguments(__doc__, "dataset", "name")
    with stage.reporting_errors():
        params = config.load()
        study = params.study_name(given.dataset)
        targets = {suffix: paths.table(study, given.name, suffix) for suffix in WRITERS}
        with stage.writing(in_git=list(targets.values())):
            comparison = files.read_json(paths.comparison(study, given.name))
            layout = layouts.of_name(given.name)
            table = tables.build(
                layout,
                comparison,
                files.read_json(paths.blind(study, given.dataset)),
                layouts.load_published(),
                sources.conditions(params, given.dataset, list(comparison["experiments"])),
                sources.resources(params, given.dataset, layout),
                sources.floor(params, given.dataset, given.name),
            )
            for suffix, target in targets.items():
                files.write_text(target, WRITERS[suffix](table))


if __name__ == "__main__":
    main()
