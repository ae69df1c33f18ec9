"""Render a dataset's page: tables, learning curves, qualitative panel and provenance in one HTML file."""

from mtinet import config, files, paths, stage
from mtinet.config import Params
from mtinet.reporting import layouts, page, sources, tables
from mtinet.reporting.page import Picture

TITLES = {"nyud": "NYUD-v2", "pascal": "PASCAL"}


def rendered(params: Params, dataset: str) -> str:
    """The page's HTML."""
    study = params.study_name(dataset)
    runs = params.runs(dataset)
    names = list(dict.fromkeys(name for name, _ in runs))
    conditions = sources.conditions(params, dataset, names)
    blind = files.read_json(paths.blind(study, dataset))
    published = layouts.load_published()
    built = [
        tables.build(layout, files.read_json(paths.comparison(study, layout.name)), blind, published, conditions)
        for layout in layouts.load_layouts().values()
        if layout.dataset == dataset
    ]
    pictures = [
        Picture.of(paths.figure(study, f"{dataset}-curves", "svg"), "Learning curves", "Training losses of every run."),
        Picture.of(
            paths.figure(study, f"{dataset}-panel", "png"),
            "Qualitative panel",
            "Held-out images at evenly spaced places of the split, chosen without looking at any prediction.",
        ),
    ]
    manifests = sources.manifests(params, dataset, names)
    return page.render(TITLES.get(dataset, dataset), conditions, built, pictures, runs, manifests)


def main() -> None:
    dataset = stage.arguments(__doc__, "dataset").dataset
    with stage.reporting_errors():
        params = config.load()
        target = paths.page(params.study_name(dataset))
        with stage.writing(cached=[target]):
            files.write_text(target, rendered(params, dataset))
            print(f"Report: {target.absolute()}")


if __name__ == "__main__":
    main()
