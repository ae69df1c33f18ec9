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

import contextlib
import sys
from collections.abc import Iterator
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

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


@contextlib.contextmanager
def without_compiler() -> Iterator[None]:
    """Keep torch's compiler from being imported, which takes two seconds, by what only asks to be left alone by it.

    torchvision, timm and torch's optimisers do. They find a stand-in; who imports the compiler afterwards gets it.
    """
    names = ("torch._dynamo", "torch._dynamo.utils")
    if any(name in sys.modules for name in names):
        yield
        return
    stand_ins = {name: ModuleType(name) for name in names}
    stand_ins[names[0]].disable = lambda function, *_, **__: function  # type: ignore[attr-defined]
    stand_ins[names[0]].graph_break = lambda *_: None  # type: ignore[attr-defined]
    stand_ins[names[1]].is_compile_supported = is_compile_supported  # type: ignore[attr-defined]
    sys.modules.update(stand_ins)
    try:
        yield
    finally:
        for name in names:
            del sys.modules[name]


def is_compile_supported(device_type: str) -> bool:
    """torch._dynamo.utils.is_compile_supported, imported when it is called."""
    found = import_module("torch._dynamo.utils").is_compile_supported(device_type)
    return bool(found)


_LIBRARY = declare_operators()

with without_compiler():
    import timm
    import torchvision

__all__ = ["timm", "torchvision"]
