"""Check parameters and data sources before any stage touches an earlier result."""

from mtinet import config, files, models, paths, stage, teachers
from mtinet.config import SCENES, Params
from mtinet.data import archives
from mtinet.data.layouts import distilling, layout
from mtinet.errors import UserError
from mtinet.training import loop, precision, tracking


def check(params: Params, dataset: str) -> dict[str, str]:
    """Raise UserError unless all experiments can be built, and the dataset's source and teachers are there."""
    if dataset not in params.datasets:
        raise UserError(f"unknown dataset '{dataset}', params.yaml declares {', '.join(params.datasets)}")
    precision.chosen(params.compute.precision, loop.device_of(params.compute.device))
    check_pictures(params, dataset)
    check_experiments(params, dataset)
    check_pretrainings(params, dataset)
    source = params.study.source[dataset]
    if source == "archive":
        with distilling(dataset, teachers.anew(params, dataset)):
            archives.reachable(params.datasets[dataset].archive, dataset)
    teachers.check(params, dataset)
    return {"dataset": dataset, "study": params.study_name(dataset), "source": source}


def check_pictures(params: Params, dataset: str) -> None:
    """Raise UserError, naming the key, unless scenes are sized as archives are: all alike, or of varying shape."""
    scenes = params.scale(dataset).scenes
    if scenes is None:
        return
    alike = layout(dataset).ARCHIVE.size is not None
    if (scenes.longest is None) != alike:
        found, expected = ("longest", "height and width") if alike else ("height and width", "longest alone")
        where = f"scales.{params.study.scale}.{dataset}.scenes"
        raise UserError(f"{where}: sizes images by {found}, expected {expected} for rendered images of {dataset}")


def check_experiments(params: Params, dataset: str) -> None:
    """Raise UserError, naming the key, unless every network can be built and every backbone's weights are there."""
    pretrained = params.scale(dataset).pretrained
    for declared, method, experiment in params.declarations(dataset):
        backbone = experiment.backbone
        try:
            options = models.check_options(method, experiment.options, experiment.tasks, experiment.auxiliary)
            models.check_backbone(backbone, "none", options)
        except UserError as error:
            raise UserError(f"{declared}: {error}") from None
        if (weights := params.scale(dataset).pretrained_for(backbone)) in ("none", SCENES):
            continue
        try:
            models.check_backbone(backbone, weights, options)
        except UserError as error:
            key = f"scales.{params.study.scale}.{dataset}.pretrained"
            where = key if isinstance(pretrained, str) else f"{key}.{backbone}"
            raise UserError(f"{where}: {str(error).removeprefix('pretrained: ')}") from None


def check_pretrainings(params: Params, dataset: str) -> None:
    """Raise UserError, naming the key, unless the backbones that are trained beforehand can be built.

    The weights that such a training itself begins with have to be there where experiments begin with its result.
    """
    for name, training in params.pretraining.get(dataset, {}).items():
        used = params.scale(dataset).pretrained_for(training.backbone) == SCENES
        given = training.budgets[params.study.scale].pretrained if used else "none"
        try:
            models.check_backbone(training.backbone, given)
        except UserError as error:
            raise UserError(f"pretraining.{dataset}.{name}: {error}") from None


def main() -> None:
    dataset = stage.arguments(__doc__, "dataset").dataset
    with stage.reporting_errors():
        params = config.load()
        found = check(params, dataset)
        if tracking.live():
            # Before any run: many processes that open a fresh store at once would crash in its migration.
            tracking.initialise(found["study"])
        target = paths.checked(found["study"], dataset)
        with stage.writing(cached=[target]):
            files.write_json(target, found)


if __name__ == "__main__":
    main()
