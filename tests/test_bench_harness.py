"""How benchmarks time: in turns, with spread, and ratios that a busy neighbour does not bend. Nothing is timed here."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks import harness, performance
from benchmarks.harness import Plan, Way


@dataclass
class FakeClock:
    """Stands still but when something takes time; notes who took it."""

    now: float = 0.0
    done: list[str] = field(default_factory=list)

    def __call__(self) -> float:
        return self.now

    def way(self, name: str, seconds: Iterator[float] | float, images: int = 1) -> Way:
        durations = itertools.repeat(seconds) if isinstance(seconds, float) else seconds

        def run() -> None:
            self.done.append(name)
            self.now += next(durations)

        return Way(run, images)


def test_ways_take_turns_and_warm_ups_do_not_count() -> None:
    clock = FakeClock()
    ways = {"plain": clock.way("a", iter([9.0, 1.0, 2.0])), "ours": clock.way("b", iter([7.0, 3.0, 4.0]))}
    times = harness.interleaved(ways, Plan(repetitions=2, warm_up=1), clock)
    assert clock.done == ["a", "b", "a", "b", "a", "b"]
    assert times == {"plain": [1.0, 2.0], "ours": [3.0, 4.0]}


def test_what_takes_long_is_repeated_less_often_yet_at_least_so_often() -> None:
    def rounds(seconds: float, **plan: float) -> int:
        clock = FakeClock()
        chosen = Plan(**{"repetitions": 10, "warm_up": 1, "seconds": 20.0, "least": 3, **plan})  # type: ignore[arg-type]
        return len(harness.interleaved({"plain": clock.way("a", seconds)}, chosen, clock)["plain"])

    assert rounds(1.0) == 10
    assert rounds(4.0) == 5  # begun at 4, 8, 12, 16, 20 s; the next would begin at 24 s
    assert rounds(100.0) == 3
    assert rounds(100.0, least=1, warm_up=0) == 1


def test_seconds_that_a_way_tells_take_the_place_of_the_clock() -> None:
    clock = FakeClock()
    told = iter([0.5, 0.25])
    times = harness.interleaved({"plain": Way(lambda: next(told))}, Plan(repetitions=2, warm_up=0), clock)
    assert times == {"plain": [0.5, 0.25]}


@given(st.lists(st.floats(1e-6, 1e6), min_size=1, max_size=30))
def test_quartiles_are_those_of_the_sorted_values(values: list[float]) -> None:
    low, middle, high = harness.quartiles(values)
    ordered = sorted(values)

    def at(share: float) -> float:
        place = share * (len(ordered) - 1)
        below = int(place)
        above = min(below + 1, len(ordered) - 1)
        return ordered[below] + (place - below) * (ordered[above] - ordered[below])

    assert [low, middle, high] == pytest.approx([at(0.25), at(0.5), at(0.75)])


@given(st.lists(st.floats(0.1, 100.0), min_size=1, max_size=12), st.floats(0.01, 100.0))
def test_a_neighbour_that_slows_whole_rounds_leaves_ratios_as_they_are(slowed: list[float], factor: float) -> None:
    """Medians of the two ways apart would give something else; so would ways that are timed one after the other."""
    ways = {"plain": Way(lambda: None, images=6), "ours": Way(lambda: None, images=12)}
    times = {"plain": [factor * slow for slow in slowed], "ours": list(slowed)}
    lines = harness.rows("case", ways, times, "plain", Plan(), device="cpu")
    ours = lines[1]
    assert ours["ratio"] == pytest.approx(2 * factor, rel=1e-3)
    assert ours["ratio_low"] == ours["ratio_high"] == ours["ratio"]
    assert lines[0]["ratio"] == 1.0


def test_a_row_has_images_per_second_and_the_way_s_own_conditions() -> None:
    ways = {"plain": Way(lambda: None, 6, {"threads": 2}), "ours": Way(lambda: None, 12, {"threads": 1})}
    lines = harness.rows("case", ways, {"plain": [2.0] * 3, "ours": [1.0] * 3}, "plain", Plan(), threads=9, batch=6)
    assert [(line["threads"], line["batch"], line["images_per_s"], line["ratio"]) for line in lines] == [
        (2, 6, 3.0, 1.0),
        (1, 6, 12.0, 4.0),
    ]
    assert lines[0]["repetitions"] == 3


def test_a_column_that_no_table_has_is_an_error() -> None:
    with pytest.raises(ValueError, match="bath"):
        harness.row(case="case", way="plain", bath=6)


def test_a_file_holds_its_conditions_and_its_lines(tmp_path: Path) -> None:
    lines = [
        harness.row(case="step", way=name, median_s=value, note="a, b") for name, value in (("x", 0.1), ("y", 2.0))
    ]
    head = [*harness.conditions("training"), "besides: nothing"]
    harness.write("training", lines, head, tmp_path)
    read_head, read_lines = harness.read("training", tmp_path)
    assert read_head == head
    assert read_lines == [
        {"case": "step", "way": "x", "median_s": "0.1", "note": "a, b"},
        {"case": "step", "way": "y", "median_s": "2.0", "note": "a, b"},
    ]


def test_conditions_name_machine_versions_and_commit() -> None:
    text = "\n".join(harness.conditions("training"))
    for word in ("cpu ", "cores", "load average", "python 3", f"numpy {np.__version__}", "torch ", "commit ", "ratio:"):
        assert word in text


def test_numbers_are_never_powers_of_ten() -> None:
    given_numbers = {
        "123456.0": "123,000",
        "1234": "1,230",
        "12.345": "12.3",
        "0.00012345": "0.000123",
        "": "",
        "7": "7",
    }
    assert {text: performance.number(text) for text in given_numbers} == given_numbers


def test_the_document_s_tables_come_from_the_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ways = {"plain": Way(lambda: None, 6), "ours": Way(lambda: None, 6)}
    lines = harness.rows("step hrnet18", ways, {"plain": [3.0] * 3, "ours": [1.5] * 3}, "plain", Plan())
    lines.append(harness.row(case="step gpu", way="plain and ours", note="not measured: no GPU here"))
    harness.write("training", lines, ["here"], tmp_path)
    monkeypatch.setattr(performance.harness, "read", lambda subject: harness_read(subject, tmp_path))
    text = (
        "before\n<!-- table: step -->\nold\n<!-- end of table -->\nafter <!-- table: batch -->kept<!-- end of table -->"
    )
    filled = performance.filled(text)
    assert filled.startswith("before\n")
    assert "old" not in filled
    assert "| hrnet18 | ours | 250 (250 to 250) | 4 | 2 (2 to 2) |" in filled
    assert "| gpu | plain and ours |  |  |  | not measured: no GPU here |" in filled
    assert filled.endswith("after <!-- table: batch -->kept<!-- end of table -->")
    assert performance.filled(filled) == filled


harness_read = harness.read


def test_a_marker_without_a_table_is_an_error() -> None:
    with pytest.raises(ValueError, match="no table 'stepp'"):
        performance.filled("<!-- table: stepp -->\n<!-- end of table -->")
