"""Checkpoints on disk: torn ones are noticed, the last two kept, nothing in them is run."""

from __future__ import annotations

import errno
import os
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from faults import record, tear
from hypothesis import given, settings
from hypothesis import strategies as st

from mtinet.errors import UserError
from mtinet.training import checkpoints
from mtinet.training.checkpoints import EVERY, Checkpoints

STATE = {"numbers": torch.arange(50.0), "history": [{"loss": 0.1}], "random": checkpoints.random_states()}


@given(place=st.floats(0, 1), how=st.sampled_from(["flip", "cut"]))
@settings(max_examples=60, deadline=None)
def test_a_checkpoint_torn_anywhere_is_noticed_and_the_one_before_used(
    tmp_path_factory: pytest.TempPathFactory, place: float, how: str
) -> None:
    kept = Checkpoints(tmp_path_factory.mktemp("torn"))
    for step in (5, 9):
        kept.save(step, STATE | {"step": step})
    newest = kept.found()[0]
    tear(newest, place, how)
    found = kept.load()
    assert found is not None
    assert found["step"] == 5
    assert not newest.exists()
    record("Checkpoint with a bit flipped or its end cut off", tried=1, lost=0)


def test_a_checkpoint_torn_in_any_byte_is_noticed(tmp_path: Path) -> None:
    """Every byte in turn, headers included; and cut off at every one of them."""
    kept = Checkpoints(tmp_path)
    kept.save(5, {"step": 5})
    kept.save(9, {"step": 9})
    newest = kept.found()[0]
    whole = newest.read_bytes()
    tried = 0
    for place in range(len(whole)):
        for content in (whole[:place] + bytes([whole[place] ^ (1 << place % 8)]) + whole[place + 1 :], whole[:place]):
            newest.write_bytes(content)
            assert kept.load() == {"step": 5}
            assert not newest.exists()
            tried += 1
    record("Checkpoint with a bit flipped or its end cut off", tried=tried, lost=0)


def test_a_checkpoint_that_the_disk_does_not_give_back_is_torn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = Checkpoints(tmp_path)
    kept.save(5, {"step": 5})
    kept.save(9, {"step": 9})
    newest, original = kept.found()[0], Path.read_bytes

    def failing(self: Path) -> bytes:
        if self == newest:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return original(self)

    monkeypatch.setattr(Path, "read_bytes", failing)
    assert kept.load() == {"step": 5}


def test_what_kills_left_of_checkpoints_goes(tmp_path: Path) -> None:
    """Else twenty kills while a large one is written would leave twenty large files."""
    kept = Checkpoints(tmp_path)
    kept.save(5, {"step": 5})
    for number in (1, 22, 333):
        (tmp_path / f".part-{number}-000000009-abc.pt").write_bytes(b"half")
    assert kept.load() == {"step": 5}
    assert [path.name.partition("-")[0] for path in tmp_path.iterdir()] == ["000000005"]


def test_the_last_two_are_kept_and_nothing_is_made_of_nothing(tmp_path: Path) -> None:
    kept = Checkpoints(tmp_path)
    assert kept.load() is None
    for step in (1, 2, 10, 100):
        kept.save(step, {"step": step})
    assert [int(path.name.partition("-")[0]) for path in kept.found()] == [100, 10]
    for path in kept.found():
        tear(path, 0.3)
    assert kept.load() is None


def test_pickled_code_is_never_run(tmp_path: Path) -> None:
    """A file that passes for a checkpoint but holds a call is refused by torch.load."""

    class Call:
        def __reduce__(self) -> Any:
            return os.mkdir, (str(tmp_path / "ran"),)

    kept = Checkpoints(tmp_path)
    kept.save(1, {"call": Call()})
    with pytest.raises(Exception, match=r"[Uu]nsupported|weights_only"):
        kept.load()
    assert not (tmp_path / "ran").exists()


def test_random_states_come_back() -> None:
    before = checkpoints.random_states()
    drawn = [torch.rand(3), np.random.rand(3), random.random()]
    checkpoints.set_random_states(before)
    again = [torch.rand(3), np.random.rand(3), random.random()]
    assert torch.equal(drawn[0], again[0])
    np.testing.assert_array_equal(drawn[1], again[1])
    assert drawn[2] == again[2]


@pytest.mark.parametrize("text", ["often", "-1", "nan", "inf"])
def test_seconds_between_checkpoints_are_a_number(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(EVERY, text)
    with pytest.raises(UserError, match=f"{EVERY} is '{text}'"):
        Checkpoints(tmp_path)
