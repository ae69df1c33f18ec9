"""Whatever happens to params.yaml, it is accepted or refused in lines that name the key: never a traceback."""

from __future__ import annotations

import copy
import itertools
import random
import time
from pathlib import Path
from typing import Any

import pytest
import yaml
from faults import record
from hypothesis import given, settings
from hypothesis import strategies as st

from mtinet import config, files, mistakes
from mtinet.errors import UserError

ROOT = Path(__file__).resolve().parents[1]
TEXT = (ROOT / "params.yaml").read_text()
OWN = """
study: {source: {rooms: archive}}
scales: {smoke: {rooms: &rooms {
  input: {height: 32, width: 64}, epochs: 1, epochs_of: {}, batch_size: 2, optimizer: {kind: adam, lr: 1.0e-3},
  lr_factor: 1.0, augmentation: {zoom: [1.0], flip: true}, pretrained: none}}, laptop: {rooms: *rooms},
  paper: {rooms: *rooms}}
datasets: {rooms: {
  layout: folders, archive: {path: my-rooms, sha256: null, limits: {files: 10, gigabytes: 1}},
  tasks: {seg: {classes: 3, weight: 1.0}, depth: {weight: 1.0}, edge: {weight: 50.0}},
  names: {seg: [wall, floor, box]}, edges: {max_dist: 0.011, protocol: released, flavour: seism}}}
experiments: {rooms: {single_task: {rooms-seg: {
  backbone: timm/hrnet_w18_small_v2, tasks: [seg], auxiliary: [], optimizer: adam, lr: 1.0e-4, weight_decay: 1.0e-4,
  weights: best, options: {}}}}}
"""  # a data set of one's own in folders, with the keys that the paper's two do not have


def merged(content: Any, more: Any) -> Any:
    """Nested sections put together."""
    if not isinstance(content, dict) or not isinstance(more, dict):
        return more
    return content | {key: merged(content.get(key), value) for key, value in more.items()}


CONTENT = merged(yaml.safe_load(TEXT), copy.deepcopy(yaml.safe_load(OWN)))
NYUD = ("scales", "laptop", "nyud")
MTI = ("experiments", "nyud", "mti_net", "hrnet18-mti")
DUMPER = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
Key = tuple[Any, ...]


def keys(content: Any, above: Key = ()) -> list[Key]:
    """The paths of all values, sections included."""
    if not isinstance(content, dict):
        return []
    return [key for name, value in content.items() for key in ((*above, name), *keys(value, (*above, name)))]


def at(content: Any, key: Key) -> Any:
    for part in key:
        content = content[part]
    return content


def loaded(folder: Path, text: str) -> str | None:
    """What refuses a params.yaml of `text`, None where it is accepted."""
    path = folder / "params.yaml"
    path.write_text(text, encoding="utf-8")
    try:
        config.load(path)
    except UserError as error:
        message = str(error)
        assert all(line.startswith(str(path)) and line.isprintable() for line in message.split("\n")), message
        assert all(len(line) < 2000 for line in message.split("\n")), message
        return message.replace(str(path), "params.yaml")
    return None


def changed(key: Key, value: Any) -> str:
    content = copy.deepcopy(CONTENT)
    at(content, key[:-1])[key[-1]] = value
    return yaml.safe_dump(content)


# What was found to pass ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ((*NYUD, "pretrained"), {"timm/hrnet_w18_smal_v2": "hub"}, ["pretrained", "mean 'timm/hrnet_w18_small_v2'"]),
        ((*NYUD, "pretrained"), 3, ["scales.laptop.nyud.pretrained: found 3, expected: a valid string"]),
        ((*NYUD, "pretrained"), {"timm/hrnet_w18_small_v2": 3}, ["pretrained.timm/hrnet_w18_small_v2: found 3"]),
        ((*NYUD, "augmentation", "zoom"), [True], ["scales.laptop.nyud.augmentation.zoom.0: found True"]),
        ((*NYUD, "lr_factor"), float("inf"), ["scales.laptop.nyud.lr_factor: found inf", "finite"]),
        ((*NYUD, "augmentation", "zoom"), [float("inf")], ["augmentation.zoom.0: found inf"]),
        ((*MTI, "lr"), float("nan"), ["hrnet18-mti.lr: found nan", "finite"]),
        ((*MTI, "options"), {"propagation": float("inf")}, ["hrnet18-mti.options.propagation: found inf"]),
        (("seeds",), [10**30], ["seeds.0: found 1000000000000000000000000000000", "less than 4294967296"]),
        ((*NYUD, "scenes", "seed"), -1, ["scenes.seed: found -1"]),
        (("compute", "threads"), 10**9, ["compute.threads: found 1000000000"]),
        (("datasets", "nyud", "archive", "url"), "ftp://host/file", ["datasets.nyud.archive.url: found 'ftp"]),
        (("datasets", "nyud", "archive", "mirrors"), ["a.tgz"], ["datasets.nyud.archive.mirrors.0: found 'a.tgz'"]),
    ],
)
def test_values_that_no_run_survives(tmp_path: Path, key: Key, value: Any, expected: list[str]) -> None:
    message = loaded(tmp_path, changed(key, value)) or "accepted"
    for part in expected:
        assert part in message


