"""Facts about this machine: versions, tools, devices, disk."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import shutil
import sys
from pathlib import Path
from typing import Any

LIBRARIES = ("torch", "torchvision", "timm", "numpy", "dvc", "snakemake", "mlflow")
TOOLS = ("git", "dvc", "snakemake")
LOCK = Path("requirements.lock")
CACHE = Path(".dvc/cache")


def versions() -> dict[str, str | None]:
    """Library -> installed version; None where it is not installed."""
    found: dict[str, str | None] = {"mtinet": installed("mtinet"), "python": platform.python_version()}
    return found | {name: installed(name) for name in LIBRARIES}


def installed(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def unlike_locked() -> list[str]:
    """Packages whose version is not that of requirements.lock, which version they have; none where there is no lock."""
    if not LOCK.exists():
        return []
    pairs = [line.split(";")[0].strip().partition("==") for line in LOCK.read_text().splitlines() if "==" in line]
    found = {name: (installed(name), version) for name, _, version in pairs}
    return [
        f"{name} {own or 'missing'} (locked: {version})"
        for name, (own, version) in found.items()
        if (own or "").partition("+")[0] != version.partition("+")[0]
    ]


def tools() -> dict[str, str | None]:
    """Tool -> where it is: on the path, or beside this Python."""
    beside = str(Path(sys.executable).parent)
    return {name: shutil.which(name) or shutil.which(name, path=beside) for name in TOOLS}


def devices() -> dict[str, Any]:
    """Cores that this process may use, instruction set, memory, load of the last minute, GPUs."""
    from mtinet import stage

    return {
        "cores": stage.cores(),
        "memory_gb": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9,
        "load": os.getloadavg()[0],
        **seen_by_torch(),
    }


def seen_by_torch() -> dict[str, Any]:
    """Instruction set and GPUs; "broken" says why torch cannot be imported, None where it can."""
    try:
        import torch
    except (ImportError, OSError) as error:  # a missing shared library is an OSError
        return {"instruction_set": "instruction set unknown", "gpus": [], "broken": " ".join(str(error).split())[:200]}
    found = [torch.cuda.get_device_properties(index) for index in range(torch.cuda.device_count())]
    gpus = [f"{one.name}, {one.total_memory / 1e9:.0f} GB" for one in found]
    return {"instruction_set": torch.backends.cpu.get_cpu_capability(), "gpus": gpus, "broken": None}


def disk() -> dict[str, Any]:
    """Free space here, and whether DVC can link from its cache instead of copying."""
    here = Path.cwd()
    linked = not CACHE.exists() or CACHE.stat().st_dev == here.stat().st_dev
    return {"folder": str(here), "free_gb": shutil.disk_usage(here).free / 1e9, "cache_beside": linked}
