"""What jobs ask of a scheduler: every rule has an entry at every scale, the longest name holds."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from mtinet.config import load
from mtinet.errors import UserError
from pipeline import allocation
from pipeline.dependencies import ROOT
from pipeline.rules import rules

SCALES = {"some": {"other": {"mem_mb": 1, "minutes": 1}, "train": {"mem_mb": 2, "minutes": 2}}}
MORE = {"train_pascal": {"mem_mb": 3, "minutes": 3}, "train_pascal_mti_net": {"mem_mb": 4, "minutes": 4}}


def test_every_rule_has_an_entry_at_every_scale() -> None:
    declared = rules()
    for scale in load(ROOT / "params.yaml").scales:
        for rule in declared:
            found = allocation.entry(allocation.content(), scale, rule.name)
            assert "gpu_mem_mb" in found or not rule.uses_gpu, (scale, rule.name)


def test_no_entry_is_for_a_rule_that_is_none() -> None:
    names = [f"{rule.name}_" for rule in rules()]
    for scale, entries in allocation.content().items():
        for key in set(entries) - {"other"}:
            assert any(name.startswith(f"{key}_") for name in names), f"{scale}.{key}"


@pytest.mark.parametrize(
    ("name", "mem_mb"),
    [
        ("check_nyud", 1),
        ("train_nyud_mti_net", 2),
        ("train_pascal_astmt", 3),
        ("train_pascal_mti_net", 4),
        ("trainers_nyud", 1),
    ],
)
def test_the_longest_name_holds(name: str, mem_mb: int) -> None:
    scales = {"some": SCALES["some"] | MORE}
    assert allocation.entry(scales, "some", name)["mem_mb"] == mem_mb


@pytest.mark.parametrize(
    "entry",
    [
        None, 4, {}, {"mem_mb": 1}, {"mem_mb": 1, "minutes": 0}, {"mem_mb": "1G", "minutes": 1},
        {"mem_mb": True, "minutes": 1}, {"mem_mb": 1, "minutes": 1.5}, {"mem_mb": 1, "minutes": 1, "gpus": 1},
    ],
)  # fmt: skip
def test_a_wrong_entry_is_one_line_with_its_place(entry: Any) -> None:
    scales = {"some": SCALES["some"] | {"train": entry}}
    with pytest.raises(UserError, match=r"pipeline/allocation.yaml: some.train is .*: expected whole numbers above 0"):
        allocation.entry(scales, "some", "train_nyud_mti_net")


def test_a_scale_without_entries_is_one_line() -> None:
    with pytest.raises(UserError, match="expected the scale 'huge' with an entry 'other'; found"):
        allocation.entry(SCALES, "huge", "check_nyud")


def test_a_retry_asks_for_as_much_again() -> None:
    asked = allocation.growing(3000)
    assert [asked(None, attempt) for attempt in (1, 2, 3)] == [3000, 6000, 9000]


def test_a_study_on_the_cpu_asks_for_no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    training = next(rule for rule in rules() if rule.stage == "train")
    content = yaml.safe_load((ROOT / "params.yaml").read_text())
    assert allocation.allocation(training).gpu == 1
    content["compute"]["device"] = "cpu"
    monkeypatch.setattr(allocation, "declared", lambda: content)
    assert allocation.allocation(training).gpu == 0
    assert allocation.allocation(training).gpu_mem_mb == 0
