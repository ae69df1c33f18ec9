"""No file that the project reads can run code: by its source text, and by files that try."""

from __future__ import annotations

import ast
import importlib
import io
import pickle
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from archive_layout import write_layout
from faults import record
from scipy.io import savemat

from mtinet import config, files, mistakes, stage
from mtinet.data import formats, layouts, packed, packing
from mtinet.errors import UserError
from mtinet.models import backbones

ROOT = Path(__file__).resolve().parents[1]
SOURCES = sorted(
    path for folder in ("src", "stages", "pipeline", "benchmarks") for path in (ROOT / folder).rglob("*.py")
)
UNSAFE_MODULES = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}
UNSAFE_CALLS = {
    "eval", "exec", "compile", "__import__", "unsafe_load", "full_load", "unsafe_load_all", "full_load_all", "load_all",
    "read_pickle", "to_pickle", "fromfile", "torch.hub.load", "torch.jit.load", "os.system",
    "RegisterCustomOpsLibrary", "register_custom_ops_library",
}  # fmt: skip
SAFE_LOADERS = {
    "Yaml12Numbers": files.Yaml12Numbers,
    "UniqueKeys": mistakes.UniqueKeys,
    "SAFE_LOADER": stage.SAFE_LOADER,
}
# The keyword that a call must have, with its value.
REQUIRED = {
    "torch.load": ("weights_only", True),
    "np.load": ("allow_pickle", False),
    "numpy.load": ("allow_pickle", False),
}


def unsafe(text: str) -> Iterator[str]:
    """What in a source could run code from a file."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import | ast.ImportFrom):
            module = node.module if isinstance(node, ast.ImportFrom) else None
            names = [module or "", *(alias.name for alias in node.names)]
            yield from (f"import of {name}" for name in names if name.split(".")[0] in UNSAFE_MODULES)
            if module in ("torch", "numpy", "yaml") and "load" in names[1:]:
                yield f"{module}.load under another name"
        elif isinstance(node, ast.Call):
            yield from unsafe_call(node)


def unsafe_call(node: ast.Call) -> Iterator[str]:
    called = ast.unparse(node.func)
    given = {word.arg: word.value for word in node.keywords}
    if called in UNSAFE_CALLS or (called.rpartition(".")[2] in UNSAFE_CALLS - {"compile", "eval"} and "." in called):
        yield called
    if called in REQUIRED:
        word, value = REQUIRED[called]
        if not (isinstance(found := given.get(word), ast.Constant) and found.value is value):
            yield f"{called} without {word}={value}"
    if called == "yaml.load" and ast.unparse(given.get("Loader", ast.Constant(None))) not in SAFE_LOADERS:
        yield "yaml.load without a safe Loader"
    if called.endswith((".extractall", ".extract")) and called.startswith("tar") and "filter" not in given:
        yield f"{called} without a filter"
    if isinstance(found := given.get("allow_pickle"), ast.Constant) and found.value is not False:
        yield f"{called} with pickles"


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_no_source_loads_code(path: Path) -> None:
    assert list(unsafe(path.read_text(encoding="utf-8"))) == []


def test_the_loaders_are_safe() -> None:
    assert all(issubclass(loader, yaml.SafeLoader | yaml.CSafeLoader) for loader in SAFE_LOADERS.values())
    assert len(SOURCES) > 100


@pytest.mark.parametrize(
    "text",
    [
        "import pickle", "from pickle import load", "import joblib as j", "import torch\ntorch.load(a)",
        "torch.load(a, weights_only=False)", "torch.load(a, weights_only=b)", "np.load(a)",
        "np.load(a, allow_pickle=True)",
        "np.load(a, 'r')", "yaml.load(a)", "yaml.load(a, Loader=yaml.Loader)", "yaml.unsafe_load(a)", "eval(a)",
        "from torch import load", "pd.read_pickle(a)", "tar.extractall(a)", "np.save(a, b, allow_pickle=True)",
        "options.register_custom_ops_library(a)", "torch.hub.load(a)", "torch.jit.load(a)",
    ],
)  # fmt: skip
def test_the_search_finds(text: str) -> None:
    assert list(unsafe(text))


# Files that try ----------------------------------------------------------------------------------------------


class Trap:
    """Unpickled, it leaves a file behind."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return Path.touch, (self.mark,)  # type: ignore[return-value]


@pytest.fixture
def mark(tmp_path: Path) -> Path:
    """The file that a trap leaves: shown to work, then removed."""
    mark = tmp_path / "sprung"
    pickle.loads(pickle.dumps(Trap(mark)))
    assert mark.exists()
    mark.unlink()
    return mark


def test_weights_with_code(mark: Path, tmp_path: Path) -> None:
    torch.save({"state_dict": Trap(mark)}, tmp_path / "a.pth")
    (tmp_path / "b.pth").write_bytes(pickle.dumps(Trap(mark)))
    (tmp_path / "c.safetensors").write_bytes(pickle.dumps(Trap(mark)))
    for name in ("a.pth", "b.pth", "c.safetensors"):
        with pytest.raises(UserError, match="no readable state dict"):
            backbones.read_state(str(tmp_path / name))
    # What a library would load without care, as torchvision does with its downloads.
    with pytest.raises(pickle.UnpicklingError):
        torch.load(tmp_path / "a.pth", weights_only=False)
    assert not mark.exists()
    record("weights that hold code", 4, int(mark.exists()))


def test_arrays_with_code(mark: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.array([Trap(mark)], object), allow_pickle=True)
    (tmp_path / "b.npy").write_bytes(pickle.dumps(Trap(mark)))
    for name in ("a.npy", "b.npy"):
        with pytest.raises(UserError, match=r"not a readable \.npy file"):
            formats.read_array(tmp_path / name)
    write_layout(tmp_path / "set")
    packing.pack(tmp_path / "set", None, ["0001"], ["seg"], tmp_path / "packed", layout=layouts.layout("nyud"))
    for in_memory in (True, False):
        np.save(tmp_path / "packed" / "seg.npy", np.array([Trap(mark)] * 48 * 64, object), allow_pickle=True)
        with pytest.raises(UserError, match="not a packed split"):
            packed.PackedSplit(tmp_path / "packed", in_memory)
    assert not mark.exists()
    record("arrays that hold code", 4, int(mark.exists()))


def test_parameters_and_mat_files_with_code(mark: Path, tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    path.write_text(f"study: !!python/object/apply:pathlib.Path.touch [!!python/object/apply:pathlib.Path ['{mark}']]")
    with pytest.raises(UserError, match="could not determine a constructor"):
        config.load(path)
    buffer = io.BytesIO()
    savemat(buffer, {"anno": np.frombuffer(pickle.dumps(Trap(mark)), np.uint8)})
    (tmp_path / "a.mat").write_bytes(buffer.getvalue())
    importlib.import_module("mtinet.data.formats").read_mat(tmp_path / "a.mat", "anno")
    assert not mark.exists()
    record("parameters and .mat files that hold code", 2, int(mark.exists()))
