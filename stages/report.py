"""Render a dataset's page: tables, figures and provenance in one HTML file."""

from pathlib import Path

from mtinet import config, files, paths, stage
from mtinet.config import Params
from mtinet.reporting import layouts, page, sources, tables, timings
from mtinet.reporting.audit import audit, audit_table
from mtinet.reporting.captions import CAPTIONS, drawable, figures_of
from mtinet.reporting.labels import labels_table
from mtinet.reporting.page import Picture
from mtinet.reporting.verdicts import claims_table, compared

PANELS, GROWTH = Path("pipeline/figures.yaml"), Path("pipeline/growth.yaml")
TITLES = {"nyud": "NYUD-v2", "pascal": "PASCAL"}


def rendered(params: Params, dataset: str) -> str:
    """The page's HTML."""
    study = params.study_name(dataset)
    runs = params.runs(dataset)
    names = list(dict.fromkeys(name for name, _ in runs))
    conditions = sources.conditions(params, dataset, names)
    blind = files.read_json(paths.blind(study, dataset))
    published = layouts.load_published()
    built = []
    chosen = layouts.of_study(params, dataset)
    for layout in chosen:
        comparison = files.read_json(paths.comparison(study, layout.name))
        costs = sources.resources(params, dataset, layout)
        floor = sources.floor(params, dataset, layout.name)
        built.append(tables.build(layout, comparison, blind, published, conditions, costs, floor))
    panels = drawable(files.read_yaml(PANELS).get(dataset, {}), names)
    growing = dataset in files.read_yaml(GROWTH)
    pictures = [
        Picture.of(paths.figure(study, f"{dataset}-{name}", caption.suffix), caption.title, caption.text)
        for name in figures_of(
            params.methods(dataset), panels, bool(built), params.affinity.tasks.get(dataset, ()), growing
        )
        for caption in (CAPTIONS[name],)
    ]
    manifests = sources.manifests(params, dataset, names)
    judged = files.read_json(paths.claims(study, dataset))
    claims = claims_table(dataset, judged, sources.conditions(params, dataset, compared(judged, names)))
    plain = [claims, labels_table(params, dataset, published), audit_table(dataset, audit(chosen, published, params))]
    went = f"../../{timings.place(study, dataset).as_posix()}"
    return page.render(
        TITLES.get(dataset, dataset), conditions, built, pictures, runs, manifests, plain=plain, went=went
    )


def main() -> None:
    dataset = stage.arguments(__doc__, "dataset").dataset
    with stage.reporting_errors():
        params = config.load()
        target = paths.page(params.study_name(dataset), dataset)
        with stage.writing(cached=[target]):
            files.write_text(target, rendered(params, dataset))
            print(f"Report: {target.absolute()}")


if __name__ == "__main__":
    main()
