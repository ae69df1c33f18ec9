"""Single task on DeepLab-v3+, the baseline of ASTMT's own rows of Table 5: the network of single_task.

A module of its own, since a method's runs depend on the files that its module imports: the runs of single_task on
other backbones must not depend on this one's.
"""

from __future__ import annotations

from dataclasses import dataclass

from mtinet.errors import UserError
from mtinet.models import single_task
from mtinet.models.backbones import dlv3
from mtinet.models.single_task import Net

__all__ = ["Net", "Options"]


@dataclass(frozen=True)
class Options(single_task.Options):
    """No switches of its own."""

    def check_backbone(self, backbone: str) -> None:
        library, _, name = backbone.partition("/")
        if library != "dlv3":
            raise UserError(
                f"single_task_dlv3: found backbone {backbone}, expected dlv3/; others belong to single_task"
            )
        dlv3.check(name)