@pytest.mark.parametrize(
    "name", ["a/b", "a;b", "a b", "..", "", "a.b", "-a", "$(a)", "a\nb", "é", "a" * 65, "a\u2028b"]
)
def test_odd_names_of_experiments(tmp_path: Path, name: str) -> None:
    message = loaded(tmp_path, changed((*MTI[:-1], name), at(CONTENT, MTI))) or "accepted"
    assert "params.yaml: experiments.nyud.mti_net." in message
    assert "found this name, expected letters" in message


@pytest.mark.parametrize(
    "text",
    ["seeds: [0]\nseeds: [1]\n", "study: {scale: laptop, scale: paper}", "a:\n  b: 1\n  c: 2\n  b: 3"],
)
def test_keys_that_stand_twice(tmp_path: Path, text: str) -> None:
    message = loaded(tmp_path, text) or "accepted"
    assert "the key '" in message
    assert "expected it once" in message


def test_merged_keys_may_be_overridden(tmp_path: Path) -> None:
    text = "a: &a {x: 1, y: 1}\nb: &b {<<: *a, x: 2}\nc: {<<: *b, x: 3}\n"
    content = yaml.load(text, Loader=mistakes.UniqueKeys)
    assert content == {"a": {"x": 1, "y": 1}, "b": {"x": 2, "y": 1}, "c": {"x": 3, "y": 1}}


@pytest.mark.parametrize(
    "text",
    [
        "", "null", "3", "[]", "- a", "{}", "a: &a [*a]", "seeds: &s [*s]", "[" * 2000, "{a: " * 2000,
        "? [1]\n: 2", "1: 2", "seeds: 2026-99-99", "seeds: !!int x", "seeds: !!bool x", "seeds: !!timestamp x",
        "seeds: !!float ''", "seeds: !!python/object/apply:os.system [true]", "seeds: 0x_",
        f"seeds: [0x{'f' * 9000}]", f"seeds: [{'9' * 9000}]", "\x00", "\ufeffstudy: 1", "seeds: !!binary '*'",
        "? {a: 1}\n: 2", "<<: 3", "<<: [1]", "a: *b", "%YAML 9.9\n---\na: 1", "---\na: 1\n---\nb: 2",
        "seeds: !!set {a, b}", "seeds: !!omap [a: 1]", "? !!null\n: 1", "!!str a: 1\n'a': 2",
    ],
)  # fmt: skip
def test_odd_yaml(tmp_path: Path, text: str) -> None:
    assert loaded(tmp_path, text) is not None


@pytest.mark.parametrize("shape", ["[{}]", "{{{}}}"])
@pytest.mark.parametrize("where", ["beside", "seeds", "options"])
def test_aliases_of_aliases_are_not_followed(tmp_path: Path, shape: str, where: str) -> None:
    """Ten lines that stand for ten thousand million values: refused at once, wherever they are used."""
    lines = [f"a: &a {shape.format(','.join('x' if shape[0] == '[' else f'k{n}: x' for n in range(10)))}"]
    for before, name in itertools.pairwise("abcdefghij"):
        parts = [f"*{before}" if shape[0] == "[" else f"k{n}: *{before}" for n in range(10)]
        lines.append(f"{name}: &{name} {shape.format(', '.join(parts))}")
    text = {"beside": TEXT, "seeds": TEXT.replace("\nseeds:", "\nseeds: *j\nother:", 1)}
    text["options"] = TEXT.replace("options: {}", "options: {propagation: *j}", 1)
    began = time.monotonic()
    message = loaded(tmp_path, "\n".join(lines) + "\n" + text[where])
    assert "aliases stand for more than 100000 values" in (message or "accepted")
    assert time.monotonic() - began < 10
    record("Parameters (params.yaml) with aliases that never end", 1, 0)


