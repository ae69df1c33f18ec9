"""Makes CPU torch and torchvision from PyPI live together. Import both libraries from here, never directly:

    from mtinet.compat import timm, torchvision

torchvision's wheel on PyPI is built for CUDA. Beside a CPU build of torch its compiled library cannot be
loaded, so its operators do not exist; `import torchvision` then dies with "operator torchvision::nms does
not exist", because it attaches fake implementations to `nms` and `qnms` without asking (timm, which imports
torchvision, dies with it). Declaring the two schemas is enough: models, transforms.v2 and
FeaturePyramidNetwork are plain Python. Compiled operators and torchvision's own JPEG/PNG decoding stay
unavailable there; decode with Pillow or OpenCV. Where the library loads, nothing is declared.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import torch

SCHEMAS = ("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
           "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")  # fmt: skip


def compiled_operators_load() -> bool:
    """Whether torchvision's compiled library fits this torch (loading it twice is harmless)."""
    spec = find_spec("torchvision")  # finds the package without importing it
    folders = (spec.submodule_search_locations or []) if spec else []
    for library in (file for folder in folders for file in Path(folder).glob("_C*.*")):
        try:
            torch.ops.load_library(library)
            return True
        except (OSError, ImportError):
            continue
    return False


def declare_operators() -> torch.library.Library | None:
    """Declare the missing schemas; they exist for as long as the returned library is referenced."""
    if compiled_operators_load():
        return None
    library = torch.library.Library("torchvision", "DEF")
    for schema in SCHEMAS:
        library.define(schema)
    return library


_LIBRARY = declare_operators()

import timm  # noqa: E402
import torchvision  # noqa: E402

__all__ = ["timm", "torchvision"]
