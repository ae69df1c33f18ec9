"""A trained network as it is applied, wherever it comes from: a run of params.yaml, or a folder of its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from torch import nn

from mtinet import files, models
from mtinet.errors import UserError
from mtinet.training import checkpoints

DESCRIPTION = "network.json"
WEIGHTS = "weights.safetensors"


@dataclass(frozen=True)
class Network:
    """What has to be known to build a network and to show what it predicts.

    title: what it is called in pictures. channels: of every task's output. height, width: of its input in training.
    digest: SHA-256 of the file of its weights.
    """

    title: str
    dataset: str
    method: str
    backbone: str
    tasks: list[str]
    auxiliary: list[str]
    channels: dict[str, int]
    options: dict[str, Any]
    height: int
    width: int
    digest: str

    @classmethod
    def of_manifest(cls, manifest: Mapping[str, Any], title: str) -> Network:
        """The network that a run's manifest describes: what was trained, whatever params.yaml says by now."""
        config = manifest["config"]
        experiment, size = config["experiment"], config["scale"]["input"]
        return cls(
            title=title,
            dataset=config["dataset"],
            method=config["method"],
            backbone=experiment["backbone"],
            tasks=experiment["tasks"],
            auxiliary=experiment["auxiliary"],
            channels=config["channels"],
            options=experiment["options"],
            height=size["height"],
            width=size["width"],
            digest=manifest["weights_digest"],
        )

    def build(self) -> nn.Module:
        """The network with weights from torch's global generator."""
        return models.build(
            self.method,
            backbone=self.backbone,
            tasks={task: self.channels[task] for task in self.tasks},
            auxiliary={task: self.channels[task] for task in self.auxiliary},
            options=self.options,
        )

    def load(self, weights: Path) -> nn.Module:
        """The network with the weights of a file, which must be its own."""
        found = files.digest_of_file(weights) if weights.exists() else None
        if found != self.digest:
            seen = "is not there" if found is None else f"has SHA-256 {found}"
            raise UserError(f"{weights} {seen}, expected the weights of {self.title}, SHA-256 {self.digest}")
        model = self.build()
        checkpoints.load_weights(weights, model)
        return model.eval()


def write(folder: Path, network: Network, model: nn.Module) -> Network:
    """Write a network's weights and description into a folder; the one returned has their digest."""
    checkpoints.publish_weights(folder / WEIGHTS, model)
    described = {**asdict(network), "digest": files.digest_of_file(folder / WEIGHTS)}
    files.write_json(folder / DESCRIPTION, described)
    return Network(**described)


def read(folder: Path) -> Network:
    """The network that lies in a folder; its weights are beside the description."""
    try:
        return Network(**files.read_json(folder / DESCRIPTION))
    except (ValueError, TypeError) as error:
        reason = " ".join(str(error).split())[:200]
        raise UserError(f"{folder / DESCRIPTION} does not describe a network ({reason}): import it once more") from None