def test_bytes_that_are_no_text_and_a_folder(tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    path.write_bytes(b"study: \xff\xfe")
    with pytest.raises(UserError, match="not valid YAML: 'utf-8' codec"):
        config.load(path)
    with pytest.raises(UserError, match="cannot be read"):
        config.load(tmp_path)


# Whatever happens to it ---------------------------------------------------------------------------------------

NAMES = st.one_of(
    st.text(max_size=8),
    st.sampled_from(["a/b", "..", "a;b", "a b", "$HOME", "nyud", "seed", "tasks", "archive", "x" * 300, "~", "on"]),
)
ODD = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), NAMES, st.dates(), st.binary(max_size=4),
    st.sampled_from([10**400, -(10**400), 2**63, 1e308, 5e-324, "none", "hub", "x#sha256=0", "file:///x"]),
    st.lists(st.one_of(st.integers(), st.text(max_size=3)), max_size=2),
    st.dictionaries(st.one_of(NAMES, st.integers(), st.none(), st.booleans()), st.integers(), max_size=2),
)  # fmt: skip
PLACES = keys(CONTENT)


def mutate(content: Any, kind: str, key: Key, name: Any, value: Any) -> None:
    """Delete, replace, rename or copy what stands at `key`, or put something beside it."""
    section = at(content, key[:-1])
    if kind == "replace":
        section[key[-1]] = value
    elif kind == "add":
        section[name] = value
    elif kind == "copy":
        section[name] = copy.deepcopy(section[key[-1]])
    elif kind == "swap":
        section[key[-1]] = copy.deepcopy(at(CONTENT, value if isinstance(value, tuple) else key[:1]))
    else:
        old = section.pop(key[-1])
        if kind == "rename":
            section[name] = old


# Sections that few keys of the whole file belong to are mutated half of the time.
SPARSE = [key for key in PLACES if "rooms" in key or key[0] in ("pretraining", "compute")]


@settings(deadline=None, max_examples=150)
@given(
    kind=st.sampled_from(["delete", "replace", "rename", "add", "copy", "swap"]),
    key=st.one_of(st.sampled_from(PLACES), st.sampled_from(SPARSE)),
    name=st.one_of(NAMES, st.integers(), st.none(), st.booleans()),
    value=ODD,
    other=st.sampled_from(PLACES),
)
def test_mutations_are_accepted_or_refused_by_the_keys_path(
    tmp_path_factory: pytest.TempPathFactory, kind: str, key: Key, name: Any, value: Any, other: Key
) -> None:
    content = copy.deepcopy(CONTENT)
    mutate(content, kind, key, name, other if kind == "swap" else value)
    message = loaded(tmp_path_factory.getbasetemp(), yaml.dump(content, Dumper=DUMPER, allow_unicode=True))
    if message is not None:
        named = [part for part in (*key[-3:], name) if str(part) in message]
        assert named, (key, message)
    record("Parameters (params.yaml) changed at random", 1, 0)


def test_the_unchanged_parameters_are_accepted(tmp_path: Path) -> None:
    assert loaded(tmp_path, yaml.safe_dump(CONTENT)) is None


def test_mutations_of_the_text_are_accepted_or_refused(tmp_path: Path) -> None:
    """Lines lost, doubled or moved, characters changed: what a careless edit does."""
    rng, refused = random.Random(3), 0
    tried = 100
    for _ in range(tried):
        lines = TEXT.splitlines(keepends=True)
        place = rng.randrange(len(lines))
        kind = rng.randrange(4)
        if kind == 0:
            del lines[place]
        elif kind == 1:
            lines.insert(rng.randrange(len(lines)), lines[place])
        elif kind == 2:
            lines[place] = lines[place].replace(" ", "", 1)
        else:
            at_ = rng.randrange(len(lines[place]))
            lines[place] = lines[place][:at_] + rng.choice("{}[]:,#&*!|>'\"%@`\t\x00éx0-") + lines[place][at_ + 1 :]
        refused += loaded(tmp_path, "".join(lines)) is not None
    assert tried / 3 < refused < tried
    record("Parameters (params.yaml) changed at random", tried, 0)


def test_what_is_accepted_is_what_stands_there() -> None:
    """The strict reader gives what others read: DVC and Snakemake see the same content."""
    assert config.load(ROOT / "params.yaml").model_dump(exclude_unset=True) == files.read_yaml(ROOT / "params.yaml")
