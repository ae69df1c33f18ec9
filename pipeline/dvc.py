"""`dvc`, which after a stage writes that stage's entry into dvc.lock instead of all of them; the same bytes, sooner.

It also parses each text once (pipeline/parsed_once.py): `dvc status` looks through the paper's experiments in a fifth
of the time.

DVC reads and writes the whole file for every stage that it has run, in a way that keeps comments: with all of the
paper's experiments that takes longer than many a stage. Nobody comments on a lock: the other entries' text is kept as
it is, and DVC's own dumper writes the new one. Likewise it parses the whole lock before it looks at one stage: of a
lock as it writes it, the entries that it asks for are enough.

    python -m pipeline.dvc repro ...
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

from mtinet import files
from pipeline import parsed_once

HEAD = "schema: '2.0'\nstages:\n"
ENTRY = re.compile(r"^  (?=\S)", re.M)  # where the entry of a stage begins
NAME = re.compile(r"  ([A-Za-z_]{6,}[\w-]*(?:@[\w.-]+)?):\n")  # one that YAML takes for nothing but a word
Modify = Callable[..., AbstractContextManager[Any]]
Load = Callable[..., Any]


class Entries(dict[str, Any]):
    """The lock's stages by name: those that were asked for or set as data, the rest as text."""

    def __init__(self, texts: dict[str, str], parse: Callable[[str], Any]) -> None:
        super().__init__()
        self.texts, self.parse = texts, parse
        self.set: dict[str, Any] = {}

    def get(self, name: str, default: Any = None) -> Any:
        if name in self.set:
            return self.set[name]
        return self.parse(self.texts[name])[name] if name in self.texts else default

    def update(self, changes: Mapping[str, Any]) -> None:  # type: ignore[override]
        self.set |= changes


class Recorded(dict[str, Any]):
    """The lock's stages by name, each parsed and validated when it is asked for; for `dvc` to read.

    Where an entry is not as DVC would have it, `whole` reads all of the lock DVC's way, which says so.
    """

    def __init__(self, texts: dict[str, str], entry: Callable[[str], Any], whole: Callable[[], Any]) -> None:
        super().__init__(dict.fromkeys(texts))
        self.texts, self.entry, self.whole = texts, entry, whole

    def __getitem__(self, name: str) -> Any:
        if super().__getitem__(name) is None:
            try:
                self[name] = self.entry(self.texts[name])[name]
            except Exception:
                self[name] = self.whole()["stages"][name]
        return super().__getitem__(name)

    def get(self, name: str, default: Any = None) -> Any:
        return self[name] if name in self else default  # noqa: SIM401 - dict.get knows nothing of __getitem__


def loading(original: Load, entry: Callable[[str], Any], parse: Callable[[str], Any]) -> Load:
    """`dvcfile.Lockfile.load`, which parses no entry that nobody asks for."""
    from dvc.fs import LocalFileSystem

    def load(lock: Any, **options: Any) -> Any:
        place = Path(lock.path)
        # Another revision's lock is not this file, and DVC has words for one that is ignored or no file.
        plain = not options and isinstance(lock.repo.fs, LocalFileSystem) and place.is_file() and lock.exists()
        texts = (
            split(place.read_text("utf-8", "surrogateescape"), parse) if plain and not lock._is_git_ignored() else None
        )
        if texts is None:
            return original(lock, **options)
        return {"schema": "2.0", "stages": Recorded(texts, entry, lambda: original(lock))}

    return load


def entry_of(text: str) -> Any:
    """The stage in an entry's text, by its name, parsed and validated by DVC."""
    from dvc.dvcfile import Lockfile
    from dvc.utils.serialize import loads_yaml

    return Lockfile.validate({"schema": "2.0", "stages": loads_yaml(text)})["stages"]


def split(text: str, parse: Callable[[str], Any]) -> dict[str, str] | None:
    """The entries' texts by stage, in the lock's order; None for a lock that holds anything else."""
    if not text.startswith(HEAD) or not text.endswith("\n"):
        return None
    rest = text[len(HEAD) :]
    begins = [found.start() for found in ENTRY.finditer(rest)]
    if not begins or begins[0] != 0 or re.search(r"^\S", rest, re.M):
        return None
    parts = [rest[begin:end] for begin, end in zip(begins, [*begins[1:], len(rest)], strict=True)]
    names = [name for part in parts if (name := name_of(part, parse)) is not None]
    return dict(zip(names, parts, strict=True)) if len(set(names)) == len(parts) else None


def name_of(part: str, parse: Callable[[str], Any]) -> str | None:
    """The stage whose entry `part` is; None where that is not how an entry begins."""
    plain = NAME.match(part)
    if plain:
        return plain[1]
    try:
        head = parse(part[: part.index("\n") + 1])
    except Exception:  # whatever the parser raises, DVC says it in its own way
        return None
    return next(iter(head)) if isinstance(head, dict) and len(head) == 1 else None


def modifying(original: Modify, parse: Callable[[str], Any], dump: Callable[[Any], str]) -> Modify:
    """DVC's way to change a YAML file, another one for its lock."""

    @contextmanager
    def modify(path: str, fs: Any = None) -> Iterator[Any]:
        place = Path(path)
        known = place.name == "dvc.lock" and place.exists()
        texts = split(place.read_text(encoding="utf-8"), parse) if known else None
        if texts is None:
            with original(path, fs=fs) as data:
                yield data
            return
        data = {"schema": "2.0", "stages": Entries(texts, parse)}
        entries = data["stages"]
        yield data
        if set(data) != {"schema", "stages"} or data["stages"] is not entries:
            raise RuntimeError(f"{path}: DVC changed more than stages of its lock; run plain dvc")
        made = {name: dump({"stages": {name: entry}}).removeprefix("stages:\n") for name, entry in entries.set.items()}
        files.write_bytes(place, (HEAD + "".join((texts | made).values())).encode())

    return modify


def main() -> int:
    from dvc import dvcfile
    from dvc.cli import main as dvc
    from dvc.utils.serialize import dumps_yaml, loads_yaml

    dvcfile.modify_yaml = modifying(dvcfile.modify_yaml, loads_yaml, dumps_yaml)
    dvcfile.Lockfile.load = loading(dvcfile.Lockfile.load, entry_of, loads_yaml)
    parsed_once.install()
    return int(dvc(sys.argv[1:]))


if __name__ == "__main__":
    sys.exit(main())
